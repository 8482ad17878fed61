"""What the Predict tab answers: plain values in, values for its components out."""

from collections.abc import Sequence
from html import escape
from typing import Any

import gradio as gr
import numpy as np

from kp.detectors import DETECTORS
from kp.errors import CheckpointError, ImageError, KpError
from kp.export import faces_csv, faces_json, json_bytes, overlay, png_bytes
from kp.geometry import Box
from kp.predict import Predictor
from kp.ui import pipeline
from kp.ui.context import DataSource
from kp.ui.examples import Examples
from kp.ui.frame_html import coordinates_html
from kp.ui.models import RUN, ModelStore
from kp.ui.pipeline import Analysis
from kp.ui.predict_html import face_html
from kp.ui.served_files import save_served

WHOLE = "whole-image"
VIEWS_HERE = 4  # for a face: a better mean, and doubt where there is no face; three times the time of one
INVITATION = "Upload a photo of a face, take one with the webcam, or paste one: its 68 points appear here."
NO_MODEL = "There is no network to predict with yet. Train one in the Train tab."
STEPS = {"yunet": 0.05, "haar": 1, WHOLE: 0.05}  # of the threshold's slider


class PredictHandlers:
    """No visitor's state is kept here: an Analysis goes out to the page's own gr.State and comes back."""

    def __init__(self, data: DataSource, models: ModelStore) -> None:
        self.models = models
        self.examples = Examples(data)

    def start(self, model: str | None, marks: Sequence[str]) -> list[Any]:
        """The first example as the photo, the grid of examples, and the prediction; an invitation without any."""
        examples = self.examples.all()
        if not examples:
            return [gr.skip(), gr.skip(), gr.skip(), *self.empty(escape(INVITATION))]
        photo = examples[0].image
        try:
            return [photo, *self.offer(), *self.run(photo, model, "yunet", None, 0, VIEWS_HERE, marks)]
        except KpError as error:
            return [photo, *self.offer(), *self.empty(escape(str(error)))]

    def arrive(self, analysis: Analysis | None, model: str | None, marks: Sequence[str]) -> list[Any]:
        """The same when the data comes while the page is open; a photo that is there stays."""
        if analysis is None:
            return self.start(model, marks)
        return [gr.skip(), *self.offer(), *[gr.skip()] * len(self.empty(""))]

    def offer(self) -> list[Any]:
        """The grid of examples and what is around it."""
        return [gr.Column(visible=True), self.examples.items]

    def run(self, photo: np.ndarray | None, model: str | None, detector: str, threshold: float | None, margin: float,
            views: int, marks: Sequence[str]) -> list[Any]:
        """The prediction and all that shows it. margin: 0 takes the network's own. Raises KpError."""
        if photo is None:
            return self.empty(INVITATION)
        threshold = None if detector == WHOLE else threshold
        predictor = self._predictor(model, detector, threshold=threshold, margin=margin, views=views)
        analysis = pipeline.analyse(photo, predictor, shown_name(model))
        return self._show(analysis, marks) if analysis.faces else self._no_face(analysis, detector, threshold)

    def run_box(self, photo: np.ndarray | None, box: Sequence[float] | None, model: str | None, margin: float,
                views: int, marks: Sequence[str]) -> list[Any]:
        """The same for the one face in a box (left, top, right, bottom) that was drawn by hand."""
        if photo is None or box is None:
            return [gr.skip()] * len(self.empty(""))
        predictor = self._predictor(model, WHOLE, margin=margin, views=views)
        return self._show(pipeline.analyse(photo, predictor, shown_name(model), box=Box(*box)), marks)

    def example(self, event: gr.EventData) -> np.ndarray:
        """The photo of the example that was clicked."""
        examples = self.examples.all()
        return examples[int(event.index) % len(examples)].image

    def click(self, analysis: Analysis | None, chosen: int | None, marks: Sequence[str],
              event: gr.SelectData) -> list[Any]:
        """The face that was clicked in the picture, and its steps."""
        index = pipeline.face_at(analysis, *event.index) if analysis else None
        if index is None or index == chosen:
            return [gr.skip()] * 6
        return [gr.Radio(value=index), *self.inspect(analysis, index, marks)]

    def inspect(self, analysis: Analysis | None, chosen: int | None, marks: Sequence[str]) -> list[Any]:
        """The picture, its download, the face in words, the steps and the table, for the face number (from 0)."""
        if analysis is None or chosen is None or chosen >= len(analysis.crops):
            return [gr.skip()] * 5
        face = analysis.faces[chosen]
        number = chosen + 1 if len(analysis.faces) > 1 else None
        return [*self.draw(analysis, chosen, marks), face_html(face, number, turn=analysis.turn),
                pipeline.steps_html(analysis, chosen), coordinates_html(face.keypoints, decimals=1)]

    def draw(self, analysis: Analysis | None, chosen: int | None, marks: Sequence[str]) -> list[Any]:
        """The picture and its download."""
        if analysis is None:
            return [gr.skip()] * 2
        content = png_bytes(pipeline.picture_of(analysis, chosen, marks))
        path = save_served(content, "keypoints.png")
        return [gr.Image(path, alt_text=pipeline.describe(analysis, marks), visible=True),
                gr.DownloadButton(value=path, interactive=True)]

    def adjust(self, detector: str) -> gr.Slider:
        """The threshold's slider as this detector needs it."""
        kind = DETECTORS[detector]
        low, high = kind.threshold_range
        return gr.Slider(low, high, value=kind.default_threshold, step=STEPS.get(detector, 0.05),
                         info=kind.threshold_help, visible=detector != WHOLE)

    def predict(self, image: np.ndarray | None, model: str, detector: str = "yunet", threshold: float | None = None,
                margin: float | None = None) -> tuple[np.ndarray, list[dict[str, Any]]]:
        """Find the 68 keypoints of every face.

        Gives the picture with the points drawn on it, and the faces: box [left, top, right, bottom], score,
        keypoints 68 x [x, y], in pixels of the picture that was sent. threshold: the detector's own if left out.
        margin: side of the crop in sides of the face box, the network's own if left out or 0.
        """
        if image is None:
            raise ImageError("There is no picture. Send one as `image`.")
        faces = self.models.predictor(model, detector, threshold=threshold, margin=margin or None).predict(image)
        return overlay(image, faces), faces_json(faces)

    def empty(self, text: str) -> list[Any]:
        """Nothing to show, and the sentence that says why (HTML)."""
        nothing = gr.DownloadButton(value=None, interactive=False)
        return [None, "", _notice(text), gr.Button(visible=False), gr.Radio(visible=False),
                gr.Image(None, visible=False), nothing, "", "", "", nothing, nothing, gr.Column(visible=False)]

    def _predictor(self, model: str | None, detector: str, *, threshold: float | None = None, margin: float = 0,
                   views: int = 1) -> Predictor:
        if not model:
            raise CheckpointError(NO_MODEL)
        return self.models.predictor(model, detector, threshold=threshold, margin=margin or None, views=int(views))

    def _show(self, analysis: Analysis, marks: Sequence[str]) -> list[Any]:
        several = [(str(index + 1), index) for index in range(min(len(analysis.faces), pipeline.INSPECTED))]
        csv, json = faces_csv(analysis.faces).encode(), json_bytes(analysis.faces)
        return [analysis, pipeline.status_text(analysis), gr.HTML(visible=False), gr.Button(visible=False),
                gr.Radio(several, value=0, visible=len(several) > 1), *self.inspect(analysis, 0, marks),
                _download("keypoints.csv", csv), _download("keypoints.json", json), gr.Column(visible=True)]

    def _no_face(self, analysis: Analysis, detector: str, threshold: float | None) -> list[Any]:
        others = [kind.title.partition(" (")[0] for name, kind in DETECTORS.items() if name not in (detector, WHOLE)]
        at = "" if threshold is None else f" at the threshold {threshold:g}"
        text = (f"<b>{escape(analysis.detector.partition(' (')[0])} found no face{at}.</b> Try a lower threshold, the "
                f"detector {escape(' or '.join(others))}, or draw a box around the face yourself (below). "
                "Or take the whole photo as one face:")
        shown = self.empty(text)
        shown[0], shown[1], shown[3] = analysis, pipeline.status_text(analysis), gr.Button(visible=True)
        shown[5] = gr.Image(save_served(png_bytes(analysis.picture), "photo.png"),
                            alt_text=pipeline.describe(analysis, ()), visible=True)
        return shown


def shown_name(model: str | None) -> str:
    """A network's name as visitors read it."""
    return (model or "").replace(RUN, "your run ")


def _notice(text: str) -> gr.HTML:
    return gr.HTML(f'<div class="kp-notice">{text}</div>', visible=True)


def _download(name: str, content: bytes) -> gr.DownloadButton:
    """A button whose file is in gradio's cache, which deletes it when it is old."""
    path = save_served(content, name)
    return gr.DownloadButton(value=path, interactive=True)
