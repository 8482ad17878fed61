"""Reading and writing video files, frame by frame, with their times.

A written video has no sound, and is MPEG-4 video, which OpenCV's own build can encode: at a constant rate, so that
frames are repeated or dropped where the rate changes, and of an even size, so that an odd one is set afterwards.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from kp.errors import ImageError, KpError
from kp.video.mp4_headers import set_picture_size, shown_share

ALMOST_ALL = 0.999  # of a track; an edit list with a smaller share leaves frames out
CODEC = "mp4v"
USUAL_RATE = 25.0  # frames a second, where a file declares none
MAX_RATE = 240.0  # frames a second of a written video; files with a variable rate may declare 1000
LONGEST_HOLD = 60.0  # seconds that one frame is shown at most; a longer gap counts as a damaged timestamp
ALMOST = 0.5  # seconds that a whole file may end before its declared duration, which its sound may have set,
ALMOST_SHARE = 0.03  # or as a share of that duration, if that is less
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # silent: faults of a file are reported here, once


@dataclass(frozen=True)
class Frame:
    """One frame: its number, from 1, its timestamp, and its image uint8 (H, W, 3) RGB."""

    number: int
    seconds: float
    image: np.ndarray


@dataclass(frozen=True)
class VideoInfo:
    """The video as its file declares it. frames: their number, 0 if not declared. rate: frames a second.

    counted: whether `frames` is a count; else it is derived from the duration.
    """

    width: int
    height: int
    frames: int
    rate: float
    counted: bool = True

    def lacks(self, frames: int, seconds: float) -> bool:
        """Whether a file with `frames` readable frames, the last at `seconds`, is cut or damaged."""
        if self.counted:
            return frames < self.frames - 1  # the decoder may hold the last one back
        missing = self.frames / self.rate - (seconds + 1 / self.rate)
        return missing > max(1.5 / self.rate, min(ALMOST, ALMOST_SHARE * self.frames / self.rate))


class VideoReader:
    """The frames of a video file, upright. Raises ImageError for what is no video."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise ImageError(f"{path} does not exist. Check the path.")
        self._capture = cv2.VideoCapture(str(path))
        width, height, frames, rate = (
            self._capture.get(what)
            for what in (
                cv2.CAP_PROP_FRAME_WIDTH,
                cv2.CAP_PROP_FRAME_HEIGHT,
                cv2.CAP_PROP_FRAME_COUNT,
                cv2.CAP_PROP_FPS,
            )
        )
        if not self._capture.isOpened() or width < 1 or height < 1:
            raise ImageError(f"{path} is not a video that can be read here. Save it as MP4 (H.264).")
        usable = np.isfinite(rate) and 0 < rate <= 1000
        share = shown_share(self.path)
        self.info = VideoInfo(
            int(width),
            int(height),
            max(0, round(frames * share)),
            float(rate) if usable else USUAL_RATE,
            counts_frames(self.path) and share > ALMOST_ALL,
        )

    def __iter__(self) -> Iterator[Frame]:
        number, last = 0, -1.0
        try:
            while True:
                success, pixels = self._capture.read()
                if not success:
                    break
                number += 1
                seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                if not seconds > last:  # some files have no timestamps
                    seconds = last + 1 / self.info.rate if number > 1 else 0.0
                last = seconds
                yield Frame(number, seconds, cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
        finally:
            self._capture.release()
        if not number:
            raise ImageError(f"{self.path} has no frame that can be read. Save it as MP4 (H.264).")


def counts_frames(path: Path) -> bool:
    """Whether the file format stores the number of frames (MP4, MOV, AVI); others store at most a duration."""
    with path.open("rb") as file:
        head = file.read(12)
    return head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip") or head[:4] == b"RIFF"


class VideoWriter:
    """An MP4 file, written frame by frame at a constant rate. Raises KpError where it cannot be created.

    size: (width, height) of the video, that of the frames once it is closed. repeated, dropped: numbers of frames that
    were written again or left out, so that the others are shown at their timestamps.
    """

    def __init__(self, path: Path, info: VideoInfo) -> None:
        self.path, self.rate = path, min(info.rate, MAX_RATE)
        self.size = info.width + info.width % 2, info.height + info.height % 2
        self.repeated = self.dropped = self._written = 0
        self._frame_size = info.width, info.height
        self._zero: float | None = None  # timestamp of the first frame, seconds
        self._last: np.ndarray | None = None
        self._waiting = False  # whether `_last` is not written yet
        self._writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODEC), self.rate, self.size)
        if not self._writer.isOpened():
            raise KpError(f"{path} cannot be written as a video. Name another folder, or free some space.")

    def write(self, image: np.ndarray, seconds: float) -> None:
        """Show uint8 (H, W, 3) RGB from `seconds` on; it is resized to the declared frame size if need be."""
        slot = self._slot(seconds)
        while self._written < slot:
            self._show_last()
        self.dropped += self._waiting
        self._last, self._waiting = self._fitted(image), True
        if slot == self._written:  # else its slot is taken; it is written if the next frame leaves a gap
            self._show_last()

    def _slot(self, seconds: float) -> int:
        """Index, from 0, of the written video's frame at this time."""
        if self._zero is None:
            self._zero = seconds
        self._zero = max(self._zero, seconds - self._written / self.rate - LONGEST_HOLD)
        return round((seconds - self._zero) * self.rate)

    def _fitted(self, image: np.ndarray) -> np.ndarray:
        """BGR of the written video's size; the last column and row are repeated where the frame's size is odd."""
        width, height = self._frame_size
        if image.shape[1::-1] != (width, height):
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        image = cv2.copyMakeBorder(image, 0, self.size[1] - height, 0, self.size[0] - width, cv2.BORDER_REPLICATE)
        return cv2.cvtColor(image, cv2.COLOR_RGB2BGR)

    def _show_last(self) -> None:
        self._writer.write(self._last)
        self.repeated += not self._waiting
        self._waiting = False
        self._written += 1

    def close(self) -> None:
        """Finish the file. Raises OSError where writing fails."""
        self.dropped += self._waiting
        self._waiting = False
        self._writer.release()
        if self.size != self._frame_size and set_picture_size(self.path, *self._frame_size):
            self.size = self._frame_size
