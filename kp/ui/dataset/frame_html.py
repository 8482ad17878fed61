"""Facts about a frame, its coordinates and the notice of a missing dataset, as HTML."""

from html import escape

import numpy as np

from kp.data import FacialKeypointsDataset
from kp.drawing.overlay import REGION_COLOURS
from kp.landmarks import POINT_NAMES, REGION_OF_POINT
from kp.ui.dataset.frames import eye_distance, frame_title
from kp.ui.static import read_static

FACTS_CSS = read_static("frame_facts.css")
TABLE_CSS = read_static("coordinates.css")


def notice_html(problem: str) -> str:
    """A box with the reason why there are no faces."""
    return f'<div class="kp-notice">{escape(problem)}</div>'


def facts_html(dataset: FacialKeypointsDataset, row: int) -> str:
    """Person, file, size and eye distance of a frame; below them the legend."""
    frame, (height, width) = dataset.frames[row], dataset.image(row).shape[:2]
    source = f'open_data("synthetic")[{row}]' if dataset.synthetic else f"{frame.folder}/{frame.name}"
    facts = [
        f"<b>{escape(frame_title(frame))}</b>",
        f"<code>{escape(source)}</code>",
        f"{width} × {height} pixels",
        f"{eye_distance(dataset.keypoints[row]):.1f} pixels between the outer eye corners",
    ]
    return f'<div class="facts">{"".join(f"<p>{fact}</p>" for fact in facts)}</div>{legend_html()}'


def legend_html() -> str:
    """The colours of the face's regions."""
    names = [f'<span><i style="background:rgb{colour}"></i>{name}</span>' for name, colour in REGION_COLOURS.items()]
    return f'<div class="legend">{"".join(names)}</div>'


def coordinates_html(keypoints: np.ndarray, *, decimals: int = 0) -> str:
    """The 68 points as a table: number, name, region, x, y in pixels."""
    rows = "".join(
        f"<tr><td>{index}</td><td>{POINT_NAMES[index]}</td><td>{REGION_OF_POINT[index]}</td>"
        f"<td>{x:.{decimals}f}</td><td>{y:.{decimals}f}</td></tr>"
        for index, (x, y) in enumerate(keypoints)
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("point", "name", "region", "x", "y"))
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="Coordinates of the 68 points, in pixels">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
