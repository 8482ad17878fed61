"""HTML that kernels and feature maps share: labels, pictures, colour scales, and the network's input."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from markupsafe import Markup
from torch import nn

from kp.data.images import to_grey
from kp.drawing.network import diverging, grey, scale_svg, sequential
from kp.drawing.overlay import data_uri
from kp.ui.static import render

SHARP_SIDE = 32  # pixels; pictures up to this are PNG, larger ones JPEG, which is a third as long


@dataclass(frozen=True)
class Picture:
    """A picture uint8 (H, W, 3) or (H, W) for an <img>. sharp: show the pixels as squares."""

    image: np.ndarray
    alt: str
    sharp: bool = False

    @property
    def source(self) -> str:
        """A data: address."""
        return data_uri(self.image, quality=0 if self.sharp or max(self.image.shape[:2]) <= SHARP_SIDE else 92)


def convolution_label(name: str, convolution: nn.Conv2d) -> str:
    """Its name, number of kernels and their size."""
    height, width = convolution.kernel_size
    reads = convolution.in_channels // convolution.groups
    count = f"{convolution.out_channels}x{reads}" if reads > 1 else str(convolution.out_channels)
    return f"{name}: {count} kernels of {height}x{width}"


def stage_label(name: str, shape: Sequence[int]) -> str:
    """Its name, and the shape of its output (channels, h, w), (68, 2) or (n,) in words."""
    if len(shape) == 3:
        return f"{name}: {shape[0]} maps of {shape[1]}x{shape[2]}"
    return f"{name}: {shape[0]} {'points' if len(shape) == 2 else 'numbers'}"


def diverging_scale(limit: float) -> Markup:
    """The colour scale from -limit to limit, an SVG."""
    return Markup(scale_svg(-limit, limit, lambda values: diverging(values, limit)))


def sequential_scale(low: float, high: float) -> Markup:
    """The colour scale from low to high, an SVG."""
    return Markup(scale_svg(low, high, lambda values: sequential(values, low, high)))


def summary_html(label: str, text: str, scale: str) -> str:
    """The line above a grid, with the grid's colour scale, if it has one."""
    return render("inside_summary.html", label=label, text=text, scale=scale)


def brightness(crop: np.ndarray) -> np.ndarray:
    """float32 (S, S), 0..1, of a crop uint8 (S, S, 3)."""
    return to_grey(crop).astype(np.float32) / 255


def network_input(crop: np.ndarray, channels: int) -> np.ndarray:
    """The crop uint8 (S, S, 3), without colour if the network has one input channel."""
    return grey(brightness(crop)) if channels == 1 else crop


def crop_html(crop: np.ndarray, note: str) -> str:
    """The network's input, uint8 (S, S, 3), beside a line on its source."""
    kind = "grey" if np.ptp(crop, axis=2).max() == 0 else "in colour"
    picture = Picture(crop, "The network's input")
    return render("inside_crop.html", picture=picture, size=len(crop), kind=kind, note=note)


def sentence(text: str) -> str:
    """A paragraph."""
    return f"<p>{escape(text)}</p>"


def ranges(count: int, size: int) -> list[tuple[str, int]]:
    """Labels and numbers of pages: "0 to 63", 0."""
    return [(f"{start} to {min(start + size, count) - 1}", page) for page, start in enumerate(range(0, count, size))]


def strongest(values: Sequence[np.ndarray] | np.ndarray) -> int:
    """The index of the array with the largest standard deviation; of single numbers, with the largest magnitude."""
    return int(np.argmax([float(np.std(array) if array.size > 1 else abs(array).max()) for array in values]))
