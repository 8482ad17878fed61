"""Labels that cannot be a face in their image: wrong columns, units or resolution, swapped points."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST_EXTENT = 1.0  # pixels: the least extent of a face
# Largest distance of a face from the average one, as a fraction of its size. Of 4232 labels of YouTube Faces the two
# known corrupt ones have 0.40 and 0.46, all others at most 0.20; columns in another order have 0.9.
UNLIKE = 0.3
LEAST_POINTS = 20  # labelled points of a face whose shape can be judged
# An average face (68, 2), in face heights about its middle, from the training people's labels.
# fmt: off
AVERAGE_FACE = np.array([
    -0.525, -0.258, -0.518, -0.120, -0.496, 0.005, -0.470, 0.127, -0.426, 0.261, -0.352, 0.373,
    -0.269, 0.447, -0.163, 0.513, -0.000, 0.556, 0.163, 0.513, 0.269, 0.447, 0.352, 0.373,
    0.426, 0.261, 0.470, 0.127, 0.496, 0.005, 0.518, -0.120, 0.525, -0.258, -0.398, -0.386,
    -0.337, -0.427, -0.260, -0.440, -0.190, -0.433, -0.128, -0.415, 0.128, -0.415, 0.190, -0.433,
    0.260, -0.440, 0.337, -0.427, 0.398, -0.386, 0.000, -0.265, -0.000, -0.172, -0.000, -0.084,
    0.000, -0.009, -0.085, 0.045, -0.048, 0.056, 0.000, 0.067, 0.048, 0.056, 0.085, 0.045,
    -0.302, -0.276, -0.253, -0.293, -0.191, -0.293, -0.134, -0.268, -0.187, -0.250, -0.252, -0.250,
    0.134, -0.268, 0.191, -0.293, 0.253, -0.293, 0.302, -0.276, 0.252, -0.250, 0.187, -0.250,
    -0.178, 0.217, -0.118, 0.179, -0.041, 0.155, 0.000, 0.164, 0.041, 0.155, 0.118, 0.179,
    0.178, 0.217, 0.115, 0.271, 0.060, 0.302, 0.000, 0.308, -0.060, 0.302, -0.115, 0.271,
    -0.165, 0.215, -0.053, 0.202, 0.000, 0.200, 0.053, 0.202, 0.165, 0.215, 0.052, 0.239,
    -0.000, 0.244, -0.052, 0.239,
]).reshape(68, 2)
# fmt: on


@dataclass(frozen=True)
class Suspect:
    """A label that cannot be right. useless: whether it is left out."""

    row: int
    reason: str
    useless: bool = False


def find_suspects(keypoints: np.ndarray, sizes: Sequence[tuple[int, int] | None]) -> list[Suspect]:
    """The labels (n, 68, 2), pixels from 0 or from 1, that cannot be faces in images of these (height, width).

    A size of None is unknown. NaN points are not labelled.
    """
    labels = keypoints.astype(np.float64)
    distances = shape_distances(labels)
    found = []
    for row, (points, size, distance) in enumerate(zip(labels, sizes, distances, strict=True)):
        if suspect := _judge(row, points[np.isfinite(points).all(axis=1)], size, float(distance)):
            found.append(suspect)
    return found


def _judge(row: int, labelled: np.ndarray, size: tuple[int, int] | None, distance: float) -> Suspect | None:
    """The reason for suspicion, or None. labelled: the labelled points (n, 2)."""
    if not len(labelled):
        return Suspect(row, "no point is labelled", useless=True)
    low, high = labelled.min(axis=0), labelled.max(axis=0)
    if len(labelled) > 1 and low.min() >= 0 and high.max() <= 1:
        return Suspect(row, "all points lie in 0..1; labels are in pixels", useless=True)
    if len(labelled) > 1 and (high - low).max() < LEAST_EXTENT:
        return Suspect(row, "all points lie in one place", useless=True)
    if size and (low.min() < -1 or high[0] > size[1] + 1 or high[1] > size[0] + 1):
        outside = ((labelled < -1) | (labelled > (size[1] + 1, size[0] + 1))).any(axis=1)
        if outside.mean() > 0.5:
            where = f"the image of {size[1]}x{size[0]} pixels"
            return Suspect(row, f"{outside.sum()} of {len(labelled)} points lie outside {where}")
    if distance == np.inf:
        return Suspect(row, "left and right are swapped, or x and y")
    return Suspect(row, "the points do not have the shape of a face") if distance > UNLIKE else None


def shape_distances(shapes: np.ndarray) -> np.ndarray:
    """How far shapes (n, 68, 2) are from any view of the average face: (n,), as fractions of the shapes' size.

    The RMS residual of an affine map and a yaw; infinite for a mirrored shape. NaN points are left out; with fewer than
    LEAST_POINTS others it is 0.
    """
    whole = np.isfinite(shapes).all(axis=(1, 2))
    distances = np.zeros(len(shapes))
    distances[whole] = _distances(shapes[whole], AVERAGE_FACE)
    for row in np.flatnonzero(~whole):
        known = np.isfinite(shapes[row]).all(axis=1)
        if known.sum() >= LEAST_POINTS:
            distances[row] = _distances(shapes[row : row + 1, known], AVERAGE_FACE[known])[0]
    return distances


def _distances(shapes: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Distances (n,) of shapes (n, points, 2) from the same points of a face."""
    centred = shapes - shapes.mean(axis=1, keepdims=True)
    x, y = face.T
    basis = np.column_stack([x, y, x**2, np.ones_like(x)])  # x squared: with yaw, one cheek is longer
    fitted = np.linalg.pinv(basis) @ centred  # (n, 4, 2)
    residual, size = (np.linalg.norm(part, axis=(1, 2)) for part in (centred - basis @ fitted, centred))
    return np.where(np.linalg.det(fitted[:, :2]) < 0, np.inf, residual / np.maximum(size, 1e-9))


def summary(suspects: Sequence[Suspect], places: Sequence[str], total: int) -> str:
    """A sentence: how many, the first one's place and reason."""
    first = suspects[0]
    useless = sum(suspect.useless for suspect in suspects)
    left_out = f" {useless} of them are left out." if useless else ""
    return (
        f"{len(suspects)} of {total} labels look wrong; the first is {places[0]}: {first.reason}.{left_out} Check them."
    )
