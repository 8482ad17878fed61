"""Whatever is handed in: the library, the command line and the app read it alike, or say alike why not."""

import json
import re
import subprocess
import sys
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from any_picture import FILES, Handed, face
from gradio.data_classes import ImageData
from running import ROOT

from kp import Predictor, read_image
from kp.__main__ import main
from kp.data.images import to_grey
from kp.detectors import DETECTORS
from kp.errors import ImageError
from kp.ui.widgets.safe_image import SafeImage

MEGABYTES = 1500  # that a process may take


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("handed")
    for handed in FILES:
        (folder / handed.name).write_bytes(handed.content())
    return folder


@pytest.mark.parametrize("handed", FILES, ids=lambda handed: handed.name)
def test_library_and_app_read_it_or_say_why_not(handed: Handed, folder: Path) -> None:
    component = SafeImage()
    component.GRADIO_CACHE = str(folder)
    payload = ImageData(path=str(folder / handed.name))
    if handed.shape is None:
        with pytest.raises(ImageError, match=handed.says) as caught:
            read_image(folder / handed.name)
        assert str(caught.value).count(handed.name) == 1 and str(caught.value).endswith(".")
        with pytest.raises(gr.Error, match=re.escape(str(caught.value))):
            component.preprocess(payload)
        return
    image = read_image(folder / handed.name)
    assert (image.dtype, image.shape, image.flags.c_contiguous) == (np.uint8, (*handed.shape, 3), True)
    assert np.array_equal(component.preprocess(payload), image)
    if handed.like:
        assert np.corrcoef(to_grey(image).ravel(), to_grey(face()).ravel())[0, 1] > handed.like


def test_every_detector_takes_every_picture(folder: Path) -> None:
    for handed in FILES:
        if handed.shape:
            for detector in DETECTORS:
                faces = Predictor("heatmap_net", detector).predict(read_image(folder / handed.name))
                assert all(np.isfinite(found.keypoints).all() for found in faces), (handed.name, detector)


def test_the_face_is_found_in_every_kind_of_file(folder: Path) -> None:
    predictor = Predictor("heatmap_net", tta=4)
    (expected,) = predictor.predict(face())
    for handed in FILES:
        if handed.shape and handed.like > 0.8:
            (found,) = predictor.predict(read_image(folder / handed.name))
            assert np.abs(found.keypoints - expected.keypoints).max() < 4, handed.name


def test_command_line_reads_them_or_says_why_not(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(folder / handed.name) for handed in FILES]
    assert main(["predict", *paths, "--json"]) == 1
    results = json.loads(capsys.readouterr().out)
    assert [result["file"] for result in results] == paths
    for handed, result in zip(FILES, results, strict=True):
        if handed.shape:
            assert (result["height"], result["width"], result["error"]) == (*handed.shape, None)
        else:
            assert re.search(handed.says, result["error"])
            assert result["faces"] == []


LARGE = r"""
import re, sys
import numpy as np
from PIL import Image
from kp import Predictor
from kp.data.images import read_image
from kp.formats.writer import overlay, png_bytes
mode, path = sys.argv[1:]
if mode == "write":
    Image.new("RGBA", (11_000, 9_000), (200, 150, 120, 250)).save(path, compress_level=1)
else:
    image = read_image(path)
    faces = Predictor(detector="whole-image").predict(image)
    Predictor().predict(image)
    png_bytes(overlay(image, faces))
    # Of this program alone: the usage that `resource` gives starts with that of the process which started it.
    print(int(re.search(r"VmHWM:\s*(\d+)", open("/proc/self/status").read())[1]) // 1024)
"""


def test_ninety_nine_megapixels_take_no_more_than_a_gigabyte_and_a_half(tmp_path: Path) -> None:
    for mode in ("write", "read"):
        done = subprocess.run(
            [sys.executable, "-c", LARGE, mode, str(tmp_path / "large.png")], capture_output=True, text=True, cwd=ROOT
        )
        assert done.returncode == 0, done.stderr
    assert int(done.stdout) < MEGABYTES
    assert not done.stderr  # no warnings of a bomb either
