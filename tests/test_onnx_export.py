"""A network as ONNX gives PyTorch's numbers, and the description beside it is enough to use it."""

import builtins
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from builders import drawn_face, tiny_checkpoint
from running import ROOT

from kp import Box, Checkpoint, Predictor, load_checkpoint, save_checkpoint
from kp.__main__ import main
from kp.checkpoint import list_checkpoints
from kp.data import Preprocessing
from kp.models import create_model
from kp.onnx_export import CropPixels, export_onnx

pytestmark = pytest.mark.slow


def a_checkpoint(architecture: str, size: int, **arguments: int) -> Checkpoint:
    """An untrained network whose normalisations have seen something."""
    torch.manual_seed(0)
    model = create_model(architecture, **arguments)
    channels = arguments.get("channels", 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05 * parameter.std().nan_to_num(0))
        model.train()(torch.rand(8, channels, size, size))
    return Checkpoint(
        architecture, dict(arguments), model.state_dict(), replace(Preprocessing.centred(size), channels=channels)
    )


NETWORKS = {
    "heatmap_net": lambda: a_checkpoint("heatmap_net", 64, width=8),
    "in colour": lambda: a_checkpoint("heatmap_net", 64, width=8, channels=3),
    "naimishnet": lambda: tiny_checkpoint(size=64),
    "five_conv": lambda: a_checkpoint("five_conv", 224),
}


@pytest.fixture(scope="module", params=NETWORKS)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkpoint, Path]:
    checkpoint = NETWORKS[request.param]()
    path = tmp_path_factory.mktemp("onnx") / "net.onnx"
    assert export_onnx(checkpoint, path) == [path, path.with_suffix(".json")]
    return checkpoint, path


def session(path: Path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("faces", [0, 1, 2, 3, 5])
def test_outputs_agree_with_pytorch(exported: tuple[Checkpoint, Path], faces: int) -> None:
    checkpoint, path = exported
    model = CropPixels(checkpoint).eval()
    size, channels = checkpoint.preprocessing.size, checkpoint.preprocessing.channels
    crops = torch.rand(faces, channels, size, size, generator=torch.Generator().manual_seed(faces))
    with torch.inference_mode():
        expected = model(crops)
    answers = session(path).run(None, {"crops": crops.numpy()})
    assert [len(answer) for answer in answers] == [faces] * len(model.outputs)
    for answer, ours in zip(answers, expected, strict=True):
        assert answer.dtype == np.float32 and answer.shape == ours.shape
        assert np.allclose(answer, ours.numpy(), rtol=0, atol=1e-3)  # pixels


@pytest.mark.parametrize("name", list_checkpoints())
def test_the_shipped_networks_agree(name: str, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(name)
    export_onnx(checkpoint, tmp_path / "net.onnx")
    size, channels = checkpoint.preprocessing.size, checkpoint.preprocessing.channels
    crops = torch.rand(2, channels, size, size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = CropPixels(checkpoint).eval()(crops)
    for answer, ours in zip(session(tmp_path / "net.onnx").run(None, {"crops": crops.numpy()}), expected, strict=True):
        assert np.abs(answer - ours.numpy()).max() < 1e-3  # pixels


def test_the_description_is_enough(exported: tuple[Checkpoint, Path]) -> None:
    """The library's answer in a photo, from the two files and OpenCV alone."""
    checkpoint, path = exported
    image, points = drawn_face(5)
    box = Box.from_points(points)
    (face,) = Predictor(checkpoint, "whole-image").predict(image, [box])
    about = json.loads(path.with_suffix(".json").read_text())
    size, side = about["crop"]["size"], about["crop"]["margin"] * max(box.width, box.height)
    zoom, box_x, box_y = size / side, (box.left + box.right) / 2, (box.top + box.bottom) / 2
    middle = (size - 1) / 2
    matrix = np.array([[zoom, 0, middle - zoom * box_x], [0, zoom, middle - zoom * box_y]])
    assert zoom > 0.5  # so that one step of OpenCV's does

    def ask(matrix: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """All outputs, and the keypoints in the image."""
        crop = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if about["input"]["shape"][1] == 1:
            crop = np.round(crop @ np.array([0.299, 0.587, 0.114]))[..., None]
        tensor = np.float32(crop.transpose(2, 0, 1)[None] / 255)
        answers = session(path).run(list(about["outputs"]), {about["input"]["name"]: tensor})
        answers = dict(zip(about["outputs"], answers, strict=True))
        return answers, cv2.transform(answers["keypoints"], cv2.invertAffineTransform(matrix))[0]

    answers, found = ask(matrix)
    again = about["second_look"]
    left, right = found[again["left_eye"]].mean(axis=0), found[again["right_eye"]].mean(axis=0)
    tilt = math.degrees(math.atan2(right[1] - left[1], right[0] - left[0]))
    if abs(tilt) > again["from"]:
        turn = np.vstack([cv2.getRotationMatrix2D((middle, middle), tilt, 1.0), [0, 0, 1]])
        answers, found = ask((turn @ np.vstack([matrix, [0, 0, 1]]))[:2])
    assert np.abs(found - face.keypoints).max() < 0.05
    assert ("expected_error" in answers) == np.isfinite(face.expected_error).all()
    if "expected_error" in answers:
        assert np.allclose(answers["expected_error"][0] / zoom, face.expected_error, rtol=1e-3)


def test_the_description_names_what_there_is(exported: tuple[Checkpoint, Path]) -> None:
    checkpoint, path = exported
    about = json.loads(path.with_suffix(".json").read_text())
    net = session(path)
    assert [one.name for one in net.get_inputs()] == ["crops"] and about["input"]["name"] == "crops"
    assert net.get_inputs()[0].shape == about["input"]["shape"]
    assert [one.name for one in net.get_outputs()] == list(about["outputs"])
    assert (about["crop"]["margin"], about["file"]) == (checkpoint.preprocessing.margin, "net.onnx")
    assert len(about["outputs"]["keypoints"]["points"]) == 68


def test_the_description_says_what_its_error_is_of(tmp_path: Path) -> None:
    for metrics, expected in (({"people, true-box": {"nme_mean": 4.5}}, 4.5), ({}, None)):
        export_onnx(replace(tiny_checkpoint(), metrics=metrics), tmp_path / "net.onnx")
        told = json.loads((tmp_path / "net.json").read_text())["metrics"]
        assert (told and told["nme_mean"]) == expected
    export_onnx(replace(tiny_checkpoint(), metrics={"people, true-box": {"nme_mean": 4.5}}), tmp_path / "net.onnx")
    told = json.loads((tmp_path / "net.json").read_text())["metrics"]
    assert "percent of the distance" in told["unit"] and "people" in told["measured_on"] and told["meaning"]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    save_checkpoint(tiny_checkpoint(), tmp_path / "tiny.safetensors")
    out = tmp_path / "new" / "tiny.onnx"
    assert main(["export", str(tmp_path / "tiny.safetensors"), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == [str(out), str(out.with_suffix(".json"))]
    assert {path.name for path in out.parent.iterdir()} == {"tiny.onnx", "tiny.json"}
    assert main(["export", str(tmp_path / "tiny.safetensors"), "--out", str(tmp_path / "tiny.pt")]) == 1
    assert ".onnx" in capsys.readouterr().err


def test_without_onnx_it_says_what_to_install(tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture) -> None:
    save_checkpoint(tiny_checkpoint(), tmp_path / "tiny.safetensors")
    load = builtins.__import__

    def missing(name: str, *rest: object) -> object:
        if name == "onnx":
            raise ImportError(name)
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    assert main(["export", str(tmp_path / "tiny.safetensors"), "--out", str(tmp_path / "tiny.onnx")]) == 1
    assert "pip install onnx" in capsys.readouterr().err
    assert not (tmp_path / "tiny.onnx").exists()


def test_only_exporting_needs_onnx() -> None:
    script = "import sys, kp.__main__; print([name for name in sys.modules if name.startswith('onnx')])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
