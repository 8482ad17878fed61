"""What the Evaluate tab answers: plain values in, values for its components out. No visitor's state is kept here."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import gradio as gr
import numpy as np

from kp.data import FacialKeypointsDataset
from kp.drawing.overlay import data_uri
from kp.errors import ImageError
from kp.evaluation import frames_learnt
from kp.ui import evaluate_html as html
from kp.ui import frames, worst_faces
from kp.ui.context import AppContext
from kp.ui.frames import PART_NAMES
from kp.ui.grid import GridItem
from kp.ui.measurements import Conditions, Measurements, Result, label_of
from kp.ui.worst_faces import Answer

POLL = 0.3  # seconds between two looks at a job
SIBLINGS = 37  # test frames from one example of a leak to the next: another person each time
READY = "Run measures the chosen models anew, on the dataset that is here."
READY_ON_SAMPLE = "Run measures the chosen models on the sample faces."
ALIGNER = " A few labels are wrong themselves; they came from an automatic aligner."
NO_DETAIL = {
    "": "Press Run to see the faces with the largest errors.",
    "other": "The stored figures are of another set of images. Press Run to see the worst faces of this one.",
    "data": "With the dataset, the faces with the largest errors are shown here.",
}


class EvaluateHandlers:
    """A visitor's choice comes as `names` (networks) and three strings: split, setting, detector."""

    def __init__(self, app: AppContext) -> None:
        self.app = app
        self.measurements = Measurements(app.data, app.models)

    def start(self, owned: dict, chosen: Sequence[str]) -> list[Any]:
        """The choice of models, Run as the data allows it, the line of state, the job that goes on."""
        problem, job = self.app.data.problem, self.measurements.active
        idle = f"Run is off. {problem}" if problem else READY_ON_SAMPLE if self.app.data.open().invented else READY
        return [self.offer(owned, chosen), gr.Button(interactive=not (problem or job)), html.status_html(job, idle),
                job.number if job else None]

    def offer(self, owned: dict, chosen: Sequence[str]) -> gr.Dropdown:
        """The networks to choose from; the best shipped one is chosen where none of the chosen is left."""
        choices = self.app.models.choices(owned["ids"])
        values = [value for _, value in choices]
        kept = [name for name in chosen if name in values]
        return gr.Dropdown(choices, value=kept or self.app.models.names()[:1], multiselect=True)

    def show(self, names: Sequence[str], split: str, setting: str, detector: str, looked_at: str | None) -> list[Any]:
        """The detector's visibility, the table, the plots, whose worst faces are shown, the leak's figures."""
        found, can_run = self._find(names, Conditions(split, setting, detector)), not self.app.data.problem
        measured = [result for result in found.values() if result]
        labels = [(result.label, result.name) for result in measured]
        first = next(iter(found), None)
        whose = looked_at if looked_at in found and found[looked_at] else measured[0].name if measured else first
        return [gr.Radio(visible=setting == "detected-box"),
                html.table_html(found, split, setting, can_run=can_run), html.charts_html(measured, can_run=can_run),
                gr.Radio(labels, value=whose if measured else None, visible=len(labels) > 1),
                self._leak(first, setting, detector) if first else ""]

    def worst(self, names: Sequence[str], split: str, setting: str, detector: str, whose: str | None) -> list[Any]:
        """The visitor's answers, the grid of the worst faces, a note, and the first of them in detail."""
        result = self.measurements.find(whose, Conditions(split, setting, detector)) if whose in names else None
        dataset = None if self.app.data.problem else self.app.data.open()
        if result is None or dataset is None or not result.errors:
            return self._no_worst("" if dataset else "data")
        faces = dataset.part(split, "test")
        if len(faces) != len(result.errors) or faces.invented != result.invented:
            return self._no_worst("other")
        answers = worst_faces.answers_for(self.app.models.predictor(whose, detector), faces,
                                          worst_faces.worst_indices(result.errors), setting)
        if not answers:
            return self._no_worst("")
        missed = result.record["missed"]
        note = f"The {len(answers)} largest errors of {result.label}: circles are labels, dots its answers." \
               + ALIGNER * (not faces.invented)
        if missed:
            note += f" The detector missed {missed} other face{'s' * (missed > 1)}; there is nothing to draw on them."
        return [answers, worst_faces.face_items(answers), note, gr.Row(visible=True), *self._detail(answers[0])]

    def pick(self, answers: Sequence[Answer] | None, event: gr.EventData) -> list[Any]:
        """The face that was clicked, large, with its figures."""
        index = int(event.index)
        if not answers or not 0 <= index < len(answers):
            return [gr.skip()] * 2
        return self._detail(answers[index])

    def siblings(self, number: int) -> list[Any]:
        """A published test face beside the training faces of its video; the next number shows another person."""
        if self.app.data.problem:
            return ["", gr.Button(visible=False), number + 1]
        dataset = self.app.data.open()
        tests = dataset.part("official", "test").rows.tolist()
        if not tests:
            return ["", gr.Button(visible=False), number + 1]
        row = tests[number * SIBLINGS % len(tests)]
        rows = [row, *(other for other in frames.other_frames(dataset, row)
                       if frames.part_of(dataset, "official", other) == "train")]
        pictures = [(src, PART_NAMES["test" if other == row else "train"], frames.frame_title(dataset.frames[other]))
                    for other in rows if (src := _thumbnail(dataset, other))]
        return [html.siblings_html(pictures), gr.Button(visible=True), number + 1]

    def begin(self, names: Sequence[str], split: str, setting: str, detector: str) -> list[Any]:
        """Start a job: its number, its state, Run off, Stop on. Raises KpError while another one goes on."""
        job = self.measurements.start(names, Conditions(split, setting, detector))
        return [job.number, html.status_html(job), gr.Button(interactive=False),
                gr.Button(visible=True, interactive=True)]

    async def watch(self, number: int | None) -> AsyncIterator[Any]:
        """A job's state until it ends."""
        while job := self.measurements.job(number):
            yield html.status_html(job)
            if not job.active:
                return
            await asyncio.sleep(POLL)
        yield gr.skip()

    def stop(self, number: int | None) -> gr.Button:
        self.measurements.stop(number)
        return gr.Button(interactive=False)

    def rest(self) -> list[Any]:
        """Run and Stop when a job is over."""
        return [gr.Button(interactive=not self.app.data.problem), gr.Button(visible=False)]

    def _find(self, names: Sequence[str], conditions: Conditions) -> dict[str, Result | None]:
        """What is known of each network, the measured ones first, so that colours agree everywhere."""
        found = {name: self.measurements.find(name, conditions) for name in names}
        return dict(sorted(found.items(), key=lambda item: item[1] is None))

    def _leak(self, name: str, setting: str, detector: str) -> str:
        results = {split: self.measurements.find(name, Conditions(split, setting, detector))
                   for split in ("people", "official")}
        card, learnt, images = self.app.models.card(name), None, 0
        if official := results["official"]:
            learnt, images = official.learnt, official.record["images"]
        elif not self.app.data.problem and (dataset := self.app.data.open()).invented == card.from_sample:
            faces = dataset.part("official", "test")
            learnt, images = frames_learnt(card, dataset, faces), len(faces)
        sentence = html.learnt_sentence(label_of(name), card.data.get("split", ""), learnt, images)
        return html.leak_html(label_of(name), results, sentence)

    def _detail(self, answer: Answer) -> list[Any]:
        return [gr.Image(worst_faces.picture_of(answer), alt_text=worst_faces.describe(answer)),
                worst_faces.answer_html(answer)]

    def _no_worst(self, why: str) -> list[Any]:
        items: list[GridItem] = []
        return [None, items, NO_DETAIL[why], gr.Row(visible=False), gr.skip(), gr.skip()]


def _thumbnail(dataset: FacialKeypointsDataset, row: int) -> str:
    """A face with its labels as a data: address; empty where the file cannot be read."""
    try:
        picture: np.ndarray = frames.face_thumbnail(dataset.image(row), dataset.keypoints[row])
    except ImageError:
        return ""
    return data_uri(picture, quality=88)


