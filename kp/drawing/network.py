"""A network's values as pictures: kernels, feature maps, filtered images, and their colour scales."""

from collections.abc import Callable

import cv2
import matplotlib
import numpy as np

# Both are readable with colour blindness; the first is symmetric about its almost white middle.
DIVERGING = (matplotlib.colormaps["RdBu_r"].resampled(255)(np.arange(255))[:, :3] * 255).round().astype(np.uint8)
SEQUENTIAL = (matplotlib.colormaps["viridis"](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
SHARE = 0.999  # of all values lie within a colour scale, so that a few outliers do not make the others pale
CELL = 44  # side of a kernel's cell in an SVG, units
WIDEST_CELL = 48  # pixels of the screen
BLACK, WHITE = "#000000", "#ffffff"


def symmetric_limit(values: np.ndarray) -> float:
    """The limit > 0 of a scale -limit .. limit that contains all but a thousandth of the values."""
    sizes = np.abs(values)
    return max(float(np.quantile(sizes, SHARE, method="higher")), 1e-12)


def sequential_range(values: np.ndarray) -> tuple[float, float]:
    """The ends low < high of a scale for these values; low is 0 where none is negative."""
    low = min(0.0, float(np.quantile(values, 1 - SHARE, method="lower")))
    return low, max(float(np.quantile(values, SHARE, method="higher")), low + 1e-12)


def diverging(values: np.ndarray, limit: float) -> np.ndarray:
    """Colours uint8 (..., 3): blue for -limit and less, almost white for 0, red for limit and more."""
    scaled = np.clip(np.nan_to_num(values) / limit, -1, 1)
    return DIVERGING[np.round((scaled + 1) / 2 * (len(DIVERGING) - 1)).astype(int)]


def sequential(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Colours uint8 (..., 3), darkest for `low` and less, brightest for `high` and more (matplotlib's viridis)."""
    scaled = np.clip((np.nan_to_num(values) - low) / max(high - low, 1e-12), 0, 1)
    return SEQUENTIAL[np.round(scaled * (len(SEQUENTIAL) - 1)).astype(int)]


def grey(values: np.ndarray) -> np.ndarray:
    """Brightness 0..1 as uint8 (..., 3)."""
    return np.repeat((np.clip(values, 0, 1) * 255).round().astype(np.uint8)[..., None], 3, axis=-1)


def over_face(face: np.ndarray, colours: np.ndarray, matrix: np.ndarray, *, alpha: float = 0.6) -> np.ndarray:
    """A map's colours uint8 (h, w, 3) blended over a face uint8 (H, W, 3). matrix: 2x3, from map to face pixels.

    Each pixel of the map is a rectangle; the face is unchanged where the map does not reach.
    """
    size = (face.shape[1], face.shape[0])
    warped = cv2.warpAffine(np.ascontiguousarray(colours), matrix, size, flags=cv2.INTER_NEAREST)
    reached = cv2.warpAffine(np.ones(colours.shape[:2], np.float32), matrix, size, flags=cv2.INTER_NEAREST)
    share = reached[..., None] * np.float32(alpha)
    return (face * (1 - share) + warped * share).round().astype(np.uint8)


def strip(values: np.ndarray, *, width: int = 64) -> np.ndarray:
    """Values (n,) row by row as float32 (rows, width); the rest of the last row is NaN."""
    rows = -(-len(values) // width)
    filled = np.full(rows * width, np.nan, np.float32)
    filled[: len(values)] = values
    return filled.reshape(rows, width)


def luminance(colour: np.ndarray) -> float:
    """Relative luminance 0..1 of a uint8 (3,) RGB colour, as WCAG 2 defines it."""
    share = np.asarray(colour, np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def text_colour(background: np.ndarray) -> str:
    """Black or white, whichever has more contrast on uint8 (3,) RGB; at least 4.5, as WCAG 2 AA requires."""
    level = luminance(background) + 0.05
    return BLACK if level / 0.05 > 1.05 / level else WHITE


def hex_colour(colour: np.ndarray) -> str:
    return "#" + "".join(f"{int(value):02x}" for value in colour)


def number(value: float, limit: float) -> str:
    """A value with the decimals that give values up to `limit` three significant digits, and a real minus sign."""
    decimals = 3 if limit < 0.1 else 2 if limit < 10 else 1 if limit < 100 else 0
    text = f"{value:.{decimals}f}"
    return text.replace("-", "" if float(text) == 0 else "\N{MINUS SIGN}")


def kernel_svg(kernel: np.ndarray, limit: float, *, label: str) -> str:
    """A kernel (kh, kw) as an SVG with its values in coloured cells. label: text for screen readers."""
    height, width = kernel.shape
    widest, size = (width + 1) * WIDEST_CELL, 12 if limit >= 0.1 else 11.5
    parts = [
        f'<svg viewBox="0 0 {width * CELL} {height * CELL}" role="img" aria-label="{label}" font-size="{size}" '
        f'style="max-width:{widest}px;width:100%" text-anchor="middle" dominant-baseline="central">'
    ]
    for (row, column), value in np.ndenumerate(kernel):
        colour = diverging(value, limit)
        x, y = column * CELL, row * CELL
        parts.append(
            f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" fill="{hex_colour(colour)}"/>'
            f'<text x="{x + CELL / 2}" y="{y + CELL / 2}" fill="{text_colour(colour)}">'
            f"{number(float(value), limit)}</text>"
        )
    return "".join(parts) + "</svg>"


def scale_svg(low: float, high: float, colours: Callable[[np.ndarray], np.ndarray], *, steps: int = 48) -> str:
    """A colour scale from low to high with its values, as an SVG in the page's text colour.

    colours: from values (n,) to uint8 (n, 3). Empty where low and high are equal.
    """
    if high - low < 1e-9:
        return ""
    values = np.linspace(low, high, steps)
    step = 180 / steps
    bars = "".join(
        f'<rect x="{10 + index * step:.2f}" width="{step + 0.3:.2f}" height="10" fill="{hex_colour(colour)}"/>'
        for index, colour in enumerate(colours(values))
    )
    limit = max(abs(low), abs(high))
    marks = {0.0: low, 1.0: high}
    if low < 0 < high and 0.2 < -low / (high - low) < 0.8:
        marks[-low / (high - low)] = 0.0
    texts = "".join(
        f'<text x="{10 + 180 * place:.1f}" y="24" text-anchor="middle">{number(value, limit)}</text>'
        for place, value in marks.items()
    )
    return (
        f'<svg viewBox="-6 0 212 28" class="kp-scale" role="img" style="max-width:212px;width:100%" '
        f'aria-label="Colour scale from {number(low, limit)} to {number(high, limit)}" fill="currentColor" '
        f'font-size="12">{bars}{texts}</svg>'
    )
