"""The Evaluate tab's components, built top to bottom as they appear on the page."""

from dataclasses import dataclass

import gradio as gr

from kp.detectors import DETECTORS
from kp.ui.dataset.frame_html import FACTS_CSS, legend_html
from kp.ui.static import read_static
from kp.ui.widgets.image_grid import image_grid
from kp.ui.widgets.safe_image import ServedImage

SPLITS = [("by person", "people"), ("as published", "official")]
SETTINGS = [("true box", "true-box"), ("detected box", "detected-box")]
MAX_MODELS = 6  # at once: as many as there are colours


@dataclass(frozen=True)
class Controls:
    """What is measured. `job`: the number of the measurement that this page follows."""

    models: gr.Dropdown
    split: gr.Radio
    setting: gr.Radio
    detector: gr.Radio
    run: gr.Button
    stop: gr.Button
    status: gr.HTML
    job: gr.State

    @property
    def conditions(self) -> list[gr.blocks.Block]:
        return [self.models, self.split, self.setting, self.detector]


@dataclass(frozen=True)
class Worst:
    """The faces with the largest errors. `predictions` are this visitor's own list of LabelledPrediction."""

    model: gr.Radio
    note: gr.Markdown
    grid: gr.HTML
    body: gr.Row
    picture: gr.Image
    facts: gr.HTML
    predictions: gr.State

    @property
    def shown(self) -> list[gr.blocks.Block]:
        return [self.predictions, self.grid, self.note, self.body, self.picture, self.facts]


@dataclass(frozen=True)
class Leak:
    """Figures on both splits, and frames of one video. `number` counts the examples shown."""

    figures: gr.HTML
    siblings: gr.HTML
    another: gr.Button
    number: gr.State

    @property
    def example(self) -> list[gr.blocks.Block]:
        return [self.siblings, self.another, self.number]


@dataclass(frozen=True)
class EvaluateParts:
    """All components of the tab that a handler reads or writes."""

    controls: Controls
    table: gr.HTML
    plots: gr.HTML
    worst: Worst
    leak: Leak


def build_parts() -> EvaluateParts:
    """The components. To be called inside a gr.Blocks context."""
    css = read_static("evaluate.css")
    with gr.Row():
        with gr.Column(scale=1, min_width=240):
            controls = _controls()
        with gr.Column(scale=3, min_width=320):
            table = gr.HTML(css_template=css, elem_id="evaluate-table")
            plots = gr.HTML(css_template=css, elem_id="evaluate-plots")
    return EvaluateParts(controls, table, plots, _worst(), _leak(css))


def _controls() -> Controls:
    models = gr.Dropdown(
        [],
        value=[],
        multiselect=True,
        max_choices=MAX_MODELS,
        label="Models",
        elem_id="evaluate-models",
        info="one, or several to compare",
    )
    split = gr.Radio(SPLITS, value="people", label="Split: whose test images", elem_id="evaluate-split")
    setting = gr.Radio(SETTINGS, value="true-box", label="Where the face's box comes from", elem_id="evaluate-setting")
    detector = gr.Radio(
        [(kind.title, name) for name, kind in DETECTORS.items()],
        value="yunet",
        label="Face detector",
        visible=False,
        elem_id="evaluate-detector",
    )
    run = gr.Button("Run", variant="primary", interactive=False, elem_id="evaluate-run")
    stop = gr.Button("Stop", variant="stop", visible=False, elem_id="evaluate-stop")
    return Controls(models, split, setting, detector, run, stop, gr.HTML(elem_id="evaluate-status"), gr.State(None))


def _worst() -> Worst:
    gr.Markdown("### The worst faces")
    model = gr.Radio(
        [], label="Of which model", show_label=False, container=False, visible=False, elem_id="evaluate-whose"
    )
    note = gr.Markdown(elem_classes="kp-note", elem_id="evaluate-worst-note")
    with gr.Row(visible=False) as body:
        with gr.Column(scale=9, min_width=320):
            grid = image_grid(elem_id="evaluate-worst", label="The faces with the largest errors", cell=110)
        with gr.Column(scale=7, min_width=300):
            picture = ServedImage(
                label="The chosen face",
                show_label=False,
                interactive=False,
                format="png",
                height=400,
                buttons=["fullscreen", "download"],
                elem_id="evaluate-picture",
            )
        with gr.Column(scale=5, min_width=220):
            facts = gr.HTML(css_template=FACTS_CSS, elem_id="evaluate-facts")
            gr.HTML(legend_html(), css_template=FACTS_CSS)
    return Worst(model, note, grid, body, picture, facts, gr.State(None, time_to_live=3600))


def _leak(css: str) -> Leak:
    gr.Markdown("### What the published split hides")
    with gr.Row():
        with gr.Column(scale=1, min_width=320):
            figures = gr.HTML(css_template=css, elem_id="evaluate-leak")
        with gr.Column(scale=1, min_width=320):
            siblings = gr.HTML(css_template=css, elem_id="evaluate-siblings")
            another = gr.Button("Another person", size="md", visible=False, elem_id="evaluate-another")
    return Leak(figures, siblings, another, gr.State(0))
