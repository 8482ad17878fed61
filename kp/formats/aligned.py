"""Aligned face crops: eyes level and at the same place in each, in a chosen size."""

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
EYE_DISTANCE = 0.32  # between the eyes' centres of a frontal face, in sides of the crop
MOUTH_BELOW = 0.98  # of the mouth from the eyes, in eye distances (median of frontal faces)
SIZES = (16, 2048)  # pixels


def aligned_transform(keypoints: np.ndarray, size: int) -> CropTransform:
    """The transform from the image to a crop of `size` x `size` pixels in which the eyes are level.

    In profile the eyes are close together; the scale then follows from the distance between eyes and mouth. Raises
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
    angle, scale = math.atan2(right[1] - left[1], right[0] - left[0]), EYE_DISTANCE * size / distance
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    linear = np.array([[cos, sin], [-sin, cos]])
    place = np.array(EYES_AT) * size - 0.5  # a crop spans -0.5 .. size - 0.5
    return CropTransform(np.column_stack([linear, place - linear @ middle]), size)


def aligned_json(faces: Sequence[FacePrediction], size: int, files: Sequence[str]) -> list[dict[str, Any]]:
    """For each face plain values: the crop's file, its `matrix` (2 x 3, image to crop pixels) and keypoints."""
    check_finite(faces)
    crops = [aligned_transform(face.keypoints, size) for face in faces]
    return [
        {
            "face": number,
            "file": file,
            "size": size,
            "matrix": crop.matrix.tolist(),
            "keypoints": crop.to_crop(face.keypoints).tolist(),
        }
        for number, (face, crop, file) in enumerate(zip(faces, crops, files, strict=True), start=1)
    ]
