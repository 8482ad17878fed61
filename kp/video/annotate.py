"""Videos: the faces of each frame, as a video with the points drawn on it and a table."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kp.drawing.overlay import draw_box
from kp.files import check_outputs, replacing, unwritable
from kp.formats.overlay_png import draw_faces
from kp.formats.tables import WIDE_COLUMNS, wide_row
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
    """A frame that has been worked on, and its faces."""

    frame: Frame
    faces: list[TrackedFace]


@dataclass(frozen=True)
class VideoDone:
    """The end of a video, whose files are there now.

    info: what the file says of itself. frames: how many could be read. whole: whether that is all of them. size: of
    the new video, (width, height). repeated, dropped: as `VideoWriter` has them.
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
    """Write STEM.mp4 with the points on it and STEM.csv into `folder`; each frame as it is done, and then the end.

    The table has a row for each frame and face (COLUMNS). Both are there when the last frame is done, not before. Of a
    video that is cut they have what could be read. stem: `source`'s own if None. Raises ImageError for what is no
    video, ConfigError for files that exist where `overwrite` is not set, KpError where the disk does not take them.
    """
    reader = VideoReader(source)
    video, table = output_paths(source, folder, stem)
    check_outputs([video, table], overwrite=overwrite)
    frame: Frame | None = None
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
                done = FrameDone(
                    frame, tracker.update(predictor.search(frame.image, rotations=()).faces, frame.seconds)
                )
                rows.writerows(
                    [frame.number, round(frame.seconds, 4), tracked.number, *wide_row(tracked.face)]
                    for tracked in done.faces
                )
                writer.write(draw_tracked(done), frame.seconds)
                yield done
    except OSError as error:
        raise unwritable(Path(folder), error) from None
    yield VideoDone(
        reader.info,
        frame.number,
        not reader.info.lacks(frame.number, frame.seconds),
        writer.size,
        writer.repeated,
        writer.dropped,
        (video, table),
    )


def output_paths(source: Path | str, folder: Path | str, stem: str | None = None) -> tuple[Path, Path]:
    """Where the video and the table go."""
    stem = Path(source).stem if stem is None else stem
    return Path(folder) / f"{stem}.mp4", Path(folder) / f"{stem}.csv"


def draw_tracked(done: FrameDone) -> np.ndarray:
    """The frame with its faces, no larger than it is; numbered boxes where there are several."""
    image = draw_faces(done.frame.image, [tracked.face for tracked in done.faces], 1.0, boxes=False)
    for tracked in done.faces if len(done.faces) > 1 else ():
        image = draw_box(image, tracked.face.box, label=str(tracked.number))
    return image
