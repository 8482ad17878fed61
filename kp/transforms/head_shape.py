"""A rigid 3D head from the keypoints of many frames, by factorisation (Tomasi and Kanade, "Shape and Motion from Image
Streams under Orthography", 1992).

It is an average over people and expressions, and symmetric, as the frames' mirror images are included.
"""

from dataclasses import dataclass, field

import numpy as np

from kp.errors import ConfigError
from kp.geometry import apply, horizontal_flip
from kp.hardware import one_thread_each
from kp.landmarks import EYE_CORNERS, MIRROR

AXES = np.array([(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)])  # the six numbers of a symmetric 3x3 matrix
FLATTEST = 0.01  # least depth, relative to the largest axis


@dataclass(frozen=True)
class Head:
    """points: float64 (68, 3), in distances of the outer eye corners, about their mean; x to the right of the image, y
    down, z away from the camera."""

    points: np.ndarray = field(repr=False)

    def camera(self, keypoints: np.ndarray) -> tuple[np.ndarray, float]:
        """Rotation, float64 (3, 3), and scale (pixels per unit) that project the head to keypoints (68, 2)."""
        projection = np.linalg.lstsq(self.points, keypoints - keypoints.mean(axis=0), rcond=None)[0].T  # (2, 3)
        left, scale, right = np.linalg.svd(projection, full_matrices=False)
        across, down = left @ right
        return np.stack([across, down, np.cross(across, down)]), float(scale.mean())


@one_thread_each()
def fit_head(keypoints: np.ndarray) -> Head:
    """The head of keypoints (n, 68, 2). Raises ConfigError where the yaw varies too little."""
    frames = keypoints[np.isfinite(keypoints).all(axis=(1, 2))].astype(np.float64)  # frames with all labels
    frames = np.concatenate([frames, apply(horizontal_flip(1), frames)[:, MIRROR]])
    frames -= frames.mean(axis=1, keepdims=True)
    views, strength, points = np.linalg.svd(np.concatenate([frames[..., 0], frames[..., 1]]), full_matrices=False)
    across, down = np.split(views[:, :3] * strength[:3], 2)  # axes of each frame's camera, up to one common matrix
    size = (across**2 + down**2).sum(axis=1)[:, None]
    # The symmetric square of that matrix makes each camera's axes equally long and orthogonal.
    conditions = np.concatenate(
        [(_products(across, across) - _products(down, down)) / size, _products(across, down) / size]
    )
    square = np.zeros((3, 3))
    square[AXES[:, 0], AXES[:, 1]] = np.linalg.eigh(conditions.T @ conditions)[1][:, 0]
    lengths, turn = np.linalg.eigh(square + square.T - np.diag(np.diag(square)))
    if abs(lengths[0]) > abs(lengths[-1]):
        lengths = -lengths
    if lengths.min() < FLATTEST * lengths.max():
        raise ConfigError(
            f"{len(keypoints)} frames that all show the face from the same side do not determine the "
            "depth of a head. Train on more frames, or choose the augmentation 'full'."
        )
    return Head(_upright(((turn / np.sqrt(lengths)).T @ points[:3]).T))


def _products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Coefficients, (n, 6), of the six numbers of a symmetric matrix m in the products a m b of rows (n, 3)."""
    products = np.einsum("ni,nj->nij", a, b)
    both = products + products.transpose(0, 2, 1)
    return both[:, AXES[:, 0], AXES[:, 1]] * np.where(AXES[:, 0] == AXES[:, 1], 0.5, 1.0)


def _upright(points: np.ndarray) -> np.ndarray:
    """The head upright, facing the camera and symmetric, in distances of the outer eye corners."""
    left, right = EYE_CORNERS
    x = points[right] - points[left]
    x = x / np.linalg.norm(x)
    y = points[8] - points[27]
    y = y - (y @ x) * x
    y = y / np.linalg.norm(y)
    points = points @ np.stack([x, y, np.cross(x, y)], axis=1)
    if points[30, 2] > points[[left, right], 2].mean():
        points[:, 2] = -points[:, 2]  # a head and its depth-inverted mask have the same orthographic projections
    points = (points + (points * [-1, 1, 1])[MIRROR]) / 2
    return (points - points.mean(axis=0)) / np.linalg.norm(points[right] - points[left])
