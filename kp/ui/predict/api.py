"""The public API "/predict" of the app: a photo in, the drawn picture and its faces out."""

import functools
from collections.abc import Callable
from typing import Any

import gradio as gr
import numpy as np
from gradio.context import LocalContext

from kp.errors import ImageError
from kp.formats.writer import faces_json, overlay
from kp.ui.context import AppContext
from kp.ui.services.model_store import ModelStore
from kp.ui.widgets.feedback import show_errors
from kp.ui.widgets.safe_image import SafeImage

AT_ONCE = 2  # concurrent API calls; others wait
Prediction = tuple[np.ndarray, list[dict[str, Any]]]


def publish(app: AppContext) -> None:
    """The public API "/predict", with hidden components of its own, independent of those on the page."""
    with gr.Column(visible=False):
        image = SafeImage(label="image").limit(app.settings.max_megapixels)
        model = gr.Textbox(next(iter(app.models.names()), "five_conv"), label="model")
        detector = gr.Textbox("yunet", label="detector")
        threshold, margin = gr.Number(None, label="threshold"), gr.Number(None, label="margin")
        drawn = SafeImage(label="picture", format="png").limit(app.settings.max_megapixels)
        faces = gr.JSON(label="faces")
        gr.Button().click(
            show_errors(_without_session(app.page, _predict_with(app.models))),
            [image, model, detector, threshold, margin],
            [drawn, faces],
            api_name="predict",
            concurrency_limit=AT_ONCE,
        )


def _predict_with(models: ModelStore) -> Callable[..., Prediction]:
    """The function of the API; its name, parameters and docstring are its documentation."""

    def predict(
        image: np.ndarray | None,
        model: str,
        detector: str = "yunet",
        threshold: float | None = None,
        margin: float | None = None,
    ) -> Prediction:
        """Find the 68 keypoints of every face.

        Gives the picture with the points drawn on it, and the faces: box [left, top, right, bottom], score,
        keypoints 68 x [x, y], in pixels of the picture that was sent. threshold: the detector's own if left out.
        margin: side of the crop in sides of the face box, the network's own if left out or 0.
        """
        if image is None:
            raise ImageError("There is no picture. Send one as `image`.")
        faces = models.predictor(model, detector, threshold=threshold, margin=margin or None).predict(image)
        return overlay(image, faces), faces_json(faces)

    return predict


def _without_session(page: gr.Blocks, predict: Callable[..., Any]) -> Callable[..., Any]:
    """`predict` without the session state that gradio keeps for each caller."""

    @functools.wraps(predict)
    def called(*values: Any) -> Any:
        try:
            return predict(*values)
        finally:
            request = LocalContext.request.get()
            if request and request.session_hash:
                page.state_holder.session_data.pop(request.session_hash, None)

    return called
