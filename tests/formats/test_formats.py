"""Each format says what was found, in that format's own way of counting."""

import csv
import io
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from builders import drawn_face, face_shape

from kp.errors import ConfigError, DataError
from kp.formats.aligned import EYE_DISTANCE, EYES_AT, LEFT_EYE, RIGHT_EYE, aligned_json, aligned_transform
from kp.formats.coco import CATEGORY, CocoPhoto, coco_bytes, coco_json
from kp.formats.pts import face_pts, read_pts
from kp.formats.record import json_bytes, read_faces
from kp.formats.tables import OPENFACE_COLUMNS, openface_csv
from kp.geometry import Box, apply, rotation
from kp.landmarks import CONTOURS, POINT_NAMES
from kp.pose import head_pose
from kp.prediction.face import FacePrediction


@pytest.fixture
def faces() -> list[FacePrediction]:
    """One whose network says how sure it is, one that the detector alone knows about, one whose box was given."""
    points = [drawn_face(seed)[1] + np.float32(0.25) for seed in (1, 2, 3)]
    boxes = [Box.from_points(face) for face in points]
    sure = np.linspace(0.5, 2.0, 68, dtype=np.float32)
    shapes = sure[:, None, None] * np.array([[2, 0.5], [0.5, 1]], np.float32)
    return [
        FacePrediction(boxes[0], 0.75, points[0], sure, shapes, roll=90),
        FacePrediction(boxes[1], 0.5, points[1]),
        FacePrediction(boxes[2], None, points[2]),
    ]


def test_json_is_read_back_as_it_was(faces: list[FacePrediction]) -> None:
    for face, again in zip(faces, read_faces(json_bytes(faces)), strict=True):
        assert (again.box, again.score, again.confidence) == (face.box, face.score, face.confidence)
        assert np.array_equal(again.keypoints, face.keypoints) and again.keypoints.dtype == np.float32
        assert np.array_equal(again.expected_error, face.expected_error, equal_nan=True)
        assert np.array_equal(again.covariance, face.covariance, equal_nan=True)
        assert again.roll == face.roll
    assert read_faces(json_bytes([])) == []


def test_json_without_the_newer_keys_is_read(faces: list[FacePrediction]) -> None:
    old = [{key: face[key] for key in ("box", "score", "keypoints")} for face in json.loads(json_bytes(faces))]
    assert [face.score for face in read_faces(json.dumps(old))] == [0.75, 0.5, None]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1]",
        '[{"box": [1, 2], "score": 1, "keypoints": []}]',
        b"\xff",
        '[{"box": [1, 2, 3, 4], "score": 1, "keypoints": [[1, 2]]}]',
        "null",
        '{"a": 1}',
    ],
)
def test_other_json_is_no_faces(text: str | bytes) -> None:
    with pytest.raises(DataError, match="Predict again"):
        read_faces(text)


def test_json_tells_what_is_known(faces: list[FacePrediction]) -> None:
    known, unknown, _ = json.loads(json_bytes(faces))
    assert known["confidence"] == pytest.approx(faces[0].confidence) and 0 < known["confidence"] < 1
    assert np.array_equal(np.float32(known["spread"]), faces[0].expected_error)
    assert known["pose"] == vars(head_pose(faces[0].keypoints))
    assert (unknown["confidence"], unknown["spread"]) == (None, None)


def test_points_in_one_place_have_no_pose() -> None:
    stuck = FacePrediction(Box(0, 0, 1, 1), None, np.full((68, 2), 5, np.float32))
    (entry,) = json.loads(json_bytes([stuck]))
    assert entry["pose"] == {"yaw": None, "pitch": None, "roll": None}
    assert openface_csv([stuck]).splitlines()[1].endswith(",,,")
    with pytest.raises(ConfigError, match="one place"):
        aligned_transform(stuck.keypoints, 100)


def test_openface_columns(faces: list[FacePrediction]) -> None:
    rows = list(csv.DictReader(io.StringIO(openface_csv(faces))))
    names = list(rows[0])
    assert names[:3] == ["face", "confidence", "x_0"] and names[69:71] == ["x_67", "y_0"]
    assert names[137:] == ["y_67", "yaw", "pitch", "roll"] and tuple(names) == OPENFACE_COLUMNS
    assert [row["face"] for row in rows] == ["1", "2", "3"]
    assert float(rows[0]["confidence"]) == pytest.approx(faces[0].confidence, abs=1e-3)
    assert [row["confidence"] for row in rows[1:]] == ["0.5", ""]
    for row, face in zip(rows, faces, strict=True):
        points = [[float(row[f"{axis}_{point}"]) for axis in "xy"] for point in range(68)]
        assert np.allclose(points, face.keypoints, atol=1e-3)
        assert float(row["yaw"]) == pytest.approx(head_pose(face.keypoints).yaw, abs=1e-3)


def test_pts_count_from_one_and_come_back(faces: list[FacePrediction]) -> None:
    text = face_pts(faces[0])
    lines = text.splitlines()
    assert lines[:3] == ["version: 1", "n_points: 68", "{"] and lines[-1] == "}" and len(lines) == 72
    assert [float(value) for value in lines[3].split()] == pytest.approx((faces[0].keypoints[0] + 1).tolist())
    back = read_pts(text)
    assert back.dtype == np.float32 and np.allclose(back, faces[0].keypoints, atol=1e-3)


def test_pts_of_others_are_read() -> None:
    points = "".join(f"{index}.5   {index * 2}\r\n" for index in range(1, 69))
    back = read_pts("version:1\r\nn_points:68\r\n{\r\n" + points + "}\r\n")
    assert back[0].tolist() == [0.5, 1.0] and back[67].tolist() == [67.5, 135.0]
    for wrong in ("", "{ 1 2 }", "{ a b }", points, "{" + "nan 1 " * 68 + "}"):
        with pytest.raises(DataError, match="numbers"):
            read_pts(wrong)


def test_coco_has_what_its_readers_ask_for(faces: list[FacePrediction]) -> None:
    photos = [
        CocoPhoto("a.jpg", 140, 150, faces[:2]),
        CocoPhoto("b.jpg", 10, 20, []),
        CocoPhoto("c.jpg", 140, 150, faces[2:]),
    ]
    coco = json.loads(coco_bytes(photos))
    assert [image["file_name"] for image in coco["images"]] == ["a.jpg", "b.jpg", "c.jpg"]
    assert (coco["images"][1]["width"], coco["images"][1]["height"]) == (10, 20)
    assert [entry["id"] for entry in coco["annotations"]] == [1, 2, 3]
    assert [entry["image_id"] for entry in coco["annotations"]] == [1, 1, 3]
    assert [entry["score"] for entry in coco["annotations"]] == [pytest.approx(faces[0].confidence), 0.5, 1.0]
    for entry, face in zip(coco["annotations"], faces, strict=True):
        points = np.array(entry["keypoints"]).reshape(68, 3)
        assert np.allclose(points[:, :2], face.keypoints) and set(points[:, 2]) == {2}
        assert (entry["num_keypoints"], entry["category_id"], entry["iscrowd"]) == (68, 1, 0)
        left, top, width, height = entry["bbox"]
        assert Box(left, top, left + width, top + height) == face.box and entry["area"] == width * height
    (category,) = coco["categories"]
    assert category["keypoints"] == POINT_NAMES
    assert np.array(category["skeleton"]).min() == 1 and np.array(category["skeleton"]).max() == 68
    assert len(category["skeleton"]) == sum(len(line) - 1 for line in CONTOURS.values())
    assert coco_json([])["categories"] == [CATEGORY]


@pytest.mark.parametrize(
    ("side", "shift"),
    [("left", (-60, 0)), ("right", (60, 0)), ("top", (0, -60)), ("bottom", (0, 60)), ("corner", (-50.3, -50.4))],
)
def test_coco_of_a_face_that_the_edge_cuts(faces: list[FacePrediction], side: str, shift: tuple[float, float]) -> None:
    width, height = 140, 150
    points = faces[0].keypoints + np.float32(shift)
    face = replace(faces[0], keypoints=points, box=Box.from_points(points))
    (entry,) = coco_json([CocoPhoto("a.jpg", width, height, [face])])["annotations"]
    rows = np.array(entry["keypoints"]).reshape(68, 3)
    outside = (points < -0.5).any(axis=1) | (points > np.array([width, height]) - 0.5).any(axis=1)
    assert 0 < outside.sum() < 68
    assert (rows[outside] == 0).all() and set(rows[~outside, 2]) == {2} and entry["num_keypoints"] == (~outside).sum()
    assert np.abs(rows[~outside, :2] - points[~outside]).max() <= 0.5  # moved from the outer half of an edge pixel
    left, top, wide, high = entry["bbox"]
    assert left >= 0 and top >= 0 and left + wide <= width - 1 and top + high <= height - 1 and wide > 0 and high > 0
    assert entry["area"] == wide * high < face.box.width * face.box.height
    assert (rows[~outside, :2] >= (left, top)).all() and (rows[~outside, :2] <= (left + wide, top + high)).all()


def test_coco_of_a_box_about_the_whole_photo(faces: list[FacePrediction]) -> None:
    face = replace(faces[2], box=Box.of_image(np.zeros((150, 140, 3), np.uint8)))
    (entry,) = coco_json([CocoPhoto("a.jpg", 140, 150, [face])])["annotations"]
    assert entry["bbox"] == [0, 0, 139, 149] and entry["area"] == 139 * 149 and entry["num_keypoints"] == 68


def test_coco_of_a_face_whose_points_all_lie_outside(faces: list[FacePrediction]) -> None:
    face = replace(faces[2], keypoints=faces[2].keypoints + np.float32((500, 0)))
    (entry,) = coco_json([CocoPhoto("a.jpg", 140, 150, [face])])["annotations"]
    assert entry["keypoints"] == [0] * 204 and entry["num_keypoints"] == 0 and len(entry["bbox"]) == 4


@pytest.mark.parametrize("turn", [0, 35, -120, 180])
@pytest.mark.parametrize("size", [64, 256])
def test_aligned_eyes_are_level_and_in_their_place(turn: float, size: int) -> None:
    points = apply(rotation(turn, (40, 90)), face_shape() * 120 + 30)
    crop = aligned_transform(points, size)
    seen = crop.to_crop(points)
    left, right = seen[list(LEFT_EYE)].mean(axis=0), seen[list(RIGHT_EYE)].mean(axis=0)
    assert left[1] == pytest.approx(right[1], abs=1e-3) and left[0] < right[0]
    assert (left + right) / 2 == pytest.approx(np.array(EYES_AT) * size - 0.5, abs=1e-3)
    assert 0.8 * EYE_DISTANCE < (right[0] - left[0]) / size < 1.01 * EYE_DISTANCE
    assert (seen > 0).all() and (seen < size - 1).all()
    assert np.allclose(crop.to_image(seen), points, atol=1e-3)


def test_a_head_turned_aside_is_not_made_larger() -> None:
    ahead = face_shape() * 100
    aside = ahead * (0.4, 1)
    assert aligned_transform(aside, 128).scale == pytest.approx(aligned_transform(ahead, 128).scale, rel=0.2)


def test_the_crop_s_pixels_are_where_its_matrix_says(faces: list[FacePrediction]) -> None:
    face = replace(faces[0], keypoints=apply(rotation(25, (70, 75)), faces[0].keypoints))
    image = np.zeros((150, 140, 3), np.uint8)
    x, y = face.keypoints[30].round().astype(int)
    cv2.circle(image, (int(x), int(y)), 2, (255, 255, 255), -1)
    (entry,) = aligned_json([face], 200, ["a.aligned.png"])
    assert (entry["face"], entry["file"], entry["size"]) == (1, "a.aligned.png", 200)
    crop = aligned_transform(face.keypoints, 200).warp(image)[..., 0].astype(float)
    rows, columns = np.mgrid[:200, :200]
    centre = np.array([(crop * columns).sum(), (crop * rows).sum()]) / crop.sum()
    assert np.array(entry["matrix"]) @ (x, y, 1) == pytest.approx(centre, abs=0.2)
    assert np.allclose(entry["keypoints"], apply(np.array(entry["matrix"]), face.keypoints), atol=1e-3)


@pytest.mark.parametrize("size", [0, 15, 2049])
def test_crops_of_absurd_sizes_are_refused(size: int) -> None:
    with pytest.raises(ConfigError, match="16 to 2048"):
        aligned_transform(face_shape() * 100, size)
