"""Evaluate: how good a network is, where it fails, and what a figure is worth that comes from a leaking split."""

from dataclasses import dataclass

import gradio as gr

from kp.detectors import DETECTORS
from kp.ui.context import AppContext
from kp.ui.evaluate_handlers import EvaluateHandlers
from kp.ui.evaluate_html import CSS
from kp.ui.feedback import show_errors
from kp.ui.frame_html import FACTS_CSS, legend_html
from kp.ui.grid import image_grid
from kp.ui.safe_image import ServedImage
from kp.ui.sample_line import sample_line

LEAD = """How far off is a network, and on which faces? Compare models on people whom they have never seen, and look at
their worst answers."""
SPLITS = [("by person", "people"), ("as published", "official")]
SETTINGS = [("true box", "true-box"), ("detected box", "detected-box")]
MOST = 6  # models at once: as many as there are colours
SHOW_PICTURE = """() => {if (innerWidth <= 640)
  document.getElementById('evaluate-picture').scrollIntoView({behavior: 'smooth', block: 'start'})}"""
QUIET = {"show_progress": "hidden", "api_visibility": "private"}
LESSON = """The error of a face is the mean distance of its 68 points from their labels, in percent of the distance
between the outer eye corners, so that large and small faces count alike (*NME*). One mean hides much: the curve says
which share of the faces is good enough, whatever *good enough* means to you, and the groups say where errors come from.
A turned head brings the eye corners close together, so that the same distance in pixels counts for more there.
With the *true box* the network is told where the face is; with the *detected box* it has to live with what a detector
finds, and a missed face counts as a failure. Labels of real people came from an automatic aligner and were rounded to
whole pixels, which alone is worth about 0.9 %: no network can be seen to be better than that.

**Try this:** choose *detected box* and another detector. Has the network become worse, or the box?"""


@dataclass(frozen=True)
class Controls:
    """What is measured. `job`: the number of the job that this page watches."""

    names: gr.Dropdown
    split: gr.Radio
    setting: gr.Radio
    detector: gr.Radio
    run: gr.Button
    stop: gr.Button
    status: gr.HTML
    job: gr.State

    @property
    def conditions(self) -> list[gr.components.Component]:
        return [self.names, self.split, self.setting, self.detector]


@dataclass(frozen=True)
class Worst:
    """The worst faces. `answers` are this visitor's own."""

    whose: gr.Radio
    note: gr.Markdown
    grid: gr.HTML
    body: gr.Row
    picture: gr.Image
    facts: gr.HTML
    answers: gr.State

    @property
    def shown(self) -> list[gr.blocks.Block]:
        return [self.answers, self.grid, self.note, self.body, self.picture, self.facts]


@dataclass(frozen=True)
class Leak:
    """Figures on both splits, and one video's frames."""

    figures: gr.HTML
    siblings: gr.HTML
    another: gr.Button
    number: gr.State

    @property
    def example(self) -> list[gr.components.Component]:
        return [self.siblings, self.another, self.number]


def build(app: AppContext) -> None:
    """The tab's content."""
    handlers = EvaluateHandlers(app)
    gr.Markdown(LEAD, elem_classes="kp-lead")
    sample_line(app, "evaluate")
    with gr.Row():
        with gr.Column(scale=1, min_width=240):
            controls = _controls()
        with gr.Column(scale=3, min_width=320):
            table = gr.HTML(css_template=CSS, elem_id="evaluate-table")
            plots = gr.HTML(css_template=CSS, elem_id="evaluate-plots")
    worst = _worst()
    leak = _leak()
    with gr.Accordion("What is going on here?", open=False):
        gr.Markdown(LESSON)
    _wire(app, handlers, controls, (table, plots), worst, leak)


def _controls() -> Controls:
    names = gr.Dropdown([], value=[], multiselect=True, max_choices=MOST, label="Models", elem_id="evaluate-models",
                        info="one, or several to compare")
    split = gr.Radio(SPLITS, value="people", label="Split: whose test images", elem_id="evaluate-split")
    setting = gr.Radio(SETTINGS, value="true-box", label="Where the face's box comes from", elem_id="evaluate-setting")
    detector = gr.Radio([(kind.title, name) for name, kind in DETECTORS.items()], value="yunet", label="Face detector",
                        visible=False, elem_id="evaluate-detector")
    run = gr.Button("Run", variant="primary", interactive=False, elem_id="evaluate-run")
    stop = gr.Button("Stop", variant="stop", visible=False, elem_id="evaluate-stop")
    return Controls(names, split, setting, detector, run, stop, gr.HTML(elem_id="evaluate-status"), gr.State(None))


def _worst() -> Worst:
    gr.Markdown("### The worst faces")
    whose = gr.Radio([], label="Of which model", show_label=False, container=False, visible=False,
                     elem_id="evaluate-whose")
    note = gr.Markdown(elem_classes="kp-note", elem_id="evaluate-worst-note")
    with gr.Row(visible=False) as body:
        with gr.Column(scale=9, min_width=320):
            grid = image_grid(elem_id="evaluate-worst", label="The faces with the largest errors", cell=110)
        with gr.Column(scale=7, min_width=300):
            picture = ServedImage(label="The chosen face", show_label=False, interactive=False, format="png",
                                 height=400, buttons=["fullscreen", "download"], elem_id="evaluate-picture")
        with gr.Column(scale=5, min_width=220):
            facts = gr.HTML(css_template=FACTS_CSS, elem_id="evaluate-facts")
            gr.HTML(legend_html(), css_template=FACTS_CSS)
    return Worst(whose, note, grid, body, picture, facts, gr.State(None, time_to_live=3600))


def _leak() -> Leak:
    gr.Markdown("### What the published split hides")
    with gr.Row():
        with gr.Column(scale=1, min_width=320):
            figures = gr.HTML(css_template=CSS, elem_id="evaluate-leak")
        with gr.Column(scale=1, min_width=320):
            siblings = gr.HTML(css_template=CSS, elem_id="evaluate-siblings")
            another = gr.Button("Another person", size="md", visible=False, elem_id="evaluate-another")
    return Leak(figures, siblings, another, gr.State(0))


def _wire(app: AppContext, handlers: EvaluateHandlers, controls: Controls, results: tuple[gr.HTML, gr.HTML],
          worst: Worst, leak: Leak) -> None:
    shown = {"fn": show_errors(handlers.show), "inputs": [*controls.conditions, worst.whose],
             "outputs": [controls.detector, *results, worst.whose, leak.figures], **QUIET}
    faces = {"fn": show_errors(handlers.worst), "inputs": [*controls.conditions, worst.whose],
             "outputs": worst.shown, **QUIET, "show_progress": "minimal", "show_progress_on": worst.note}
    example = {"fn": show_errors(handlers.siblings), "inputs": leak.number, "outputs": leak.example, **QUIET}
    gr.on(app.fills, show_errors(handlers.start), [app.run_ids, controls.names],
          [controls.names, controls.run, controls.status, controls.job], **QUIET).success(
        **shown).success(**faces).success(**example)
    app.run_ids.change(show_errors(handlers.offer), [app.run_ids, controls.names], controls.names, **QUIET)
    gr.on([component.input for component in controls.conditions], trigger_mode="always_last", **shown).success(**faces)
    controls.run.click(show_errors(handlers.begin), controls.conditions,
                       [controls.job, controls.status, controls.run, controls.stop], **QUIET)
    controls.stop.click(handlers.stop, controls.job, controls.stop, queue=False, api_visibility="private")
    controls.job.change(handlers.watch, controls.job, controls.status, concurrency_limit=None, **QUIET).then(
        handlers.rest, None, [controls.run, controls.stop], **QUIET).success(**shown).success(**faces)
    worst.whose.input(trigger_mode="always_last", **faces)
    worst.grid.select(show_errors(handlers.pick), worst.answers, [worst.picture, worst.facts],
                      trigger_mode="always_last", **QUIET).success(None, js=SHOW_PICTURE, api_visibility="private")
    leak.another.click(**example)
