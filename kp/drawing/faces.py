"""Face crops with errors, and marks for crops and boxes on an image."""

import cv2
import numpy as np

from kp.drawing.marks import LIGHT, OUTLINE
from kp.drawing.overlay import draw_errors
from kp.geometry import Box, CropTransform

MARGIN = 1.35  # the crop's side, in sides of the labels' tight box


def error_picture(image: np.ndarray, truth: np.ndarray, predicted: np.ndarray, *, side: int = 220) -> np.ndarray:
    """A face crop uint8 (side, side, 3): labels hollow, predictions filled, each pair joined by a line."""
    box = Box.from_points(truth)
    crop = CropTransform.from_box(Box.square(box.centre, box.side * MARGIN), side)
    return draw_errors(crop.warp(image), crop.to_crop(truth), crop.to_crop(predicted))


def draw_square(image: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """A copy with a quadrilateral of corners (4, 2) drawn on it, such as a rotated crop."""
    canvas, ring = np.ascontiguousarray(image).copy(), [np.round(corners).astype(np.int32)]
    for colour, width in ((OUTLINE, 4), (LIGHT, 2)):
        cv2.polylines(canvas, ring, True, colour, width, cv2.LINE_AA)
    return canvas


def draw_cross(image: np.ndarray, place: tuple[float, float]) -> np.ndarray:
    """A copy with an outlined cross at a pixel, such as the first corner of a box."""
    canvas, arm = np.ascontiguousarray(image).copy(), max(8, max(image.shape[:2]) // 60)
    x, y = round(place[0]), round(place[1])
    for colour, width in ((OUTLINE, 5), (LIGHT, 2)):
        cv2.line(canvas, (x - arm, y), (x + arm, y), colour, width, cv2.LINE_AA)
        cv2.line(canvas, (x, y - arm), (x, y + arm), colour, width, cv2.LINE_AA)
    return canvas
