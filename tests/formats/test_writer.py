"""Faces as files: every format says the same, nothing is lost, nothing is overwritten by mistake."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import drawn_face

from kp import read_image
from kp.errors import KpError
from kp.files import OutputLog
from kp.formats.coco import CocoPhoto, coco_json
from kp.formats.writer import (
    COLUMNS,
    FORMATS,
    USUAL,
    faces_csv,
    faces_json,
    file_names,
    overlay,
    write_outputs,
)
from kp.geometry import Box
from kp.landmarks import POINT_NAMES, REGION_OF_POINT
from kp.prediction.face import FacePrediction


@pytest.fixture
def scene() -> tuple[np.ndarray, list[FacePrediction]]:
    """Two drawn faces side by side."""
    (left, first), (right, second) = drawn_face(1), drawn_face(2)
    second = second + np.float32([left.shape[1], 0.25])
    faces = [FacePrediction(Box.from_points(first), 0.75, first), FacePrediction(Box.from_points(second), None, second)]
    return np.hstack([left, right]), faces


def test_json_there_and_back(scene) -> None:
    _, faces = scene
    back = json.loads(json.dumps(faces_json(faces), allow_nan=False))
    assert [list(face) for face in back] == [
        ["box", "score", "keypoints", "confidence", "threshold", "spread", "covariance", "pose", "turn"]
    ] * 2
    for face, entry in zip(faces, back, strict=True):
        assert np.array_equal(np.float32(entry["keypoints"]), face.keypoints)
        assert Box(*entry["box"]) == face.box
        assert entry["score"] == face.score


def test_no_face_is_an_empty_list_and_a_bare_heading() -> None:
    assert faces_json([]) == []
    assert faces_csv([]) == ",".join(COLUMNS) + "\n"


def test_csv_names_every_point(scene) -> None:
    _, faces = scene
    rows = list(csv.DictReader(io.StringIO(faces_csv(faces))))
    assert list(rows[0]) == ["face", "point", "name", "region", "x", "y"]
    assert [row["face"] for row in rows] == ["1"] * 68 + ["2"] * 68
    assert [row["name"] for row in rows] == POINT_NAMES * 2
    assert [row["region"] for row in rows] == REGION_OF_POINT * 2
    assert float(rows[68 + 30]["y"]) == pytest.approx(faces[1].keypoints[30, 1], abs=1e-3)


def test_numbers_that_are_none_are_refused(scene) -> None:
    image, (face, _) = scene
    broken = FacePrediction(face.box, None, np.full((68, 2), np.nan, np.float32))
    for kind in FORMATS.values():
        with pytest.raises(KpError, match="no numbers"):
            kind.content(image, [broken] if kind.each else [face, broken])
    with pytest.raises(KpError, match="no numbers"):
        coco_json([CocoPhoto("a.jpg", 9, 9, [broken])])


def test_overlay_marks_the_faces_and_leaves_the_picture_alone(scene) -> None:
    image, faces = scene
    before = image.copy()
    plain, drawn = overlay(image, []), overlay(image, faces)
    assert np.array_equal(image, before)
    factor = drawn.shape[0] / image.shape[0]
    assert drawn.shape == plain.shape and factor > 1
    changed = (drawn != plain).any(axis=2)
    for face in faces:
        x, y = ((face.keypoints[30] + 0.5) * factor - 0.5).round().astype(int)
        assert changed[y, x]
    assert not changed[:5].any()


def test_boxes_are_drawn_where_there_are_several(scene) -> None:
    image, faces = scene
    assert np.array_equal(overlay(image, faces), overlay(image, faces, boxes=True))
    assert np.array_equal(overlay(image, faces[:1]), overlay(image, faces[:1], boxes=False))


def test_the_box_of_what_may_be_no_face_is_dashed(scene) -> None:
    image, (face, _) = scene
    lines = []
    for spread in (0.1, 50.0):
        seen = replace(face, expected_error=np.full(68, spread, np.float32))
        lines.append((overlay(image, [seen], boxes=True, points=False) == 255).all(axis=2).sum())
    assert 0.4 * lines[0] < lines[1] < 0.7 * lines[0]


@pytest.mark.parametrize("shape", [(1, 1), (1, 10000), (10000, 1), (3, 700)])
def test_overlay_of_odd_pictures_stays_small(shape: tuple[int, int]) -> None:
    points = np.zeros((68, 2), np.float32)
    drawn = overlay(np.zeros((*shape, 3), np.uint8), [FacePrediction(Box(-0.5, -0.5, 0.5, 0.5), None, points)])
    assert max(drawn.shape) <= max(2000, *shape)


def test_outputs_are_written_whole_and_replaced(scene, tmp_path: Path) -> None:
    image, faces = scene
    folder = tmp_path / "made" / "here"
    written = write_outputs(folder, "a.b", image, faces, log=OutputLog(folder))
    assert sorted(path.name for path in written.files) == ["a.b.csv", "a.b.json", "a.b.png"] and not written.replaced
    written = write_outputs(folder, "a.b", image, [], log=OutputLog(folder))
    assert len(written.replaced) == len(written.files) == 3
    assert sorted(path.name for path in folder.glob("[!.]*")) == ["a.b.csv", "a.b.json", "a.b.png"]
    assert json.loads((folder / "a.b.json").read_text()) == []
    assert np.array_equal(read_image(folder / "a.b.png"), overlay(image, []))


@pytest.mark.parametrize("formats", [USUAL, tuple(FORMATS), ("pts",), ()])
@pytest.mark.parametrize("align", [None, 64])
@pytest.mark.parametrize("faces", [0, 1, 2])
def test_the_files_are_those_that_were_named(
    scene, tmp_path: Path, formats: tuple, align: int | None, faces: int
) -> None:
    image, found = scene
    paths = write_outputs(tmp_path, "in/a.b", image, found[:faces], formats=formats, align=align).files
    names = file_names("in/a.b", faces, formats=formats, align=align)
    assert [str(path.relative_to(tmp_path)) for path in paths] == names and len(set(names)) == len(names)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(paths)


def test_each_format_s_file_is_named_by_what_it_is(scene, tmp_path: Path) -> None:
    write_outputs(tmp_path, "a", *scene, formats=tuple(FORMATS), align=64)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.aligned.json",
        "a.aligned.png",
        "a.csv",
        "a.face-2.aligned.png",
        "a.face-2.pts",
        "a.json",
        "a.openface.csv",
        "a.png",
        "a.pts",
    ]


def test_files_of_faces_that_are_gone_go(scene, tmp_path: Path) -> None:
    image, faces = scene
    options = {"formats": ("pts", "json"), "align": 64}
    log = OutputLog(tmp_path)
    (tmp_path / "a.face-2.notes").write_text("mine")
    write_outputs(tmp_path, "a", image, [*faces, faces[0]], **options, log=log)
    for count in (1, 0):
        written = write_outputs(tmp_path, "a", image, faces[:count], **options, log=log)
        there = {path.name for path in tmp_path.glob("[!.]*")} - {"a.face-2.notes"}
        assert there == set(file_names("a", count, **options))
        assert (
            {path.name for path in written.removed} == {"a.pts", "a.aligned.png"}
            if count == 0
            else {f"a.face-{number}.{end}" for number in (2, 3) for end in ("pts", "aligned.png")}
        )
    (tmp_path / "a.pts").write_text("labels")
    write_outputs(tmp_path, "a", image, [], **options, log=log)
    assert (tmp_path / "a.pts").read_text() == "labels" and (tmp_path / "a.face-2.notes").exists()


def test_other_formats_of_an_earlier_run_stay(scene, tmp_path: Path) -> None:
    log = OutputLog(tmp_path)
    write_outputs(tmp_path, "a", *scene, formats=("pts", "json"), log=log)
    assert not write_outputs(tmp_path, "a", scene[0], [], formats=("json",), log=log).removed
    assert (tmp_path / "a.face-2.pts").exists()


def test_a_folder_that_is_a_file_is_told(scene, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KpError, match="cannot be written"):
        write_outputs(tmp_path / "file", "a", *scene)
