"""Photos made of sample portraits: where the faces are, how large, and how they are turned is known."""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from kp.geometry import Box, apply, quarter_turn, scaling
from kp.synthetic.dataset import SyntheticFaces


@lru_cache(maxsize=1)
def portraits() -> SyntheticFaces:
    return SyntheticFaces(12, seed=3)


def scene(sides: Sequence[float], *, height: int, width: int, quarters: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A photo uint8 (height, width, 3) with a face of each tight side in a grid, and keypoints (n, 68, 2).

    quarters: the whole photo is turned so, counter-clockwise; the keypoints with it.
    """
    faces, columns = portraits(), int(np.ceil(np.sqrt(len(sides) * width / height)))
    rows = int(np.ceil(len(sides) / columns))
    photo = cv2.resize(np.random.default_rng(0).integers(90, 150, (12, 16, 3), dtype=np.uint8), (width, height))
    cell, keypoints = (width / columns, height / rows), []
    for number, side in enumerate(sides):
        index = number * 7 % len(faces)
        image, truth = faces.image(index), faces.keypoints[index]
        place = (number % columns + 0.5) * cell[0], (number // columns + 0.5) * cell[1]
        keypoints.append(paste(photo, image, truth, place, side))
    turned = np.ascontiguousarray(np.rot90(photo, quarters))
    return turned, apply(quarter_turn(quarters, height, width), np.array(keypoints))


def paste(
    photo: np.ndarray, image: np.ndarray, truth: np.ndarray, place: tuple[float, float], side: float
) -> np.ndarray:
    """Put a portrait into the photo, its face's middle at a place; its keypoints there."""
    box = Box.from_points(truth)
    factor = side / box.side
    size = max(2, round(image.shape[1] * factor)), max(2, round(image.shape[0] * factor))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    points = apply(scaling(size[0] / image.shape[1], size[1] / image.shape[0]), truth)
    left, top = np.round(np.array(place) - Box.from_points(points).centre).astype(int)
    x, y = max(left, 0), max(top, 0)
    right, bottom = min(left + size[0], photo.shape[1]), min(top + size[1], photo.shape[0])
    photo[y:bottom, x:right] = small[y - top : bottom - top, x - left : right - left]
    return (points + (left, top)).astype(np.float32)
