"""A grid of pictures as buttons: by mouse and by keyboard, sharp pixels where wanted, three columns on a phone."""

from collections.abc import Sequence
from typing import TypedDict

import gradio as gr

HTML = """<div class="kp-grid" role="group" aria-label="{{label}}">
{{#each value}}<button type="button" data-index="{{@index}}" aria-label="{{this.alt}}"
  class="{{#if this.chosen}}chosen{{/if}}"><img alt="" src="{{this.src}}" loading="lazy"
  >{{#if this.caption}}<span>{{this.caption}}</span>{{/if}}</button>{{/each}}</div>"""
CSS = """
.kp-grid {display: grid; gap: 6px; grid-template-columns: repeat(auto-fill, minmax(%(cell)dpx, 1fr))}
.kp-grid button {margin: 0; padding: 2px; border: 2px solid transparent; border-radius: 8px; cursor: pointer;
  background: none; color: var(--body-text-color); font: inherit; font-size: 12px; line-height: 1.3;
  min-width: 40px; min-height: 40px}
.kp-grid button:hover {border-color: var(--border-color-primary)}
.kp-grid button.chosen, .kp-grid button:focus-visible {border-color: var(--color-accent); outline: none}
.kp-grid img {width: 100%%; aspect-ratio: 1; object-fit: cover; border-radius: 5px; display: block; %(rendering)s}
.kp-grid span {display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; padding-top: 2px}
@media (max-width: 640px) {.kp-grid {grid-template-columns: repeat(%(phone)d, minmax(0, 1fr))}}
"""
# Once clicked, a cell stays marked until the grid gets another value, be it the one that it had before.
JS = """element.addEventListener('click', event => {
  const button = event.target.closest('button[data-index]');
  if (!button) return;
  const index = Number(button.dataset.index);
  props.value = props.value.map((item, place) => ({...item, chosen: place === index}));
  trigger('select', {index});
})"""


class GridItem(TypedDict):
    """src: a data: address. alt: what is to be seen, read aloud. caption: a short line below, or empty."""

    src: str
    alt: str
    caption: str
    chosen: bool


def grid_item(src: str, alt: str, caption: str = "", *, chosen: bool = False) -> GridItem:
    return {"src": src, "alt": alt, "caption": caption, "chosen": chosen}


def image_grid(items: Sequence[GridItem] = (), *, elem_id: str, label: str, cell: int = 120, phone_columns: int = 3,
               pixelated: bool = False) -> gr.HTML:
    """The grid; `grid.select(fn)` passes a gr.EventData whose `index` is the clicked item's.

    cell: the least width of a cell, pixels. pixelated: show the pixels as squares.
    """
    css = CSS % {"cell": cell, "phone": phone_columns, "rendering": "image-rendering: pixelated" if pixelated else ""}
    return gr.HTML(list(items), html_template=HTML.replace("{{label}}", label), css_template=css, js_on_load=JS,
                   elem_id=elem_id, show_label=False)
