"""An open Pillow image as upright uint8 RGB, in strips, so that large images need little memory."""

from collections.abc import Iterator

import numpy as np
from PIL import ExifTags, Image

STRIP = 1 << 22  # pixels that are converted at once


def swaps_sides(picture: Image.Image) -> bool:
    """Whether its EXIF orientation swaps width and height."""
    return picture.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)


def upright_size(picture: Image.Image) -> tuple[int, int]:
    """Height and width once it is upright; nothing is decoded."""
    return (picture.width, picture.height) if swaps_sides(picture) else (picture.height, picture.width)


def upright_pixels(picture: Image.Image) -> np.ndarray:
    """uint8 (H, W, 3) RGB; converted in strips, as each of Pillow's own steps would copy the whole image."""
    orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
    low, high = _range(picture) if _is_deep(picture) else (0.0, 1.0)
    sides = upright_size(picture)
    upright = np.empty((*sides, 3), np.uint8)
    stored = _as_stored(upright, orientation)
    for top, strip in _strips(picture):
        stored[top : top + strip.height] = _to_rgb(strip, low, high)
    return upright


def _as_stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """A view of the upright pixels in the file's order. orientation: EXIF's, 1 to 8."""
    views = {
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, 3),
    }
    return views.get(orientation, upright)


def _strips(picture: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """The first row of each strip, and the strip."""
    rows = max(1, STRIP // picture.width)
    for top in range(0, picture.height, rows):
        yield top, picture.crop((0, top, picture.width, min(top + rows, picture.height)))


def _is_deep(picture: Image.Image) -> bool:
    """Whether pixels have more than 8 bits."""
    return picture.mode.startswith("I") or picture.mode == "F"


def _range(picture: Image.Image) -> tuple[float, float]:
    """The lowest and the highest finite value."""
    lows, highs = [], []
    for _, strip in _strips(picture):
        values = np.asarray(strip)
        known = values[np.isfinite(values)]
        if known.size:
            lows.append(float(known.min()))
            highs.append(float(known.max()))
    return min(lows, default=0.0), max(highs, default=1.0)


def _to_rgb(strip: Image.Image, low: float, high: float) -> np.ndarray:
    """uint8 RGB; transparency becomes white, deep pixels are scaled from low..high to 0..255."""
    if _is_deep(strip):
        values = np.nan_to_num(np.asarray(strip, np.float64), nan=low, posinf=high, neginf=low)
        grey = ((values - low) / max(high - low, 1e-9) * 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if strip.has_transparency_data:
        white = Image.new("RGBA", strip.size, "white")
        white.alpha_composite(strip.convert("RGBA"))
        strip = white
    return np.asarray(strip.convert("RGB"))
