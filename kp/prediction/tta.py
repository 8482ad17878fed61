"""Test-time augmentation: a face is predicted from several crops, slightly shifted, scaled, rotated and mirrored.

The mean of their predictions is better than each of them, and their deviations estimate the expected error.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kp.geometry import CropTransform, compose, horizontal_flip, rotation
from kp.landmarks import MIRROR

# Expected error in standard deviations between the crops, for networks that do not predict it: measured with five_conv
# and four crops.
ERROR_OF_DEVIATION = 2.75
AXIS_VARIANCE = 0.75  # along an axis, of errors in the plane with the density exp(-r / b): 3 b²; their mean is 2 b


@dataclass(frozen=True)
class CropAugmentation:
    """A change of a crop. right, down: shift in crop sides; scale: of the crop's side; roll: degrees."""

    right: float = 0.0
    down: float = 0.0
    scale: float = 1.0
    roll: float = 0.0
    mirrored: bool = False

    def apply_to(self, crop: CropTransform) -> CropTransform:
        """The augmented crop."""
        middle, zoom = (crop.size - 1) / 2, 1 / self.scale
        centre = middle + self.right * crop.size, middle + self.down * crop.size
        moved = np.array([[zoom, 0, middle - zoom * centre[0]], [0, zoom, middle - zoom * centre[1]]], np.float64)
        matrix = compose(rotation(self.roll, (middle, middle)), moved)
        if self.mirrored:
            matrix = compose(horizontal_flip(crop.size), matrix)
        return CropTransform(compose(matrix, crop.matrix), crop.size)

    def in_order(self, values: np.ndarray) -> np.ndarray:
        """Values (n, 68, ...) of augmented crops in the order of the face's points, which a mirrored crop changes."""
        return values[:, MIRROR] if self.mirrored else values


# The first is the crop itself. Each shift, scale and rotation is balanced by its opposite in a later one.
AUGMENTATIONS = (
    CropAugmentation(),
    CropAugmentation(mirrored=True),
    CropAugmentation(right=0.04, down=0.04, scale=0.95, roll=4),
    CropAugmentation(right=-0.04, down=-0.04, scale=1.05, roll=-4, mirrored=True),
    CropAugmentation(right=-0.04, down=0.04, scale=1.05, roll=-4),
    CropAugmentation(right=0.04, down=-0.04, scale=0.95, roll=4, mirrored=True),
    CropAugmentation(down=0.06, scale=1.1),
    CropAugmentation(down=-0.06, scale=0.92, mirrored=True),
)


@dataclass(frozen=True)
class CropPredictions:
    """Predictions for n faces, in image pixels.

    keypoints: float32 (n, 68, 2). expected_error: float32 (n, 68), mean distance to the true point. covariance:
    float32 (n, 68, 2, 2), of each point's position. Both are NaN where neither the network nor several crops give them.
    """

    keypoints: np.ndarray
    expected_error: np.ndarray
    covariance: np.ndarray

    @classmethod
    def from_network(cls, keypoints: np.ndarray, expected_error: np.ndarray) -> "CropPredictions":
        """From one crop a face: keypoints (n, 68, 2), expected_error (n, 68), taken as equal in all directions."""
        covariance = AXIS_VARIANCE * np.square(expected_error)[..., None, None] * np.eye(2, dtype=np.float32)
        return cls(keypoints, expected_error, covariance)

    @classmethod
    def average(cls, keypoints: np.ndarray, expected_error: np.ndarray) -> "CropPredictions":
        """The mean of each face's predictions: keypoints (n, crops, 68, 2), expected_error (n, crops, 68).

        The covariance is that of the mixture: the mean of the crops' covariances, plus that of the crops about their
        mean. Where the network predicts none it is the latter, scaled by ERROR_OF_DEVIATION², and half of it made
        isotropic, because a few crops hardly determine its shape.
        """
        crops = keypoints.shape[1]
        if crops == 1:
            return cls.from_network(keypoints[:, 0], expected_error[:, 0])
        mean = keypoints.mean(axis=1)
        deviation = keypoints - mean[:, None]
        between = np.einsum("nvpi,nvpj->npij", deviation, deviation) / (crops - 1)
        isotropic = np.trace(between, axis1=2, axis2=3)[..., None, None] / 2 * np.eye(2, dtype=np.float32)
        within = AXIS_VARIANCE * np.square(expected_error).mean(axis=1)[..., None, None] * np.eye(2, dtype=np.float32)
        mixed, alone = within + between, ERROR_OF_DEVIATION**2 * (between + isotropic) / 2
        covariance = np.where(np.isfinite(within), mixed, alone)
        return cls(mean, np.sqrt(np.trace(covariance, axis1=2, axis2=3) / (2 * AXIS_VARIANCE)), covariance)

    def replaced(self, rows: Sequence[int], other: "CropPredictions") -> "CropPredictions":
        """A copy in which the faces `rows` are those of `other`, which has as many."""
        merged = CropPredictions(self.keypoints.copy(), self.expected_error.copy(), self.covariance.copy())
        merged.keypoints[rows] = other.keypoints
        merged.expected_error[rows] = other.expected_error
        merged.covariance[rows] = other.covariance
        return merged


def share_within(expected_error: np.ndarray, limit: float) -> np.ndarray:
    """The expected share of 68 points with an error below `limit`, (...), from expected errors (..., 68) in its unit.

    Errors are assumed to have the density exp(-r / b) in the plane, with mean 2 b, as in the training loss.
    """
    reach = limit / np.maximum(expected_error / 2, 1e-9)
    return (1 - (1 + reach) * np.exp(-reach)).mean(axis=-1)
