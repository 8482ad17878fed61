"""The library, the command line and the app's API give the same numbers, by the very examples of the README."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from running import ROOT

from kp.__main__ import main
from kp.checkpoint import list_checkpoints
from kp.formats.record import faces_json, read_faces
from kp.synthetic.dataset import SyntheticFaces

README = (ROOT / "README.md").read_text()
pytestmark = pytest.mark.skipif("heatmap_net" not in list_checkpoints(), reason="the usual network is not shipped")


def example(word: str) -> str:
    """The README's Python example with this word in it."""
    (found,) = (block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if word in block)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photo.jpg, a portrait."""
    folder = tmp_path_factory.mktemp("examples")
    cv2.imwrite(str(folder / "photo.jpg"), SyntheticFaces(4).image(3)[..., ::-1])
    return folder


@pytest.fixture(scope="module")
def by_library(folder: Path) -> list[dict[str, Any]]:
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(compile(example("from kp import Predictor"), "README.md", "exec"), names)
    return faces_json(names["faces"])


def test_the_library_finds_the_face(by_library: list[dict[str, Any]]) -> None:
    assert len(by_library) == 1
    assert np.array(by_library[0]["keypoints"]).shape == (68, 2)


def test_the_library_takes_three_lines() -> None:
    code = example("from kp import Predictor").split("for face")[0].split()
    assert code[0] == "from" and len(example("from kp import Predictor").split("for face")[0].strip().splitlines()) <= 3


def test_the_command_line_gives_the_library_s_numbers(folder: Path, by_library, monkeypatch, capsys) -> None:
    (command,) = re.findall(r"^python -m kp (predict photo\.jpg .*)$", README, re.MULTILINE)
    monkeypatch.chdir(folder)
    words = shlex.split(command, comments=True)
    assert main(words) == 0
    written = json.loads(Path("results/photo.json").read_text())
    assert written == by_library
    assert faces_json(read_faces(json.dumps(written))) == by_library
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["faces"] == by_library


def test_the_api_gives_the_library_s_numbers(folder: Path, by_library, app_url: str, monkeypatch, capsys) -> None:
    code = example("from gradio_client import")
    assert "http://127.0.0.1:7860" in code
    names: dict[str, Any] = {}
    monkeypatch.chdir(folder)
    exec(compile(code.replace("http://127.0.0.1:7860", app_url), "README.md", "exec"), names)
    assert capsys.readouterr().out.rstrip().endswith(" 68")
    (face,), (ours,) = names["faces"], by_library
    assert list(face) == list(ours)
    assert np.allclose(face["keypoints"], ours["keypoints"], atol=1e-3)
    for name in ("box", "score", "confidence", "spread"):
        assert face[name] == pytest.approx(ours[name], abs=1e-3)
    assert face["pose"] == pytest.approx(ours["pose"], abs=1e-2)
