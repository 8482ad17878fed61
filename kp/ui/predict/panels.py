"""The tools below Predict's result, each in a closed accordion."""

from dataclasses import dataclass

import gradio as gr

from kp.formats.coco import COCO
from kp.formats.writer import FORMATS
from kp.ui.static import read_static

BOX_NOTE = """Where a detector misses a face, draw the box yourself. The network predicts twice: in your box, and in
the one about the points that it found."""
TEST_NOTE = """A network gets nothing but the crop about the box. Move the box, and see whether the points stay on the
face: good ones hardly move, however the box lies."""
COMPARE_NOTE = "Another network on the same crop of the same face."
SAVE_NOTE = "Pixels are counted from 0, in .pts files from 1. Everything is about the photo in its own size."
CORNERS = "Click the upper left and the lower right corner of the face: from the brows to the chin, from jaw to jaw."
HOW = ("over each other", "side by side")


@dataclass(frozen=True)
class BoxPanel:
    """A box drawn by hand. first: the corner clicked before, in pixels of the picture; given: the box."""

    drawing: gr.Checkbox
    note: gr.Markdown
    sides: list[gr.Number]
    use: gr.Button
    first: gr.State
    given: gr.State


@dataclass(frozen=True)
class TestPanel:
    """The box test. opened: whether the accordion is open; it computes nothing while closed."""

    accordion: gr.Accordion
    opened: gr.State
    sliders: list[gr.Slider]
    back: gr.Button
    picture: gr.HTML
    map: gr.HTML


@dataclass(frozen=True)
class ComparePanel:
    """Two networks on one face."""

    accordion: gr.Accordion
    opened: gr.State
    other: gr.Dropdown
    how: gr.Radio
    view: gr.HTML


@dataclass(frozen=True)
class FilesPanel:
    """Output files in other formats."""

    formats: gr.CheckboxGroup
    size: gr.Slider
    make: gr.Button
    files: gr.File


def box_panel() -> BoxPanel:
    with gr.Accordion("Draw the face box yourself", open=False, elem_id="predict-box"):
        gr.Markdown(BOX_NOTE, elem_classes="kp-note")
        drawing = gr.Checkbox(False, label="Draw: my clicks in the picture are corners", elem_id="predict-drawing")
        note = gr.Markdown(CORNERS, visible=False, elem_id="predict-corners")
        with gr.Row():
            sides = [
                gr.Number(None, label=f"{side.capitalize()} (pixels)", min_width=110, elem_id=f"predict-box-{side}")
                for side in ("left", "top", "right", "bottom")
            ]
        use = gr.Button("Use this box", size="md", elem_id="predict-box-use")
    return BoxPanel(drawing, note, sides, use, gr.State(None), gr.State(None))


def test_panel() -> TestPanel:
    with gr.Accordion("Box test: how much does the box matter?", open=False, elem_id="predict-test") as accordion:
        gr.Markdown(TEST_NOTE, elem_classes="kp-note")
        with gr.Row():
            with gr.Column(scale=1, min_width=220):
                sliders = [
                    gr.Slider(-50, 50, value=0, step=5, label="Right (% of the box)", elem_id="predict-test-right"),
                    gr.Slider(-50, 50, value=0, step=5, label="Down (% of the box)", elem_id="predict-test-down"),
                    gr.Slider(50, 200, value=100, step=5, label="Size (%)", elem_id="predict-test-size"),
                    gr.Slider(-180, 180, value=0, step=5, label="Turn (degrees)", elem_id="predict-test-turn"),
                ]
                back = gr.Button("Back to the detector's box", size="md", elem_id="predict-test-back")
            with gr.Column(scale=2, min_width=280):
                picture = gr.HTML(css_template=read_static("predict_tools.css"), elem_id="predict-test-picture")
        shifts = gr.HTML(css_template=read_static("predict_tools.css"), elem_id="predict-test-map")
    return TestPanel(accordion, gr.State(False), sliders, back, picture, shifts)


def compare_panel() -> ComparePanel:
    with gr.Accordion("Compare with another network", open=False, elem_id="predict-compare") as accordion:
        gr.Markdown(COMPARE_NOTE, elem_classes="kp-note")
        with gr.Row():
            other = gr.Dropdown([], label="The other network", elem_id="predict-other", min_width=200)
            how = gr.Radio(list(HOW), value=HOW[0], label="Show", elem_id="predict-how", min_width=200)
        view = gr.HTML(css_template=read_static("predict_tools.css"), elem_id="predict-compared")
    return ComparePanel(accordion, gr.State(False), other, how, view)


def files_panel() -> FilesPanel:
    with gr.Accordion("Save in other formats", open=False, elem_id="predict-files"):
        gr.Markdown(SAVE_NOTE, elem_classes="kp-note")
        offered = [(f"{name}: {kind.title}", name) for name, kind in FORMATS.items()]
        offered += [
            ("coco: COCO keypoints, JSON", COCO),
            ("aligned: each face cut out with level eyes, PNG and JSON", "aligned"),
        ]
        formats = gr.CheckboxGroup(
            offered, value=["openface", "pts", "aligned"], label="Formats", elem_id="predict-formats"
        )
        size = gr.Slider(
            64, 1024, value=256, step=32, label="Size of the aligned crops (pixels)", elem_id="predict-aligned-size"
        )
        make = gr.Button("Make the files", size="md", elem_id="predict-make")
        files = gr.File(
            label="Files to download", visible=False, interactive=False, file_count="multiple", elem_id="predict-made"
        )
    return FilesPanel(formats, size, make, files)
