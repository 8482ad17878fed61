"""Keypoints drawn on pictures. Ground truth is hollow circles, a prediction filled dots."""

import base64
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from kp.geometry import Box
from kp.landmarks import CONTOURS, REGION_OF_POINT

Colour = tuple[int, int, int]  # RGB
# Okabe and Ito's palette, told apart by colour-blind people too.
REGION_COLOURS: dict[str, Colour] = {
    "jaw": (0x56, 0xB4, 0xE9),
    "brows": (0xE6, 0x9F, 0x00),
    "nose": (0x00, 0x9E, 0x73),
    "eyes": (0x00, 0x72, 0xB2),
    "mouth": (0xCC, 0x79, 0xA7),
}
ONE_COLOUR: Colour = (0xF0, 0xE4, 0x42)  # where the regions are not told apart: the palette's yellow
OUTLINE = (15, 15, 20)  # under every mark, so that it is seen on any skin
LIGHT = (255, 255, 255)
SUBPIXEL = 4  # bits of cv2's fixed-point coordinates
CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 24, False)), np.sin(np.linspace(0, 2 * np.pi, 24, False))], 1)
SHORT_SIDE = 512  # small pictures are enlarged to this before anything is drawn
LONG_SIDE = 1600  # and not beyond this
DASHES = 7  # of each side of a dashed box
ELLIPSE = 2.0  # standard deviations: of the test people's labels 9 of 10 lie inside


def enlarge(image: np.ndarray, short_side: int = SHORT_SIDE) -> tuple[np.ndarray, float]:
    """The picture with at least this short side (Lanczos), and the factor; a larger one stays as it is."""
    factor = max(1.0, short_side / min(image.shape[:2]))
    if factor == 1.0:
        return image, 1.0
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    return cv2.resize(image, size, interpolation=cv2.INTER_LANCZOS4), factor


def fit_display(image: np.ndarray, *, longest: int | None = None) -> tuple[np.ndarray, float]:
    """The picture at a size to draw on, and the factor: small ones enlarged, those over `longest` pixels shrunk.

    Very long and narrow ones are not enlarged beyond LONG_SIDE.
    """
    short, long = sorted(image.shape[:2])
    if longest and long > longest:
        factor = longest / long
        size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA), factor
    return enlarge(image, min(SHORT_SIDE, round(short * max(1.0, LONG_SIDE / long))))


def scale_box(box: Box, factor: float) -> Box:
    """A box moved as `enlarge` moves pixels."""
    return Box(*((side + 0.5) * factor - 0.5 for side in (box.left, box.top, box.right, box.bottom)))


def scale_points(points: np.ndarray, factor: float) -> np.ndarray:
    """Points moved as `enlarge` moves pixels (whose centres are integers)."""
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
    """A copy of uint8 (H, W, 3), or itself, with keypoints (68, 2) on it; marks as large as suits the face.

    truth: hollow circles, for labels; else filled dots, for predictions, but for those that are `hollow` (68,).
    covariance: (68, 2, 2), draws an ellipse about each point. colour: of all marks, in place of the regions' own.
    """
    canvas = np.ascontiguousarray(image).copy() if copy else image
    radius = mark_radius(image, keypoints)
    colours = [colour or REGION_COLOURS[region] for region in REGION_OF_POINT]
    if covariance is not None:
        _ellipses(canvas, keypoints, covariance, radius, colours)
    if contours:
        _contours(canvas, keypoints, radius, colours)
    if points:
        for index, point in enumerate(keypoints):
            unsure = hollow is not None and bool(hollow[index])
            _mark(canvas, point, radius, colours[index], hollow=truth or unsure)
    if numbers:
        for index in np.flatnonzero(np.isfinite(keypoints).all(axis=1)).tolist():
            _text(canvas, str(index), keypoints[index] + (radius * 1.3, -radius), radius)
    return canvas


def draw_errors(image: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Label and prediction on a copy, each pair of points joined by a line."""
    canvas = np.ascontiguousarray(image).copy()
    width = max(1, round(mark_radius(image, truth) * 0.6))
    for start, end in zip(truth, predicted, strict=True):
        if np.isfinite([start, end]).all():
            cv2.line(canvas, _fixed(start), _fixed(end), LIGHT, width, cv2.LINE_AA, SUBPIXEL)
    return draw_face(draw_face(canvas, truth, truth=True), predicted)


def draw_box(
    image: np.ndarray, box: Box, *, label: str = "", chosen: bool = False, dashed: bool = False, copy: bool = True
) -> np.ndarray:
    """A copy, or the picture itself, with a box on it: white, thicker where it is the chosen one."""
    canvas = np.ascontiguousarray(image).copy() if copy else image
    width = max(1, round(min(max(image.shape[:2]) / 500, box.side / 40))) * (2 if chosen else 1)
    corners = np.array([[box.left, box.top], [box.right, box.bottom]])
    dashes = list(_dashes(box)) if dashed else []
    for colour, thickness in ((OUTLINE, width + 2), (LIGHT, width)):
        if not dashed:
            cv2.rectangle(canvas, _fixed(corners[0]), _fixed(corners[1]), colour, thickness, cv2.LINE_AA, SUBPIXEL)
        for start, end in dashes:
            cv2.line(canvas, _fixed(start), _fixed(end), colour, thickness, cv2.LINE_AA, SUBPIXEL)
    if label:
        size = max(3.5, box.side / 60, max(image.shape[:2]) / 220)
        above = corners[0][1] > 4.5 * size
        _text(canvas, label, corners[0] + (0, -1.2 * size - width if above else 4.5 * size), size * 1.3)
    return canvas


def _dashes(box: Box) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Where each dash of a box starts and ends; the gaps are as long."""
    corners = np.array([[box.left, box.top], [box.right, box.top], [box.right, box.bottom], [box.left, box.bottom]])
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        places = np.linspace(start, end, 2 * DASHES)
        yield from zip(places[::2], places[1::2], strict=True)


def mark_radius(image: np.ndarray, keypoints: np.ndarray) -> float:
    """Pixels; a hundredth of the face, and always to be seen; a small face in a large picture is not covered up."""
    known = keypoints[np.isfinite(keypoints).all(axis=1)]
    face = float(np.ptp(known, axis=0).max()) if len(known) else 0.0
    least = min(max(image.shape[:2]) / 700 + 0.5, max(1.2, face * 0.018))
    return float(np.clip(face * 0.011, least, 24.0))


def data_uri(image: np.ndarray, *, quality: int = 0) -> str:
    """The picture (RGB or grey uint8) as a data: address, PNG, or JPEG of this quality."""
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    kind, options = (".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality]) if quality else (".png", [])
    _, encoded = cv2.imencode(kind, pixels, options)
    return f"data:image/{'jpeg' if quality else 'png'};base64,{base64.b64encode(encoded.tobytes()).decode()}"


def _fixed(point: np.ndarray) -> tuple[int, int]:
    x, y = np.clip(np.round(np.asarray(point) * (1 << SUBPIXEL)), -(2**30), 2**30).astype(int)
    return int(x), int(y)


def _mark(canvas: np.ndarray, point: np.ndarray, radius: float, colour: Colour, *, hollow: bool) -> None:
    if not np.isfinite(point).all():
        return
    if hollow:
        width = max(1, round(radius * 0.55))
        ring = _ring(point, radius * 1.35)
        cv2.polylines(canvas, [ring], True, OUTLINE, width + 2, cv2.LINE_AA, SUBPIXEL)
        cv2.polylines(canvas, [ring], True, colour, width, cv2.LINE_AA, SUBPIXEL)
    else:
        rim = _ring(point, radius + max(0.8, radius * 0.3))
        cv2.fillConvexPoly(canvas, rim, OUTLINE, cv2.LINE_AA, SUBPIXEL)
        cv2.fillConvexPoly(canvas, _ring(point, radius), colour, cv2.LINE_AA, SUBPIXEL)


def _ring(point: np.ndarray, radius: float) -> np.ndarray:
    """A circle as a polygon in cv2's fixed point: cv2.circle draws a small one as a diamond."""
    return _fixed_ring(np.asarray(point) + radius * CIRCLE)


def _fixed_ring(corners: np.ndarray) -> np.ndarray:
    return np.clip(np.round(corners * (1 << SUBPIXEL)), -(2**30), 2**30).astype(np.int32)


def _contours(canvas: np.ndarray, keypoints: np.ndarray, radius: float, colours: Sequence[Colour]) -> None:
    width = max(1, round(radius * 0.6))
    for rim, thickness in ((True, width + 2), (False, width)):
        for indices in CONTOURS.values():
            line = np.array([_fixed(point) for point in keypoints[indices] if np.isfinite(point).all()], np.int32)
            if len(line):
                cv2.polylines(
                    canvas, [line], False, OUTLINE if rim else colours[indices[0]], thickness, cv2.LINE_AA, SUBPIXEL
                )


def _ellipses(
    canvas: np.ndarray, keypoints: np.ndarray, covariance: np.ndarray, radius: float, colours: Sequence[Colour]
) -> None:
    """Thin, with a dark rim, and no wider than the picture."""
    width = max(1, round(radius * 0.25))
    for point, matrix, colour in zip(keypoints, covariance, colours, strict=True):
        if np.isfinite(point).all() and np.isfinite(matrix).all():
            variances, axes = np.linalg.eigh(np.asarray(matrix, np.float64))
            reach = np.minimum(ELLIPSE * np.sqrt(np.maximum(variances, 0)), max(canvas.shape[:2]))
            ring = _fixed_ring(point + (CIRCLE * reach) @ axes.T)
            cv2.polylines(canvas, [ring], True, OUTLINE, width + 1, cv2.LINE_AA, SUBPIXEL)
            cv2.polylines(canvas, [ring], True, colour, width, cv2.LINE_AA, SUBPIXEL)


def _text(canvas: np.ndarray, text: str, point: np.ndarray, radius: float) -> None:
    scale, (x, y) = max(0.32, radius * 0.11), np.round(point).astype(int)
    stroke = max(1, round(scale * 1.6))
    for colour, width in ((OUTLINE, stroke + 2), (LIGHT, stroke)):
        cv2.putText(canvas, text, (int(x), int(y)), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, width, cv2.LINE_AA)
