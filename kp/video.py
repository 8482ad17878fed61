"""Videos: the faces of each frame, as a video with the points drawn on it and a table.

A new video has no sound, and MPEG-4 pictures, which is what OpenCV's own build can write.
"""

import csv
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from kp.drawing.overlay import draw_box
from kp.errors import ImageError, KpError
from kp.export import draw_faces
from kp.formats.tables import WIDE_COLUMNS, wide_row
from kp.predict import Predictor
from kp.tracking import FaceTracker, TrackedFace

CODEC = "mp4v"
USUAL_RATE = 25.0  # frames a second, where a file does not say
COLUMNS = ("frame", "timestamp", "face_id", *WIDE_COLUMNS)


@dataclass(frozen=True)
class Frame:
    """One frame: its number, from 1, its time, and its picture uint8 (H, W, 3) RGB."""

    number: int
    seconds: float
    image: np.ndarray


@dataclass(frozen=True)
class VideoInfo:
    """What a file says of its video. frames: about how many, 0 where it does not say. rate: frames a second."""

    width: int
    height: int
    frames: int
    rate: float


class VideoReader:
    """The frames of a video file, upright. Raises ImageError for what is no video."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise ImageError(f"{path} does not exist. Check the path.")
        self._capture = cv2.VideoCapture(str(path))
        width, height, frames, rate = (self._capture.get(what) for what in (
            cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FPS))
        if not self._capture.isOpened() or width < 1 or height < 1:
            raise ImageError(f"{path} is not a video that can be read here. Save it as MP4 (H.264).")
        usable = np.isfinite(rate) and 0 < rate <= 1000
        self.info = VideoInfo(int(width), int(height), max(0, int(frames)), float(rate) if usable else USUAL_RATE)

    def __iter__(self) -> Iterator[Frame]:
        number, last = 0, -1.0
        try:
            while True:
                there, pixels = self._capture.read()
                if not there:
                    break
                number += 1
                seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                if not seconds > last:  # some files tell no times
                    seconds = last + 1 / self.info.rate if number > 1 else 0.0
                last = seconds
                yield Frame(number, seconds, cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
        finally:
            self._capture.release()
        if not number:
            raise ImageError(f"{self.path} has no frame that can be read. Save it as MP4 (H.264).")


class VideoWriter:
    """An MP4 file, frame by frame. Raises KpError where it cannot be made."""

    def __init__(self, path: Path, info: VideoInfo) -> None:
        self.path, self.size = path, (info.width, info.height)
        self._writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*CODEC), info.rate, self.size)
        if not self._writer.isOpened():
            raise KpError(f"{path} cannot be written as a video. Name another folder, or free some space.")

    def write(self, image: np.ndarray) -> None:
        """uint8 (H, W, 3) RGB; another size than the first frame's is made to fit."""
        if image.shape[1::-1] != self.size:
            image = cv2.resize(image, self.size, interpolation=cv2.INTER_AREA)
        self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        self._writer.release()


@dataclass(frozen=True)
class FrameDone:
    """A frame that has been worked on, and its faces."""

    frame: Frame
    faces: list[TrackedFace]


def follow(predictor: Predictor, frames: VideoReader, tracker: FaceTracker) -> Iterator[FrameDone]:
    """The faces of frame after frame, with numbers that stay."""
    for frame in frames:
        yield FrameDone(frame, tracker.update(predictor.search(frame.image, turns=()).faces, frame.seconds))


def annotate_video(predictor: Predictor, source: Path | str, folder: Path | str, *,
                   tracker: FaceTracker) -> Iterator[FrameDone]:
    """Write `source`'s NAME.mp4 with the points on it and NAME.csv into `folder`, and give each frame as it is done.

    The table has a row for each frame and face (COLUMNS). Both are there when the last frame is done, not before.
    Raises ImageError for what is no video, KpError where the disk does not take the files.
    """
    reader, name = VideoReader(source), Path(source).stem
    video, table = output_paths(source, folder)
    with _work_folder(Path(folder)) as work:
        writer = VideoWriter(work / f"{name}.mp4", reader.info)
        try:
            with open(work / f"{name}.csv", "w", encoding="utf-8", newline="") as file:
                rows = csv.writer(file, lineterminator="\n")
                rows.writerow(COLUMNS)
                for done in follow(predictor, reader, tracker):
                    rows.writerows([done.frame.number, round(done.frame.seconds, 4), tracked.number,
                                    *wide_row(tracked.face)] for tracked in done.faces)
                    writer.write(draw_tracked(done))
                    yield done
            writer.close()
            (work / f"{name}.mp4").replace(video)
            (work / f"{name}.csv").replace(table)
        except OSError as error:
            raise KpError(f"{folder} takes no more ({error.strerror or error}). Free some space or name another "
                          "folder.") from None
        finally:
            writer.close()


def output_paths(source: Path | str, folder: Path | str) -> tuple[Path, Path]:
    """Where the video and the table go."""
    return Path(folder) / f"{Path(source).stem}.mp4", Path(folder) / f"{Path(source).stem}.csv"


def draw_tracked(done: FrameDone) -> np.ndarray:
    """The frame with its faces, no larger than it is; numbered boxes where there are several."""
    image = draw_faces(done.frame.image, [tracked.face for tracked in done.faces], 1.0, boxes=False)
    for tracked in done.faces if len(done.faces) > 1 else ():
        image = draw_box(image, tracked.face.box, label=str(tracked.number))
    return image


@contextmanager
def _work_folder(folder: Path) -> Iterator[Path]:
    """A folder in `folder` for files that are not whole yet; it goes, whatever happens."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=folder, prefix=".video."))
    except OSError as error:
        raise KpError(f"{folder} cannot be written ({error.strerror or error}). Name another folder.") from None
    try:
        yield work
    finally:
        for file in work.iterdir():
            file.unlink()
        with suppress(OSError):
            work.rmdir()
