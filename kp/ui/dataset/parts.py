"""The components of the Dataset tab."""

from dataclasses import dataclass

import gradio as gr
from gradio.blocks import Block

from kp.drawing.stages import CHAINS
from kp.ui.dataset.frame_html import FACTS_CSS, TABLE_CSS
from kp.ui.dataset.frames import EVERYBODY
from kp.ui.dataset.shape_space import build_face_space
from kp.ui.static import read_static
from kp.ui.widgets.image_grid import image_grid
from kp.ui.widgets.safe_image import ServedImage
from kp.ui.widgets.stage_cards import CSS as STAGES_CSS

SPLITS = [("by person", "people"), ("as published", "official")]
PARTS = [("training", "train"), ("test", "test")]
MARKS = ["points", "numbers", "contours"]
COUNT = '<div class="count">${value}</div>'  # gradio fills it in


@dataclass(frozen=True)
class Filters:
    """Which frames are shown: one part of a split, of everybody or of one person."""

    split: gr.Radio
    part: gr.Radio
    person: gr.Dropdown

    @property
    def selection(self) -> list[Block]:
        return [self.split, self.part, self.person]


@dataclass(frozen=True)
class Browser:
    """A page of the selected frames. count: the number of pages. chosen: a row of the dataset, this visitor's own."""

    grid: gr.HTML
    summary: gr.Markdown
    previous: gr.Button
    page: gr.Number
    count: gr.HTML
    next: gr.Button
    chosen: gr.State

    @property
    def shown(self) -> list[Block]:
        return [self.grid, self.summary, self.page, self.count]


@dataclass(frozen=True)
class Detail:
    """The chosen frame. marks: what is drawn on it. others: the other frames of its video."""

    picture: gr.Image
    marks: gr.CheckboxGroup
    facts: gr.HTML
    leak: gr.Markdown
    others: gr.HTML
    coordinates: gr.HTML

    @property
    def shown(self) -> list[Block]:
        return [self.picture, self.facts, self.leak, self.others, self.coordinates]


@dataclass(frozen=True)
class Stages:
    """The chosen frame after each transform of a chain. seed: of the transforms' random parameters."""

    chain: gr.Radio
    dice: gr.Button
    seed: gr.State
    cards: gr.HTML


@dataclass(frozen=True)
class DatasetParts:
    """All components that a handler reads or writes. body: all but the notice; hidden where there is no face."""

    notice: gr.HTML
    body: gr.Column
    filters: Filters
    browser: Browser
    detail: Detail
    stages: Stages


def dataset_parts(notice: gr.HTML) -> DatasetParts:
    """Lay out the tab's body: filters, grid and chosen frame, transforms, shape space, lesson."""
    with gr.Column(elem_id="dataset-body") as body:
        with gr.Row():
            filters = _filters()
        with gr.Row():
            with gr.Column(scale=9, min_width=320):
                browser = _browser()
            with gr.Column(scale=11, min_width=320):
                detail = _detail()
        stages = _stages()
        build_face_space()
        with gr.Accordion("What is going on here?", open=False):
            gr.Markdown(read_static("dataset_lesson.md"))
    return DatasetParts(notice, body, filters, browser, detail, stages)


def _filters() -> Filters:
    split = gr.Radio(SPLITS, value="people", label="Split", elem_id="dataset-split", min_width=270)
    part = gr.Radio(PARTS, value="test", label="Part", elem_id="dataset-part", min_width=220)
    person = gr.Dropdown(
        [("everybody", EVERYBODY)], value=EVERYBODY, label="Person", elem_id="dataset-person", min_width=170
    )
    return Filters(split, part, person)


def _browser() -> Browser:
    summary = gr.Markdown(elem_id="dataset-summary", elem_classes="kp-note")
    grid = image_grid(elem_id="dataset-grid", label="Faces with their labels", cell=80, phone_columns=4)
    with gr.Row(equal_height=True):
        previous = gr.Button("Previous", size="md", elem_id="dataset-previous", min_width=80)
        page = gr.Number(
            1, label="Page", show_label=False, container=False, precision=0, elem_id="dataset-page", min_width=60
        )
        count = gr.HTML(
            html_template=COUNT, css_template=read_static("dataset_page_count.css"), elem_id="dataset-count"
        )
        following = gr.Button("Next", size="md", elem_id="dataset-next", min_width=80)
    return Browser(grid, summary, previous, page, count, following, gr.State(None))


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
