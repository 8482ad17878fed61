"""Predicting one photo of `kp predict` with fixed settings, and recognising what an earlier run did."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from kp.checkpoint import find_checkpoint
from kp.commands.predict.box_table import text_of
from kp.commands.predict.find_images import is_video, others_in
from kp.commands.predict.left_out import reasons
from kp.commands.predict.resume import PHOTO, ResumeLog
from kp.commands.predict.task import ImageTask, PhotoResult
from kp.data.decoding import upright_size
from kp.data.images import read_reduced
from kp.errors import ConfigError, DataError, ImageError
from kp.formats.record import read_faces
from kp.formats.writer import file_names, write_outputs
from kp.geometry import Box, invert, move_box, scaling
from kp.prediction.face import FacePrediction
from kp.prediction.predictor import Predictor


@dataclass(frozen=True)
class PredictSettings:
    """How each photo is predicted and what is written for it; the same in every process.

    formats, align, overwrite: as in `write_outputs`. out: the folder for the output files; None writes none.
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
        """The log in `out`."""
        return ResumeLog(self.out) if self.out else None

    @cached_property
    def predictor(self) -> Predictor:
        return Predictor(self.model, self.detector, threshold=self.threshold, margin=self.margin, tta=self.tta)

    def predict(self, task: ImageTask) -> PhotoResult:
        """A photo's faces, written to `out` if it is set. Where prediction fails, `error` of the result says why."""
        file = task.photo.file
        try:
            image, result = self._predict_image(task)
        except (ImageError, ConfigError) as error:
            return PhotoResult(file, error=str(error))
        except (MemoryError, cv2.error) as error:
            return PhotoResult(
                file, error=f"{file} is too much for this machine ({' '.join(str(error).split())}). Make it smaller."
            )
        if not self.out or result.error is not None:
            return result
        written = write_outputs(
            self.out,
            task.photo.stem,
            image,
            result.faces,
            formats=self.formats,
            align=self.align,
            log=self.log,
            entry=self.entry(task),
            overwrite=self.overwrite,
        )
        return replace(result, written=written)

    def _predict_image(self, task: ImageTask) -> tuple[np.ndarray, PhotoResult]:
        """The image as it is drawn on, and the photo's result. Raises ImageError and ConfigError."""
        file = task.photo.file
        image, reduction, (width, height) = read_reduced(self._readable(file))
        for box in task.boxes or ():
            if Box(-0.5, -0.5, width - 0.5, height - 0.5).iou(box) == 0:
                error = f"The box {text_of(box)} lies outside the photo ({width} x {height} pixels). Correct its row."
                return image, PhotoResult(file, width, height, error)
        faces = self._faces(image, (width, height), task.boxes)
        if reduction > 1 and self.out and ("png" in self.formats or self.align):
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        return image, PhotoResult(file, width, height, None, faces, reduction=reduction)

    def _faces(self, image: np.ndarray, size: tuple[int, int], boxes: Sequence[Box] | None) -> list[FacePrediction]:
        """The faces in an image that may be reduced, in pixels of the photo, as `boxes` are. size: the photo's."""
        height, width = image.shape[:2]
        if (width, height) == size:
            return self.predictor.predict(image, boxes)
        enlarging = scaling(size[0] / width, size[1] / height)
        smaller = None if boxes is None else [move_box(invert(enlarging), box) for box in boxes]
        return [face.scaled(size[0] / width, size[1] / height) for face in self.predictor.predict(image, smaller)]

    def _readable(self, file: str) -> str:
        """The path. Raises ImageError for a video, and for a folder without pictures."""
        if is_video(file) and os.path.isfile(file):
            raise ImageError(f"{file} is a video. Run: python -m kp video {file} --out DIR")
        if os.path.isdir(file):
            others = "; ".join(reasons(others_in(file, self.out)))
            raise ImageError(
                f"The folder {file} has no picture files in it{f' ({others})' * bool(others)}. "
                "Name a folder with photos."
            )
        return file

    def entry(self, task: ImageTask) -> dict[str, Any]:
        """What the files of a photo depend on, for the log."""
        settings = {name: getattr(self, name) for name in ("detector", "threshold", "margin", "tta")}
        model = find_checkpoint(self.model)
        boxes = None if task.boxes is None else [[box.left, box.top, box.right, box.bottom] for box in task.boxes]
        return {
            PHOTO: os.path.realpath(task.photo.file),
            "model": os.path.realpath(model),
            "model_changed": model.stat().st_mtime_ns,
            **settings,
            "boxes": boxes,
            **({"align": self.align} if self.align else {}),
        }

    def earlier_result(self, task: ImageTask) -> PhotoResult | None:
        """The result of an earlier run with these settings; None unless all its files exist, newer than the photo."""
        if not self.log or not self.log.holds(task.photo.stem, self.entry(task)):
            return None
        folder, stem = self.log.folder, task.photo.stem
        try:
            faces = read_faces((folder / f"{stem}.json").read_bytes())
            names = file_names(stem, len(faces), formats=self.formats, align=self.align)
            changed = Path(task.photo.file).stat().st_mtime
            if not self.log.is_whole(stem, names) or any((folder / name).stat().st_mtime < changed for name in names):
                return None
            with Image.open(task.photo.file) as picture:
                height, width = upright_size(picture)
        except (OSError, DataError, Image.DecompressionBombError):
            return None
        return PhotoResult(task.photo.file, width, height, None, faces, kept=True)
