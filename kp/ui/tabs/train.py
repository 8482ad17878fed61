"""Train: choose a recipe, press Start, watch it learn."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from kp.errors import KpError
from kp.ui.config_form import ConfigForm
from kp.ui.context import AppContext
from kp.ui.feedback import show_errors
from kp.ui.models import RUN
from kp.ui.run_view import charts_html, history_html, status_html
from kp.ui.runs import Run

LEAD = """Train a network from nothing and watch its error fall on people that it has never seen."""
LESSON = """
A network starts with random numbers. At each step it looks at a batch of faces, says where it thinks the 68 points
are, and every weight moves a little in the direction that would have made the answer better. The **loss** is what it
reduces; the **NME** is what people understand: how far the points are off, in percent of the distance between the
outer eye corners.

The dashed lines are to measure it by: the mean shape put into the face's box, the labels copied from the nearest frame
of the same video, and the best figure published for people never seen.

**Try this:** run the reference recipe as it is, then change only *What the network sees* from frame to face.
Nothing in the network has changed; what did the other thing do?
"""
POLL = 0.3  # seconds between two looks at a run
WATCH = {"show_progress": "hidden", "api_visibility": "private"}


def build(app: AppContext) -> None:
    """The tab's content."""
    gr.Markdown(LEAD, elem_classes="kp-lead")
    notice = gr.HTML(visible=False, elem_id="kp-train-notice")
    watched = gr.State(None)  # the number of the run that this page shows
    with gr.Row():
        with gr.Column(scale=1, min_width=240):
            form = ConfigForm("reference")
            start, stop = form.start, form.stop
        with gr.Column(scale=3, min_width=320):
            status = gr.HTML(status_html(None), elem_id="kp-train-status")
            charts = gr.HTML(charts_html(None), elem_id="kp-train-charts")
            caption = gr.Markdown(elem_classes="kp-note", elem_id="kp-train-caption")
            with gr.Row():
                use = gr.Button("Use this network in Predict", visible=False, elem_id="kp-train-use")
                show = gr.Dropdown([], label="Show a run", visible=False, elem_id="kp-train-show", min_width=200)
    with gr.Accordion("What is going on here?", open=False):
        gr.Markdown(LESSON)

    def begin(owned: dict, *values: Any) -> tuple[int, dict]:
        """Start a run; where another one goes on, show that one."""
        config, root = form.read(values), app.data.open().root
        if busy := app.runs.active:
            gr.Warning("A network is being trained on this machine already. You see that run now; start yours when "
                       "it is done.", title="One at a time")
            return busy.number, owned
        run = app.runs.start(config, root)
        return run.number, {"ids": [*owned["ids"], run.id]}

    def owned_run(number: int | None, owned: dict) -> Run | None:
        run = app.runs.find(number)
        return run if run and run.id in owned["ids"] else None

    def buttons(number: int | None, owned: dict) -> tuple:
        """Start, Stop, Use and the list of runs, as they suit the run that is shown and whose it is."""
        run, mine = app.runs.find(number), owned_run(number, owned)
        going = run is not None and run.active
        choices = [(f"run {r.number}: {r.config.architecture}, {r.config.crop}", r.number)
                   for r in app.runs.history()]
        return (gr.Button(interactive=not going), gr.Button(visible=bool(mine and going), interactive=True),
                gr.Button(visible=bool(mine and not going and mine.checkpoint.is_file())),
                gr.Dropdown(choices, value=number, visible=bool(choices)))

    async def watch(number: int | None) -> AsyncIterator[tuple]:
        """The run's state and curves, again and again until it ends."""
        run, seen = app.runs.find(number), None
        if run is None:
            yield gr.skip(), gr.skip(), gr.skip()
            return
        while True:
            going, version = run.active, run.version
            if version != seen:
                seen = version
                yield status_html(run), charts_html(run), caption_of(run)
            if not going:
                return
            await asyncio.sleep(POLL)

    def ask_to_stop(number: int | None, owned: dict) -> gr.Button:
        run = owned_run(number, owned)
        if run:
            app.runs.stop(run.id)
        return gr.Button(interactive=False)

    def use_network(number: int | None, owned: dict) -> tuple:
        run = owned_run(number, owned)
        if run is None:
            return gr.skip(), gr.skip()
        return app.offer_models(owned, RUN + run.id), gr.Tabs(selected="Predict")

    def on_load(owned: dict) -> tuple:
        """The notice where data is missing; the run to show: the one that goes on, else the visitor's last."""
        problem = app.data.problem
        mine = [run for run in map(app.runs.get, owned["ids"]) if run]
        run = app.runs.active or (mine[-1] if mine else None)
        text = f'<div class="kp-notice">{problem}</div>' if problem else ""
        return (gr.HTML(text, visible=bool(problem)), gr.Button(interactive=not problem), run.number if run else None,
                *shipped_curves(app, run))

    listeners = [watched, app.run_ids]
    shown, controls = [status, charts, caption], [start, stop, use, show]
    offered = {"fn": app.offer_models, "inputs": [app.run_ids, app.picker], "outputs": app.picker, **WATCH}

    def follow(event: gr.events.Dependency) -> None:
        """After `event`: buttons, then the run until it ends, then buttons and the picker again."""
        event.then(buttons, listeners, controls, **WATCH).then(
            watch, watched, shown, concurrency_limit=None, **WATCH).then(
            buttons, listeners, controls, **WATCH).then(**offered)

    follow(start.click(show_errors(begin), [app.run_ids, *form.controls], [watched, app.run_ids], **WATCH))
    follow(show.input(lambda number: number, show, watched, **WATCH))
    follow(app.page.load(on_load, app.run_ids, [notice, start, watched, *shown], **WATCH))
    stop.click(ask_to_stop, listeners, stop, queue=False, api_visibility="private")
    use.click(use_network, listeners, [app.picker, app.tabs], **WATCH)


def caption_of(run: Run) -> str:
    """What was started, in a line."""
    if not run.started:
        return ""
    begun, config = run.started, run.config
    return (f"Run {run.number}: {config.architecture}, {begun['parameters']:,} parameters; learns from "
            f"{begun['train_images']} images, tested on {begun['validation_images']} ({config.split} split, "
            f"{config.validate_on} part); {begun['precision']}, {begun['threads']} threads.")


def shipped_curves(app: AppContext, run: Run | None) -> tuple:
    """Before anybody has trained, the curves of the best shipped network's own training."""
    name = next(iter(app.models.names()), None)
    if run or name is None:
        return gr.skip(), gr.skip(), gr.skip()
    try:
        card = app.models.card(name)
    except KpError as error:
        return gr.skip(), gr.skip(), str(error)
    return (status_html(None), history_html(card.history, card.config.get("loss", "")),
            f"Until you start: how {name} learnt, {card.data.get('images', '?')} images, "
            f"{len(card.history)} epochs.")
