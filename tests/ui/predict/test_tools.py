"""Predict's tools: how sure, which way the face looks, a box by hand, the box test, two networks, files."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from builders import tiny_checkpoint
from scenes import scene

from kp import Box, Predictor, save_checkpoint
from kp.errors import ConfigError, ImageError
from kp.formats.record import read_faces
from kp.metrics import point_errors
from kp.pose import HeadPose
from kp.prediction.face import FacePrediction
from kp.ui.predict import pipeline
from kp.ui.predict.html import compare_html, face_html, map_html
from kp.ui.predict.layout import build_parts
from kp.ui.predict.pipeline import Analysis
from kp.ui.predict.status import status_text
from kp.ui.predict.steps import steps_html
from kp.ui.predict.tools import FACE_BOX, SHIFTS, PredictTools
from kp.ui.services.model_store import ModelStore

BEST = "heatmap_net"


@pytest.fixture(scope="module")
def photo() -> tuple[np.ndarray, np.ndarray]:
    """Two faces, and their keypoints."""
    return scene([110, 150], height=420, width=560)


@pytest.fixture(scope="module")
def analysis(photo: tuple[np.ndarray, np.ndarray]) -> Analysis:
    return pipeline.analyse(photo[0], Predictor(BEST, tta=4), BEST)


@pytest.fixture
def tools(tmp_path: Path) -> PredictTools:
    return tools_of(tmp_path)


def tools_of(runs: Path) -> PredictTools:
    with gr.Blocks():
        result = build_parts(100).result
    return PredictTools(ModelStore(runs), result)


def moved_by(html: str) -> float:
    return float(re.search(r"by <b>([\d.]+) %</b> on average", html)[1])


def test_the_status_says_how_the_picture_was_turned() -> None:
    for quarters, words in ((1, "90 degrees clockwise"), (2, "180 degrees"), (3, "90 degrees counter-clockwise")):
        image, truth = scene([110, 150], height=420, width=560, quarters=quarters)
        analysis = pipeline.analyse(image, Predictor(BEST), BEST)
        assert f"turned by {words} to find faces" in status_text(analysis)
        assert np.array_equal(analysis.crops[0], analysis.maps[0].warp(image))
        boxes = [Box.from_points(points) for points in truth]
        assert all(max(box.iou(face.box) for box in boxes) > 0.5 for face in analysis.faces)


def test_the_status_says_when_it_may_be_no_face() -> None:
    wall = np.full((200, 300, 3), 150, np.uint8)
    analysis = pipeline.analyse(wall, Predictor(BEST, "whole-image", tta=4), BEST)
    assert "it may be no face" in status_text(analysis)
    assert "68 of 68 points are hollow" in face_html(analysis.faces[0])
    empty = status_text(pipeline.analyse(wall, Predictor(BEST), BEST))
    assert "No face" in empty and "turned by 90, 180 and 270" in empty


def test_a_doubtful_face_says_why(analysis: Analysis, monkeypatch) -> None:
    face = replace(analysis.faces[0], expected_error=np.full(68, 30, np.float32))
    assert "not sure" not in face_html(analysis.faces[0], 1)
    assert "not sure of it: it may be no face, or its points may be off." in face_html(face, 2)
    small = replace(face, box=Box.square(face.box.centre, 20))
    assert "not sure of it: at 20 pixels it may be too small" in face_html(small, 2)
    monkeypatch.setattr("kp.ui.predict.html.head_pose", lambda points: HeadPose(-62.3, 0.0, 0.0))
    assert "turned far to the side (by about 62°)" in face_html(face, 2)
    assert "not sure" not in face_html(face)  # what is said of a face that is alone stands above the picture
    assert "turned far to the side" in status_text(replace(analysis, faces=[face]))


def test_a_face_in_words(analysis: Analysis) -> None:
    words = face_html(analysis.faces[0], 1)
    assert "Face 1." in words and re.search(r"Confidence <b>9\d %</b>", words)
    assert "Looks" in words
    (unknown,) = Predictor(tiny_checkpoint(), "whole-image").predict(np.zeros((99, 99, 3), np.uint8))
    assert "has no confidence" in face_html(unknown)


@pytest.mark.parametrize(
    ("confidences", "words"),
    [
        ((0.9, 0.9), ""),
        ((0.1,), "is not sure of it: it may be"),
        ((0.9, 0.1), "Of one of them the network is not sure"),
        ((0.1, 0.1), "is sure of none of them"),
        ((0.9, 0.1, 0.1), "Of 2 of them the network is not sure"),
    ],
)
def test_doubtful_faces_are_told(photo, confidences: tuple[float, ...], words: str) -> None:
    image, (points, *_) = photo
    faces = [
        FacePrediction(Box.from_points(points), None, points, np.full(68, 2 if sure > 0.5 else 200, np.float32))
        for sure in confidences
    ]
    analysis = replace(pipeline.analyse(image[:40, :40], Predictor(BEST), BEST), faces=faces)
    text = status_text(analysis)
    assert words in text if words else "sure" not in text


def test_a_sideways_face_is_described_upright() -> None:
    looks = []
    for quarters in (0, 1):
        image, _ = scene([150], height=300, width=300, quarters=quarters)
        analysis = pipeline.analyse(image, Predictor(BEST), BEST)
        words = face_html(analysis.faces[0], rotation=analysis.rotation)
        looks.append(re.search(r"Looks <b>(\d+)° to the (\w+)", words))
    assert looks[0][2] == looks[1][2]
    assert int(looks[0][1]) == pytest.approx(int(looks[1][1]), abs=3)


def test_a_rough_box_is_made_anew_about_its_points(photo: tuple[np.ndarray, np.ndarray]) -> None:
    image, truth = photo
    for points in truth:
        box = Box.from_points(points)
        rough = Box(box.left - 0.2 * box.side, box.top - 0.25 * box.side, box.right + 0.1 * box.side, box.bottom)
        analysis = pipeline.analyse(image, Predictor(BEST), BEST, box=rough)
        (face,) = analysis.faces
        assert analysis.given and "The box is yours" in status_text(analysis)
        assert point_errors(face.keypoints, points).mean() < 0.05
        assert face.box.iou(box) > 0.85 > rough.iou(box)


def test_two_clicks_are_a_box_in_the_photo_s_pixels(tools: PredictTools, analysis: Analysis) -> None:
    def click(x: int, y: int, first: list[float] | None) -> tuple:
        panel, shows = tools.result.box, tools.corner(analysis, first, SimpleNamespace(index=[x, y]))
        return shows[panel.first], shows[panel.given], shows[panel.note], shows.get(tools.result.picture)

    first, box, note, picture = click(300, 200, None)
    assert (first, box) == ([300.0, 200.0], None) and "opposite" in note and isinstance(picture, gr.Image)
    first, box, _, _ = click(100, 80, first)  # the other way round is the same box
    assert first is None
    assert np.allclose(box, (np.array([100, 80, 300, 200]) + 0.5) / analysis.factor - 0.5, atol=0.06)
    assert click(301, 201, [300.0, 200.0])[:2] == (None, None)  # a slip of the finger


@pytest.mark.parametrize("sides", [(None, 1, 2, 3), (5, 1, 2, 3), (1, 4, 2, 3), (0, 0, 0, 0)])
def test_a_typed_box_must_be_one(tools: PredictTools, sides: tuple) -> None:
    with pytest.raises(ConfigError, match="left < right and top < bottom"):
        tools.typed_box(*sides)
    assert tools.typed_box(1, 2, 30, 40) == [1.0, 2.0, 30.0, 40.0]


def test_a_drawn_box_fills_the_four_numbers(tools: PredictTools) -> None:
    sides = tools.result.box.sides
    assert tools.show_sides([1.0, 2.0, 30.0, 40.0]) == dict(zip(sides, [1.0, 2.0, 30.0, 40.0], strict=True))
    assert all(value == gr.skip() for value in tools.show_sides(None).values())


def test_names_are_escaped(tools: PredictTools, analysis: Analysis) -> None:
    face = analysis.faces[0]
    for pictures in (["data:,"], ["data:,", "data:,"]):
        page = compare_html(pictures, ("<b>x", "y"), face, face)
        assert "&lt;b&gt;x" in page and "<b>x" not in page
    assert "&lt;b&gt;x" in status_text(replace(analysis, model="<b>x"))
    assert "&lt;b&gt;x" in steps_html(replace(analysis, detector="<b>x"), 0)


def test_the_box_test_tells_how_far_points_follow_the_box(tools: PredictTools, analysis: Analysis) -> None:
    test = lambda *change: tools.box_test(True, BEST, 0, 1, analysis, 0, *change)  # noqa: E731
    assert moved_by(test(0, 0, 100, 0)) == 0
    near, far = moved_by(test(10, 0, 100, 0)), moved_by(test(50, 50, 100, 0))
    assert 0 < near < 3 < far
    assert "The box moved by" in test(10, 0, 100, 0)
    assert moved_by(test(0, 0, 100, 180)) > 10  # on its head
    assert tools.box_test(False, BEST, 0, 1, analysis, 0, 10, 0, 100, 0) == ""  # closed: nobody sees it
    assert tools.box_test(True, BEST, 0, 1, None, 0, 10, 0, 100, 0) == ""


def test_the_map_has_a_cell_for_each_shift(tools: PredictTools, analysis: Analysis) -> None:
    html = tools.shift_map(True, BEST, 0, analysis, 1)
    cells = [float(value) for value in re.findall(r">([\d.]+)</td>", html)]
    assert len(cells) == len(SHIFTS) ** 2
    movement = np.array(cells).reshape(len(SHIFTS), -1)
    assert movement[3, 3] == 0  # not moved at all
    assert movement[0, 0] > movement[2, 2] and movement[-1, -1] > movement[4, 4]
    assert tools.shift_map(False, BEST, 0, analysis, 1) == ""
    assert map_html(np.zeros((0, 0)), SHIFTS) == ""


def test_the_face_lies_in_the_middle_of_its_patch(analysis: Analysis, photo: tuple[np.ndarray, np.ndarray]) -> None:
    for face, patch in zip(analysis.faces, analysis.patches, strict=True):
        place = pipeline.patch_transform(face)
        assert np.array_equal(patch, place.warp(photo[0]))
        corners = place.to_crop(np.array([[face.box.left, face.box.top], [face.box.right, face.box.bottom]]))
        assert np.allclose(corners.ravel(), [FACE_BOX.left, FACE_BOX.top, FACE_BOX.right, FACE_BOX.bottom], atol=0.01)


@pytest.mark.parametrize(("how", "pictures"), [("over each other", 1), ("side by side", 2)])
def test_two_networks_on_one_face(tools: PredictTools, analysis: Analysis, how: str, pictures: int) -> None:
    html = tools.compare(True, BEST, 0, 1, analysis, 0, "five_conv", how)
    assert html.count("<img") == pictures
    apart = float(re.search(r"lie <b>([\d.]+) %", html)[1])
    assert 0.5 < apart < 30 and "jaw" in html
    assert tools.compare(True, BEST, 0, 1, analysis, 0, None, how) == ""
    same = tools.compare(True, BEST, 0, 1, analysis, 0, BEST, how)
    assert "<b>0.0 %" in same


def test_the_other_network_is_never_the_same(tools: PredictTools) -> None:
    offered = tools.others(BEST, BEST, {"ids": []})
    values = [value for _, value in offered.choices]
    assert BEST not in values and offered.value == values[0]
    assert tools.others(BEST, "five_conv", {"ids": []}).value == "five_conv"


def test_files_of_all_formats(tools: PredictTools, analysis: Analysis, photo: tuple[np.ndarray, np.ndarray]) -> None:
    made = tools.files(photo[0], analysis, ["json", "pts", "openface", "csv", "png", "aligned", "coco"], 128)
    names = {Path(file["path"]).name: Path(file["path"]) for file in made.value}
    assert set(names) == {
        "photo.json",
        "photo.pts",
        "photo.face-2.pts",
        "photo.openface.csv",
        "photo.csv",
        "photo.png",
        "photo.aligned.png",
        "photo.face-2.aligned.png",
        "photo.aligned.json",
        "keypoints.coco.json",
    }
    coco = json.loads(names["keypoints.coco.json"].read_text())
    assert (coco["images"][0]["height"], coco["images"][0]["width"]) == photo[0].shape[:2]
    assert np.allclose(np.reshape(coco["annotations"][1]["keypoints"], (68, 3))[:, :2], analysis.faces[1].keypoints)
    faces = read_faces(names["photo.json"].read_bytes())
    assert np.array_equal(faces[1].keypoints, analysis.faces[1].keypoints)
    with pytest.raises(ConfigError, match="No format"):
        tools.files(photo[0], analysis, [], 128)
    with pytest.raises(ImageError, match="no face to save"):
        tools.files(None, None, ["json"], 128)


def test_a_face_beyond_those_kept_says_so(tools: PredictTools, analysis: Analysis) -> None:
    with pytest.raises(ConfigError, match="first 12 faces"):
        tools.box_test(True, BEST, 0, 1, analysis, 40, 0, 0, 100, 0)


def test_the_margin_is_the_visitor_s(tmp_path: Path, analysis: Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tiny.safetensors"
    save_checkpoint(tiny_checkpoint(), path)
    monkeypatch.setattr("kp.ui.services.model_store.list_checkpoints", lambda: {"tiny": path})
    tools = tools_of(tmp_path)
    assert tools.box_test(True, "tiny", 1.2, 1, analysis, 0, 20, 0, 100, 0) != tools.box_test(
        True, "tiny", 2.0, 1, analysis, 0, 20, 0, 100, 0
    )
