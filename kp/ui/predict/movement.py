"""Movement of points when the face box is shifted, for the box test."""

import numpy as np

from kp.geometry import Box
from kp.metrics import eye_distance
from kp.ui.predict.pipeline import PATCH_REACH, PATCH_SIDE

SHIFTS = (-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3)  # of the map, in sides of the face box
FACE_BOX = Box.square(((PATCH_SIDE - 1) / 2,) * 2, PATCH_SIDE / PATCH_REACH)  # in every patch


def mean_movement(before: np.ndarray, after: np.ndarray) -> float:
    """Mean distance between points (68, 2) before and after, in eye distances."""
    return float(np.linalg.norm(after - before, axis=1).mean() / max(float(eye_distance(before)), 1e-6))


def shift_of_box(before: np.ndarray, shift: tuple[float, float], side: float) -> float:
    """The length of a shift of the box (percent of its side), in eye distances. side: of the box, pixels."""
    return float(np.hypot(*shift) / 100 * side / max(float(eye_distance(before)), 1e-6))
