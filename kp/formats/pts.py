"""iBUG's .pts files, one face a file, the label format of 300-W (Sagonas et al., 2013).

Their pixel coordinates start at 1: the centre of the top left pixel is (1, 1), which is (0, 0) here.
"""

import re

import numpy as np

from kp.errors import DataError
from kp.formats.record import check_finite
from kp.landmarks import NUM_KEYPOINTS
from kp.prediction.face import FacePrediction

FIRST_PIXEL = 1  # coordinate of the first pixel's centre in a .pts file
DECIMALS = 3  # of a pixel


def face_pts(face: FacePrediction) -> str:
    """The text of a .pts file with the 68 points of a face."""
    check_finite([face])
    points = (f"{x:.{DECIMALS}f} {y:.{DECIMALS}f}\n" for x, y in face.keypoints.astype(np.float64) + FIRST_PIXEL)
    return f"version: 1\nn_points: {NUM_KEYPOINTS}\n{{\n{''.join(points)}}}\n"


def read_pts(text: str) -> np.ndarray:
    """The keypoints float32 (68, 2) of a .pts file, in pixels from 0. Raises DataError for other text."""
    found = re.search(r"\{([^}]*)\}", text)
    try:
        points = np.array((found.group(1) if found else "").split(), np.float64)
    except ValueError as error:
        raise DataError(f"This is no .pts file ({error}). Its points are numbers between braces.") from None
    if points.size != 2 * NUM_KEYPOINTS or not np.isfinite(points).all():
        raise DataError(
            f"A .pts file has x and y of {NUM_KEYPOINTS} points between braces; this one has {points.size} numbers."
        )
    return (points.reshape(NUM_KEYPOINTS, 2) - FIRST_PIXEL).astype(np.float32)
