"""Test-time augmentation: a face is predicted from several crops, moved, scaled, rotated and mirrored a little.

The mean of their predictions is better than any of them, and how far they lie apart tells how far off they may be.
"""

from dataclasses import dataclass

import numpy as np

from kp.geometry import CropTransform, compose, horizontal_flip, rotation
from kp.landmarks import MIRROR

# Expected error in standard deviations between the crops, for networks that do not predict their own: five_conv's, with
# four crops.
ERROR_OF_DEVIATION = 2.75
AXIS_VARIANCE = 0.75  # along an axis, of errors in the plane with the density exp(-r / b): 3 b²; their mean is 2 b


@dataclass(frozen=True)
class CropAugmentation:
    """A change of a crop. right, down: its shift, in crop sides; scale: of its side; roll: degrees."""

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
        """Values (68, ...) of the augmented crop, each at its own point: a mirrored left eye is a right one."""
        return values[MIRROR] if self.mirrored else values


# The first is the crop itself. Their mean is near it: for each that moves or grows another does the opposite.
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
    """What a network predicts for n faces, in image pixels.

    keypoints: float32 (n, 68, 2). expected_error: float32 (n, 68), mean distance to the true point. covariance:
    float32 (n, 68, 2, 2), of each point's position. Both are NaN where neither the network nor the augmentation tells.
    """

    keypoints: np.ndarray
    expected_error: np.ndarray
    covariance: np.ndarray

    @classmethod
    def from_network(cls, keypoints: np.ndarray, expected_error: np.ndarray) -> "CropPredictions":
        """From one crop a face, with the network's own expected error (n, 68), the same in all directions."""
        covariance = AXIS_VARIANCE * np.square(expected_error)[..., None, None] * np.eye(2, dtype=np.float32)
        return cls(keypoints, expected_error, covariance)

    @classmethod
    def average(cls, keypoints: np.ndarray, expected_error: np.ndarray) -> "CropPredictions":
        """One prediction a face from its crops': keypoints (n, crops, 68, 2), expected_error (n, crops, 68).

        The covariance is that of the mixture: the mean of each crop's own, plus that of the crops about their mean.
        Where the network predicts none it is the latter alone, enlarged, and half of it made round: a few crops tell
        little of its shape.
        """
        crops = keypoints.shape[1]
        if crops == 1:
            return cls.from_network(keypoints[:, 0], expected_error[:, 0])
        mean = keypoints.mean(axis=1)
        apart = keypoints - mean[:, None]
        between = np.einsum("nvpi,nvpj->npij", apart, apart) / (crops - 1)
        circle = np.trace(between, axis1=2, axis2=3)[..., None, None] / 2 * np.eye(2, dtype=np.float32)
        within = AXIS_VARIANCE * np.square(expected_error).mean(axis=1)[..., None, None] * np.eye(2, dtype=np.float32)
        mixed, alone = within + between, ERROR_OF_DEVIATION**2 * (between + circle) / 2
        covariance = np.where(np.isfinite(within), mixed, alone)
        return cls(mean, np.sqrt(np.trace(covariance, axis1=2, axis2=3) / (2 * AXIS_VARIANCE)), covariance)


def share_within(expected_error: np.ndarray, limit: float) -> np.ndarray:
    """The expected share of points (..., 68) with an error below `limit`, from expected errors in the same unit.

    Errors have the density exp(-r / b) in the plane, whose mean is 2 b: the one of the loss that it is trained with.
    """
    reach = limit / np.maximum(expected_error / 2, 1e-9)
    return (1 - (1 + reach) * np.exp(-reach)).mean(axis=-1)
