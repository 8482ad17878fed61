"""The Train tab: settings, Start and Stop, curves of loss and error, validation previews."""

import gradio as gr
from gradio.events import Dependency

from kp.ui.context import AppContext
from kp.ui.events import Action
from kp.ui.static import read_static
from kp.ui.train.handlers import TrainHandlers
from kp.ui.train.parts import TrainParts, train_parts
from kp.ui.widgets.synthetic_notice import sample_line

LEAD = "Train a network from random weights and watch its error fall on people who are not in the training set."


def build(app: AppContext) -> None:
    """The tab's content."""
    gr.Markdown(LEAD, elem_classes="kp-lead")
    sample_line(app, "train")
    parts = train_parts()
    with gr.Accordion("What is going on here?", open=False):
        gr.Markdown(read_static("train_lesson.md"))
    wire(app, parts, TrainHandlers(app, parts))


def wire(app: AppContext, parts: TrainParts, handlers: TrainHandlers) -> None:
    """Connect the components' events with the handlers."""
    form, visitor = parts.form, [parts.page, app.run_ids]
    shown = [parts.status, parts.charts, parts.caption, parts.previews]
    controls = [form.start, form.stop, parts.use, parts.run, parts.other, parts.epoch]
    buttons = Action(handlers.buttons, inputs=visitor, outputs=controls)
    watch = Action(handlers.watch, inputs=visitor, outputs=shown, concurrency=None)
    offer_models = Action(app.offer_models, inputs=[app.run_ids, app.picker], outputs=app.picker)

    def follow(event: Dependency) -> None:
        """After `event`: the buttons, the run until it ends, the buttons again, and its network in the picker."""
        for action in (buttons, watch, buttons, offer_models):
            event = action.after(event, whatever_came=True)

    start = Action(handlers.begin, inputs=[*visitor, *form.controls], outputs=visitor)
    follow(start.on(form.start.click))
    follow(Action(handlers.show_run, inputs=[parts.page, parts.run], outputs=parts.page).on(parts.run.input))
    follow(
        Action(
            handlers.on_load,
            inputs=app.run_ids,
            outputs=[parts.notice, parts.page, parts.status, parts.charts, parts.caption],
        ).on(*app.fills)
    )

    show_epoch = Action(
        handlers.show_epoch, inputs=[parts.page, parts.epoch, parts.other], outputs=[parts.charts, parts.previews]
    )
    show_epoch.with_latest().on(parts.epoch.input)
    show_epoch.on(parts.other.input)
    Action(handlers.stop, inputs=visitor, outputs=form.stop, progress="full", queue=False).on(form.stop.click)
    Action(handlers.use_network, inputs=visitor, outputs=[app.picker, app.tabs]).on(parts.use.click)
