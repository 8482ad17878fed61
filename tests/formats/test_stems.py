"""Names of output files: no two photos share one, and a photo keeps its own."""

import os
import re
from pathlib import Path

import pytest

from kp.formats.stems import unique_stems
from kp.formats.writer import FORMATS, file_names


def test_photos_of_one_name_get_different_stems() -> None:
    assert unique_stems(["a/x.jpg", "b/x.jpg", "b/X.png", "y.jpg"]) == ["x", "x.jpg", "X.png", "y"]
    *known, third = unique_stems(["x.jpg.jpg", "a/x.jpg", "b/x.jpg"])
    assert known == ["x.jpg", "x"] and re.fullmatch(r"x\.jpg~[0-9a-f]{8}", third)
    assert unique_stems(["a/x.jpg", "a/../a/x.jpg"]) == ["x", "x"]


def test_stems_keep_the_folders_in_a_folder() -> None:
    photos = ["p/a/x.jpg", "p/b/x.jpg", "p/b/x.png", "q/a/x.jpg", "x.jpg"]
    assert unique_stems(photos, ["p", "p", "p", "q", None]) == ["a/x", "b/x", "b/x.png", "a/x.jpg", "x"]


def test_a_stem_stays_whatever_photos_are_added(tmp_path: Path) -> None:
    """As long as the log tells whose it is; a photo that comes to a taken stem gets another."""
    owners = {"x": os.path.realpath("p/x.png"), "gone": os.path.realpath("elsewhere.jpg")}
    photos = ["p/x.bmp", "p/x.jpg", "p/x.png", "p/gone.jpg"]
    for order in (photos, photos[::-1]):
        assert dict(zip(order, unique_stems(order, owners=owners), strict=True)) == {
            "p/x.png": "x",
            "p/x.jpg": "x.jpg",
            "p/x.bmp": "x.bmp",
            "p/gone.jpg": "gone.jpg",
        }


@pytest.mark.parametrize(
    "name", ["m.face-2", "m.FACE-10", "m.aligned", "m.openface", "m.face-2.aligned", "keypoints.coco"]
)
def test_stems_that_look_like_another_photo_s_files_keep_their_ending(name: str) -> None:
    assert unique_stems([f"{name}.jpg"]) == [f"{name}.jpg"]


def test_no_two_photos_write_one_file() -> None:
    parts = (".face-2", ".face-3", ".aligned", ".openface", ".jpg", ".json", ".pts")
    stems = [
        "m",
        *(f"m{part}{more}" for part in parts for more in ("", ".face-2", ".aligned", ".png")),
        "keypoints.coco",
        "M",
    ]
    photos = [f"{folder}/{stem}.{end}" for folder in "ab" for stem in stems for end in ("jpg", "png", "JPG", "pts")]
    for order in (photos, photos[::-1]):
        names = ["keypoints.coco.json"]
        for stem in unique_stems(order):
            names += file_names(stem, 3, formats=tuple(FORMATS), align=64)
        assert len({name.casefold() for name in names}) == len(names)
