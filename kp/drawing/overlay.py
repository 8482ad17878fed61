"""Keypoints and boxes drawn on images: labels as hollow circles, predictions as filled dots."""

import base64
from collections.abc import Iterator

import cv2
import numpy as np

from kp.drawing.marks import (
    LIGHT,
    OUTLINE,
    SUBPIXEL,
    Colour,
    draw_contours,
    draw_ellipses,
    draw_point,
    draw_text,
    fixed_point,
)
from kp.geometry import Box
from kp.landmarks import REGION_OF_POINT

# Okabe and Ito's palette, distinguishable with colour blindness.
REGION_COLOURS: dict[str, Colour] = {
    "jaw": (0x56, 0xB4, 0xE9),
    "brows": (0xE6, 0x9F, 0x00),
    "nose": (0x00, 0x9E, 0x73),
    "eyes": (0x00, 0x72, 0xB2),
    "mouth": (0xCC, 0x79, 0xA7),
}
ONE_COLOUR: Colour = (0xF0, 0xE4, 0x42)  # for all regions alike: the palette's yellow
SHORT_SIDE = 512  # pixels to which smaller images are enlarged before drawing
LONG_SIDE = 1600  # pixels beyond which they are not enlarged
DASHES = 7  # of each side of a dashed box


def enlarge(image: np.ndarray, short_side: int = SHORT_SIDE) -> tuple[np.ndarray, float]:
    """The image enlarged to this short side (Lanczos), and the factor; a larger one is returned unchanged."""
    factor = max(1.0, short_side / min(image.shape[:2]))
    if factor == 1.0:
        return image, 1.0
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    return cv2.resize(image, size, interpolation=cv2.INTER_LANCZOS4), factor


def fit_display(image: np.ndarray, *, longest: int | None = None) -> tuple[np.ndarray, float]:
    """The image at a size to draw on, and the factor: small ones enlarged, those over `longest` pixels shrunk.

    The long side is not enlarged beyond LONG_SIDE.
    """
    short, long = sorted(image.shape[:2])
    if longest and long > longest:
        factor = longest / long
        size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA), factor
    return enlarge(image, min(SHORT_SIDE, round(short * max(1.0, LONG_SIDE / long))))


def scale_box(box: Box, factor: float) -> Box:
    """A box in the image resized by `factor`."""
    return Box(*((side + 0.5) * factor - 0.5 for side in (box.left, box.top, box.right, box.bottom)))


def scale_points(points: np.ndarray, factor: float) -> np.ndarray:
    """Points in the image resized by `factor`; pixel centres are integers."""
    return (points + 0.5) * factor - 0.5


def draw_face(
    image: np.ndarray,
    keypoints: np.ndarray,
    *,
    truth: bool = False,
    points: bool = True,
    contours: bool = False,
    numbers: bool = False,
    hollow: np.ndarray | None = None,
    covariance: np.ndarray | None = None,
    colour: Colour | None = None,
    copy: bool = True,
) -> np.ndarray:
    """A copy of uint8 (H, W, 3), or itself, with keypoints (68, 2) on it; the marks' size follows the face's.

    truth: hollow circles, for labels; else filled dots, for predictions, except those that are `hollow`, bool (68,).
    covariance: (68, 2, 2), draws an ellipse about each point. colour: of all marks, in place of the regions' own.
    """
    canvas = np.ascontiguousarray(image).copy() if copy else image
    radius = mark_radius(image, keypoints)
    colours = [colour or REGION_COLOURS[region] for region in REGION_OF_POINT]
    if covariance is not None:
        draw_ellipses(canvas, keypoints, covariance, radius, colours)
    if contours:
        draw_contours(canvas, keypoints, radius, colours)
    if points:
        for index, point in enumerate(keypoints):
            uncertain = hollow is not None and bool(hollow[index])
            draw_point(canvas, point, radius, colours[index], hollow=truth or uncertain)
    if numbers:
        for index in np.flatnonzero(np.isfinite(keypoints).all(axis=1)).tolist():
            draw_text(canvas, str(index), keypoints[index] + (radius * 1.3, -radius), radius)
    return canvas


def draw_errors(image: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """A copy with labels and predictions on it, each pair of points joined by a line."""
    canvas = np.ascontiguousarray(image).copy()
    width = max(1, round(mark_radius(image, truth) * 0.6))
    for start, end in zip(truth, predicted, strict=True):
        if np.isfinite([start, end]).all():
            cv2.line(canvas, fixed_point(start), fixed_point(end), LIGHT, width, cv2.LINE_AA, SUBPIXEL)
    return draw_face(draw_face(canvas, truth, truth=True), predicted)


def draw_box(
    image: np.ndarray, box: Box, *, label: str = "", chosen: bool = False, dashed: bool = False, copy: bool = True
) -> np.ndarray:
    """A copy, or the image itself, with a white box on it, thicker if it is the chosen one."""
    canvas = np.ascontiguousarray(image).copy() if copy else image
    width = max(1, round(min(max(image.shape[:2]) / 500, box.side / 40))) * (2 if chosen else 1)
    corners = np.array([[box.left, box.top], [box.right, box.bottom]])
    dashes = list(_dashes(box)) if dashed else []
    for colour, thickness in ((OUTLINE, width + 2), (LIGHT, width)):
        if not dashed:
            cv2.rectangle(
                canvas, fixed_point(corners[0]), fixed_point(corners[1]), colour, thickness, cv2.LINE_AA, SUBPIXEL
            )
        for start, end in dashes:
            cv2.line(canvas, fixed_point(start), fixed_point(end), colour, thickness, cv2.LINE_AA, SUBPIXEL)
    if label:
        size = max(3.5, box.side / 60, max(image.shape[:2]) / 220)
        above = corners[0][1] > 4.5 * size
        draw_text(canvas, label, corners[0] + (0, -1.2 * size - width if above else 4.5 * size), size * 1.3)
    return canvas


def _dashes(box: Box) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Start and end of each dash of a box; gaps are as long as dashes."""
    corners = np.array([[box.left, box.top], [box.right, box.top], [box.right, box.bottom], [box.left, box.bottom]])
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        places = np.linspace(start, end, 2 * DASHES)
        yield from zip(places[::2], places[1::2], strict=True)


def mark_radius(image: np.ndarray, keypoints: np.ndarray) -> float:
    """Radius in pixels: a hundredth of the face, but visible, and small enough not to cover a small face."""
    known = keypoints[np.isfinite(keypoints).all(axis=1)]
    face = float(np.ptp(known, axis=0).max()) if len(known) else 0.0
    least = min(max(image.shape[:2]) / 700 + 0.5, max(1.2, face * 0.018))
    return float(np.clip(face * 0.011, least, 24.0))


def data_uri(image: np.ndarray, *, quality: int = 0) -> str:
    """The image (RGB or grey uint8) as a data: URI, PNG, or JPEG of this quality."""
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    kind, options = (".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality]) if quality else (".png", [])
    _, encoded = cv2.imencode(kind, pixels, options)
    return f"data:image/{'jpeg' if quality else 'png'};base64,{base64.b64encode(encoded.tobytes()).decode()}"
