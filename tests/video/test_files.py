"""Video files: what is read and written keeps its size and its time, and a file that is cut is known."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from mp4_boxes import boxes_of, change, cut, duration_of, with_durations, with_edits

from kp.video.files import LONGEST_HOLD, MAX_RATE, VideoInfo, VideoReader, VideoWriter, counts_frames

RATE, FRAMES, SIZE = 20.0, 60, (160, 150)


def write(path: Path, codec: str = "mp4v", *, frames: int = FRAMES, size: tuple[int, int] = SIZE) -> bytes:
    """Noise, so that each frame takes about as many bytes; a white bar in a black band stands at its number."""
    rng = np.random.default_rng(0)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), RATE, size)
    assert writer.isOpened()
    for number in range(frames):
        frame = rng.integers(0, 255, (size[1] // 5 + 1, size[0] // 5 + 1, 3), np.uint8).repeat(5, 0).repeat(5, 1)
        frame[60:100] = 0
        frame[60:100, 2 * number + 20 : 2 * number + 24] = 255
        writer.write(np.ascontiguousarray(frame[: size[1], : size[0]]))
    writer.release()
    return path.read_bytes()


def number_of(image: np.ndarray) -> int:
    """The frame's number, from 0."""
    light = image[70:90].mean(axis=(0, 2)).clip(60) - 60
    return round(((light * np.arange(len(light))).sum() / light.sum() - 21.5) / 2)


def lacks(path: Path) -> tuple[int, int, bool]:
    """Frames read, frames declared, whether some are missing."""
    reader = VideoReader(path)
    *_, last = reader
    return last.number, reader.info.frames, reader.info.lacks(last.number, last.seconds)


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1])
def test_an_mp4_that_was_broken_off(tmp_path: Path, share: float) -> None:
    data = write(tmp_path / "a.mp4")
    assert lacks(tmp_path / "a.mp4") == (FRAMES, FRAMES, False)
    (tmp_path / "a.mp4").write_bytes(cut(data, 1))
    assert lacks(tmp_path / "a.mp4") == (FRAMES, FRAMES, False)
    (tmp_path / "a.mp4").write_bytes(cut(data, share))
    read, declared, missing = lacks(tmp_path / "a.mp4")
    assert declared == FRAMES and 0 < read < share * FRAMES + 2 and missing


@pytest.mark.parametrize(
    ("codec", "ending", "counted"), [("MJPG", "avi", True), ("VP80", "webm", False), ("MJPG", "mkv", False)]
)
def test_other_files_that_were_broken_off(tmp_path: Path, codec: str, ending: str, counted: bool) -> None:
    path = tmp_path / f"a.{ending}"
    data = write(path, codec)
    assert counts_frames(path) is counted and lacks(path) == (FRAMES, FRAMES, False)
    for share in (0.9, 0.4):
        path.write_bytes(data[: int(len(data) * share)])
        read, declared, missing = lacks(path)
        assert declared == FRAMES and read < share * FRAMES + 2 and missing


@pytest.mark.parametrize("seconds", [1.0, 2.0, 2.5])
def test_what_an_edit_list_leaves_out_is_not_missing(tmp_path: Path, seconds: float) -> None:
    """As tools write that cut a video without encoding it anew."""
    path = tmp_path / "a.mp4"
    data = write(path)
    path.write_bytes(with_edits(data, seconds))
    read, declared, missing = lacks(path)
    assert read == pytest.approx(seconds * RATE, abs=2) and declared == seconds * RATE and not missing
    path.write_bytes(cut(with_edits(data, seconds), 0.5 * seconds / 3))
    assert lacks(path)[2]


def test_a_duration_is_a_guess_and_a_count_is_none() -> None:
    counted, declared = (VideoInfo(9, 9, 300, 30.0, counted) for counted in (True, False))
    assert not counted.lacks(299, 9.9) and counted.lacks(298, 9.9)
    assert not declared.lacks(150, 9.9) and not declared.lacks(150, 9.7)  # variable rate; its sound is a little longer
    assert declared.lacks(150, 5.0)
    assert not any(VideoInfo(9, 9, 0, 30.0, counted).lacks(5, 0.2) for counted in (True, False))


def test_a_changing_rate_keeps_time(tmp_path: Path) -> None:
    """Frames 30 to 39 are shown three times as long; the mean rate is 15 a second."""
    data = write(tmp_path / "a.mp4")
    unit = duration_of(data)
    (tmp_path / "a.mp4").write_bytes(with_durations(data, [(30, unit), (10, 3 * unit), (20, unit)]))
    reader = VideoReader(tmp_path / "a.mp4")
    writer = VideoWriter(tmp_path / "b.mp4", reader.info)
    times = []
    for frame in reader:
        writer.write(frame.image, frame.seconds)
        times.append(frame.seconds)
    writer.close()
    assert times == pytest.approx(np.cumsum([0, *[1] * 30, *[3] * 10, *[1] * 19]) / RATE, abs=2e-3)
    again = list(VideoReader(tmp_path / "b.mp4"))
    assert len(again) == FRAMES + writer.repeated - writer.dropped and writer.repeated and writer.dropped
    first = {number_of(frame.image): frame.seconds for frame in reversed(again)}
    assert len(first) == FRAMES - writer.dropped and set(range(30, 40)) <= set(first)
    assert max(abs(seconds - times[number]) for number, seconds in first.items()) <= 1 / reader.info.rate
    assert np.mean([seconds - times[number] for number, seconds in first.items()]) == pytest.approx(0, abs=0.02)
    assert again[-1].seconds == pytest.approx(times[-1], abs=1 / reader.info.rate)


def test_a_constant_rate_is_left_alone(tmp_path: Path) -> None:
    for rate in (29.97, 24000 / 1001, 25.0, 7.5):
        writer = VideoWriter(tmp_path / "a.mp4", VideoInfo(64, 64, 0, rate))
        for number in range(500):
            writer.write(np.zeros((64, 64, 3), np.uint8), round(3.0 + number / rate, 3))  # as some files round them
        writer.close()
        assert (writer.repeated, writer.dropped) == (0, 0)
        assert VideoReader(tmp_path / "a.mp4").info.rate == pytest.approx(rate, abs=1e-3)


@pytest.mark.parametrize("size", [(161, 151), (161, 150), (160, 151), (33, 17), (160, 150)])
def test_odd_sizes_lose_nothing(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    image = np.full((height, width, 3), 60, np.uint8)
    image[-1], image[:, -1] = 250, 250
    writer = VideoWriter(tmp_path / "a.mp4", VideoInfo(width, height, 0, RATE))
    for number in range(5):
        writer.write(image, number / RATE)
    writer.close()
    reader = VideoReader(tmp_path / "a.mp4")
    frames = list(reader)
    assert (reader.info.width, reader.info.height) == frames[-1].image.shape[1::-1] == writer.size == size
    assert len(frames) == 5 and (frames[-1].image[-1] > 180).all() and (frames[-1].image[:, -1] > 180).all()


def test_a_frame_of_another_size_is_made_to_fit(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "a.mp4", VideoInfo(161, 151, 0, RATE))
    for number, shape in enumerate([(151, 161), (302, 322), (40, 40)]):
        writer.write(np.full((*shape, 3), 200, np.uint8), number / RATE)
    writer.close()
    assert len(list(VideoReader(tmp_path / "a.mp4"))) == 3


def test_times_and_rates_that_cannot_be_do_not_fill_the_disk(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "a.mp4", VideoInfo(16, 16, 0, 10.0))
    for seconds in (0.0, 0.1, 1e9, 1e9 + 0.1):
        writer.write(np.zeros((16, 16, 3), np.uint8), seconds)
    writer.close()
    assert writer.repeated == LONGEST_HOLD * 10 and writer.dropped == 0
    assert VideoWriter(tmp_path / "b.mp4", VideoInfo(16, 16, 0, 1000.0)).rate == MAX_RATE


def test_boxes_there_and_back(tmp_path: Path) -> None:
    """The tool of these tests changes what it is meant to, and no more."""
    data = write(tmp_path / "a.mp4", frames=3)
    assert change(data, b"stts", lambda old: old) == data and b"moov" in dict(boxes_of(data))
    assert struct.unpack(">I", change(data, b"stts", lambda old: old + b"1234")[:4]) == struct.unpack(">I", data[:4])
