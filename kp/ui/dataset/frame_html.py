"""Facts about a frame, its coordinates and the notice of a missing dataset, as HTML."""

import numpy as np

from kp.data import FacialKeypointsDataset
from kp.drawing.overlay import REGION_COLOURS
from kp.landmarks import POINT_NAMES, REGION_OF_POINT
from kp.ui.dataset.frames import eye_distance, frame_title
from kp.ui.static import read_static, render

FACTS_CSS = read_static("frame_facts.css")
TABLE_CSS = read_static("coordinates.css")


def notice_html(problem: str) -> str:
    """A box with the reason why there are no faces."""
    return render("notice.html", text=problem)


def facts_html(dataset: FacialKeypointsDataset, row: int) -> str:
    """Person, file, size and eye distance of a frame; below them the legend."""
    frame, (height, width) = dataset.frames[row], dataset.image(row).shape[:2]
    return render(
        "frame_facts.html",
        title=frame_title(frame),
        source=f'open_data("synthetic")[{row}]' if dataset.synthetic else f"{frame.folder}/{frame.name}",
        width=width,
        height=height,
        eye_distance=eye_distance(dataset.keypoints[row]),
        legend=legend_html(),
    )


def legend_html() -> str:
    """The colours of the face's regions."""
    return render("region_legend.html", colours=REGION_COLOURS)


def coordinates_html(keypoints: np.ndarray, *, decimals: int = 0) -> str:
    """The 68 points as a table: number, name, region, x, y in pixels."""
    rows = [
        (index, POINT_NAMES[index], REGION_OF_POINT[index], f"{x:.{decimals}f}", f"{y:.{decimals}f}")
        for index, (x, y) in enumerate(keypoints)
    ]
    return render("coordinates.html", rows=rows)
