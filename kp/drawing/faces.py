"""Faces cut out of their frames, for pictures beside each other."""

import cv2
import numpy as np

from kp.drawing.overlay import LIGHT, OUTLINE, draw_errors
from kp.geometry import Box, CropTransform

MARGIN = 1.35  # the picture's side, in sides of the labels' tight box


def error_picture(image: np.ndarray, truth: np.ndarray, predicted: np.ndarray, *, side: int = 220) -> np.ndarray:
    """A face uint8 (side, side, 3): its labels hollow, what was predicted filled, each pair joined by a line."""
    box = Box.from_points(truth)
    crop = CropTransform.from_box(Box.square(box.centre, box.side * MARGIN), side)
    return draw_errors(crop.warp(image), crop.to_crop(truth), crop.to_crop(predicted))


def draw_square(image: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """A copy with a quadrilateral of corners (4, 2) on it: where a crop lies, also a turned one."""
    canvas, ring = np.ascontiguousarray(image).copy(), [np.round(corners).astype(np.int32)]
    for colour, width in ((OUTLINE, 4), (LIGHT, 2)):
        cv2.polylines(canvas, ring, True, colour, width, cv2.LINE_AA)
    return canvas


def draw_cross(image: np.ndarray, place: tuple[float, float]) -> np.ndarray:
    """A copy with a cross at a pixel, to be seen in any picture: the corner of a box that is being drawn."""
    canvas, arm = np.ascontiguousarray(image).copy(), max(8, max(image.shape[:2]) // 60)
    x, y = round(place[0]), round(place[1])
    for colour, width in ((OUTLINE, 5), (LIGHT, 2)):
        cv2.line(canvas, (x - arm, y), (x + arm, y), colour, width, cv2.LINE_AA)
        cv2.line(canvas, (x, y - arm), (x, y + arm), colour, width, cv2.LINE_AA)
    return canvas
