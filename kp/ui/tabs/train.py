"""Train: choose a recipe, press Start, watch it learn."""

import gradio as gr

from kp.ui.config_form import ConfigForm
from kp.ui.context import AppContext
from kp.ui.feedback import show_errors
from kp.ui.run_view import charts_html, status_html
from kp.ui.sample_line import sample_line
from kp.ui.train_handlers import Page, TrainHandlers

LEAD = """Train a network from nothing and watch its error fall on people that it has never seen."""
LESSON = """
A network starts with random numbers. At each step it looks at a batch of faces, says where it thinks the 68 points
are, and every weight moves a little in the direction that would have made the answer better. The **loss** is what it
reduces; the **NME** is what people understand: how far the points are off, in percent of the distance between the
outer eye corners.

The dashed lines, of real people, are to measure it by: the mean shape put into the face's box, the labels copied from
the nearest frame of the same video, and the best figure published for people never seen.

**Try this:** run the reference recipe as it is, then once more with *What the network sees* changed from frame to face,
and lay one run over the other. Nothing in the network has changed; what did the other thing do?
"""
WATCH = {"show_progress": "hidden", "api_visibility": "private"}


def build(app: AppContext) -> None:
    """The tab's content."""
    gr.Markdown(LEAD, elem_classes="kp-lead")
    sample_line(app, "train")
    notice = gr.HTML(visible=False, elem_id="kp-train-notice")
    page = gr.State(Page())
    with gr.Row():
        with gr.Column(scale=1, min_width=240):
            form = ConfigForm("minute")
        with gr.Column(scale=3, min_width=320):
            status = gr.HTML(status_html(None), elem_id="kp-train-status")
            charts = gr.HTML(charts_html(None), elem_id="kp-train-charts")
            faces = gr.HTML(elem_id="kp-train-faces")
            epoch = gr.Slider(1, 2, step=1, label="Look back: the faces and the curves at each evaluation",
                              visible=False, elem_id="kp-train-epoch")
            caption = gr.Markdown(elem_classes="kp-note", elem_id="kp-train-caption")
            with gr.Row():
                use = gr.Button("Use this network in Predict", visible=False, elem_id="kp-train-use")
                show = gr.Dropdown([], label="Show a run", visible=False, elem_id="kp-train-show", min_width=180)
                other = gr.Dropdown([("none", 0)], value=0, label="Lay another run over it", visible=False,
                                    elem_id="kp-train-other", min_width=180)
    with gr.Accordion("What is going on here?", open=False):
        gr.Markdown(LESSON)

    answers = TrainHandlers(app, form)
    listeners, shown = [page, app.run_ids], [status, charts, caption, faces]
    controls = [form.start, form.stop, use, show, other, epoch]
    offered = {"fn": app.offer_models, "inputs": [app.run_ids, app.picker], "outputs": app.picker, **WATCH}

    def follow(event: gr.events.Dependency) -> None:
        """After `event`: buttons, then the run until it ends, then buttons and the picker again."""
        event.then(answers.buttons, listeners, controls, **WATCH).then(
            answers.watch, listeners, shown, concurrency_limit=None, **WATCH).then(
            answers.buttons, listeners, controls, **WATCH).then(**offered)

    follow(form.start.click(show_errors(answers.begin), [*listeners, *form.controls], listeners, **WATCH))
    follow(show.input(answers.turn, [page, show], page, **WATCH))
    follow(gr.on(app.fills, answers.on_load, app.run_ids, [notice, page, status, charts, caption], **WATCH))
    look_back = {"fn": answers.look_back, "inputs": [page, epoch, other], "outputs": [charts, faces], **WATCH}
    epoch.input(**look_back, trigger_mode="always_last")
    other.input(**look_back)
    form.stop.click(answers.ask_to_stop, listeners, form.stop, queue=False, api_visibility="private")
    use.click(answers.use_network, listeners, [app.picker, app.tabs], **WATCH)
