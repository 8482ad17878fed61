"""What the Train tab answers; every method takes and gives plain values of its components."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from kp.errors import KpError
from kp.ui.config_form import ConfigForm
from kp.ui.context import AppContext
from kp.ui.models import RUN
from kp.ui.run_view import charts_html, history_html, status_html
from kp.ui.runs import Run
from kp.ui.watched_faces import faces_html

POLL = 0.5  # seconds between two looks at a run; each takes the browser 50 ms of a core that the run may want


@dataclass
class Page:
    """What a page shows: the run of this number. Changed in place, so that whoever watches another run for it ends."""

    number: int | None = None


class TrainHandlers:
    """`page` is what this visitor's page shows, `owned` what the browser keeps of his own runs."""

    def __init__(self, app: AppContext, form: ConfigForm) -> None:
        self.app, self.form = app, form

    def begin(self, page: Page, owned: dict, *values: Any) -> tuple[Page, dict]:
        """Start a run; where another one goes on, show that one."""
        config, root = self.form.read(values), self.app.data.open().root
        if busy := self.app.runs.active:
            gr.Warning("A network is being trained on this machine already. You see that run now; start yours when "
                       "it is done.", title="One at a time")
            return self.turn(page, busy.number), owned
        run = self.app.runs.start(config, root)
        return self.turn(page, run.number), {"ids": [*owned["ids"], run.id]}

    def turn(self, page: Page, number: int) -> Page:
        """The page, showing another run."""
        page.number = number
        return page

    def own(self, page: Page, owned: dict) -> Run | None:
        """The run that is shown, if it is the visitor's."""
        run = self.app.runs.find(page.number)
        return run if run and run.id in owned["ids"] else None

    def buttons(self, page: Page, owned: dict) -> tuple:
        """Start, Stop, Use, the two lists of runs and the slider, as they suit the run that is shown."""
        run, mine = self.app.runs.find(page.number), self.own(page, owned)
        going = run is not None and run.active
        ready = not self.app.runs.active and not self.app.data.problem
        choices = [(f"run {r.number}: {r.config.architecture}, {r.config.crop}, {r.config.loss}", r.number)
                   for r in self.app.runs.history()]
        others = [("none", 0), *(choice for choice in choices if choice[1] != page.number)]
        epochs = len(run.epochs) if run else 0
        return (gr.Button(interactive=ready), gr.Button(visible=bool(mine and going), interactive=True),
                gr.Button(visible=bool(mine and not going and mine.checkpoint.is_file())),
                gr.Dropdown(choices, value=page.number, visible=bool(choices)),
                gr.Dropdown(others, value=0, visible=len(others) > 1),
                gr.Slider(1, max(2, epochs), value=max(1, epochs), step=1, visible=not going and epochs > 1))

    async def watch(self, page: Page, owned: dict) -> AsyncIterator[tuple]:
        """The run's state, curves and faces, again and again until it ends or the page turns to another one."""
        number, mine = page.number, self.own(page, owned) is not None
        run, seen, drawn = self.app.runs.find(number), None, None
        if run is None:
            yield (gr.skip(),) * 4
            return
        while page.number == number:
            going, version, epochs = run.active, run.version, len(run.epochs)
            if version != seen or not going:
                faces = gr.skip() if epochs == drawn else self._faces(run)
                seen, drawn = version, epochs
                yield status_html(run), charts_html(run), caption_of(run, mine=mine), faces
            if not going:
                return
            await asyncio.sleep(POLL)

    def look_back(self, page: Page, epoch: int, other: int | None) -> tuple[str, str]:
        """The curves with a line at an epoch, another run laid over them, and the faces as they were then."""
        run = self.app.runs.find(page.number)
        if run is None or not run.epochs:
            return gr.skip(), gr.skip()
        epoch = min(max(1, int(epoch)), len(run.epochs))
        return charts_html(run, self.app.runs.find(other), epoch=epoch), self._faces(run, epoch)

    def _faces(self, run: Run, epoch: int | None = None) -> str:
        dataset = None if self.app.data.problem else self.app.data.at(run.data)
        return faces_html(run, dataset, epoch)

    def ask_to_stop(self, page: Page, owned: dict) -> gr.Button:
        if run := self.own(page, owned):
            self.app.runs.stop(run.id)
        return gr.Button(interactive=False)

    def use_network(self, page: Page, owned: dict) -> tuple:
        """Choose the run's network in the picker, and go to Predict."""
        if run := self.own(page, owned):
            return self.app.offer_models(owned, RUN + run.id), gr.Tabs(selected="Predict")
        return gr.skip(), gr.skip()

    def on_load(self, owned: dict) -> tuple:
        """The notice where data is missing; the run to show: the one that goes on, else the visitor's last."""
        problem = self.app.data.problem
        mine = [run for run in map(self.app.runs.get, owned["ids"]) if run]
        run = self.app.runs.active or (mine[-1] if mine else None)
        text = f'<div class="kp-notice">{escape(problem)}</div>' if problem else ""
        return gr.HTML(text, visible=bool(problem)), Page(run.number if run else None), *self._shipped_curves(run)

    def _shipped_curves(self, run: Run | None) -> tuple:
        """Before anybody has trained, the curves of the best shipped network's own training."""
        models = self.app.models
        name = next(iter(models.names()), None)
        if run or name is None:
            return gr.skip(), gr.skip(), gr.skip()
        try:
            card = models.card(name)
        except KpError as error:
            return gr.skip(), gr.skip(), str(error)
        epochs = f"{card.history[-1]['epoch']:.4g}" if card.history else "?"
        return (status_html(None), history_html(card.history, card.config.get("loss", "")),
                f"Until you start: how {name} learnt from {card.data.get('images', '?')} images in "
                f"{epochs} epochs.")


def caption_of(run: Run, *, mine: bool) -> str:
    """What was started, in a line; whose it is, where a visitor has to wait for it."""
    others = "" if mine or not run.active else "Another visitor's run: watch it here; yours can start when it ends. "
    if not run.started:
        return others
    begun, config = run.started, run.config
    images = "sample faces" if run.invented else "images"
    threads = "1 thread" if begun["threads"] == 1 else f"{begun['threads']} threads"
    return (f"{others}Run {run.number}: {config.architecture}, {begun['parameters']:,} parameters; learns from "
            f"{begun['train_images']} {images}, tested on {begun['validation_images']} ({config.split} split, "
            f"{config.validate_on} part); {begun['precision']}, {threads}.")
