"""What is known about a frame, as HTML; and what to say where there is no dataset."""

from html import escape

import numpy as np

from kp.data import FacialKeypointsDataset
from kp.drawing.overlay import REGION_COLOURS
from kp.landmarks import POINT_NAMES, REGION_OF_POINT
from kp.ui.frames import eye_distance, frame_title

FACTS_CSS = """
.facts {font-size: .875rem; line-height: 1.5; color: var(--body-text-color); overflow-wrap: anywhere}
.facts p {margin: 0 0 4px}
.facts code {font-family: var(--font-mono); font-size: .8125rem; color: inherit}
.legend {margin-top: 8px; display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: .8125rem;
  color: var(--body-text-color-subdued)}
.legend i {display: inline-block; width: .7em; height: .7em; border-radius: 50%; margin-right: .4em}
"""
TABLE_CSS = """
.table {max-height: 320px; overflow: auto}
.table table {border-collapse: collapse; font-size: .8125rem; width: 100%; margin: 0; border: 0;
  color: var(--body-text-color)}
.table tr {border: 0}
.table thead th {position: sticky; top: 0; background: var(--background-fill-secondary); text-align: left;
  padding: 4px 8px; border: 0}
.table tbody td {padding: 2px 8px; border: 0; border-top: 1px solid var(--border-color-primary);
  font-variant-numeric: tabular-nums}
"""


def notice_html(problem: str) -> str:
    """Why there are no faces at all."""
    return f'<div class="kp-notice">{escape(problem)}</div>'


def facts_html(dataset: FacialKeypointsDataset, row: int) -> str:
    """Who, where from, how large; and the colours' legend."""
    frame, (height, width) = dataset.frames[row], dataset.image(row).shape[:2]
    source = f'open_data("synthetic")[{row}]' if dataset.invented else f"{frame.folder}/{frame.name}"
    facts = [
        f"<b>{escape(frame_title(frame))}</b>", f"<code>{escape(source)}</code>",
        f"{width} × {height} pixels",
        f"{eye_distance(dataset.keypoints[row]):.1f} pixels between the outer eye corners",
    ]
    return f'<div class="facts">{"".join(f"<p>{fact}</p>" for fact in facts)}</div>{legend_html()}'


def legend_html() -> str:
    """The colours of the regions."""
    names = [f'<span><i style="background:rgb{colour}"></i>{name}</span>' for name, colour in REGION_COLOURS.items()]
    return f'<div class="legend">{"".join(names)}</div>'


def coordinates_html(keypoints: np.ndarray, *, decimals: int = 0) -> str:
    """The 68 points as a table: number, name, region, x, y in pixels."""
    rows = "".join(
        f"<tr><td>{index}</td><td>{POINT_NAMES[index]}</td><td>{REGION_OF_POINT[index]}</td>"
        f"<td>{x:.{decimals}f}</td><td>{y:.{decimals}f}</td></tr>" for index, (x, y) in enumerate(keypoints))
    head = "".join(f'<th scope="col">{name}</th>' for name in ("point", "name", "region", "x", "y"))
    return (f'<div class="table" tabindex="0" role="region" aria-label="Coordinates of the 68 points, in pixels">'
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>")
