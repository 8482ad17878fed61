"""The interface of face detectors, and the map from their boxes to tight keypoint boxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from kp.errors import ConfigError
from kp.geometry import Box

# How well boxes fit the keypoints. "exact": kept in a second pass; "tight": replaced in it by the box about the first
# pass's points; "loose": the same, and every face gets a second pass.
BoxStyle = Literal["exact", "tight", "loose"]


@dataclass(frozen=True)
class Detection:
    """A detected face: its box in the detector's own style, and its score (0..1, or None)."""

    box: Box
    score: float | None


@dataclass(frozen=True)
class BoxMap:
    """The map from a detector's boxes to tight square boxes about the 68 keypoints.

    dx, dy: offset of the tight box's centre from the detector's, in detector box sides.
    scale: the tight box's longer side, in detector box sides. Medians over the training people;
    `python -m kp calibrate` fits them.
    """

    dx: float
    dy: float
    scale: float

    def to_tight(self, box: Box) -> Box:
        x, y = box.centre
        return Box.square((x + self.dx * box.side, y + self.dy * box.side), self.scale * box.side)

    @classmethod
    def fit(cls, detected: Sequence[Box], tight: Sequence[Box]) -> "BoxMap":
        """Medians over pairs of boxes of the same faces. Raises ConfigError for empty sequences."""
        if not detected:
            raise ConfigError(
                "A box map is fitted to pairs of boxes, and there are none. Use a detector that finds faces."
            )
        offsets = [
            ((t.centre[0] - d.centre[0]) / d.side, (t.centre[1] - d.centre[1]) / d.side, t.side / d.side)
            for d, t in zip(detected, tight, strict=True)
        ]
        return cls(*(round(float(value), 3) for value in np.median(offsets, axis=0)))


class Detector:
    """Detects faces. `default_threshold` and `threshold_range` are in the detector's own unit.

    box_style: how well its boxes fit once mapped to tight ones; "loose" ones are improved by a second pass.
    """

    title: str
    box_map: BoxMap
    box_style: BoxStyle = "tight"
    default_threshold: float
    threshold_range: tuple[float, float]
    threshold_help: str

    def __init__(self, *, threshold: float | None = None) -> None:
        self.threshold = self.default_threshold if threshold is None else threshold
        low, high = self.threshold_range
        if not low <= self.threshold <= high:
            raise ConfigError(
                f"The detector's threshold is {self.threshold}; it must be from {low} to {high} "
                f"({self.threshold_help})."
            )

    def detect(self, image: np.ndarray) -> list[Detection]:
        """The faces in uint8 (H, W, 3) RGB, best first; none is an empty list. Raises ImageError for other arrays."""
        raise NotImplementedError


def resized(image: np.ndarray, side: int) -> tuple[np.ndarray, float]:
    """The image resized to `side` pixels on its longer side, and the factor."""
    factor = side / max(image.shape[:2])
    if factor == 1:
        return image, 1.0
    height, width = (max(1, round(length * factor)) for length in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR), factor
