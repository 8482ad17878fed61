"""Kernels as HTML: the cells and the line above a grid, and one kernel between its input and the filtered image."""

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from torch import nn

from kp.drawing.network import diverging, grey, kernel_svg, number, sequential, sequential_range, symmetric_limit
from kp.drawing.overlay import data_uri
from kp.explain.kernels import filter_image, kernel_shape
from kp.ui.inspect.html import Picture, diverging_scale, sequential_scale, summary_html
from kp.ui.static import render
from kp.ui.widgets.image_grid import GridItem, grid_item

SHARP_BELOW = 100  # pixels; smaller images are enlarged with their pixels as squares
NAMED_SHARE = 0.5  # of a kernel's energy; a pattern with at least this share of it is named
DIRECTIONS = (
    "to the right",
    "down and to the right",
    "down",
    "down and to the left",
    "to the left",
    "up and to the left",
    "up",
    "up and to the right",
)


@dataclass(frozen=True)
class KernelInput:
    """What a kernel is applied to: values (H, W). is_face: whether they are brightness, 0..1."""

    values: np.ndarray
    name: str
    is_face: bool

    def colours(self) -> tuple[np.ndarray, Markup]:
        """uint8 (H, W, 3), and its colour scale; grey needs none."""
        if self.is_face:
            return grey(self.values), Markup("")
        low, high = sequential_range(self.values)
        return sequential(self.values, low, high), sequential_scale(low, high)


@dataclass(frozen=True)
class Filtered:
    """A kernel's input and the filtered image, with their colour scales."""

    name: str
    before: Picture
    before_scale: Markup
    after: Picture
    after_scale: Markup


def kernel_items(kernels: np.ndarray, first: int, chosen: int, limit: float) -> list[GridItem]:
    """Buttons for kernels (n, kh, kw), numbered from `first`."""
    return [
        grid_item(data_uri(diverging(kernel, limit)), f"Kernel {index}", str(index), chosen=index == chosen)
        for index, kernel in enumerate(kernels, first)
    ]


def kernels_summary(label: str, kernels: np.ndarray, limit: float) -> str:
    """Above the grid of kernels (out, in, kh, kw)."""
    pairs = (
        f"{kernels.shape[1]} input channels and {len(kernels)} output channels, with a kernel for each pair. "
        if kernels.shape[1] > 1
        else ""
    )
    low, high = number(float(kernels.min()), limit), number(float(kernels.max()), limit)
    weights = f"{kernels.size:,} trained weights from {low} to {high}: red is positive, blue negative, white zero."
    return summary_html(label, pairs + weights, diverging_scale(limit))


def kernel_detail(title: str, kernel: np.ndarray, limit: float, *, applied: KernelInput | None, sums: str) -> str:
    """A kernel (kh, kw) with its numbers, between its input (if there is one) and the filtered image.

    sums: a sentence on what the network does with the filtered image.
    """
    cells = kernel.size
    rule = (
        f"Each pixel of the result is the sum of {cells} products: the kernel's {cells} numbers times the "
        f"{cells} pixels under it."
        if cells > 1
        else "Each pixel of the result is the pixel times this one number."
    )
    sentences = [rule, kernel_sentence(kernel, limit, brightness=applied is None or applied.is_face)]
    if applied and not applied.values.any():
        sentences.append(f"{applied.name} is zero everywhere for this face, and so is the result.")
    return render(
        "inside_kernel.html",
        title=title,
        kernel=Markup(kernel_svg(kernel, limit, label=f"{title}, its numbers in coloured cells")),
        filtered=filtered(title, kernel, applied) if applied else None,
        sentences=[*sentences, sums],
    )


def filtered(title: str, kernel: np.ndarray, applied: KernelInput) -> Filtered:
    """The kernel's input and its correlation with the kernel (kh, kw)."""
    result = filter_image(applied.values, kernel)
    limit, sharp, (before, before_scale) = symmetric_limit(result), len(result) < SHARP_BELOW, applied.colours()
    return Filtered(
        applied.name,
        Picture(before, applied.name, sharp),
        before_scale,
        Picture(diverging(result, limit), f"{applied.name}, filtered by {title}", sharp),
        diverging_scale(limit),
    )


def kernel_sentence(kernel: np.ndarray, limit: float, *, brightness: bool) -> str:
    """The pattern a kernel responds to, where one makes up most of its energy; else its response to an even area."""
    shape, total = kernel_shape(kernel), float(kernel.sum())
    if kernel.size > 1 and shape.slope >= NAMED_SHARE:
        direction = DIRECTIONS[round(shape.direction / 45) % 8]
        edges = "dark to light" if brightness else "low to high values"
        return (
            f"It responds to edges from {edges}, going {direction}: an even slope that way makes up "
            f"{100 * shape.slope:.0f} % of the kernel (of its sum of squares)."
        )
    if kernel.size > 1 and shape.even >= NAMED_SHARE:
        sign = " and changes the sign" if total < 0 else ""
        return (
            f"It mostly blurs{sign}: one and the same number makes up {100 * shape.even:.0f} % of it (of its sum "
            "of squares)."
        )
    return f"Its numbers add up to {number(total, limit)}: that is what an even area of value 1 becomes."


def sums_sentence(layer: str, module: nn.Conv2d, out: int) -> str:
    """How a convolution computes output channel `out` from the filtered images; empty where there is no more to do."""
    reads = module.in_channels // module.groups
    bias = "" if module.bias is None else f" the bias {number(float(module.bias.detach()[out]), 0)}"
    if reads == 1:
        return f"{layer} then adds{bias}." if bias else ""
    return (
        f"{layer} adds up {reads} such results, one for each input channel{f', and{bias}' if bias else ''}; "
        f"the sum is its output channel {out}."
    )
