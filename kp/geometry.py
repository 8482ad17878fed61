"""Boxes, and affine maps between an image and a crop of it.

Pixel coordinates are xy; an integer is the centre of a pixel, so an image of width W spans
-0.5 .. W - 0.5. An affine map is one 2x3 matrix: `warp` applies it to pixels, `apply` to points.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

IDENTITY = np.eye(2, 3)


@dataclass(frozen=True)
class Box:
    """A rectangle in pixel coordinates of its image.

    >>> from kp import Box
    >>> box = Box(left=0, top=0, right=40, bottom=20)
    >>> box.centre, box.iou(Box(0, 0, 20, 20))
    ((20.0, 10.0), 0.5)
    """

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.left + self.top + self.right + self.bottom):
            raise ValueError(f"a box needs finite sides, not {self.left}, {self.top}, {self.right}, {self.bottom}")

    @classmethod
    def from_points(cls, points: np.ndarray) -> "Box":
        """The tight box of points (n, 2); unknown ones, NaN, are ignored."""
        (left, top), (right, bottom) = np.fmin.reduce(points), np.fmax.reduce(points)
        return cls(float(left), float(top), float(right), float(bottom))

    @classmethod
    def of_image(cls, image: np.ndarray) -> "Box":
        return cls(-0.5, -0.5, image.shape[1] - 0.5, image.shape[0] - 0.5)

    @classmethod
    def square(cls, centre: tuple[float, float], side: float) -> "Box":
        x, y = centre
        return cls(x - side / 2, y - side / 2, x + side / 2, y + side / 2)

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def centre(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    @property
    def side(self) -> float:
        """The longer side, that of the square that is cropped."""
        return max(self.width, self.height)

    def iou(self, other: "Box") -> float:
        """Intersection over union, 0..1."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        intersection = max(0.0, width) * max(0.0, height)
        union = self.width * self.height + other.width * other.height - intersection
        return intersection / union if union > 0 else 0.0


def compose(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The 2x3 matrix that applies `first`, then `second`."""
    both = second[:, :2] @ first
    both[:, 2] += second[:, 2]
    return both


def invert(matrix: np.ndarray) -> np.ndarray:
    """The inverse of a 2x3 matrix, 2x3."""
    return cv2.invertAffineTransform(np.asarray(matrix, np.float64))


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (..., 2) transformed by a 2x3 matrix, float32."""
    return (np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def scale_of(matrix: np.ndarray) -> float:
    """The scale of a 2x3 matrix: the square root of the factor by which areas grow."""
    (a, b), (c, d) = matrix[:, :2]
    return math.sqrt(abs(a * d - b * c))


def scaling(factor_x: float, factor_y: float) -> np.ndarray:
    """The 2x3 matrix of resizing by these factors; pixel centres are integers, hence the half pixels."""
    return np.array([[factor_x, 0, (factor_x - 1) / 2], [0, factor_y, (factor_y - 1) / 2]], np.float64)


def rotation(degrees: float, centre: tuple[float, float]) -> np.ndarray:
    """The 2x3 matrix of a rotation about a centre, counter-clockwise as seen on the screen."""
    return np.asarray(cv2.getRotationMatrix2D(centre, degrees, 1.0), np.float64)


def horizontal_flip(width: int) -> np.ndarray:
    """The 2x3 matrix of the left-right flip of an image of this width."""
    return np.array([[-1, 0, width - 1], [0, 1, 0]], np.float64)


def quarter_turn(quarters: int, height: int, width: int) -> np.ndarray:
    """The 2x3 matrix of `np.rot90(image, quarters)` for an image of this size: counter-clockwise, nothing cut off."""
    right, bottom = width - 1, height - 1
    return np.array(
        [
            [[1, 0, 0], [0, 1, 0]],
            [[0, 1, 0], [-1, 0, right]],
            [[-1, 0, right], [0, -1, bottom]],
            [[0, -1, bottom], [1, 0, 0]],
        ][quarters % 4],
        np.float64,
    )


def move_box(matrix: np.ndarray, box: Box) -> Box:
    """The axis-aligned box about a box transformed by a 2x3 matrix."""
    corners = [[x, y] for x in (box.left, box.right) for y in (box.top, box.bottom)]
    return Box.from_points(apply(matrix, np.array(corners)))


def warp(image: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`image` (H, W[, C]) warped by `matrix` (image -> result) to an array of `size` = (height, width).

    Only the part that the result shows is read, and it is downscaled by area first where it shrinks by
    more than two (bilinear sampling alone would skip pixels). Outside the image its edge is repeated;
    a result wholly outside is black.
    """
    height, width = size
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64) - 0.5  # pixels are squares
    visible = apply(invert(matrix), corners)  # (4, 2), image pixels
    left, top = (max(0, math.floor(edge) - 2) for edge in visible.min(axis=0))
    right, bottom = (
        min(side, math.ceil(edge) + 3) for edge, side in zip(visible.max(axis=0), image.shape[1::-1], strict=True)
    )
    if left >= right or top >= bottom:
        return np.zeros((height, width, *image.shape[2:]), image.dtype)
    part = image[top:bottom, left:right]
    matrix = compose(matrix, np.array([[1, 0, left], [0, 1, top]], np.float64))
    scale = scale_of(matrix)
    if scale < 0.5:
        new_size = (max(1, round(part.shape[1] * 2 * scale)), max(1, round(part.shape[0] * 2 * scale)))
        factor = scaling(new_size[0] / part.shape[1], new_size[1] / part.shape[0])
        part = cv2.resize(part, new_size, interpolation=cv2.INTER_AREA)
        matrix = compose(matrix, invert(factor))
    return cv2.warpAffine(part, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


@dataclass(frozen=True)
class CropTransform:
    """A square crop of an image: one 2x3 matrix (image -> crop) and the crop's side in pixels."""

    matrix: np.ndarray
    size: int

    @classmethod
    def from_box(cls, box: Box, size: int, *, roll: float = 0.0) -> "CropTransform":
        """The square with `box`'s centre and longer side, rotated by `roll` degrees, as size x size pixels."""
        factor = size / max(box.side, 1e-6)
        to_origin = np.array([[1, 0, -box.centre[0]], [0, 1, -box.centre[1]]], np.float64)
        middle = (size - 1) / 2
        scaled = np.array([[factor, 0, middle], [0, factor, middle]], np.float64)
        return cls(compose(rotation(roll, (middle, middle)), compose(scaled, to_origin)), size)

    @property
    def scale(self) -> float:
        """Crop pixels per image pixel."""
        return scale_of(self.matrix)

    def to_crop(self, points: np.ndarray) -> np.ndarray:
        return apply(self.matrix, points)

    def to_image(self, points: np.ndarray) -> np.ndarray:
        return apply(invert(self.matrix), points)

    def warp(self, image: np.ndarray) -> np.ndarray:
        """The crop's pixels, (size, size[, C])."""
        return warp(image, self.matrix, (self.size, self.size))
