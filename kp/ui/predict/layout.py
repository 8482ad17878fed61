"""The layout of the Predict tab: its components, built top to bottom as they appear on the page."""

from typing import Any

import gradio as gr

from kp.detectors import DETECTORS
from kp.prediction.tta import AUGMENTATIONS
from kp.ui.dataset.frame_html import FACTS_CSS, TABLE_CSS, legend_html
from kp.ui.predict.live import live_panel
from kp.ui.predict.panels import box_panel, compare_panel, files_panel, test_panel
from kp.ui.predict.parts import TTA_HERE, Controls, PredictParts, Result
from kp.ui.static import read_static
from kp.ui.widgets.image_grid import image_grid
from kp.ui.widgets.safe_image import SafeImage
from kp.ui.widgets.stage_cards import CSS as STAGES_CSS

EXAMPLES = """Or click an example. Drawn scenes are synthetic; the people in frames of the dataset, where it is here,
are in no shipped network's training data."""
MARKS: list[Any] = ["points", "contours", "numbers", "boxes", "ellipses", ("colours by region", "colours")]
PICTURE_HEIGHT = "min(440px, 90vw)"  # no empty bands above and below on a phone
LEGEND_CSS = ".legend {margin: 9px 0 0}"  # level with the boxes to tick beside it


def build_parts(max_megapixels: int) -> PredictParts:
    """The components. To be called inside a gr.Blocks context."""
    with gr.Row():
        with gr.Column(scale=1, min_width=240):
            controls = _controls(max_megapixels)
        with gr.Column(scale=3, min_width=320):
            result = _result(max_megapixels)
    return PredictParts(controls, result)


def _controls(max_megapixels: int) -> Controls:
    photo = SafeImage(
        label="Photo",
        sources=["upload", "webcam", "clipboard"],
        format="png",
        height=260,
        buttons=[],
        webcam_options=gr.WebcamOptions(mirror=False),
        elem_id="predict-photo",
    ).limit(max_megapixels)
    detector = gr.Radio(
        [(kind.title, name) for name, kind in DETECTORS.items()],
        value="yunet",
        label="Face detector",
        elem_id="predict-detector",
    )
    with gr.Accordion("Advanced", open=False, elem_id="predict-advanced"):
        kind = DETECTORS["yunet"]
        threshold = gr.Slider(
            *kind.threshold_range,
            value=kind.default_threshold,
            step=0.05,
            label="Threshold",
            info=kind.threshold_help,
            elem_id="predict-threshold",
        )
        margin = gr.Slider(
            0,
            3,
            value=0,
            step=0.05,
            label="Crop margin",
            elem_id="predict-margin",
            info="side of the crop in sides of the face box, 1 to 2 is sensible; 0: the network's own",
        )
        tta = gr.Slider(
            1,
            len(AUGMENTATIONS),
            value=TTA_HERE,
            step=1,
            label="Test-time augmentation",
            info="slightly different crops of each face; the result is their mean, their scatter gives "
            "the confidence. Each takes the time of a face",
            elem_id="predict-views",
        )
    find = gr.Button("Find keypoints", variant="primary", elem_id="predict-find")
    with gr.Column(visible=False) as offer:
        gr.Markdown(EXAMPLES, elem_classes="kp-note")
        examples = image_grid(elem_id="predict-examples", label="Examples: people never seen in training", cell=84)
    return Controls(photo, detector, threshold, margin, tta, find, offer, examples)


def _result(max_megapixels: int) -> Result:
    analysis = gr.State(None, time_to_live=3600)
    status = gr.Markdown(elem_id="predict-status")
    notice = gr.HTML(visible=False, elem_id="predict-notice")
    whole = gr.Button("Take the whole photo as one face", visible=False, size="md", elem_id="predict-whole")
    picture = SafeImage(
        label="Result",
        show_label=False,
        interactive=False,
        format="png",
        height=PICTURE_HEIGHT,
        buttons=["fullscreen"],
        elem_id="predict-picture",
    ).limit(max_megapixels)
    box = box_panel()  # near the picture that is clicked
    with gr.Column(elem_id="predict-details") as details:
        with gr.Row(equal_height=True):
            marks = gr.CheckboxGroup(
                MARKS,
                value=["points", "boxes", "colours"],
                label="Draw",
                show_label=False,
                container=False,
                elem_id="predict-marks",
                min_width=300,
            )
            with gr.Column(min_width=280):
                gr.HTML(legend_html(), css_template=FACTS_CSS + LEGEND_CSS)
        face = gr.Radio(
            [], label="Face: click it in the picture, or choose its number", visible=False, elem_id="predict-face"
        )
        about = gr.HTML(css_template=read_static("predict_face.css"), elem_id="predict-about")
        gr.Markdown("### From photo to points", elem_id="predict-steps-head")
        steps = gr.HTML(css_template=STAGES_CSS, elem_id="predict-steps")
        with gr.Row():
            csv, json, png = (
                gr.DownloadButton(
                    f"Download {what}", size="md", interactive=False, min_width=90, elem_id=f"predict-{name}"
                )
                for what, name in (("CSV", "csv"), ("JSON", "json"), ("picture", "png"))
            )
        with gr.Accordion("Coordinates of the 68 points, in pixels of the photo", open=False, elem_id="predict-table"):
            table = gr.HTML(css_template=TABLE_CSS)
        test, compare, files = test_panel(), compare_panel(), files_panel()
    return Result(
        analysis,
        status,
        notice,
        whole,
        face,
        picture,
        png,
        about,
        steps,
        table,
        csv,
        json,
        details,
        marks,
        box,
        test,
        compare,
        files,
        live_panel(max_megapixels),
    )
