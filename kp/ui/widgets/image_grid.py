"""A grid of pictures as buttons: by mouse and by keyboard, sharp pixels where wanted, three columns on a phone."""

from collections.abc import Sequence
from typing import TypedDict

import gradio as gr
from markupsafe import escape

from kp.ui.static import read_static


class GridItem(TypedDict):
    """src: a data: address. alt: alternative text. caption: a short line below, or empty."""

    src: str
    alt: str
    caption: str
    chosen: bool


def grid_item(src: str, alt: str, caption: str = "", *, chosen: bool = False) -> GridItem:
    return {"src": src, "alt": alt, "caption": caption, "chosen": chosen}


def image_grid(
    items: Sequence[GridItem] = (),
    *,
    elem_id: str,
    label: str,
    cell: int = 120,
    phone_columns: int = 3,
    pixelated: bool = False,
) -> gr.HTML:
    """The grid; `grid.select(fn)` passes a gr.EventData whose `index` is the clicked item's.

    cell: the least width of a cell, pixels. pixelated: show the pixels as squares.
    """
    style = (
        f"--grid-cell: {cell}px; --grid-phone-columns: {phone_columns}; "
        f"--grid-rendering: {'pixelated' if pixelated else 'auto'}"
    )
    template = read_static("grid.hbs").replace("LABEL", str(escape(label))).replace("STYLE", style)  # gradio's own
    return gr.HTML(
        list(items),
        html_template=template,
        css_template=read_static("grid.css"),
        js_on_load=read_static("grid.js"),
        elem_id=elem_id,
        show_label=False,
    )
