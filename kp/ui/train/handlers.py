"""The handlers of the Train tab's events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from kp.errors import KpError
from kp.ui.context import AppContext
from kp.ui.services.model_store import RUN
from kp.ui.services.run import Run
from kp.ui.static import render
from kp.ui.train.parts import Page, TrainParts
from kp.ui.train.previews import previews_html
from kp.ui.train.run_view import charts_html, history_html, status_html

POLL = 0.5  # seconds between two updates; each takes 50 ms of a core that the run may need

Updates = dict[Any, Any]  # new values by component; a component that is not in it stays as it is


class TrainHandlers:
    """page: which run the visitor's page shows. owned: {"ids": [...]}, the runs that this visitor started."""

    def __init__(self, app: AppContext, parts: TrainParts) -> None:
        self.app, self.parts = app, parts

    def begin(self, page: Page, owned: dict, *values: Any) -> Updates:
        """Start a run with the form's values; while another run is active, show that one and warn.

        Raises ConfigError for a value out of its range.
        """
        config, data = self.parts.form.read(values), self.app.data.open().root
        if busy := self.app.runs.active:
            gr.Warning(
                "A network is being trained on this machine already. You see that run now; start yours when "
                "it is done.",
                title="One at a time",
            )
            return {self.parts.page: self.show_run(page, busy.number)}
        run = self.app.runs.start(config, data)
        return {self.parts.page: self.show_run(page, run.number), self.app.run_ids: {"ids": [*owned["ids"], run.id]}}

    def show_run(self, page: Page, number: int) -> Page:
        """The same page, now of run `number`."""
        page.number = number
        return page

    def own(self, page: Page, owned: dict) -> Run | None:
        """The run that the page shows, if the visitor started it."""
        run = self.app.runs.find(page.number)
        return run if run and run.id in owned["ids"] else None

    def buttons(self, page: Page, owned: dict) -> Updates:
        """The state of every control that depends on the run that is shown."""
        parts, run, mine = self.parts, self.app.runs.find(page.number), self.own(page, owned)
        active = run is not None and run.active
        ready = not self.app.runs.active and not self.app.data.problem
        runs = [
            (f"run {r.number}: {r.config.architecture}, {r.config.crop}, {r.config.loss}", r.number)
            for r in self.app.runs.history()
        ]
        others = [("none", 0), *(choice for choice in runs if choice[1] != page.number)]
        epochs = len(run.epochs) if run else 0
        return {
            parts.form.start: gr.Button(interactive=ready),
            parts.form.stop: gr.Button(visible=bool(mine and active), interactive=True),
            parts.use: gr.Button(visible=bool(mine and not active and mine.checkpoint.is_file())),
            parts.run: gr.Dropdown(runs, value=page.number, visible=bool(runs)),
            parts.other: gr.Dropdown(others, value=0, visible=len(others) > 1),
            parts.epoch: gr.Slider(1, max(2, epochs), value=max(1, epochs), step=1, visible=not active and epochs > 1),
        }

    async def watch(self, page: Page, owned: dict) -> AsyncIterator[Updates]:
        """The run's state, curves and previews whenever they change, until it ends or the page shows another run."""
        parts, number, mine = self.parts, page.number, self.own(page, owned) is not None
        run, seen, drawn = self.app.runs.find(number), None, None
        if run is None:
            yield {parts.status: gr.skip()}
            return
        while page.number == number:
            active, version, epochs = run.active, run.version, len(run.epochs)
            if version != seen or not active:
                updates: Updates = {
                    parts.status: status_html(run),
                    parts.charts: charts_html(run),
                    parts.caption: caption_of(run, mine=mine),
                }
                if epochs != drawn:
                    updates[parts.previews] = self._previews(run)
                seen, drawn = version, epochs
                yield updates
            if not active:
                return
            await asyncio.sleep(POLL)

    def show_epoch(self, page: Page, epoch: int, other: int | None) -> Updates:
        """The curves of a run and of run `other`, with evaluation `epoch` (from 1) marked, and its previews."""
        run = self.app.runs.find(page.number)
        if run is None or not run.epochs:
            return {self.parts.charts: gr.skip()}
        epoch = min(max(1, int(epoch)), len(run.epochs))
        return {
            self.parts.charts: charts_html(run, self.app.runs.find(other), epoch=epoch),
            self.parts.previews: self._previews(run, epoch),
        }

    def _previews(self, run: Run, epoch: int | None = None) -> str:
        dataset = None if self.app.data.problem else self.app.data.at(run.data)
        return previews_html(run, dataset, epoch)

    def stop(self, page: Page, owned: dict) -> gr.Button:
        """Stop the visitor's own run after its current step; the button, disabled."""
        if run := self.own(page, owned):
            self.app.runs.stop(run.id)
        return gr.Button(interactive=False)

    def use_network(self, page: Page, owned: dict) -> Updates:
        """Choose the visitor's own network in the picker, and open the Predict tab."""
        if run := self.own(page, owned):
            return {
                self.app.picker: self.app.offer_models(owned, RUN + run.id),
                self.app.tabs: gr.Tabs(selected="Predict"),
            }
        return {self.app.picker: gr.skip()}

    def on_load(self, owned: dict) -> Updates:
        """A notice where data is missing; the run to show: the active one, else the visitor's last."""
        problem = self.app.data.problem
        mine = [run for run in map(self.app.runs.get, owned["ids"]) if run]
        run = self.app.runs.active or (mine[-1] if mine else None)
        text = render("notice.html", text=problem) if problem else ""
        return {
            self.parts.notice: gr.HTML(text, visible=bool(problem)),
            self.parts.page: Page(run.number if run else None),
            **({} if run else self._shipped_curves()),
        }

    def _shipped_curves(self) -> Updates:
        """The training curves of the best shipped network, to show before the first run."""
        models = self.app.models
        name = next(iter(models.names()), None)
        if name is None:
            return {}
        try:
            card = models.card(name)
        except KpError as error:
            return {self.parts.caption: str(error)}
        epochs = f"{card.history[-1]['epoch']:.4g}" if card.history else "?"
        return {
            self.parts.status: status_html(None),
            self.parts.charts: history_html(card.history, card.config.get("loss", "")),
            self.parts.caption: f"The curves of {name}: trained on {card.data.get('images', '?')} images for "
            f"{epochs} epochs. A run of yours takes their place.",
        }


def caption_of(run: Run, *, mine: bool) -> str:
    """The run's settings in one line of Markdown; first, whether the visitor must wait for another's run."""
    others = "" if mine or not run.active else "Another visitor's run is shown; yours can start when it ends. "
    if not run.started:
        return others
    begun, config = run.started, run.config
    images = "synthetic faces" if run.synthetic else "images"
    threads = "1 thread" if begun["threads"] == 1 else f"{begun['threads']} threads"
    return (
        f"{others}Run {run.number}: {config.architecture}, {begun['parameters']:,} parameters; trained on "
        f"{begun['train_images']} {images}, tested on {begun['validation_images']} ({config.split} split, "
        f"{config.validate_on} part); {begun['precision']}, {threads}."
    )
