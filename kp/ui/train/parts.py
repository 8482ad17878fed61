"""The components of the Train tab."""

from dataclasses import dataclass

import gradio as gr

from kp.ui.train.config_form import ConfigForm
from kp.ui.train.run_view import charts_html, status_html


@dataclass
class Page:
    """Which run a visitor's page shows. Changed in place, so that a `watch` of the previous run ends."""

    number: int | None = None


@dataclass(frozen=True)
class TrainParts:
    """form: settings, Start and Stop. page: the visitor's Page. previews: faces of the validation set.

    epoch: the evaluation that `charts` and `previews` show. use: opens the run's network in Predict.
    run: the run that is shown. other: a run whose curves are drawn beside it, 0 for none.
    """

    form: ConfigForm
    notice: gr.HTML
    page: gr.State
    status: gr.HTML
    charts: gr.HTML
    previews: gr.HTML
    epoch: gr.Slider
    caption: gr.Markdown
    use: gr.Button
    run: gr.Dropdown
    other: gr.Dropdown


def train_parts() -> TrainParts:
    """Lay out the components: the settings on the left, the run on the right."""
    notice = gr.HTML(visible=False, elem_id="kp-train-notice")
    page = gr.State(Page())
    with gr.Row():
        with gr.Column(scale=1, min_width=240):
            form = ConfigForm("minute")
        with gr.Column(scale=3, min_width=320):
            status = gr.HTML(status_html(None), elem_id="kp-train-status")
            charts = gr.HTML(charts_html(None), elem_id="kp-train-charts")
            previews = gr.HTML(elem_id="kp-train-faces")
            epoch = gr.Slider(
                1,
                2,
                step=1,
                label="Evaluation: its validation previews, and its place on the curves",
                visible=False,
                elem_id="kp-train-epoch",
            )
            caption = gr.Markdown(elem_classes="kp-note", elem_id="kp-train-caption")
            with gr.Row():
                use = gr.Button("Use this network in Predict", visible=False, elem_id="kp-train-use")
                run = gr.Dropdown([], label="Show run", visible=False, elem_id="kp-train-show", min_width=180)
                other = gr.Dropdown(
                    [("none", 0)],
                    value=0,
                    label="Compare with run",
                    visible=False,
                    elem_id="kp-train-other",
                    min_width=180,
                )
    return TrainParts(form, notice, page, status, charts, previews, epoch, caption, use, run, other)
