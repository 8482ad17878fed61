"""Faces cut out upright: eyes level, at the same place of every crop, in a size that you choose."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kp.errors import ConfigError
from kp.formats.record import check_finite
from kp.geometry import CropTransform
from kp.landmarks import LEFT_EYE, REGIONS, RIGHT_EYE
from kp.prediction.face import FacePrediction

EYES_AT = (0.5, 0.4)  # where the middle between the eyes lies, in sides of the crop
EYE_DISTANCE = 0.32  # between the eyes' centres of a face that looks ahead, in sides of the crop
MOUTH_BELOW = 0.98  # how far the mouth lies below the eyes, in eye distances (median of faces that look ahead)
SIZES = (16, 2048)  # pixels


def aligned_transform(keypoints: np.ndarray, size: int) -> CropTransform:
    """The map from the image to a crop of `size` pixels in which the eyes are level.

    A head turned aside has its eyes close together; the distance to its mouth then says how large it is. Raises
    ConfigError for a size out of range, or points that are all in one place.
    """
    if not SIZES[0] <= size <= SIZES[1]:
        raise ConfigError(f"An aligned crop is {SIZES[0]} to {SIZES[1]} pixels, not {size}.")
    points = keypoints.astype(np.float64)
    left, right, mouth = (points[list(part)].mean(axis=0) for part in (LEFT_EYE, RIGHT_EYE, REGIONS["mouth"]))
    middle = (left + right) / 2
    distance = max(math.dist(left, right), math.dist(middle, mouth) / MOUTH_BELOW)
    if distance < 1e-6:
        raise ConfigError("The points of this face are all in one place, so it cannot be aligned. Choose another box.")
    angle, zoom = math.atan2(right[1] - left[1], right[0] - left[0]), EYE_DISTANCE * size / distance
    cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    place = np.array(EYES_AT) * size - 0.5  # a crop spans -0.5 .. size - 0.5
    return CropTransform(np.column_stack([turn, place - turn @ middle]), size)


def aligned_json(faces: Sequence[FacePrediction], size: int, files: Sequence[str]) -> list[dict[str, Any]]:
    """For each face the crop's file, `matrix` (2 x 3, from pixels of the image to those of the crop) and points."""
    check_finite(faces)
    maps = [aligned_transform(face.keypoints, size) for face in faces]
    return [
        {
            "face": number,
            "file": file,
            "size": size,
            "matrix": crop.matrix.tolist(),
            "keypoints": crop.to_crop(face.keypoints).tolist(),
        }
        for number, (face, crop, file) in enumerate(zip(faces, maps, files, strict=True), start=1)
    ]
