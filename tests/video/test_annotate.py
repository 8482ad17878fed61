"""`python -m kp video`: the same faces keep their numbers, the table has a row for each, nothing half done is left."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from builders import drawn_face
from mp4_boxes import duration_of, with_durations

from kp import Box, Predictor
from kp.__main__ import main
from kp.commands.video import remarks
from kp.detectors.base import BoxMap, Detection, Detector
from kp.errors import ConfigError, ImageError
from kp.formats.tables import WIDE_COLUMNS
from kp.formats.writer import draw_faces
from kp.prediction.tracking import FaceTracker, TrackedFace
from kp.video.annotate import COLUMNS, FrameDone, VideoDone, VideoReader, annotate_video, draw_tracked

FRAMES, RATE, SIZE = 12, 20, (160, 150)  # width, height
SPEED = 2  # pixels a frame


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A face that moves to the right."""
    face, _ = drawn_face(3)
    writer = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter_fourcc(*"MJPG"), RATE, SIZE)
    for number in range(FRAMES):
        frame = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
        frame[:, number * SPEED : number * SPEED + 130] = face[:, :130]
        writer.write(frame)
    writer.release()
    return tmp_path / "clip.avi"


@pytest.fixture
def run(model: str, capsys: pytest.CaptureFixture) -> Callable[..., tuple[int, str, str]]:
    def command(*arguments: object) -> tuple[int, str, str]:
        code = main(["video", *map(str, arguments), "--model", model, "--detector", "whole-image"])
        return code, *capsys.readouterr()

    return command


class Moving(Detector):
    """Detects two moving faces; it counts its calls, as it does not know the frame's time."""

    box_map = BoxMap(0.0, 0.0, 1.0)
    default_threshold, threshold_range, threshold_help = 0.5, (0.0, 1.0), "not used"
    calls = 0

    def detect(self, image: np.ndarray) -> list[Detection]:
        self.calls += 1
        left = self.calls * SPEED
        both = [Detection(Box(left, 20, left + 50, 70), 0.9), Detection(Box(90, 80, 130, 120), 0.8)]
        return both if self.calls % 2 else both[::-1]


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_video_is_read_frame_by_frame(clip: Path) -> None:
    reader = VideoReader(clip)
    assert (reader.info.width, reader.info.height, reader.info.rate) == (*SIZE, RATE)
    frames = list(reader)
    assert [frame.number for frame in frames] == list(range(1, FRAMES + 1))
    assert np.allclose([frame.seconds for frame in frames], np.arange(FRAMES) / RATE, atol=1e-3)
    assert frames[0].image.shape == (SIZE[1], SIZE[0], 3)
    expected = drawn_face(3)[0][75, 60].astype(int)[::-1]  # it was drawn as BGR
    assert np.abs(frames[0].image[75, 60].astype(int) - expected).max() < 30


def test_a_row_for_each_frame_and_face(clip: Path, model: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("kp.prediction.predictor.TILTED", 360.0)  # this network sees eyes anywhere
    *done, end = annotate_video(Predictor(model, Moving()), clip, tmp_path / "out", tracker=FaceTracker(None))
    assert isinstance(end, VideoDone) and end.whole and (end.frames, end.repeated, end.dropped) == (FRAMES, 0, 0)
    table = rows(tmp_path / "out" / "clip.csv")
    assert list(table[0]) == list(COLUMNS) == ["frame", "timestamp", "face_id", *WIDE_COLUMNS]
    assert len(table) == sum(len(frame.faces) for frame in done) >= 2 * FRAMES
    assert {row["face_id"] for row in table if row["frame"] == "5"} == {"1", "2"}
    for row, (frame, tracked) in zip(table, [(one.frame, face) for one in done for face in one.faces], strict=True):
        assert (int(row["frame"]), int(row["face_id"])) == (frame.number, tracked.number)
        assert float(row["timestamp"]) == pytest.approx(frame.seconds, abs=1e-3)
        assert float(row["x_30"]) == pytest.approx(float(tracked.face.keypoints[30, 0]), abs=1e-3)
        assert float(row["y_8"]) == pytest.approx(float(tracked.face.keypoints[8, 1]), abs=1e-3)


def test_several_faces_show_their_numbers(clip: Path, model: str) -> None:
    frame = next(iter(VideoReader(clip)))
    faces = Predictor(model, Moving()).predict(frame.image)
    one, both = (FaceTracker(None).update(faces[:count], 0.0) for count in (1, 2))
    with_points = draw_faces(frame.image, faces, 1.0, boxes=False)
    assert np.array_equal(draw_tracked(FrameDone(frame, one)), draw_faces(frame.image, faces[:1], 1.0))
    drawn, swapped = (
        draw_tracked(
            FrameDone(frame, [TrackedFace(number, face.face) for number, face in zip(numbers, both, strict=True)])
        )
        for numbers in ((1, 2), (2, 1))
    )
    assert not np.array_equal(drawn, with_points) and not np.array_equal(drawn, swapped)


def test_the_video_shows_the_points(run, clip: Path, tmp_path: Path) -> None:
    code, out, err = run(clip, "--out", tmp_path / "out")
    assert (code, err) == (0, "") and f"{FRAMES} frames, 20 a second" in out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"clip.mp4", "clip.csv"}
    drawn, plain = list(VideoReader(tmp_path / "out" / "clip.mp4")), list(VideoReader(clip))
    assert len(drawn) == len(plain)
    assert VideoReader(tmp_path / "out" / "clip.mp4").info.rate == RATE
    table = rows(tmp_path / "out" / "clip.csv")
    where = [(int(float(table[5][f"x_{p}"])), int(float(table[5][f"y_{p}"]))) for p in range(68)]
    inside = [(x, y) for x, y in where if 0 <= x < 160 and 0 <= y < 150]
    changed = [np.abs(drawn[5].image[y, x].astype(int) - plain[5].image[y, x]).max() > 40 for x, y in inside]
    assert inside and np.mean(changed) > 0.5


def test_smoothing_can_be_switched_off(run, clip: Path, tmp_path: Path) -> None:
    def points(*options: str) -> list[list[str]]:
        code, out, _ = run(clip, "--out", tmp_path / "out", "--json", "--overwrite", *options)
        summary = json.loads(out)
        assert code == 0 and summary["frames"] == summary["frames_with_faces"] == summary["rows"] == FRAMES
        assert summary["faces"] == 1
        return [[row["x_0"], row["y_0"]] for row in rows(tmp_path / "out" / "clip.csv")]

    smooth, raw, strong = points(), points("--no-smooth"), points("--min-cutoff", "0.1", "--beta", "0")
    assert smooth[0] == raw[0] == strong[0] and smooth[1:] != raw[1:]
    travel = [np.ptp(np.float64(way), axis=0).sum() for way in (strong, smooth, raw)]
    assert travel[0] < travel[1] < travel[2] * 1.01


def test_what_is_no_video_is_told(run, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    for name, says in (("text.mp4", "not a video"), ("missing.mp4", "does not exist")):
        code, out, err = run(tmp_path / name, "--out", tmp_path / "out")
        assert (code, out) == (1, "") and says in err and err.startswith("Error: ")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ImageError, match="not a video"):
        VideoReader(tmp_path / "text.mp4")


def test_the_video_itself_is_never_replaced(run, clip: Path) -> None:
    moved = clip.rename(clip.with_suffix(".mp4"))
    before = moved.read_bytes()
    code, _, err = run(moved, "--out", moved.parent)
    assert code == 1 and "take the place of the video" in err and moved.read_bytes() == before


def test_a_run_that_is_stopped_leaves_nothing(clip: Path, model: str, tmp_path: Path) -> None:
    run = annotate_video(Predictor(model, "whole-image"), clip, tmp_path / "out", tracker=FaceTracker())
    next(run)
    assert list((tmp_path / "out").iterdir())
    run.close()
    assert not list((tmp_path / "out").iterdir())


def test_options_without_sense_are_told(run, clip: Path, tmp_path: Path) -> None:
    code, _, err = run(clip, "--out", tmp_path / "out", "--min-cutoff", "0")
    assert code == 1 and "min_cutoff" in err
    (tmp_path / "file").write_text("")
    code, _, err = run(clip, "--out", tmp_path / "file")
    assert code == 1 and "cannot be written" in err


def test_a_cut_video_is_done_as_far_as_it_goes(run, clip: Path, tmp_path: Path) -> None:
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    out = tmp_path / "out"
    code, printed, err = run(clip, "--out", out, "--json")
    summary = json.loads(printed)
    assert code == 1 and not summary["whole"] and summary["frames_declared"] == FRAMES
    assert 1 < summary["frames"] < FRAMES and summary["rows"] == len(rows(out / "clip.csv")) == summary["frames"]
    assert f"only {summary['frames']} of {FRAMES} frames can be read" in err and err.count("\n") == 1
    assert len(list(VideoReader(out / "clip.mp4"))) == summary["frames"]
    code, printed, err = run(clip, "--out", tmp_path / "again")
    assert code == 1 and f"wrote {tmp_path / 'again' / 'clip.mp4'}" in printed and "Copy the video again" in err


def test_what_is_other_in_the_new_video_is_told(run, tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "a.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), RATE, SIZE)
    for seed in range(FRAMES):
        writer.write(cv2.resize(drawn_face(seed)[0], SIZE))
    writer.release()
    data = (tmp_path / "a.mp4").read_bytes()
    unit = duration_of(data)
    (tmp_path / "a.mp4").write_bytes(with_durations(data, [(6, unit), (6, 2 * unit)]))
    code, printed, err = run(tmp_path / "a.mp4", "--out", tmp_path / "out", "--json")
    summary = json.loads(printed)
    assert code == 0 and "the frame rate changes" in err and "frames are shown again" in err
    assert summary["frames_repeated"] > 0 and len(rows(tmp_path / "out" / "a.csv")) == summary["frames"] == FRAMES
    times = [float(row["timestamp"]) for row in rows(tmp_path / "out" / "a.csv")]
    assert times == pytest.approx(np.cumsum([0, *[1] * 6, *[2] * 5]) / RATE, abs=2e-3)


def test_an_odd_size_is_told(clip: Path) -> None:
    done = VideoDone(VideoReader(clip).info, 12, True, (*SIZE,), 0, 0, ())
    assert remarks(done) == []
    (remark,) = remarks(replace(done, info=replace(done.info, width=SIZE[0] - 1)))
    assert f"{SIZE[0]} x {SIZE[1]} pixels" in remark


def test_two_videos_of_one_name_are_both_kept(run, clip: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "clip.avi"
    other.parent.mkdir()
    other.write_bytes(clip.read_bytes())
    code, printed, err = run(clip, other, tmp_path / "missing.mp4", "--out", tmp_path / "out", "--json")
    first, second = map(json.loads, printed.splitlines())
    assert code == 1 and err.startswith("Error: ") and "missing.mp4 does not exist" in err
    assert [Path(file).name for file in first["files"]] == ["clip.mp4", "clip.csv"]
    assert [Path(file).name for file in second["files"]] == ["clip.avi.mp4", "clip.avi.csv"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "clip.mp4",
        "clip.csv",
        "clip.avi.mp4",
        "clip.avi.csv",
    }
    assert (tmp_path / "out" / "clip.csv").read_bytes() == (tmp_path / "out" / "clip.avi.csv").read_bytes()


@pytest.mark.parametrize("name", ["clip.mp4", "clip.csv"])
def test_files_of_others_are_never_replaced(run, clip: Path, tmp_path: Path, monkeypatch, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with monkeypatch.context() as patch:
        patch.setattr("kp.commands.video.annotate_video", lambda *_, **__: pytest.fail("the work began"))
        code, printed, err = run(clip, "--out", tmp_path)
    assert (code, printed) == (1, "") and f"{tmp_path / name} is there already" in err and "--overwrite" in err
    with pytest.raises(ConfigError, match="is there already"):
        next(annotate_video(None, clip, tmp_path, tracker=FaceTracker()))
    assert (tmp_path / name).read_text() == "mine"
    code, _, err = run(clip, "--out", tmp_path, "--overwrite")
    assert code == 0 and f"{tmp_path / name} will be replaced" in err and (tmp_path / name).read_bytes() != b"mine"
