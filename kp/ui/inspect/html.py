"""The Feature maps tab as HTML: labels, grids of kernels and maps, and one of them enlarged."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import cv2
import numpy as np
from markupsafe import Markup
from torch import nn

from kp.data.images import to_grey
from kp.drawing.network import (
    diverging,
    grey,
    kernel_svg,
    number,
    over_face,
    scale_svg,
    sequential,
    sequential_range,
    strip,
    symmetric_limit,
)
from kp.drawing.overlay import data_uri, draw_box, draw_face, enlarge, scale_points
from kp.explain.feature_maps import MapGeometry
from kp.explain.kernels import filter_image, kernel_shape
from kp.geometry import Box, compose, scaling
from kp.landmarks import NUM_KEYPOINTS, POINT_NAMES
from kp.ui.static import render
from kp.ui.widgets.image_grid import GridItem, grid_item

CELL_PIXELS = 64  # larger maps are shrunk to this for the grid
SHARP_SIDE = 32  # pixels; pictures up to this are PNG, larger ones JPEG, which is a third as long
SHARP_BELOW = 100  # pixels; maps smaller than this are enlarged as squares
FACE_SIDE = 448  # pixels of an enlarged face
MUCH = 0.5  # share of a kernel's energy from which a pattern is named
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


def convolution_label(name: str, convolution: nn.Conv2d) -> str:
    height, width = convolution.kernel_size
    reads = convolution.in_channels // convolution.groups
    count = f"{convolution.out_channels}x{reads}" if reads > 1 else str(convolution.out_channels)
    return f"{name}: {count} kernels of {height}x{width}"


def stage_label(name: str, shape: Sequence[int]) -> str:
    if len(shape) == 3:
        return f"{name}: {shape[0]} maps of {shape[1]}x{shape[2]}"
    return f"{name}: {shape[0]} {'points' if len(shape) == 2 else 'numbers'}"


def picture(image: np.ndarray, alt: str, *, sharp: bool = False) -> str:
    """An <img>. sharp: show the pixels as squares."""
    source = data_uri(image, quality=0 if sharp or max(image.shape[:2]) <= SHARP_SIDE else 92)
    return f'<img class="{"px" if sharp else ""}" alt="{escape(alt)}" src="{source}">'


def figure(caption: str, *content: str, css: str = "") -> str:
    return f'<figure class="{css}"><figcaption>{caption}</figcaption>{"".join(content)}</figure>'


def kernel_items(kernels: np.ndarray, first: int, chosen: int, limit: float) -> list[GridItem]:
    """Buttons for kernels (n, kh, kw), numbered from `first`."""
    return [
        grid_item(data_uri(diverging(kernel, limit)), f"Kernel {index}", str(index), chosen=index == chosen)
        for index, kernel in enumerate(kernels, first)
    ]


def map_items(maps: np.ndarray, first: int, chosen: int, ends: tuple[float, float] | None) -> list[GridItem]:
    """Buttons for feature maps (n, h, w), numbered from `first`; each on its own colour scale where ends is None."""
    items = []
    for index, values in enumerate(maps, first):
        small = values
        if max(values.shape) > CELL_PIXELS:
            small = cv2.resize(values, (CELL_PIXELS, CELL_PIXELS), interpolation=cv2.INTER_AREA)
        colours = sequential(small, *(ends or sequential_range(values)))
        source = data_uri(colours, quality=0 if max(colours.shape) <= SHARP_SIDE else 88)
        items.append(grid_item(source, f"Feature map {index}", str(index), chosen=index == chosen))
    return items


def kernels_summary(label: str, kernels: np.ndarray, limit: float) -> str:
    """Above the grid of kernels (out, in, kh, kw)."""
    pairs = (
        f"{kernels.shape[1]} channels go in and {len(kernels)} maps come out, with a kernel for each pair. "
        if kernels.shape[1] > 1
        else ""
    )
    text = (
        f"{pairs}{kernels.size:,} trained weights from {number(float(kernels.min()), limit)} to "
        f"{number(float(kernels.max()), limit)}: red is positive, blue negative, white zero."
    )
    return _heading(label, text, scale_svg(-limit, limit, lambda values: diverging(values, limit)))


def maps_summary(label: str, maps: np.ndarray, ends: tuple[float, float] | None) -> str:
    """Above the grid of maps (channels, h, w). ends: of the colour scale, if the maps share one."""
    dead = int((np.ptp(maps, axis=(1, 2)) == 0).sum())
    alive = (
        f"{dead} of the {len(maps)} maps are constant for this face." if dead else "No map is constant for this face."
    )
    text = f"The brighter a pixel, the higher its activation. {alive}"
    if ends is None:
        return _heading(label, text + " Each map has its own colour scale.", "")
    return _heading(label, text, scale_svg(*ends, lambda values: sequential(values, *ends)))


def _heading(label: str, text: str, scale: str) -> str:
    return render("inside_summary.html", label=label, text=text, scale=Markup(scale))


@dataclass(frozen=True)
class Applied:
    """What a kernel is shown at work on: values (H, W), what they are, and whether they are brightness 0..1."""

    values: np.ndarray
    name: str
    is_face: bool

    def colours(self) -> tuple[np.ndarray, str]:
        """The picture uint8 (H, W, 3), and its colour scale where it needs one."""
        if self.is_face:
            return grey(self.values), ""
        ends = sequential_range(self.values)
        return sequential(self.values, *ends), scale_svg(*ends, lambda values: sequential(values, *ends))


def kernel_detail(title: str, kernel: np.ndarray, limit: float, *, applied: Applied | None, sums: str) -> str:
    """A kernel (kh, kw) with its numbers, between what it is applied to (if anything) and the filtered image.

    sums: a sentence on how the network goes on from this result.
    """
    cells = kernel.size
    row = figure("The kernel", kernel_svg(kernel, limit, label=f"{title}, its numbers in coloured cells"), css="kernel")
    if applied:
        result = filter_image(applied.values, kernel)
        own, sharp, (before, scale) = symmetric_limit(result), len(result) < SHARP_BELOW, applied.colours()
        after = picture(diverging(result, own), f"{applied.name}, filtered by {title}", sharp=sharp)
        row = (
            figure(escape(applied.name), picture(before, applied.name, sharp=sharp), scale)
            + _sign("\N{ASTERISK OPERATOR}")
            + row
            + _sign("=")
            + figure("The filtered image", after, scale_svg(-own, own, lambda values: diverging(values, own)))
        )
    rule = (
        f"Each pixel of the result is the sum of {cells} products: the kernel's {cells} numbers times the "
        f"{cells} pixels under it."
        if cells > 1
        else "Each pixel of the result is the pixel times this one number."
    )
    pattern = kernel_sentence(kernel, limit, brightness=applied is None or applied.is_face)
    if applied and not applied.values.any():
        pattern += f" {applied.name} is zero everywhere for this face, and so is the result."
    return f'<h2>{escape(title)}</h2><div class="row">{row}</div><p>{rule} {pattern} {sums}</p>'


def _sign(text: str) -> str:
    return f'<span class="op" aria-hidden="true">{text}</span>'


def kernel_sentence(kernel: np.ndarray, limit: float, *, brightness: bool) -> str:
    """The pattern a kernel responds to, where one makes up most of its energy; else its response to an even area."""
    shape, total = kernel_shape(kernel), float(kernel.sum())
    if kernel.size > 1 and shape.slope >= MUCH:
        way = DIRECTIONS[round(shape.direction / 45) % 8]
        edges = "dark to light" if brightness else "low to high values"
        return (
            f"It responds to edges from {edges}, going {way}: an even slope that way makes up "
            f"{100 * shape.slope:.0f} % of the kernel (of its sum of squares)."
        )
    if kernel.size > 1 and shape.even >= MUCH:
        sign = " and changes the sign" if total < 0 else ""
        return (
            f"It mostly blurs{sign}: one and the same number makes up {100 * shape.even:.0f} % of it (of its sum "
            "of squares)."
        )
    return f"Its numbers add up to {number(total, limit)}: that is what an even area of value 1 becomes."


def sums_sentence(layer: str, module: nn.Conv2d, out: int) -> str:
    """How a convolution goes on from one kernel's result."""
    reads = module.in_channels // module.groups
    bias = "" if module.bias is None else f" the bias {number(float(module.bias.detach()[out]), 0)}"
    if reads == 1:
        return f"{layer} then adds{bias}." if bias else ""
    return (
        f"{layer} adds up {reads} such results, one for each channel it reads{f', and{bias}' if bias else ''}; "
        f"the sum becomes its map {out}."
    )


def map_detail(title: str, values: np.ndarray, crop: np.ndarray, geometry: MapGeometry) -> str:
    """A feature map (h, w) enlarged, and over the crop uint8 (S, S, 3) that it was made from."""
    ends = min(0.0, float(values.min())), float(values.max())
    colours = sequential(values, *ends)
    face, factor = enlarge(crop, FACE_SIDE)
    laid = over_face(face, colours, compose(scaling(factor, factor), geometry.matrix))
    y, x = np.unravel_index(int(values.argmax()), values.shape)
    box = geometry.field(int(x), int(y))
    sees = f"The receptive field of a pixel of this map is {geometry.sees}x{geometry.sees} pixels of the crop"
    if geometry.sees >= len(crop):
        sees = "The receptive field of a pixel of this map covers the whole crop"
    elif np.ptp(values):
        corners = scale_points(np.array([[box.left, box.top], [box.right, box.bottom]]), factor)
        laid = draw_box(laid, Box(*map(float, corners.ravel())))
        sees += "; the frame is that of its brightest pixel"
    near = "" if geometry.exact else " The map is laid over the face as if stretched to it, right within half a step."
    return (
        f'<h2>{escape(title)}</h2><div class="row">'
        + figure("The map", picture(colours, title, sharp=True), scale_svg(*ends, lambda v: sequential(v, *ends)))
        + figure("Over the face", picture(laid, f"{title}, laid over the face"))
        + f'<div class="beside"><p>{statistics(values)}</p>'
        f"<p>{sees}. The stride is {geometry.step:.3g} px of the crop.{near}</p></div></div>"
    )


def statistics(values: np.ndarray) -> str:
    """A sentence on a map or a vector."""
    limit = float(np.abs(values).max())
    low, high, mean = (number(float(value), limit) for value in (values.min(), values.max(), values.mean()))
    zero = float((values == 0).mean())
    if zero == 1:
        return "Zero everywhere for this face: no activation, or a dead kernel."
    return f"From <b>{low}</b> to <b>{high}</b>, mean <b>{mean}</b>. Exactly zero: <b>{100 * zero:.0f} %</b>."


def vector_detail(title: str, values: np.ndarray) -> str:
    """The numbers (n,) of a fully connected stage, as a strip of colours."""
    ends = sequential_range(values)
    width = min(64, len(values))
    image = sequential(strip(values, width=width), *ends)
    small = picture(image, f"{title}, a small square for each number", sharp=True)
    return (
        f'<h2>{escape(title)}</h2><figure class="wide">{small}{scale_svg(*ends, lambda v: sequential(v, *ends))}'
        f"</figure><p>{statistics(values)} The squares go row by row, {width} a row.</p>"
    )


def points_detail(title: str, keypoints: np.ndarray, crop: np.ndarray) -> str:
    """The prediction: keypoints (68, 2) in crop pixels, on the crop uint8 (S, S, 3)."""
    face, factor = enlarge(crop, FACE_SIDE)
    drawn = draw_face(face, scale_points(keypoints, factor))
    (left, top), (right, bottom) = keypoints.min(axis=0), keypoints.max(axis=0)
    return (
        f'<h2>{escape(title)}</h2><div class="row">'
        + figure("The predicted points, on the crop", picture(drawn, "The crop with its points"), css="large")
        + f'<p class="beside">{keypoints.size} numbers: x and y of {len(keypoints)} points, here in pixels of the '
        f"{len(crop)} px crop. x goes from <b>{left:.0f}</b> to <b>{right:.0f}</b>, y from <b>{top:.0f}</b> to "
        f"<b>{bottom:.0f}</b>.</p></div>"
    )


def brightness(crop: np.ndarray) -> np.ndarray:
    """float32 (S, S), 0..1, of a crop uint8 (S, S, 3)."""
    return to_grey(crop).astype(np.float32) / 255


def seen(crop: np.ndarray, channels: int) -> np.ndarray:
    """The crop uint8 (S, S, 3) with the colours that the network sees: none, if it reads one channel."""
    return grey(brightness(crop)) if channels == 1 else crop


def crop_html(seen: np.ndarray, note: str) -> str:
    """The network's input, a crop uint8 (S, S, 3), beside a line on where it is from."""
    kind = "grey" if np.ptp(seen, axis=2).max() == 0 else "in colour"
    return render(
        "inside_crop.html", picture=Markup(picture(seen, "The network's input")), size=len(seen), kind=kind, note=note
    )


def map_title(stage: str, count: int, index: int) -> str:
    """A map's name; where there is one for each point, also the point's."""
    point = f" (point {index}: {POINT_NAMES[index]})" if stage == "heatmaps" and count == NUM_KEYPOINTS else ""
    return f"Map {index} of {stage}{point}"


def sentence(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def ranges(count: int, size: int) -> list[tuple[str, int]]:
    """Labels and numbers of pages: "0 to 63", 0."""
    return [(f"{start} to {min(start + size, count) - 1}", page) for page, start in enumerate(range(0, count, size))]


def strongest(values: Sequence[np.ndarray] | np.ndarray) -> int:
    """The index of the array that varies the most: what is worth enlarging first."""
    return int(np.argmax([float(np.std(array) if array.size > 1 else abs(array).max()) for array in values]))
