"""Coordinates of the mean shape's plane, in face heights about the face's middle, and of pictures warped to it."""

from functools import lru_cache

import cv2
import numpy as np

REACH = 1.25  # face heights from the face's middle to the picture's border
MIDDLE = 0.6  # step size in the picture's middle, where the face is, relative to the mean step
# Limits of a segmented person, in face heights about the face's middle: hair within an oval, at least a neck and
# shoulders. GrabCut fails where hair and background have one colour.
OVAL = (0.0, -0.25), (0.88, 0.95), 0.45  # centre, half axes, and the height from which all may be person
TORSO = ((0.22, 0.4), (0.3, 0.75), (0.45, 0.9), (0.85, 1.08), (1.15, 1.3))
BORDER = 7  # points on each side of the border that stay where they are


def to_plane(place: np.ndarray) -> np.ndarray:
    """Picture coordinates (-1..1) to the plane of the mean shape; the middle has a higher resolution than the rim."""
    return REACH * (MIDDLE * place + (1 - MIDDLE) * place**3)


@lru_cache
def _table() -> tuple[np.ndarray, np.ndarray]:
    place = np.linspace(-1, 1, 4001)
    return to_plane(place), place


def to_picture(plane: np.ndarray) -> np.ndarray:
    """The inverse of `to_plane`, clipped to -1..1."""
    return np.interp(plane, *_table())


@lru_cache
def plane_places(count: int, pixels: int | None = None) -> np.ndarray:
    """Plane coordinates of `count` positions, from the first pixel's centre to the last one's; read-only."""
    return _read_only(to_plane(np.linspace(-1, 1, count) * (1 - 1 / (pixels or count))))


@lru_cache
def border_points() -> np.ndarray:
    """Points on the picture's border, float64 (n, 2), in the plane of the mean shape; read-only."""
    edge = np.linspace(-REACH, REACH, BORDER)
    sides = [
        np.stack(np.broadcast_arrays(*pair), axis=1) for at in (-REACH, REACH) for pair in ((edge, at), (at, edge))
    ]
    return _read_only(np.unique(np.concatenate(sides), axis=0))


def _read_only(values: np.ndarray) -> np.ndarray:
    values.setflags(write=False)
    return values


def limit_outline(outline: np.ndarray) -> np.ndarray:
    """A person's edge distances (n, n), limit_outline to the oval of the hair and to at least a neck and shoulders."""
    least, most = _limits(len(outline))
    return np.minimum(np.maximum(outline, least), most)


@lru_cache
def _limits(side: int) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest edge distance, float32 (side, side) each."""
    place = plane_places(side)
    x, y = np.meshgrid(place, place)
    (_, middle), (half_width, half_height), below = OVAL
    oval = (1 - np.hypot(x / half_width, (y - middle) / half_height)) * half_width
    most = np.where(y < middle, oval, np.maximum(oval, (y - below) * 0.5))
    right = np.array(TORSO)
    outline = np.concatenate([right, right[::-1] * (-1, 1)]).astype(np.float32)
    least = [cv2.pointPolygonTest(outline, (float(u), float(v)), True) for u, v in zip(x.flat, y.flat, strict=True)]
    return np.reshape(least, x.shape).astype(np.float32), most.astype(np.float32)
