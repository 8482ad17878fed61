"""The components of the Feature maps tab."""

from dataclasses import dataclass

import gradio as gr

from kp.ui.inspect.view import FACE, KERNELS, MAPS, NETWORK
from kp.ui.static import read_static
from kp.ui.widgets.image_grid import image_grid
from kp.ui.widgets.safe_image import SafeImage


@dataclass(frozen=True)
class InputParts:
    """The components that choose a face. crop: the network's input. page: of `faces`. photo: an InputFace or None."""

    crop: gr.HTML
    faces: gr.HTML
    frame: gr.Number
    others: gr.Button
    upload: SafeImage
    page: gr.State
    photo: gr.State


@dataclass(frozen=True)
class InsideParts:
    """The controls in the order of the fields of a View, and what they show. chosen: the enlarged kernel or map."""

    kind: gr.Radio
    layer: gr.Dropdown
    channel: gr.Slider
    applied: gr.Radio
    shared: gr.Checkbox
    face: InputParts
    summary: gr.HTML
    page: gr.Radio
    grid: gr.HTML
    detail: gr.HTML
    chosen: gr.State


def inside_parts(frames: int) -> InsideParts:
    """Lay out the components. frames: how many frames of test people there are."""
    css = read_static("inside.css")
    chosen = gr.State(None)
    with gr.Row():
        with gr.Column(scale=1, min_width=240):
            kind = gr.Radio(
                [("Kernels", KERNELS), ("Feature maps", MAPS)], value=KERNELS, label="Show", elem_id="inside-kind"
            )
            layer = gr.Dropdown([], label="Convolution", elem_id="inside-layer")
            channel = gr.Slider(
                0, 1, 0, step=1, label="Input channel of the kernel", visible=False, elem_id="inside-channel"
            )
            applied = gr.Radio(
                [("its input in the network", NETWORK), ("the face", FACE)],
                value=NETWORK,
                label="Apply the kernel to",
                visible=False,
                elem_id="inside-applied",
            )
            shared = gr.Checkbox(False, label="One colour scale for all maps", visible=False, elem_id="inside-shared")
            face = input_parts(frames)
        with gr.Column(scale=3):
            summary = gr.HTML(elem_id="inside-summary", css_template=css)
            page = gr.Radio([], label="Kernels", visible=False, elem_id="inside-page")
            grid = image_grid(
                elem_id="inside-grid", label="Kernels or feature maps", cell=48, phone_columns=6, pixelated=True
            )
            detail = gr.HTML(elem_id="inside-detail", css_template=css)
    return InsideParts(kind, layer, channel, applied, shared, face, summary, page, grid, detail, chosen)


def input_parts(frames: int) -> InputParts:
    """The network's input, and the ways to choose another face."""
    crop = gr.HTML(elem_id="inside-crop", css_template=read_static("inside.css"))
    faces = image_grid(elem_id="inside-faces", label="Faces of test people", cell=48, phone_columns=6)
    others = gr.Button("Other faces", size="md", visible=frames > 0, elem_id="inside-others")
    frame = gr.Number(
        0,
        label=f"Frame of the test people, 0 to {frames - 1}",
        precision=0,
        minimum=0,
        maximum=max(0, frames - 1),
        visible=frames > 0,
        elem_id="inside-frame",
    )
    with gr.Accordion("Use your own photo", open=not frames):
        upload = SafeImage(
            label="Your photo", sources=["upload", "webcam", "clipboard"], height=220, elem_id="inside-photo"
        )
    return InputParts(crop, faces, frame, others, upload, gr.State(0), gr.State(None))
