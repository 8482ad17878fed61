"""Thin-plate splines: smooth maps of the plane through given points (Bookstein, "Principal Warps: Thin-Plate Splines
and the Decomposition of Deformations", 1989)."""

from functools import lru_cache

import cv2
import numpy as np

from kp.hardware import one_thread_each

GRID = 41  # knots a side at which a warp is computed; pixels between them are interpolated


class ThinPlate:
    """The smoothest map that takes `source` (n, 2) to `target` (n, 2).

    stiffness: 0 interpolates the points exactly; larger values approximate them, with less folding.
    """

    @one_thread_each()
    def __init__(self, source: np.ndarray, target: np.ndarray, *, stiffness: float = 0.0) -> None:
        self.source = np.asarray(source, np.float64)
        count = len(self.source)
        system = np.zeros((count + 3, count + 3))
        system[:count, :count] = _bending(self.source, self.source) + stiffness * np.eye(count)
        system[:count, count] = system[count, :count] = 1
        system[:count, count + 1 :] = self.source
        system[count + 1 :, :count] = self.source.T
        values = np.zeros((count + 3, 2))
        values[:count] = target
        self.weights = np.linalg.solve(system, values)

    @one_thread_each()
    def __call__(self, points: np.ndarray) -> np.ndarray:
        """The images of points (..., 2), float64."""
        flat = np.asarray(points, np.float64).reshape(-1, 2)
        count = len(self.source)
        affine = self.weights[count] + flat @ self.weights[count + 1 :]
        return (affine + _bending(flat, self.source) @ self.weights[:count]).reshape(points.shape)


def _bending(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """r^2 log r of all pairs, (m, n)."""
    squared = points @ (-2 * centres.T)
    squared += (points**2).sum(axis=1)[:, None]
    squared += (centres**2).sum(axis=1)
    np.maximum(squared, 1e-12, out=squared)
    bending = cv2.log(squared)
    bending *= squared
    bending *= 0.5
    return bending


@one_thread_each()
def interpolate_knots(knots: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Knots (m, n, c) interpolated at every pixel, float32 (c, h, w); outer knots on corner pixel centres.

    Not by OpenCV's `remap`, which rounds positions to 1/32 of the distance between knots.
    """
    down, across = (_interpolation_weights(count, pixels) for count, pixels in zip(knots.shape[:2], size, strict=True))
    return np.stack([down @ channel @ across.T for channel in np.moveaxis(knots, -1, 0).astype(np.float32)])


@lru_cache(maxsize=8)
def _interpolation_weights(count: int, pixels: int) -> np.ndarray:
    """Weights of linear interpolation, float32 (pixels, count)."""
    position = np.linspace(0, count - 1, pixels)
    return np.maximum(1 - np.abs(position[:, None] - np.arange(count)), 0).astype(np.float32)
