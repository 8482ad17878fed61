"""Many photos, one after the other or in several processes; one that fails does not stop the others."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from kp.checkpoint import find_checkpoint
from kp.commands.predict.box_table import text_of
from kp.commands.predict.find_images import Photo, is_video, others_in
from kp.commands.predict.left_out import reasons
from kp.commands.predict.resume import PHOTO, ResumeLog
from kp.data.images import read_reduced
from kp.errors import ConfigError, DataError, ImageError
from kp.files import Written, left_message
from kp.formats.record import faces_json, read_faces
from kp.formats.writer import file_names, write_outputs
from kp.geometry import Box, invert, move_box, scaling
from kp.prediction.face import FacePrediction
from kp.prediction.predictor import Predictor

WAITING = 2  # photos that lie ready for each process
TURNED = range(5, 9)  # EXIF orientations that swap width and height
EXIF_ORIENTATION = 274


@dataclass(frozen=True)
class ImageTask:
    """One photo. boxes: the faces' boxes in place of a detector."""

    photo: Photo
    boxes: Sequence[Box] | None = None


@dataclass(frozen=True)
class PhotoResult:
    """What became of one photo. error: one sentence where it failed. written: what became of its files.

    kept: whether its files are from an earlier run, and still good.
    reduction: the photo was read at one over this of its size; faces, width and height are those of the whole photo.
    """

    file: str
    width: int | None = None
    height: int | None = None
    error: str | None = None
    faces: Sequence[FacePrediction] = ()
    written: Written = Written()
    kept: bool = False
    reduction: int = 1

    @property
    def problem(self) -> str | None:
        """Why it failed, or which of its files are not there because other files of these names are."""
        return self.error or (left_message(self.written.left) if self.written.left else None)

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "width": self.width,
            "height": self.height,
            "error": self.problem,
            "faces": faces_json(self.faces),
        }


@dataclass(frozen=True)
class PredictSettings:
    """What is to be done with each photo; the same in every process.

    formats, align, overwrite: as `write_outputs` has them.
    """

    model: str
    detector: str
    threshold: float | None
    margin: float | None
    tta: int
    out: str | None
    formats: Sequence[str]
    align: int | None
    overwrite: bool = False

    @cached_property
    def log(self) -> ResumeLog | None:
        """What was written into `out`."""
        return ResumeLog(self.out) if self.out else None

    @cached_property
    def predictor(self) -> Predictor:
        return Predictor(self.model, self.detector, threshold=self.threshold, margin=self.margin, tta=self.tta)

    def do(self, job: ImageTask) -> PhotoResult:
        """A photo's faces, written to `out` if there is one. A photo that fails says why in `error`."""
        file = job.photo.file
        try:
            image, reduction, (width, height) = read_reduced(self._readable(file))
            for box in job.boxes or ():
                if Box(-0.5, -0.5, width - 0.5, height - 0.5).iou(box) == 0:
                    return PhotoResult(
                        file,
                        width,
                        height,
                        f"The box {text_of(box)} lies outside the photo ({width} x {height} pixels). Correct its row.",
                    )
            faces = self._faces(image, (width, height), job.boxes)
            if reduction > 1 and self.out and ("png" in self.formats or self.align):
                image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        except (ImageError, ConfigError) as error:
            return PhotoResult(file, error=str(error))
        except (MemoryError, cv2.error) as error:
            return PhotoResult(
                file, error=f"{file} is too much for this machine ({' '.join(str(error).split())}). Make it smaller."
            )
        if not self.out:
            return PhotoResult(file, width, height, None, faces, reduction=reduction)
        written = write_outputs(
            self.out,
            job.photo.stem,
            image,
            faces,
            formats=self.formats,
            align=self.align,
            log=self.log,
            entry=self.entry(job),
            overwrite=self.overwrite,
        )
        return PhotoResult(file, width, height, None, faces, written, reduction=reduction)

    def _faces(self, image: np.ndarray, size: tuple[int, int], boxes: Sequence[Box] | None) -> list[FacePrediction]:
        """The faces of a picture that may be reduced, in pixels of the photo, as `boxes` are. size: the photo's."""
        height, width = image.shape[:2]
        if (width, height) == size:
            return self.predictor.predict(image, boxes)
        enlarging = scaling(size[0] / width, size[1] / height)
        smaller = None if boxes is None else [move_box(invert(enlarging), box) for box in boxes]
        return [face.scaled(size[0] / width, size[1] / height) for face in self.predictor.predict(image, smaller)]

    def entry(self, job: ImageTask) -> dict[str, Any]:
        """What the files of a photo depend on, for the log."""
        settings = {name: getattr(self, name) for name in ("detector", "threshold", "margin", "tta")}
        model = find_checkpoint(self.model)
        boxes = None if job.boxes is None else [[box.left, box.top, box.right, box.bottom] for box in job.boxes]
        return {
            PHOTO: os.path.realpath(job.photo.file),
            "model": os.path.realpath(model),
            "model_changed": model.stat().st_mtime_ns,
            **settings,
            "boxes": boxes,
            **({"align": self.align} if self.align else {}),
        }

    def done_before(self, job: ImageTask) -> PhotoResult | None:
        """What is there for this photo from an earlier run, if it is all there and not older than the photo."""
        if not self.log or not self.log.holds(job.photo.stem, self.entry(job)):
            return None
        folder, stem = self.log.folder, job.photo.stem
        try:
            faces = read_faces((folder / f"{stem}.json").read_bytes())
            names = file_names(stem, len(faces), formats=self.formats, align=self.align)
            changed = Path(job.photo.file).stat().st_mtime
            if not self.log.is_whole(stem, names) or any((folder / name).stat().st_mtime < changed for name in names):
                return None
            width, height = picture_size(job.photo.file)
        except (OSError, DataError, Image.DecompressionBombError):
            return None
        return PhotoResult(job.photo.file, width, height, None, faces, kept=True)

    def _readable(self, file: str) -> str:
        """The path. Raises ImageError for what is known not to be a picture."""
        if is_video(file) and os.path.isfile(file):
            raise ImageError(f"{file} is a video. Run: python -m kp video {file} --out DIR")
        if os.path.isdir(file):
            others = "; ".join(reasons(others_in(file, self.out)))
            raise ImageError(
                f"The folder {file} has no picture files in it{f' ({others})' * bool(others)}. "
                "Name a folder with photos."
            )
        return file


def picture_size(file: str) -> tuple[int, int]:
    """Width and height of an upright picture, without decoding it. Raises OSError for what is no picture."""
    with Image.open(file) as picture:
        width, height = picture.size
        return (height, width) if picture.getexif().get(EXIF_ORIENTATION) in TURNED else (width, height)


def do_all(jobs: Sequence[ImageTask], work: PredictSettings, workers: int) -> Iterator[tuple[int, PhotoResult]]:
    """Each job's number and result, as they are done; with one worker here, else in processes."""
    if workers > 1:
        yield from in_processes(jobs, work, workers)
    else:
        yield from ((number, work.do(job)) for number, job in enumerate(jobs))


def in_processes(jobs: Sequence[ImageTask], work: PredictSettings, workers: int) -> Iterator[tuple[int, PhotoResult]]:
    """As `do_all`. Where a process dies, its photos are tried again, one at a time, so that only the culprit fails."""
    todo, suspects = deque(range(len(jobs))), deque()
    while todo or suspects:
        alone = bool(suspects)
        queue, limit = (suspects, 1) if alone else (todo, workers * WAITING)
        running: dict[Future, int] = {}
        try:
            with start_processes(work, 1 if alone else min(workers, len(queue))) as pool:
                while queue or running:
                    while queue and len(running) < limit:
                        with holding_ctrl_c():
                            running[pool.submit(_do, jobs[queue[0]])] = queue[0]
                        queue.popleft()
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        result = future.result()
                        yield running.pop(future), result
        except BrokenProcessPool:
            if alone:
                for number in running.values():
                    file = jobs[number].photo.file
                    yield (
                        number,
                        PhotoResult(
                            file,
                            error=f"{file} ended the process that worked on it, perhaps for "
                            "want of memory. Make it smaller, or save it anew.",
                        ),
                    )
            else:
                suspects.extend(running.values())


def start_processes(work: PredictSettings, workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start, initargs=(replace(work),)
    )  # without the network, which each makes itself


@contextmanager
def holding_ctrl_c() -> Iterator[None]:
    """Ctrl-C waits for the end of this; a process that is started in it is deaf to it from its first line on."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_work: PredictSettings  # of a process that `in_processes` started


def _start(work: PredictSettings) -> None:
    """One thread a process; Ctrl-C is for the process that started this one, and this one ends with it."""
    global _work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _work = work


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


def _do(job: ImageTask) -> PhotoResult:
    return _work.do(job)
