"""MP4 files: the size of the pictures is set to an odd one, and they stay as they are; how much an edit list shows."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from mp4_boxes import with_edits, without_edits

from kp.video.files import VideoReader
from kp.video.mp4_headers import set_picture_size, shown_share

EVEN = (98, 66)


def write(path: Path, codec: str = "mp4v", rate: float = 29.97) -> list[np.ndarray]:
    """Noise that moves, so that pictures are made of those before."""
    still = cv2.resize(np.random.default_rng(0).integers(0, 255, (9, 12), np.uint8), EVEN)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), rate, EVEN)
    frames = [np.roll(still, 3 * number, axis=1) for number in range(30)]
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    writer.release()
    return frames


@pytest.mark.parametrize("size", [(97, 65), (97, 66), (98, 65), (98, 66)])
@pytest.mark.parametrize("rate", [25.0, 29.97, 24000 / 1001, 1.0, 240.0])
def test_the_pictures_stay_but_for_what_is_cut_off(tmp_path: Path, size: tuple[int, int], rate: float) -> None:
    path = tmp_path / "a.mp4"
    write(path, rate=rate)
    before, length = [frame.image for frame in VideoReader(path)], path.stat().st_size
    assert set_picture_size(path, *size) and path.stat().st_size == length
    reader = VideoReader(path)
    after = [frame.image for frame in reader]
    assert (reader.info.width, reader.info.height) == size and len(after) == len(before) == reader.info.frames
    for old, new in zip(before, after, strict=True):
        assert np.abs(old[: size[1], : size[0]].astype(int) - new).max() <= 6  # rounding of its colours


@pytest.mark.parametrize("size", [(96, 66), (99, 66), (98, 64), (200, 66), (98, 67)])
def test_other_sizes_are_refused_and_nothing_changes(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "a.mp4"
    write(path)
    before = path.read_bytes()
    assert not set_picture_size(path, *size) and path.read_bytes() == before


def test_files_of_another_kind_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write(path)
    whole = path.read_bytes()
    write(tmp_path / "b.avi", "MJPG")
    for content in (
        b"",
        b"text",
        whole[: len(whole) // 2],
        (tmp_path / "b.avi").read_bytes(),
        whole.replace(b"mp4v", b"avc1"),
        whole.replace(b"\0\0\1\x20", b"\0\0\1\x50"),
    ):
        path.write_bytes(content)
        assert not set_picture_size(path, 97, 65) and path.read_bytes() == content


def test_how_much_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write(path, rate=30.0)
    whole = path.read_bytes()
    assert shown_share(path) == pytest.approx(1, abs=1e-3)
    path.write_bytes(with_edits(whole, 0.25))
    assert shown_share(path) == pytest.approx(0.25, abs=1e-3)
    write(tmp_path / "b.avi", "MJPG")
    for content in (
        b"",
        b"text",
        without_edits(whole),
        (tmp_path / "b.avi").read_bytes(),
        b"\0\0\0\1moov",
        whole.replace(b"mdhd", b"free"),
        whole[: whole.index(b"mdhd")],
        whole.replace(b"mvhd", b"free"),
        with_edits(whole, 0),
        with_edits(whole, 99),
    ):
        path.write_bytes(content)
        assert shown_share(path) == 1
