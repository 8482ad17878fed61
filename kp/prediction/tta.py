"""Other looks at a face: its crop moved, scaled, turned and mirrored a little. A network is asked from several.

How far its answers lie apart tells how sure it is, and their mean is better than any of them.
"""

from dataclasses import dataclass

import numpy as np

from kp.geometry import CropMap, compose, mirroring, rotation
from kp.landmarks import MIRROR

VIEW_ERROR = 2.75  # expected error by the views' spread, where a network says none: five_conv's, four views
AXIS_VARIANCE = 0.75  # along an axis, of errors in the plane with the density exp(-r / b): 3 b²; their mean is 2 b


@dataclass(frozen=True)
class View:
    """A change of a crop. right, down: by which it moves, in crop sides; scale: of its side; turn: degrees."""

    right: float = 0.0
    down: float = 0.0
    scale: float = 1.0
    turn: float = 0.0
    mirrored: bool = False

    def of(self, crop: CropMap) -> CropMap:
        """The crop seen so."""
        middle, zoom = (crop.size - 1) / 2, 1 / self.scale
        centre = middle + self.right * crop.size, middle + self.down * crop.size
        moved = np.array([[zoom, 0, middle - zoom * centre[0]], [0, zoom, middle - zoom * centre[1]]], np.float64)
        matrix = compose(rotation(self.turn, (middle, middle)), moved)
        if self.mirrored:
            matrix = compose(mirroring(crop.size), matrix)
        return CropMap(compose(matrix, crop.matrix), crop.size)

    def in_order(self, values: np.ndarray) -> np.ndarray:
        """Values (68, ...) that were found in the view, each at its own point: a mirrored left eye is a right one."""
        return values[MIRROR] if self.mirrored else values


# The first is the crop itself. Their means come out near it: for each that moves or grows another does the opposite.
VIEWS = (
    View(),
    View(mirrored=True),
    View(right=0.04, down=0.04, scale=0.95, turn=4),
    View(right=-0.04, down=-0.04, scale=1.05, turn=-4, mirrored=True),
    View(right=-0.04, down=0.04, scale=1.05, turn=-4),
    View(right=0.04, down=-0.04, scale=0.95, turn=4, mirrored=True),
    View(down=0.06, scale=1.1),
    View(down=-0.06, scale=0.92, mirrored=True),
)


@dataclass(frozen=True)
class Answers:
    """What a network says of n faces, in image pixels.

    keypoints: float32 (n, 68, 2). spread: float32 (n, 68), how far off each point is expected to be. covariance:
    float32 (n, 68, 2, 2), of where it may lie. Both are NaN where neither the network nor several views tell.
    """

    keypoints: np.ndarray
    spread: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of_crops(cls, keypoints: np.ndarray, spread: np.ndarray) -> "Answers":
        """From the network's own spread (n, 68), the same in all directions."""
        return cls(keypoints, spread, AXIS_VARIANCE * np.square(spread)[..., None, None] * np.eye(2, dtype=np.float32))

    @classmethod
    def of_views(cls, keypoints: np.ndarray, own: np.ndarray) -> "Answers":
        """One answer for each face from its views': keypoints (n, views, 68, 2), own spread (n, views, 68).

        The covariance is that of the mixture: the mean of each view's own, plus that of the views about their mean.
        Where the network says nothing it is the latter alone, enlarged, and half of it made round: a few views know
        little of its shape.
        """
        views = keypoints.shape[1]
        if views == 1:
            return cls.of_crops(keypoints[:, 0], own[:, 0])
        mean = keypoints.mean(axis=1)
        apart = keypoints - mean[:, None]
        between = np.einsum("nvpi,nvpj->npij", apart, apart) / (views - 1)
        circle = np.trace(between, axis1=2, axis2=3)[..., None, None] / 2 * np.eye(2, dtype=np.float32)
        within = AXIS_VARIANCE * np.square(own).mean(axis=1)[..., None, None] * np.eye(2, dtype=np.float32)
        covariance = np.where(np.isfinite(within), within + between, VIEW_ERROR**2 * (between + circle) / 2)
        return cls(mean, np.sqrt(np.trace(covariance, axis1=2, axis2=3) / (2 * AXIS_VARIANCE)), covariance)


def share_within(spread: np.ndarray, limit: float) -> np.ndarray:
    """The expected share of points (..., 68) with an error below `limit`, from expected errors in the same unit.

    Errors have the density exp(-r / b) in the plane, whose mean is 2 b: the one that the spread was learnt with.
    """
    reach = limit / np.maximum(spread / 2, 1e-9)
    return (1 - (1 + reach) * np.exp(-reach)).mean(axis=-1)
