"""The Evaluate tab: a network's errors, its worst faces, and the effect of a leaking split."""

import gradio as gr

from kp.ui.context import AppContext
from kp.ui.evaluate.handlers import EvaluateHandlers
from kp.ui.evaluate.parts import EvaluateParts, build_parts
from kp.ui.events import Action
from kp.ui.static import read_static
from kp.ui.widgets.synthetic_notice import sample_line

LEAD = """How large are a network's errors, and on which faces? Compare models on people outside their training data,
and look at their worst predictions."""
LESSON = """The error of a face is the mean distance of its 68 points from their labels, in percent of the distance
between the outer eye corners, so that large and small faces count alike (*NME*). One mean hides much: the curve shows
which share of the faces is below each error, and the groups show where errors come from.
A turned head brings the eye corners close together, so that the same distance in pixels counts for more there.
With the *true box* the network gets the labelled position of the face; with the *detected box* it depends on what a
detector finds, and a missed face counts as a failure. Labels of real people came from an automatic aligner and were
rounded to whole pixels, which alone is worth about 0.9 %: no network can be seen to be better than that.

**Try this:** choose *detected box* and another detector. Has the network become worse, or the box?"""


def build(app: AppContext) -> None:
    """The tab's content."""
    gr.Markdown(LEAD, elem_classes="kp-lead")
    sample_line(app, "evaluate")
    parts = build_parts()
    with gr.Accordion("What is going on here?", open=False):
        gr.Markdown(LESSON)
    _wire(app, parts, EvaluateHandlers(app, parts))


def _wire(app: AppContext, parts: EvaluateParts, handlers: EvaluateHandlers) -> None:
    controls, worst, leak = parts.controls, parts.worst, parts.leak
    conditions = [*controls.conditions, worst.model]
    start = Action(
        handlers.start, [app.run_ids, controls.models], [controls.models, controls.run, controls.status, controls.job]
    )
    offer = Action(handlers.offer, [app.run_ids, controls.models], controls.models)
    show = Action(handlers.show, conditions, [controls.detector, parts.table, parts.plots, worst.model, leak.figures])
    show_worst = Action(handlers.show_worst, conditions, worst.shown, progress="minimal", progress_on=worst.note)
    next_example = Action(handlers.next_example, leak.number, leak.example)
    run = Action(handlers.run, controls.conditions, [controls.job, controls.status, controls.run, controls.stop])
    stop = Action(handlers.stop, controls.job, controls.stop, queue=False)
    follow = Action(handlers.follow, controls.job, controls.status, concurrency=None)
    finish = Action(handlers.finish, None, [controls.run, controls.stop])
    pick = Action(handlers.pick, worst.predictions, [worst.picture, worst.facts], latest=True)
    scroll = Action(js=read_static("evaluate_scroll.js"))

    next_example.after(show_worst.after(show.after(start.on(*app.fills))))
    offer.on(app.run_ids.change)
    show_worst.after(
        show.with_latest().on(
            controls.models.input, controls.split.input, controls.setting.input, controls.detector.input
        )
    )
    run.on(controls.run.click)
    stop.on(controls.stop.click)
    finished = finish.after(follow.on(controls.job.change), whatever_came=True)
    show_worst.after(show.after(finished))
    show_worst.with_latest().on(worst.model.input)
    scroll.after(pick.on(worst.grid.select))
    next_example.on(leak.another.click)
