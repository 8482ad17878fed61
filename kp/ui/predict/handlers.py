"""The Predict tab's handlers: plain values in, a dict keyed by component out."""

from collections.abc import Sequence
from html import escape
from typing import Any

import gradio as gr
import numpy as np
from gradio.blocks import Block

from kp.detectors import DETECTORS
from kp.errors import CheckpointError, KpError
from kp.formats.writer import faces_csv, json_bytes, png_bytes
from kp.geometry import Box
from kp.prediction.predictor import Predictor
from kp.ui.context import DataSource
from kp.ui.dataset.frame_html import coordinates_html
from kp.ui.predict import pipeline
from kp.ui.predict.examples import Examples
from kp.ui.predict.html import face_html
from kp.ui.predict.parts import TTA_HERE, PredictParts
from kp.ui.predict.pipeline import Analysis
from kp.ui.predict.status import WHOLE, describe, no_face_html, shown_name, status_text
from kp.ui.predict.steps import steps_html
from kp.ui.services.model_store import NO_MODEL, ModelStore
from kp.ui.widgets.served_files import save_served

Updates = dict[Block, Any]
INVITATION = "Upload a photo of a face, take one with the webcam, or paste one: its 68 points appear here."
STEPS = {"yunet": 0.05, "haar": 1, WHOLE: 0.05}  # of the threshold's slider


class PredictHandlers:
    """Keeps no visitor's state: an Analysis is kept in the page's own gr.State."""

    def __init__(self, data: DataSource, models: ModelStore, parts: PredictParts) -> None:
        self.models = models
        self.parts = parts
        self.examples = Examples(data)

    def start(self, model: str | None, marks: Sequence[str]) -> Updates:
        """The first example as the photo, the grid of examples, and the prediction; an invitation without any."""
        examples = self.examples.all()
        if not examples:
            return self.empty(escape(INVITATION))
        photo = examples[0].image
        opening = {self.parts.controls.photo: photo, **self.offer()}
        try:
            return opening | self.run(photo, model, "yunet", None, 0, TTA_HERE, marks)
        except KpError as error:
            return opening | self.empty(escape(str(error)))

    def arrive(self, analysis: Analysis | None, model: str | None, marks: Sequence[str]) -> Updates:
        """As `start` when the dataset arrives while the page is open; a chosen photo stays."""
        return self.start(model, marks) if analysis is None else self.offer()

    def offer(self) -> Updates:
        """The grid of examples, made visible."""
        controls = self.parts.controls
        return {controls.offer: gr.Column(visible=True), controls.examples: self.examples.items}

    def run(
        self,
        photo: np.ndarray | None,
        model: str | None,
        detector: str,
        threshold: float | None,
        margin: float,
        tta: int,
        marks: Sequence[str],
    ) -> Updates:
        """The prediction, in all its components. margin: 0 for the network's own. Raises KpError."""
        if photo is None:
            return self.empty(INVITATION)
        threshold = None if detector == WHOLE else threshold
        predictor = self._predictor(model, detector, threshold=threshold, margin=margin, tta=tta)
        analysis = pipeline.analyse(photo, predictor, shown_name(model))
        return self._show(analysis, marks) if analysis.faces else self._no_face(analysis, detector, threshold)

    def run_box(
        self,
        photo: np.ndarray | None,
        box: Sequence[float] | None,
        model: str | None,
        margin: float,
        tta: int,
        marks: Sequence[str],
    ) -> Updates:
        """As `run`, for one face in a box (left, top, right, bottom) drawn by hand."""
        if photo is None or box is None:
            return {self.parts.result.status: gr.skip()}
        predictor = self._predictor(model, WHOLE, margin=margin, tta=tta)
        return self._show(pipeline.analyse(photo, predictor, shown_name(model), box=Box(*box)), marks)

    def example(self, event: gr.EventData) -> np.ndarray:
        """The photo of the example that was clicked."""
        examples = self.examples.all()
        return examples[int(event.index) % len(examples)].image

    def click(
        self, analysis: Analysis | None, chosen: int | None, marks: Sequence[str], event: gr.SelectData
    ) -> Updates:
        """The face that was clicked in the picture, and its steps."""
        index = pipeline.face_at(analysis, *event.index) if analysis else None
        if index is None or index == chosen:
            return {self.parts.result.face: gr.skip()}
        return {self.parts.result.face: gr.Radio(value=index), **self.inspect(analysis, index, marks)}

    def inspect(self, analysis: Analysis | None, chosen: int | None, marks: Sequence[str]) -> Updates:
        """The picture, its download, the face in words, the steps and the table, for the face number (from 0)."""
        if analysis is None or chosen is None or chosen >= len(analysis.crops):
            return {self.parts.result.steps: gr.skip()}
        face, result = analysis.faces[chosen], self.parts.result
        number = chosen + 1 if len(analysis.faces) > 1 else None
        return {
            **self.draw(analysis, chosen, marks),
            result.about: face_html(face, number, rotation=analysis.rotation),
            result.steps: steps_html(analysis, chosen),
            result.table: coordinates_html(face.keypoints, decimals=1),
        }

    def draw(self, analysis: Analysis | None, chosen: int | None, marks: Sequence[str]) -> Updates:
        """The picture and its download."""
        if analysis is None:
            return {self.parts.result.picture: gr.skip()}
        content = png_bytes(pipeline.picture_of(analysis, chosen, marks))
        path = save_served(content, "keypoints.png")
        return {
            self.parts.result.picture: gr.Image(path, alt_text=describe(analysis, marks), visible=True),
            self.parts.result.png: gr.DownloadButton(value=path, interactive=True),
        }

    def adjust(self, detector: str) -> gr.Slider:
        """The threshold's slider with this detector's range, default and help."""
        kind = DETECTORS[detector]
        low, high = kind.threshold_range
        return gr.Slider(
            low,
            high,
            value=kind.default_threshold,
            step=STEPS.get(detector, 0.05),
            info=kind.threshold_help,
            visible=detector != WHOLE,
        )

    def take_whole(self) -> Updates:
        """The settings that take the whole photo as one face."""
        controls = self.parts.controls
        return {controls.detector: WHOLE, controls.threshold: self.adjust(WHOLE)}

    def empty(self, text: str) -> Updates:
        """Empty components, and a notice with the reason (HTML)."""
        result, nothing = self.parts.result, gr.DownloadButton(value=None, interactive=False)
        return {
            result.analysis: None,
            result.status: "",
            result.notice: _notice(text),
            result.whole: gr.Button(visible=False),
            result.face: gr.Radio(visible=False),
            result.picture: gr.Image(None, visible=False),
            result.png: nothing,
            result.about: "",
            result.steps: "",
            result.table: "",
            result.csv: nothing,
            result.json: nothing,
            result.details: gr.Column(visible=False),
        }

    def _predictor(
        self, model: str | None, detector: str, *, threshold: float | None = None, margin: float = 0, tta: int = 1
    ) -> Predictor:
        if not model:
            raise CheckpointError(NO_MODEL)
        return self.models.predictor(model, detector, threshold=threshold, margin=margin or None, tta=int(tta))

    def _show(self, analysis: Analysis, marks: Sequence[str]) -> Updates:
        several = [(str(index + 1), index) for index in range(min(len(analysis.faces), pipeline.INSPECTED))]
        csv, json = faces_csv(analysis.faces).encode(), json_bytes(analysis.faces)
        result = self.parts.result
        return {
            result.analysis: analysis,
            result.status: status_text(analysis),
            result.notice: gr.HTML(visible=False),
            result.whole: gr.Button(visible=False),
            result.face: gr.Radio(several, value=0, visible=len(several) > 1),
            **self.inspect(analysis, 0, marks),
            result.csv: _download("keypoints.csv", csv),
            result.json: _download("keypoints.json", json),
            result.details: gr.Column(visible=True),
        }

    def _no_face(self, analysis: Analysis, detector: str, threshold: float | None) -> Updates:
        path = save_served(png_bytes(analysis.picture), "photo.png")
        result = self.parts.result
        return self.empty(no_face_html(analysis, detector, threshold)) | {
            result.analysis: analysis,
            result.status: status_text(analysis),
            result.whole: gr.Button(visible=True),
            result.picture: gr.Image(path, alt_text=describe(analysis, ()), visible=True),
        }


def _notice(text: str) -> gr.HTML:
    return gr.HTML(f'<div class="kp-notice">{text}</div>', visible=True)


def _download(name: str, content: bytes) -> gr.DownloadButton:
    """A button whose file is in gradio's cache, which deletes it when it is old."""
    path = save_served(content, name)
    return gr.DownloadButton(value=path, interactive=True)
