"""The Dataset tab: faces with their labels, what a split means for a frame, and what transforms do to it."""

import gradio as gr

from kp.ui.context import AppContext
from kp.ui.dataset.download_notice import build_download_notice
from kp.ui.dataset.handlers import FrameHandlers
from kp.ui.dataset.parts import DatasetParts, dataset_parts
from kp.ui.events import Action
from kp.ui.static import read_static
from kp.ui.widgets.synthetic_notice import sample_line

LEAD = """Frames of videos, each with 68 labelled points. Click a face to see its labels, the other frames of its video,
and the transforms that a network's input goes through."""


def build(app: AppContext) -> None:
    """The tab's content."""
    gr.Markdown(LEAD, elem_classes="kp-lead")
    notice = gr.HTML(elem_id="dataset-notice", visible=False)
    sample_line(app, "dataset")
    build_download_notice(app)
    parts = dataset_parts(notice)
    _wire(app, parts, FrameHandlers(app.data, parts))


def _wire(app: AppContext, parts: DatasetParts, handlers: FrameHandlers) -> None:
    """Connect the components' events with the handlers."""
    filters, browser, detail, stages = parts.filters, parts.browser, parts.detail, parts.stages
    place = [*filters.selection, browser.page, browser.chosen]
    selected = [filters.person, *browser.shown, browser.chosen]
    drawn = [browser.chosen, stages.chain, stages.seed]
    start = Action(handlers.start, [filters.split, filters.part], [parts.notice, parts.body, *selected])
    select = Action(handlers.select, [*filters.selection, browser.chosen], selected, latest=True)
    previous = Action(handlers.previous, place, browser.shown)
    following = Action(handlers.next, place, browser.shown)
    jump = Action(handlers.jump, place, [browser.grid, browser.summary], latest=True)
    pick = Action(handlers.pick, [*place[:-1], detail.marks], [browser.chosen, *detail.shown], latest=True)
    pick_other = Action(
        handlers.pick_other, [*place, detail.marks], [browser.chosen, *detail.shown, browser.grid], latest=True
    )
    show_detail = Action(handlers.detail, [filters.split, browser.chosen, detail.marks], detail.shown)
    draw = Action(handlers.draw, [browser.chosen, detail.marks], detail.picture, latest=True)
    show_stages = Action(handlers.show_stages, drawn, stages.cards)
    roll = Action(handlers.roll, drawn, [stages.seed, stages.cards])
    scroll = Action(js=read_static("dataset_scroll.js"))

    show_stages.after(show_detail.after(start.on(*app.fills)))
    show_stages.after(show_detail.after(select.on(filters.split.input, filters.part.input, filters.person.input)))
    Action(js=read_static("dataset_select_person.js")).on(filters.person.focus)
    previous.on(browser.previous.click)
    following.on(browser.next.click)
    jump.on(browser.page.input)
    show_stages.after(scroll.after(pick.on(browser.grid.select)))
    show_stages.after(pick_other.on(detail.others.select))
    draw.on(detail.marks.input)
    show_stages.with_latest().on(stages.chain.input)
    roll.on(stages.dice.click)
