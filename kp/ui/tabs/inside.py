"""Inside the network: its kernels, and the feature maps they make of a face."""

from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
import numpy as np

from kp.ui import network_html as html
from kp.ui.context import AppContext
from kp.ui.feedback import show_errors
from kp.ui.grid import GridItem, image_grid
from kp.ui.network_faces import InputFace, face_items, faces_shown, photo_face
from kp.ui.network_view import FACE, KERNELS, MAPS, NETWORK, PAGE, NetworkViewer, View
from kp.ui.safe_image import SafeImage

LEAD = "A kernel is a small pattern that the network taught itself. Click one to see its numbers and what it makes " \
    "of a face; then follow the feature maps, stage by stage, until 68 points are left."
LESSON = """A **convolution** slides a kernel over a picture. At each place it multiplies the kernel's numbers with the
pixels under them and adds up the products: a high result marks a place that looks like the kernel.
Nobody wrote these numbers. They began as random ones, and training moved them, a little at each step, as long as the
68 points got better. Many still look random: a kernel need not look tidy to be useful.

The first convolution reads the face itself. A deeper one reads the maps of those before it: it has a kernel for each of
them, and adds up their results. Pooling and strides make the maps smaller on the way, so that each of their pixels sees
more of the face, and knows less exactly where.

**One thing to try:** choose *Feature maps*, go down the stages one by one, and look for a map that marks the eyes. Then
choose another face: does the same map mark its eyes too?"""
# On a phone the enlarged picture may lie below the grid that was clicked.
SHOW_DETAIL = """() => document.getElementById('inside-detail')?.scrollIntoView({block: 'nearest',
  behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth'})"""
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
LATEST: dict[str, Any] = {**QUIET, "trigger_mode": "always_last"}


class Handlers:
    """What the tab's controls do. `choices` are always the fields of a View, in their order."""

    def __init__(self, viewer: NetworkViewer) -> None:
        self.viewer = viewer

    def draw(self, *choices: Any) -> tuple[str, list[GridItem], str, str, int | None]:
        """summary, grid, detail, crop, chosen."""
        view = self.viewer.settled(View(*choices))
        shown = self.viewer.pictures(view)
        return shown.summary, shown.items, shown.detail, self.viewer.crop(view), shown.chosen

    def draw_strongest(self, *choices: Any) -> tuple:
        """The same for another page: what varies most on it is enlarged."""
        return self.draw(*choices[:-1], None)

    def controls(self, *choices: Any) -> tuple:
        """The controls that the network and the kind need: layer, channel, page, applied, shared."""
        view = self.viewer.settled(View(*choices))
        if view.name is None:
            return gr.Dropdown([], value=None), *(gr.update(visible=False) for _ in range(4))
        channels, pages, layers = (ask(view) for ask in (self.viewer.channels, self.viewer.pages, self.viewer.layers))
        return (
            gr.Dropdown(layers, value=view.layer, label="Convolution" if view.kind == KERNELS else "Stage"),
            gr.Slider(0, max(1, channels - 1), view.channel, visible=channels > 1),
            gr.Radio(pages, value=view.page, visible=len(pages) > 1,
                     label="Kernels" if view.kind == KERNELS else "Feature maps"),
            gr.Radio(visible=view.kind == KERNELS and view.layer != layers[0][1]),
            gr.Checkbox(visible=view.kind == MAPS),
        )

    def draw_all(self, *choices: Any) -> tuple:
        """For another network, kind or layer: its controls, and its pictures."""
        name, kind, layer, _, _, *rest = choices
        choices = (name, kind, layer, None, 0, *rest)
        return *self.controls(*choices), *self.draw_strongest(*choices)

    def enlarge(self, index: int, *choices: Any) -> tuple[str, int | None]:
        """detail, chosen: for a click on the grid's cell `index`."""
        view = self.viewer.settled(View(*choices))
        shown = self.viewer.pictures(replace(view, chosen=view.page * PAGE + index))
        return shown.detail, shown.chosen

    def read_photo(self, name: str | None, image: np.ndarray | None) -> InputFace | None:
        return None if image is None or name is None else photo_face(image, self.viewer.models.predictor(name))

    def faces(self, page: int, frame: int | None) -> list[GridItem]:
        """A page of test people."""
        if self.viewer.data.problem:
            return []
        return face_items(self.viewer.people, faces_shown(self.viewer.first_frames, page), frame)

    def offer_faces(self, page: int, frame: int | None) -> tuple[list[GridItem], gr.Button, gr.Number]:
        """The same, and the controls that need data; it may have come after the app's start."""
        frames = 0 if self.viewer.data.problem else len(self.viewer.people)
        return (self.faces(page, frame), gr.Button(visible=frames > 0),
                gr.Number(visible=frames > 0, label=f"Frame of the test people, 0 to {frames - 1}",
                          maximum=max(0, frames - 1)))

    def picked_face(self, index: int, page: int) -> tuple[int, None, None]:
        """frame, and no photo."""
        return faces_shown(self.viewer.first_frames, page)[index], None, None


@dataclass(frozen=True)
class InputParts:
    """The components that choose a face."""

    crop: gr.HTML
    faces: gr.HTML
    frame: gr.Number
    others: gr.Button
    upload: SafeImage


def build(app: AppContext) -> None:
    """The tab's content."""
    viewer = NetworkViewer(app.models, app.data)
    handlers = Handlers(viewer)
    photo, chosen = gr.State(None), gr.State(None)
    gr.Markdown(LEAD, elem_classes="kp-lead")
    with gr.Row():
        with gr.Column(scale=1, min_width=240):
            kind = gr.Radio([("Kernels", KERNELS), ("Feature maps", MAPS)], value=KERNELS, label="Show",
                            elem_id="inside-kind")
            layer = gr.Dropdown([], label="Convolution", elem_id="inside-layer")
            channel = gr.Slider(0, 1, 0, step=1, label="Channel that the kernel reads", visible=False,
                                elem_id="inside-channel")
            applied = gr.Radio([("what it reads in the network", NETWORK), ("the face itself", FACE)], value=NETWORK,
                               label="Apply the kernel to", visible=False, elem_id="inside-applied")
            shared = gr.Checkbox(False, label="One colour scale for all maps", visible=False, elem_id="inside-shared")
            parts = input_parts(0 if viewer.data.problem else len(viewer.people))
        with gr.Column(scale=3):
            summary = gr.HTML(elem_id="inside-summary", css_template=html.CSS)
            page = gr.Radio([], label="Kernels", visible=False, elem_id="inside-page")
            grid = image_grid(elem_id="inside-grid", label="Kernels or feature maps", cell=48, phone_columns=6,
                              pixelated=True)
            detail = gr.HTML(elem_id="inside-detail", css_template=html.CSS)
    with gr.Accordion("What is going on here?", open=False):
        gr.Markdown(LESSON)

    parts.upload.limit(app.settings.max_megapixels)
    choices = [app.picker, kind, layer, channel, page, applied, shared, parts.frame, photo, chosen]
    controls, pictures = [layer, channel, page, applied, shared], [summary, grid, detail, parts.crop, chosen]
    gr.on([*app.fills, app.picker.change, kind.input, layer.input], show_errors(handlers.draw_all), choices,
          controls + pictures, **LATEST)
    gr.on([channel.input, applied.input, shared.input], show_errors(handlers.draw), choices, pictures, **LATEST)
    page.input(show_errors(handlers.draw_strongest), choices, pictures, **LATEST)

    def on_grid(event: gr.EventData, *values: Any) -> tuple[str, int | None]:
        return handlers.enlarge(int(event.index), *values)

    grid.select(show_errors(on_grid), choices, [detail, chosen], **LATEST).success(None, js=SHOW_DETAIL, **QUIET)
    connect_input(app, handlers, parts, photo, lambda event: event.success(
        show_errors(handlers.draw), choices, pictures, **QUIET))


def input_parts(frames: int) -> InputParts:
    """The face as the network sees it, and the ways to choose another; `frames`: how many the test people have."""
    crop = gr.HTML(elem_id="inside-crop", css_template=html.CSS)
    faces = image_grid(elem_id="inside-faces", label="Faces of test people", cell=48, phone_columns=6)
    others = gr.Button("Other faces", size="md", visible=frames > 0, elem_id="inside-others")
    frame = gr.Number(0, label=f"Frame of the test people, 0 to {frames - 1}", precision=0, minimum=0,
                      maximum=max(0, frames - 1), visible=frames > 0, elem_id="inside-frame")
    with gr.Accordion("Use your own photo", open=not frames):
        upload = SafeImage(label="Your photo", sources=["upload", "webcam", "clipboard"], height=220,
                           elem_id="inside-photo")
    return InputParts(crop, faces, frame, others, upload)


def connect_input(app: AppContext, handlers: Handlers, parts: InputParts, photo: gr.State, then_draw) -> None:
    """A face is chosen by a click, by its number or by a photo; the last one counts."""
    faces_page = gr.State(0)

    def on_face(event: gr.EventData, page: int) -> tuple[int, None, None]:
        return handlers.picked_face(int(event.index), page)

    def on_frame(page: int, frame: int | None) -> tuple[None, None, list[GridItem]]:
        return None, None, handlers.faces(page, frame)

    shown = ([faces_page, parts.frame], parts.faces)
    gr.on(app.fills, show_errors(handlers.offer_faces), shown[0], [parts.faces, parts.others, parts.frame], **QUIET)
    parts.others.click(lambda page: page + 1, faces_page, faces_page, **QUIET).then(
        show_errors(handlers.faces), *shown, **QUIET)
    then_draw(parts.faces.select(show_errors(on_face), faces_page, [parts.frame, parts.upload, photo], **LATEST))
    then_draw(parts.frame.input(show_errors(on_frame), shown[0], [parts.upload, photo, parts.faces], **LATEST))
    then_draw(parts.upload.input(show_errors(handlers.read_photo), [app.picker, parts.upload], photo, **LATEST))
