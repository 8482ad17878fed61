"""One photo of `kp predict`: what to predict, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kp.commands.predict.find_images import Photo
from kp.files import Written, left_message
from kp.formats.coco import CocoPhoto
from kp.formats.record import faces_json
from kp.geometry import Box
from kp.prediction.face import FacePrediction


@dataclass(frozen=True)
class ImageTask:
    """A photo to predict. boxes: face boxes in place of a detector, in pixels of the photo."""

    photo: Photo
    boxes: Sequence[Box] | None = None


@dataclass(frozen=True)
class PhotoResult:
    """The faces of one photo and its output files.

    width, height: of the upright photo in pixels, None where it could not be read. error: one sentence where
    prediction failed. kept: whether the output files are those of an earlier run, still valid. reduction: the photo was
    decoded at 1/reduction of its size; faces, width and height are in pixels of the whole photo.
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
        """Why prediction failed, or which output files were not written because other files of these names exist."""
        return self.error or (left_message(self.written.left) if self.written.left else None)

    def coco(self) -> list[CocoPhoto]:
        """The photo's entry for COCO; an empty list where prediction failed."""
        if self.error is not None or self.width is None or self.height is None:
            return []
        return [CocoPhoto(self.file, self.width, self.height, self.faces)]

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "width": self.width,
            "height": self.height,
            "error": self.problem,
            "faces": faces_json(self.faces),
        }
