"""Faces cut out of their frames, for pictures beside each other."""

import numpy as np

from kp.drawing.overlay import draw_errors
from kp.geometry import Box, CropMap

MARGIN = 1.35  # the picture's side, in sides of the labels' tight box


def error_picture(image: np.ndarray, truth: np.ndarray, predicted: np.ndarray, *, side: int = 220) -> np.ndarray:
    """A face uint8 (side, side, 3): its labels hollow, what was predicted filled, each pair joined by a line."""
    box = Box.around(truth)
    crop = CropMap.from_box(Box.square(box.centre, box.side * MARGIN), side)
    return draw_errors(crop.cut(image), crop.to_crop(truth), crop.to_crop(predicted))
