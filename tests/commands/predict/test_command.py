"""`python -m kp predict`: what it prints, writes and returns."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from builders import drawn_face

from kp import Box, Predictor, read_image
from kp.__main__ import main

WHOLE = ["--detector", "whole-image"]


@pytest.fixture
def photo(tmp_path: Path) -> str:
    return write_photo(tmp_path / "face.png", seed=3)


def write_photo(path: Path, *, seed: int) -> str:
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), drawn_face(seed)[0][..., ::-1])
    return str(path)


def write_boxes(folder: Path, *rows: str, heading: str = "file,left,top,right,bottom") -> str:
    path = folder / "boxes.csv"
    path.write_text("\n".join([heading, *rows]) + "\n")
    return str(path)


def predict(capsys: pytest.CaptureFixture, *arguments: str) -> tuple[int, list[dict], str]:
    """The exit code, the JSON, and what went to stderr."""
    code = main(["predict", *arguments, "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else [], err


def test_numbers_are_the_librarys(capsys, model: str, photo: str) -> None:
    code, (record,), _ = predict(capsys, photo, "--model", model, *WHOLE)
    assert code == 0
    assert list(record) == ["file", "width", "height", "error", "faces"]
    assert (record["file"], record["width"], record["height"], record["error"]) == (photo, 140, 150, None)
    (face,) = Predictor(model, "whole-image").predict(read_image(photo))
    assert np.array_equal(np.float32(record["faces"][0]["keypoints"]), face.keypoints)
    assert Box(*record["faces"][0]["box"]) == face.box


def test_margin_reaches_the_network(capsys, model: str, photo: str) -> None:
    _, (record,), _ = predict(capsys, photo, "--model", model, *WHOLE, "--margin", "2")
    (face,) = Predictor(model, "whole-image", margin=2.0).predict(read_image(photo))
    assert np.array_equal(np.float32(record["faces"][0]["keypoints"]), face.keypoints)


def test_tta_reaches_the_network(capsys, model: str, photo: str) -> None:
    _, (record,), _ = predict(capsys, photo, "--model", model, *WHOLE, "--tta", "3")
    (face,) = Predictor(model, "whole-image", tta=3).predict(read_image(photo))
    assert np.array_equal(np.float32(record["faces"][0]["keypoints"]), face.keypoints)
    code, _, err = predict(capsys, photo, "--model", model, *WHOLE, "--tta", "99")
    assert code == 1 and "99" in err


def test_a_bad_photo_does_not_stop_the_others(capsys, model: str, photo: str, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty").mkdir()
    (tmp_path / "film.mp4").write_text("no film")
    bad = [str(tmp_path / name) for name in ("text.png", "missing.jpg", "empty", "film.mp4")]
    code, records, _ = predict(capsys, *bad, photo, "--model", model, *WHOLE)
    assert code == 1
    assert [len(record["faces"]) for record in records] == [0, 0, 0, 0, 1]
    for record in records[:4]:
        assert record["width"] is None and record["height"] is None
    assert all(record["error"].endswith(".") for record in records[:3])
    assert "no picture files" in records[2]["error"] and "python -m kp video" in records[3]["error"]


def test_no_face_is_no_failure(capsys, model: str, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((200, 200, 3), 128, np.uint8))
    code, (record,), _ = predict(capsys, str(tmp_path / "grey.png"), "--model", model)
    assert (code, record["error"], record["faces"]) == (0, None, [])


def test_boxes_take_the_place_of_the_detector(capsys, monkeypatch, model: str, photo: str, tmp_path: Path) -> None:
    def fail(*_) -> None:
        raise AssertionError("a detector was called")

    for name in ("yunet.YuNetDetector", "whole_image.WholeImage"):
        monkeypatch.setattr(f"kp.detectors.{name}.detect", fail)
    table = write_boxes(tmp_path, f"{photo},20,30,90,100", f"{photo},25.5,30,80,99")
    code, (record,), err = predict(capsys, photo, "--model", model, "--boxes", table)
    assert (code, err) == (0, "")
    assert [face["box"] for face in record["faces"]] == [[20, 30, 90, 100], [25.5, 30, 80, 99]]
    expected = Predictor(model).predict(read_image(photo), [Box(20, 30, 90, 100), Box(25.5, 30, 80, 99)])
    for face, entry in zip(expected, record["faces"], strict=True):
        assert np.array_equal(np.float32(entry["keypoints"]), face.keypoints) and entry["score"] is None


def test_boxes_are_matched_by_path_then_by_name(capsys, model: str, tmp_path: Path) -> None:
    first, second = (write_photo(tmp_path / folder / "x.png", seed=4) for folder in "ab")
    table = write_boxes(tmp_path, f"{first},20,30,90,100", "elsewhere/x.png,10,10,80,80")
    _, records, _ = predict(capsys, first, second, "--model", model, "--boxes", table)
    assert [record["faces"][0]["box"][0] for record in records] == [20, 10]


def test_boxes_that_could_be_several_photos_are_refused(capsys, model: str, photo: str, tmp_path: Path) -> None:
    table = write_boxes(tmp_path, "a/face.png,20,30,90,100", "b/face.png,10,10,80,80")
    code, records, err = predict(capsys, photo, "--model", model, "--boxes", table)
    assert (code, records) == (1, []) and "a/face.png, b/face.png" in err


def test_a_photo_without_a_row_has_no_face_and_is_reported(capsys, model: str, photo: str, tmp_path: Path) -> None:
    table = write_boxes(tmp_path, "other.png,1,2,30,40")
    code, (record,), err = predict(capsys, photo, "--model", model, "--boxes", table)
    assert (code, record["error"], record["faces"]) == (0, None, [])
    assert "no row for 1 of 1 photos" in err and photo in err


def test_a_box_outside_the_photo_fails_that_photo(capsys, model: str, photo: str, tmp_path: Path) -> None:
    table = write_boxes(tmp_path, "face.png,200,0,300,90")
    code, (record,), _ = predict(capsys, photo, "--model", model, "--boxes", table)
    assert (code, record["faces"], record["width"]) == (1, [], 140) and "outside" in record["error"]


@pytest.mark.parametrize(
    ("heading", "row", "says"),
    [
        ("file,left,top,right", "face.png,1,2,3", "lacks the columns bottom"),
        ("", "", "lacks the columns file"),
        ("file,left,top,right,bottom", "face.png,1,2,three,4", "line 2: right is 'three'"),
        ("file,left,top,right,bottom", "face.png,1,2,3", "line 2: bottom is 'empty'"),
        ("file,left,top,right,bottom", "face.png,nan,2,3,4", "line 2"),
        ("file,left,top,right,bottom", "face.png,9,2,3,4", "line 2: a box needs left < right"),
        ("file,left,top,right,bottom", ",1,2,3,4", "line 2: the column file is empty"),
    ],
)
def test_bad_boxes_name_the_line(
    capsys, model: str, photo: str, tmp_path: Path, heading: str, row: str, says: str
) -> None:
    table = write_boxes(tmp_path, row, heading=heading)
    code, records, err = predict(capsys, photo, "--model", model, "--boxes", table)
    assert (code, records) == (1, []) and says in err


def test_boxes_that_are_no_table_are_refused(capsys, model: str, photo: str, tmp_path: Path) -> None:
    for path in (photo, str(tmp_path / "missing.csv")):
        code, _, err = predict(capsys, photo, "--model", model, "--boxes", path)
        assert code == 1 and err.startswith("Error: ") and path in err


def test_outputs_of_one_name_are_kept_apart(capsys, model: str, tmp_path: Path) -> None:
    photos = [write_photo(tmp_path / folder / "x.png", seed=seed) for seed, folder in enumerate("ab")]
    out = tmp_path / "out"
    code = main(["predict", *photos, "--model", model, *WHOLE, "--out", str(out)])
    assert code == 0
    assert {path.name for path in out.iterdir() if path.name[0] != "."} == {
        f"{stem}.{end}" for stem in ("x", "x.png") for end in ("png", "csv", "json")
    }
    assert "2 photos, 2 faces" in capsys.readouterr().out
    main(["predict", photos[0], "--model", model, *WHOLE, "--out", str(out)])
    assert f"replaced {out / 'x.png'}" in capsys.readouterr().out
