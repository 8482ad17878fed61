"""Points, contours, ellipses and text drawn in place on uint8 (H, W, 3) RGB, each with a dark outline."""

from collections.abc import Sequence

import cv2
import numpy as np

from kp.landmarks import CONTOURS

Colour = tuple[int, int, int]  # RGB
OUTLINE = (15, 15, 20)  # under every mark, for contrast on any skin
LIGHT = (255, 255, 255)
SUBPIXEL = 4  # bits of cv2's fixed-point coordinates
CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 24, False)), np.sin(np.linspace(0, 2 * np.pi, 24, False))], 1)
ELLIPSE = 2.0  # standard deviations; contains 9 of 10 labels of the test people


def fixed_point(point: np.ndarray) -> tuple[int, int]:
    x, y = np.clip(np.round(np.asarray(point) * (1 << SUBPIXEL)), -(2**30), 2**30).astype(int)
    return int(x), int(y)


def draw_point(canvas: np.ndarray, point: np.ndarray, radius: float, colour: Colour, *, hollow: bool) -> None:
    if not np.isfinite(point).all():
        return
    if hollow:
        width = max(1, round(radius * 0.55))
        ring = circle_polygon(point, radius * 1.35)
        cv2.polylines(canvas, [ring], True, OUTLINE, width + 2, cv2.LINE_AA, SUBPIXEL)
        cv2.polylines(canvas, [ring], True, colour, width, cv2.LINE_AA, SUBPIXEL)
    else:
        rim = circle_polygon(point, radius + max(0.8, radius * 0.3))
        cv2.fillConvexPoly(canvas, rim, OUTLINE, cv2.LINE_AA, SUBPIXEL)
        cv2.fillConvexPoly(canvas, circle_polygon(point, radius), colour, cv2.LINE_AA, SUBPIXEL)


def circle_polygon(point: np.ndarray, radius: float) -> np.ndarray:
    """A circle as a polygon in cv2's fixed point: cv2.circle draws small ones as diamonds."""
    return fixed_polygon(np.asarray(point) + radius * CIRCLE)


def fixed_polygon(corners: np.ndarray) -> np.ndarray:
    return np.clip(np.round(corners * (1 << SUBPIXEL)), -(2**30), 2**30).astype(np.int32)


def draw_contours(canvas: np.ndarray, keypoints: np.ndarray, radius: float, colours: Sequence[Colour]) -> None:
    width = max(1, round(radius * 0.6))
    for rim, thickness in ((True, width + 2), (False, width)):
        for indices in CONTOURS.values():
            line = np.array([fixed_point(point) for point in keypoints[indices] if np.isfinite(point).all()], np.int32)
            if len(line):
                cv2.polylines(
                    canvas, [line], False, OUTLINE if rim else colours[indices[0]], thickness, cv2.LINE_AA, SUBPIXEL
                )


def draw_ellipses(
    canvas: np.ndarray, keypoints: np.ndarray, covariance: np.ndarray, radius: float, colours: Sequence[Colour]
) -> None:
    """Ellipses at ELLIPSE standard deviations, no wider than the image, from covariances (68, 2, 2)."""
    width = max(1, round(radius * 0.25))
    for point, matrix, colour in zip(keypoints, covariance, colours, strict=True):
        if np.isfinite(point).all() and np.isfinite(matrix).all():
            variances, axes = np.linalg.eigh(np.asarray(matrix, np.float64))
            reach = np.minimum(ELLIPSE * np.sqrt(np.maximum(variances, 0)), max(canvas.shape[:2]))
            ring = fixed_polygon(point + (CIRCLE * reach) @ axes.T)
            cv2.polylines(canvas, [ring], True, OUTLINE, width + 1, cv2.LINE_AA, SUBPIXEL)
            cv2.polylines(canvas, [ring], True, colour, width, cv2.LINE_AA, SUBPIXEL)


def draw_text(canvas: np.ndarray, text: str, point: np.ndarray, radius: float) -> None:
    scale, (x, y) = max(0.32, radius * 0.11), np.round(point).astype(int)
    stroke = max(1, round(scale * 1.6))
    for colour, width in ((OUTLINE, stroke + 2), (LIGHT, stroke)):
        cv2.putText(canvas, text, (int(x), int(y)), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, width, cv2.LINE_AA)
