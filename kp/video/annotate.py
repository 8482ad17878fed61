"""A video's faces, frame by frame: as a video with the points drawn on it, and a table."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kp.drawing.overlay import draw_box
from kp.files import check_outputs, replacing, unwritable
from kp.formats.overlay_png import draw_faces
from kp.formats.tables import WIDE_COLUMNS, Cell, wide_row
from kp.prediction.predictor import Predictor
from kp.prediction.tracking import FaceTracker, TrackedFace
from kp.video.files import Frame, VideoInfo, VideoReader, VideoWriter

__all__ = [
    "COLUMNS",
    "Frame",
    "FrameDone",
    "VideoDone",
    "VideoInfo",
    "VideoReader",
    "VideoWriter",
    "annotate_video",
    "draw_tracked",
    "output_paths",
]

COLUMNS = ("frame", "timestamp", "face_id", *WIDE_COLUMNS)


@dataclass(frozen=True)
class FrameDone:
    """A frame that was predicted, and its tracked faces."""

    frame: Frame
    faces: list[TrackedFace]


@dataclass(frozen=True)
class VideoDone:
    """The end of a video, whose output files are complete.

    info: as declared by the source file. frames: number of frames read. whole: whether that is all of them. size:
    (width, height) of the written video. repeated, dropped: as in `VideoWriter`.
    """

    info: VideoInfo
    frames: int
    whole: bool
    size: tuple[int, int]
    repeated: int
    dropped: int
    files: Sequence[Path]


def annotate_video(
    predictor: Predictor,
    source: Path | str,
    folder: Path | str,
    *,
    tracker: FaceTracker,
    stem: str | None = None,
    overwrite: bool = False,
) -> Iterator[FrameDone | VideoDone]:
    """Write STEM.mp4 with the points on it and STEM.csv into `folder`; yields each FrameDone, then VideoDone.

    The table has a row for each frame and face (COLUMNS). Both files appear after the last frame; of a cut video they
    have the readable frames. stem: `source`'s if None. Raises ImageError for what is no video, ConfigError for
    files that exist where `overwrite` is not set, KpError where writing fails.
    """
    reader = VideoReader(source)
    video, table = output_paths(source, folder, stem)
    check_outputs([video, table], overwrite=overwrite)
    frames, seconds = 0, 0.0
    try:
        video.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as files:
            rows = csv.writer(
                files.enter_context(open(files.enter_context(replacing(table)), "w", encoding="utf-8", newline="")),
                lineterminator="\n",
            )
            writer = VideoWriter(files.enter_context(replacing(video)), reader.info)
            files.callback(writer.close)
            rows.writerow(COLUMNS)
            for frame in reader:
                frames, seconds = frame.number, frame.seconds
                faces = predictor.search(frame.image, rotations=()).faces
                done = FrameDone(frame, tracker.update(faces, seconds))
                rows.writerows(table_rows(done))
                writer.write(draw_tracked(done), seconds)
                yield done
    except OSError as error:
        raise unwritable(Path(folder), error) from None
    yield VideoDone(
        reader.info,
        frames,
        not reader.info.lacks(frames, seconds),
        writer.size,
        writer.repeated,
        writer.dropped,
        (video, table),
    )


def output_paths(source: Path | str, folder: Path | str, stem: str | None = None) -> tuple[Path, Path]:
    """Paths of the written video and table."""
    stem = Path(source).stem if stem is None else stem
    return Path(folder) / f"{stem}.mp4", Path(folder) / f"{stem}.csv"


def table_rows(done: FrameDone) -> list[list[Cell]]:
    """A row for each face in the order of COLUMNS."""
    frame = done.frame
    return [[frame.number, round(frame.seconds, 4), face.number, *wide_row(face.face)] for face in done.faces]


def draw_tracked(done: FrameDone) -> np.ndarray:
    """The frame at its own size with its faces drawn on it; numbered boxes where there are several."""
    image = draw_faces(done.frame.image, [tracked.face for tracked in done.faces], 1.0, boxes=False)
    for tracked in done.faces if len(done.faces) > 1 else ():
        image = draw_box(image, tracked.face.box, label=str(tracked.number))
    return image
