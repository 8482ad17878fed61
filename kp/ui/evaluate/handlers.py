"""The Evaluate tab's handlers: plain values in, a dict keyed by component out. No visitor's state is kept here."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import gradio as gr
from gradio.blocks import Block

from kp.evaluation import frames_learnt
from kp.ui.context import AppContext
from kp.ui.evaluate import html, worst_faces
from kp.ui.evaluate.charts import charts_html
from kp.ui.evaluate.parts import EvaluateParts
from kp.ui.evaluate.siblings import siblings_of
from kp.ui.evaluate.worst_faces import LabelledPrediction
from kp.ui.services.measurements import Measurements
from kp.ui.services.results import Conditions, Result, label_of

Updates = dict[Block, Any]
POLL_SECONDS = 0.3
EXAMPLE_STRIDE = 37  # test frames from one example of a leak to the next: another person each time
READY = "Run measures the chosen models anew, on the dataset that is here."
READY_ON_SYNTHETIC = "Run measures the chosen models on the synthetic faces."
NOT_MEASURED = "Press Run to see the faces with the largest errors."
OTHER_IMAGES = "The stored figures are of another set of images. Press Run to see the worst faces of this one."
NO_DATASET = "With the dataset, the faces with the largest errors are shown here."


class EvaluateHandlers:
    """`names` are networks; split, setting and detector are those of Conditions."""

    def __init__(self, app: AppContext, parts: EvaluateParts) -> None:
        self.app = app
        self.parts = parts
        self.measurements = Measurements(app.data, app.models)

    def start(self, owned: dict[str, list[str]], chosen: Sequence[str]) -> Updates:
        """The choice of models, Run as the data allows it, the status line, the measurement in progress."""
        problem, job, controls = self.app.data.problem, self.measurements.active, self.parts.controls
        idle = f"Run is off. {problem}" if problem else READY_ON_SYNTHETIC if self.app.data.open().synthetic else READY
        return {
            controls.models: self.offer(owned, chosen),
            controls.run: gr.Button(interactive=not (problem or job)),
            controls.status: html.status_html(job, idle),
            controls.job: job.number if job else None,
        }

    def offer(self, owned: dict[str, list[str]], chosen: Sequence[str]) -> gr.Dropdown:
        """The networks to choose from; the best shipped one is chosen where none of the chosen is left."""
        choices = self.app.models.choices(owned["ids"])
        values = [value for _, value in choices]
        kept = [name for name in chosen if name in values]
        return gr.Dropdown(choices, value=kept or self.app.models.names()[:1], multiselect=True)

    def show(self, names: Sequence[str], split: str, setting: str, detector: str, worst_of: str | None) -> Updates:
        """The detector's visibility, table, plots, the choice of `worst_of`, figures on both splits."""
        found, can_run = self._find(names, Conditions(split, setting, detector)), not self.app.data.problem
        measured = [result for result in found.values() if result]
        first = next(iter(found), None)
        parts = self.parts
        return {
            parts.controls.detector: gr.Radio(visible=setting == "detected-box"),
            parts.table: html.table_html(found, split, setting, can_run=can_run),
            parts.plots: charts_html(measured, can_run=can_run),
            parts.worst.model: _worst_of(measured, worst_of if worst_of in found else None),
            parts.leak.figures: self._leak(first, setting, detector) if first else "",
        }

    def show_worst(
        self, names: Sequence[str], split: str, setting: str, detector: str, worst_of: str | None
    ) -> Updates:
        """The predictions with the largest errors as a grid, a note, and the first of them in detail."""
        result = (
            self.measurements.find(worst_of, Conditions(split, setting, detector))
            if worst_of and worst_of in names
            else None
        )
        if self.app.data.problem:
            return self._no_worst(NO_DATASET)
        if result is None or not result.errors:
            return self._no_worst(NOT_MEASURED)
        faces = self.app.data.open().part(split, "test")
        if len(faces) != len(result.errors) or faces.synthetic != result.synthetic:
            return self._no_worst(OTHER_IMAGES)
        predictions = worst_faces.predictions_for(
            self.app.models.predictor(result.name, detector), faces, worst_faces.worst_indices(result.errors), setting
        )
        if not predictions:
            return self._no_worst(NOT_MEASURED)
        worst = self.parts.worst
        return {
            worst.predictions: predictions,
            worst.grid: worst_faces.face_items(predictions),
            worst.note: worst_faces.note(result, len(predictions)),
            worst.body: gr.Row(visible=True),
            **self._detail(predictions[0]),
        }

    def pick(self, predictions: Sequence[LabelledPrediction] | None, event: gr.EventData) -> Updates:
        """The face that was clicked, large, with its figures."""
        index = int(event.index)
        if not predictions or not 0 <= index < len(predictions):
            return {self.parts.worst.picture: gr.skip()}
        return self._detail(predictions[index])

    def next_example(self, number: int) -> Updates:
        """A published test face beside the training faces of its video; the next number shows another person."""
        leak = self.parts.leak
        dataset = None if self.app.data.problem else self.app.data.open()
        tests = dataset.part("official", "test").rows.tolist() if dataset else []
        if dataset is None or not tests:
            return {leak.siblings: "", leak.another: gr.Button(visible=False), leak.number: number + 1}
        row = tests[number * EXAMPLE_STRIDE % len(tests)]
        return {
            leak.siblings: html.siblings_html(siblings_of(dataset, row)),
            leak.another: gr.Button(visible=True),
            leak.number: number + 1,
        }

    def run(self, names: Sequence[str], split: str, setting: str, detector: str) -> Updates:
        """Start a measurement: its number and status, Run off, Stop on. Raises KpError while another one goes on."""
        job, controls = self.measurements.start(names, Conditions(split, setting, detector)), self.parts.controls
        return {
            controls.job: job.number,
            controls.status: html.status_html(job),
            controls.run: gr.Button(interactive=False),
            controls.stop: gr.Button(visible=True, interactive=True),
        }

    async def follow(self, number: int | None) -> AsyncIterator[Updates]:
        """The status of a measurement until it ends."""
        status = self.parts.controls.status
        while job := self.measurements.job(number):
            yield {status: html.status_html(job)}
            if not job.active:
                return
            await asyncio.sleep(POLL_SECONDS)
        yield {status: gr.skip()}

    def stop(self, number: int | None) -> gr.Button:
        """Stop, pressed: it cannot be pressed again."""
        self.measurements.stop(number)
        return gr.Button(interactive=False)

    def finish(self) -> Updates:
        """Run and Stop when a measurement has ended."""
        controls = self.parts.controls
        return {controls.run: gr.Button(interactive=not self.app.data.problem), controls.stop: gr.Button(visible=False)}

    def _find(self, names: Sequence[str], conditions: Conditions) -> dict[str, Result | None]:
        """Each network's result, the measured ones first, so that colours agree everywhere."""
        found = {name: self.measurements.find(name, conditions) for name in names}
        return dict(sorted(found.items(), key=lambda item: item[1] is None))

    def _leak(self, name: str, setting: str, detector: str) -> str:
        results = {
            split: self.measurements.find(name, Conditions(split, setting, detector))
            for split in ("people", "official")
        }
        card, seen, images = self.app.models.card(name), None, 0
        if official := results["official"]:
            seen, images = official.seen, official.record["images"]
        elif not self.app.data.problem and (dataset := self.app.data.open()).synthetic == card.from_synthetic:
            faces = dataset.part("official", "test")
            seen, images = frames_learnt(card, dataset, faces), len(faces)
        sentence = html.seen_sentence(label_of(name), card.data.get("split", ""), seen, images)
        return html.leak_html(label_of(name), results, sentence)

    def _detail(self, prediction: LabelledPrediction) -> Updates:
        worst = self.parts.worst
        return {
            worst.picture: gr.Image(worst_faces.picture_of(prediction), alt_text=worst_faces.describe(prediction)),
            worst.facts: worst_faces.prediction_html(prediction),
        }

    def _no_worst(self, why: str) -> Updates:
        worst = self.parts.worst
        return {worst.predictions: None, worst.grid: [], worst.note: why, worst.body: gr.Row(visible=False)}


def _worst_of(measured: Sequence[Result], chosen: str | None) -> gr.Radio:
    """Of which network the worst faces are shown: `chosen` where it is measured, else the first."""
    names = [result.name for result in measured]
    value = chosen if chosen in names else next(iter(names), None)
    return gr.Radio([(result.label, result.name) for result in measured], value=value, visible=len(names) > 1)
