"""Heads that are tilted in the image plane, and images that lie on their side."""

from typing import NamedTuple

import numpy as np

from kp.detectors.base import resized
from kp.geometry import Box, apply, compose, invert, quarter_turn, rotation, scaling
from kp.landmarks import LEFT_EYE, RIGHT_EYE

ROTATIONS = (90, 270, 180)  # degrees, sideways first, which is more frequent in photos
ROTATED_SIDE = 1280  # pixels; longer side of an image that is searched in other rotations


class UprightBox(NamedTuple):
    """A face box, tight once the image is rotated counter-clockwise by `roll` degrees about the box's centre."""

    box: Box
    roll: float


def upright_box(keypoints: np.ndarray, roll: float) -> UprightBox | None:
    """The box about keypoints (68, 2) with the roll that levels the eyes; None where all points coincide.

    Of the equivalent angles, 360 degrees apart, it is the one nearest to `roll`.
    """
    left_eye, right_eye = keypoints[LEFT_EYE].mean(axis=0), keypoints[RIGHT_EYE].mean(axis=0)
    level = float(np.degrees(np.arctan2(right_eye[1] - left_eye[1], right_eye[0] - left_eye[0])))
    upright = rotation(level, (0.0, 0.0))
    box = Box.from_points(apply(upright, keypoints))
    if not (np.isfinite(box.side) and box.side > 0):
        return None
    ((x, y),) = apply(invert(upright), np.array([box.centre])).tolist()
    sideways = round(level / 90) % 2 == 1
    right, down = (box.height / 2, box.width / 2) if sideways else (box.width / 2, box.height / 2)
    return UprightBox(Box(x - right, y - down, x + right, y + down), roll + angle_between(level, roll))


def angle_between(first: float, second: float) -> float:
    """Signed degrees from `second` to `first`, -180..180."""
    return (first - second + 180) % 360 - 180


def rotated_copy(image: np.ndarray, quarters: int) -> tuple[np.ndarray, np.ndarray]:
    """The image rotated counter-clockwise by quarter turns, its longer side at most ROTATED_SIDE pixels.

    With it the 2x3 matrix from its pixels to those of `image`.
    """
    small, _ = resized(image, min(ROTATED_SIDE, max(image.shape[:2])))
    height, width = small.shape[:2]
    shrinking = scaling(width / image.shape[1], height / image.shape[0])
    rotated = np.ascontiguousarray(np.rot90(small, quarters))
    return rotated, invert(compose(quarter_turn(quarters, height, width), shrinking))
