"""Live webcam: the faces of each frame, tracked and smoothed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import cv2
import gradio as gr
import numpy as np
from gradio.blocks import Block

from kp.detectors.base import resized
from kp.drawing.overlay import data_uri, scale_box
from kp.errors import CheckpointError, ImageError
from kp.formats.writer import draw_faces
from kp.prediction.face import FacePrediction
from kp.prediction.tracking import DEFAULT, FaceTracker
from kp.ui.services.model_store import NO_MODEL, ModelStore
from kp.ui.static import read_static, render
from kp.ui.widgets.safe_image import SafeImage

WIDTH, HEIGHT = 640, 480
DETECTOR_SIDE = 400  # pixels of the longer side of the detector's input; it finds faces of 40 pixels in WIDTH
EVERY = 0.04  # seconds between two frames that the browser sends, if the predictions come as fast
SPEED_FRAMES = 20  # over which the speed is measured
STREAM_GAP = 2.0  # seconds without a frame after which tracking starts anew
LIMIT = 600  # seconds: the longest stream
IDLE = '<div class="kp-notice">Click the camera, then Record: each frame comes back with the points on it.</div>'
NOTE = """Frames go to the server one after another; only the last is kept, for the button. The filter holds a still
face still and follows a moving one; without it they jitter as the network predicts them."""


@dataclass(frozen=True)
class LiveState:
    """A visitor's stream. frame: the last one, uint8 RGB; times: of the last predictions, seconds."""

    tracker: FaceTracker
    frame: np.ndarray
    times: Sequence[float] = field(default_factory=tuple)


class LivePredictor:
    """Tracks the faces of a stream of frames; the caller keeps the state between two frames."""

    def __init__(self, models: ModelStore) -> None:
        self.models = models

    def step(
        self, image: np.ndarray, state: LiveState | None, model: str | None, marks: Sequence[str], still: bool
    ) -> tuple[str, LiveState]:
        """A frame with its faces as HTML, and the next state. still: the points are smoothed over time."""
        if not model:
            raise CheckpointError(NO_MODEL)
        start = perf_counter()
        smoothing = DEFAULT if still else None
        if state is None or start - state.times[-1] > STREAM_GAP or state.tracker.smoothing != smoothing:
            state = LiveState(FaceTracker(smoothing), image)
        image = small(image)
        faces = [tracked.face for tracked in state.tracker.update(self._faces(image, model), start)]
        drawn = draw_faces(
            image,
            faces,
            1.0,
            points="points" in marks,
            contours="contours" in marks,
            ellipses="ellipses" in marks,
            boxes="boxes" in marks,
            regions="colours" in marks,
        )
        done = perf_counter()
        times = (*state.times[1 - SPEED_FRAMES :], done)
        return live_html(drawn, faces, times, done - start), LiveState(state.tracker, image, times)

    def _faces(self, image: np.ndarray, model: str) -> list[FacePrediction]:
        """The faces of a frame; the detector's input is smaller, enough for faces near a screen."""
        predictor = self.models.predictor(model)
        small_image, factor = resized(image, min(DETECTOR_SIDE, max(image.shape[:2])))
        tight = [predictor.detector.box_map.to_tight(face.box) for face in predictor.detector.detect(small_image)]
        return predictor.predict(image, [scale_box(box, 1 / factor) for box in tight])


class LiveHandlers:
    """A visitor's LiveState is kept in the page's own gr.State."""

    def __init__(self, models: ModelStore, panel: "LivePanel") -> None:
        self.predictor = LivePredictor(models)
        self.panel = panel

    def frame(
        self, image: np.ndarray | None, state: LiveState | None, model: str | None, marks: Sequence[str], still: bool
    ) -> dict[Block, Any]:
        """The view of a frame, and the next state."""
        if image is None:
            return {self.panel.view: IDLE, self.panel.state: state}
        view, following = self.predictor.step(image, state, model, marks, still)
        return {self.panel.view: view, self.panel.state: following}

    def snapshot(self, state: LiveState | None) -> np.ndarray:
        """The last frame, as the tab's photo. Raises ImageError before the first."""
        if state is None:
            raise ImageError("There is no frame yet. Start the camera first.")
        return state.frame


def small(image: np.ndarray) -> np.ndarray:
    """A frame that fits in WIDTH x HEIGHT."""
    factor = min(WIDTH / image.shape[1], HEIGHT / image.shape[0])
    if factor >= 1:
        return image
    size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def live_html(drawn: np.ndarray, faces: Sequence[FacePrediction], times: Sequence[float], seconds: float) -> str:
    """The frame, as a data: address (without a file in gradio's cache), and the speed."""
    rate = f"{(len(times) - 1) / (times[-1] - times[0]):.0f} frames a second, " if len(times) > 5 else ""
    count = f"{len(faces) or 'no'} face{'' if len(faces) == 1 else 's'}"
    return render("live.html", src=data_uri(drawn, quality=80), count=count, rate=rate, milliseconds=seconds * 1000)


@dataclass(frozen=True)
class LivePanel:
    """The components of the live view."""

    camera: SafeImage
    still: gr.Checkbox
    take: gr.Button
    view: gr.HTML
    state: gr.State


def live_panel(max_megapixels: int) -> LivePanel:
    size = {"video": {"width": {"ideal": WIDTH}, "height": {"ideal": HEIGHT}}}
    with gr.Accordion("Live: your webcam", open=False, elem_id="predict-live"):
        gr.Markdown(NOTE, elem_classes="kp-note")
        with gr.Row():
            with gr.Column(scale=1, min_width=220):
                camera = SafeImage(
                    label="Camera",
                    sources=["webcam"],
                    streaming=True,
                    height=240,
                    webcam_options=gr.WebcamOptions(mirror=False, constraints=size),
                    elem_id="live-camera",
                ).limit(max_megapixels)
                still = gr.Checkbox(True, label="Hold the points still (One Euro filter)", elem_id="live-still")
                take = gr.Button("Take this frame as the photo", size="md", elem_id="live-take")
            with gr.Column(scale=2, min_width=280):
                view = gr.HTML(IDLE, css_template=read_static("live.css"), elem_id="live-view")
    return LivePanel(camera, still, take, view, gr.State(None, time_to_live=600))
