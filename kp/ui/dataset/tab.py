"""The Dataset tab: faces with their labels, what a split means for a frame, and what transforms do to it."""

from dataclasses import dataclass

import gradio as gr

from kp.drawing.stages import CHAINS
from kp.ui.context import AppContext
from kp.ui.dataset.download_notice import DownloadNotice
from kp.ui.dataset.frame_html import FACTS_CSS, TABLE_CSS
from kp.ui.dataset.frames import EVERYBODY
from kp.ui.dataset.handlers import FrameHandlers
from kp.ui.dataset.shape_space import build_face_space
from kp.ui.widgets.feedback import show_errors
from kp.ui.widgets.image_grid import image_grid
from kp.ui.widgets.safe_image import ServedImage
from kp.ui.widgets.stage_cards import CSS as STAGES_CSS
from kp.ui.widgets.synthetic_notice import sample_line

LEAD = """Frames of videos, each with 68 labelled points. Click a face to see its labels, the other frames of its video,
and the transforms that a network's input goes through."""
SPLITS = [("by person", "people"), ("as published", "official")]
PARTS = [("training", "train"), ("test", "test")]
MARKS = ["points", "numbers", "contours"]
COUNT = '<div class="count">${value}</div>'
COUNT_CSS = ".count {font-size: .875rem; line-height: 40px; color: var(--body-text-color-subdued)}"
SELECT_TEXT = "() => setTimeout(() => document.querySelector('#dataset-person input').select(), 30)"
SHOW_PICTURE = """() => {if (innerWidth <= 640)
  document.getElementById('dataset-picture').scrollIntoView({behavior: 'smooth', block: 'start'})}"""
QUIET = {"show_progress": "hidden", "api_visibility": "private"}
LESSON = """A face comes in several frames of a video, which look much alike. The split *as published* puts frames
of one video into both parts: with real people, copying the labels of the nearest training frame scores an error of
13.8 % (NME) there without any learning, so a network looks better than it is. The split *by person* keeps all frames of
a person in one part. Labels of real people came from an automatic aligner and were rounded to whole pixels, which alone
is worth about 0.9 %; those of the sample faces are exact. A transform moves a picture and its points by the same
matrix, so the points stay on the face.

**Try this:** choose *as published* and *test*, click a face, and compare it with the other frames of its video."""


@dataclass(frozen=True)
class Browser:
    """What selects frames, and the page of them. `chosen` is a row of the dataset, this visitor's own."""

    split: gr.Radio
    part: gr.Radio
    person: gr.Dropdown
    grid: gr.HTML
    summary: gr.Markdown
    previous: gr.Button
    page: gr.Number
    count: gr.HTML
    next: gr.Button
    chosen: gr.State

    @property
    def selection(self) -> list[gr.components.Component]:
        return [self.split, self.part, self.person]

    @property
    def shown(self) -> list[gr.components.Component]:
        return [self.grid, self.summary, self.page, self.count]


@dataclass(frozen=True)
class Detail:
    """The chosen frame, and the switches of what is drawn on it."""

    picture: gr.Image
    marks: gr.CheckboxGroup
    facts: gr.HTML
    leak: gr.Markdown
    others: gr.HTML
    coordinates: gr.HTML

    @property
    def shown(self) -> list[gr.components.Component]:
        return [self.picture, self.facts, self.leak, self.others, self.coordinates]


@dataclass(frozen=True)
class Stages:
    """The transforms of the chosen frame."""

    chain: gr.Radio
    dice: gr.Button
    seed: gr.State
    cards: gr.HTML


def build(app: AppContext) -> None:
    """The tab's content."""
    handlers = FrameHandlers(app.data)
    gr.Markdown(LEAD, elem_classes="kp-lead")
    notice = gr.HTML(elem_id="dataset-notice", visible=False)
    sample_line(app, "dataset")
    DownloadNotice(app)
    with gr.Column(elem_id="dataset-body") as body:
        filters = _filters()
        with gr.Row():
            with gr.Column(scale=9, min_width=320):
                browser = _browser(*filters)
            with gr.Column(scale=11, min_width=320):
                detail = _detail()
        stages = _stages()
        build_face_space()
        with gr.Accordion("What is going on here?", open=False):
            gr.Markdown(LESSON)
    _wire_browser(handlers, browser, detail, stages)
    _wire_detail(handlers, browser, detail, stages)
    started = gr.on(
        app.fills,
        show_errors(handlers.start),
        [browser.split, browser.part],
        [notice, body, browser.person, *browser.shown, browser.chosen],
        **QUIET,
    )
    _then_detail(started, handlers, browser, detail, stages)


def _filters() -> tuple[gr.Radio, gr.Radio, gr.Dropdown]:
    with gr.Row():
        split = gr.Radio(SPLITS, value="people", label="Split", elem_id="dataset-split", min_width=270)
        part = gr.Radio(PARTS, value="test", label="Part", elem_id="dataset-part", min_width=220)
        person = gr.Dropdown(
            [("everybody", EVERYBODY)], value=EVERYBODY, label="Person", elem_id="dataset-person", min_width=170
        )
    return split, part, person


def _browser(split: gr.Radio, part: gr.Radio, person: gr.Dropdown) -> Browser:
    summary = gr.Markdown(elem_id="dataset-summary", elem_classes="kp-note")
    grid = image_grid(elem_id="dataset-grid", label="Faces with their labels", cell=80, phone_columns=4)
    with gr.Row(equal_height=True):
        previous = gr.Button("Previous", elem_id="dataset-previous", min_width=80)
        page = gr.Number(
            1, label="Page", show_label=False, container=False, precision=0, elem_id="dataset-page", min_width=60
        )
        count = gr.HTML(html_template=COUNT, css_template=COUNT_CSS, elem_id="dataset-count")
        following = gr.Button("Next", elem_id="dataset-next", min_width=80)
    return Browser(split, part, person, grid, summary, previous, page, count, following, gr.State(None))


def _detail() -> Detail:
    with gr.Row():
        with gr.Column(scale=2, min_width=260):
            picture = ServedImage(
                label="The chosen frame",
                show_label=False,
                interactive=False,
                format="png",
                height=400,
                buttons=["fullscreen", "download"],
                elem_id="dataset-picture",
            )
            marks = gr.CheckboxGroup(
                MARKS, value=["points"], label="Draw", show_label=False, container=False, elem_id="dataset-marks"
            )
        with gr.Column(scale=1, min_width=180):
            facts = gr.HTML(css_template=FACTS_CSS, elem_id="dataset-facts")
            leak = gr.Markdown(elem_id="dataset-leak")
            others = image_grid(elem_id="dataset-others", label="Other frames of the same video", cell=60)
    with gr.Accordion("Coordinates of the 68 points, in pixels", open=False, elem_id="dataset-coordinates"):
        coordinates = gr.HTML(css_template=TABLE_CSS)
    return Detail(picture, marks, facts, leak, others, coordinates)


def _stages() -> Stages:
    gr.Markdown("### Transforms\nThe chosen frame after each transform, its points drawn in place.")
    with gr.Row(equal_height=True):
        chain = gr.Radio(
            list(CHAINS),
            value=next(iter(CHAINS)),
            label="Transforms",
            show_label=False,
            container=False,
            elem_id="dataset-chain",
            scale=4,
            min_width=240,
        )
        dice = gr.Button("Draw again", elem_id="dataset-dice", scale=1, min_width=140)
    cards = gr.HTML(css_template=STAGES_CSS, elem_id="dataset-stages")
    return Stages(chain, dice, gr.State(0), cards)


def _wire_browser(handlers: FrameHandlers, browser: Browser, detail: Detail, stages: Stages) -> None:
    selected = gr.on(
        [component.input for component in browser.selection],
        show_errors(handlers.select),
        [*browser.selection, browser.chosen],
        [browser.person, *browser.shown, browser.chosen],
        trigger_mode="always_last",
        **QUIET,
    )
    _then_detail(selected, handlers, browser, detail, stages)
    browser.person.focus(None, js=SELECT_TEXT, api_visibility="private")  # so that typing starts a new search
    place = [*browser.selection, browser.page, browser.chosen]
    browser.previous.click(show_errors(handlers.previous), place, browser.shown, **QUIET)
    browser.next.click(show_errors(handlers.next), place, browser.shown, **QUIET)
    browser.page.input(
        show_errors(handlers.jump), place, [browser.grid, browser.summary], trigger_mode="always_last", **QUIET
    )


def _wire_detail(handlers: FrameHandlers, browser: Browser, detail: Detail, stages: Stages) -> None:
    drawn = [browser.chosen, stages.chain, stages.seed]
    place = [*browser.selection, browser.page, detail.marks]
    for event in (
        browser.grid.select(
            show_errors(handlers.pick), place, [browser.chosen, *detail.shown], trigger_mode="always_last", **QUIET
        ).success(None, js=SHOW_PICTURE, api_visibility="private"),
        detail.others.select(
            show_errors(handlers.pick_other),
            [*place, browser.chosen],
            [browser.chosen, *detail.shown, browser.grid],
            trigger_mode="always_last",
            **QUIET,
        ),
    ):
        event.success(show_errors(handlers.stages), drawn, stages.cards, **QUIET)
    detail.marks.input(
        show_errors(handlers.picture),
        [browser.chosen, detail.marks],
        detail.picture,
        trigger_mode="always_last",
        **QUIET,
    )
    stages.chain.input(show_errors(handlers.stages), drawn, stages.cards, trigger_mode="always_last", **QUIET)
    stages.dice.click(show_errors(handlers.roll), drawn, [stages.seed, stages.cards], **QUIET)


def _then_detail(
    event: gr.events.Dependency, handlers: FrameHandlers, browser: Browser, detail: Detail, stages: Stages
) -> None:
    event.success(
        show_errors(handlers.detail),
        [browser.split, browser.chosen, detail.marks],
        detail.shown,
        **QUIET,
    ).success(
        show_errors(handlers.stages),
        [browser.chosen, stages.chain, stages.seed],
        stages.cards,
        **QUIET,
    )
