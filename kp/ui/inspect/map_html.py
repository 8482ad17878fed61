"""Feature maps as HTML: the cells and the line above a grid, and one stage's output enlarged."""

import cv2
import numpy as np
from markupsafe import Markup

from kp.drawing.network import number, over_face, sequential, sequential_range, strip
from kp.drawing.overlay import data_uri, draw_box, draw_face, enlarge, scale_points
from kp.explain.feature_maps import MapGeometry
from kp.geometry import Box, compose, scaling
from kp.landmarks import NUM_KEYPOINTS, POINT_NAMES
from kp.ui.inspect.html import SHARP_SIDE, Picture, sequential_scale, summary_html
from kp.ui.static import render
from kp.ui.widgets.image_grid import GridItem, grid_item

CELL_PIXELS = 64  # larger maps are shrunk to this for the grid
FACE_SIDE = 448  # pixels of an enlarged face
STRIP_WIDTH = 64  # squares in a row of a vector's picture


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


def maps_summary(label: str, maps: np.ndarray, ends: tuple[float, float] | None) -> str:
    """Above the grid of maps (channels, h, w). ends: of the colour scale, if the maps share one."""
    dead = int((np.ptp(maps, axis=(1, 2)) == 0).sum())
    constant = (
        f"{dead} of the {len(maps)} maps are constant for this face." if dead else "No map is constant for this face."
    )
    text = f"The brighter a pixel, the higher its activation. {constant}"
    if ends is None:
        return summary_html(label, f"{text} Each map has its own colour scale.", "")
    return summary_html(label, text, sequential_scale(*ends))


def map_title(stage: str, count: int, index: int) -> str:
    """A map's name; where there is one for each point, also the point's."""
    point = f" (point {index}: {POINT_NAMES[index]})" if stage == "heatmaps" and count == NUM_KEYPOINTS else ""
    return f"Map {index} of {stage}{point}"


def map_detail(title: str, values: np.ndarray, crop: np.ndarray, geometry: MapGeometry) -> str:
    """A feature map (h, w) enlarged, and over the crop uint8 (S, S, 3) that it was computed from."""
    low, high = min(0.0, float(values.min())), float(values.max())
    colours = sequential(values, low, high)
    return render(
        "inside_map.html",
        title=title,
        map=Picture(colours, title, sharp=True),
        scale=sequential_scale(low, high),
        overlay=Picture(map_overlay(values, colours, crop, geometry), f"{title}, laid over the face"),
        statistics=statistics(values),
        geometry=geometry_sentences(values, len(crop), geometry),
    )


def map_overlay(values: np.ndarray, colours: np.ndarray, crop: np.ndarray, geometry: MapGeometry) -> np.ndarray:
    """A map (h, w) as colours uint8 (h, w, 3), over the enlarged crop; a frame shows the brightest pixel's field."""
    face, factor = enlarge(crop, FACE_SIDE)
    overlay = over_face(face, colours, compose(scaling(factor, factor), geometry.matrix))
    if not _has_frame(values, len(crop), geometry):
        return overlay
    y, x = np.unravel_index(int(values.argmax()), values.shape)
    box = geometry.field(int(x), int(y))
    corners = scale_points(np.array([[box.left, box.top], [box.right, box.bottom]]), factor)
    return draw_box(overlay, Box(*map(float, corners.ravel())))


def geometry_sentences(values: np.ndarray, size: int, geometry: MapGeometry) -> list[str]:
    """Receptive field and stride of a map (h, w) in a crop of `size` pixels."""
    field = (
        "covers the whole crop" if geometry.sees >= size else f"is {geometry.sees}x{geometry.sees} pixels of the crop"
    )
    frame = "; the frame is that of its brightest pixel" if _has_frame(values, size, geometry) else ""
    sentences = [
        f"The receptive field of a pixel of this map {field}{frame}.",
        f"The stride is {geometry.step:.3g} px of the crop.",
    ]
    if not geometry.exact:
        sentences.append("The map is laid over the face as if stretched to it, right within half a step.")
    return sentences


def _has_frame(values: np.ndarray, size: int, geometry: MapGeometry) -> bool:
    """Whether the brightest pixel's field is framed: not if it covers the crop, or if the map is constant."""
    return geometry.sees < size and bool(np.ptp(values))


def statistics(values: np.ndarray) -> str:
    """A sentence on a map or a vector."""
    if not values.any():
        return "Zero everywhere for this face: no activation, or a dead kernel."
    limit = float(np.abs(values).max())
    low, high, mean = (number(float(value), limit) for value in (values.min(), values.max(), values.mean()))
    return Markup("From <b>{}</b> to <b>{}</b>, mean <b>{}</b>. Exactly zero: <b>{:.0f} %</b>.").format(
        low, high, mean, 100 * float((values == 0).mean())
    )


def vector_detail(title: str, values: np.ndarray) -> str:
    """The numbers (n,) of a fully connected stage, as rows of coloured squares."""
    low, high = sequential_range(values)
    width = min(STRIP_WIDTH, len(values))
    colours = sequential(strip(values, width=width), low, high)
    return render(
        "inside_vector.html",
        title=title,
        strip=Picture(colours, f"{title}, a small square for each number", sharp=True),
        scale=sequential_scale(low, high),
        statistics=statistics(values),
        width=width,
    )


def points_detail(title: str, keypoints: np.ndarray, crop: np.ndarray) -> str:
    """The prediction: keypoints (68, 2) in crop pixels, on the crop uint8 (S, S, 3)."""
    face, factor = enlarge(crop, FACE_SIDE)
    (left, top), (right, bottom) = keypoints.min(axis=0), keypoints.max(axis=0)
    return render(
        "inside_points.html",
        title=title,
        picture=Picture(draw_face(face, scale_points(keypoints, factor)), "The crop with its points"),
        count=len(keypoints),
        size=len(crop),
        left=left,
        right=right,
        top=top,
        bottom=bottom,
    )
