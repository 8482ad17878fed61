"""The handlers of the Feature maps tab's events."""

from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np
from gradio.blocks import Block

from kp.ui.inspect.faces import InputFace, face_items, faces_shown, photo_face
from kp.ui.inspect.parts import InsideParts
from kp.ui.inspect.view import KERNELS, MAPS, View
from kp.ui.inspect.viewer import NetworkViewer
from kp.ui.widgets.image_grid import GridItem

Updates = dict[Block, Any]  # new values by component; a component that is not in it stays as it is


class InsideHandlers:
    """choices: the values of the fields of a View, in their order."""

    def __init__(self, viewer: NetworkViewer, parts: InsideParts) -> None:
        self.viewer, self.parts = viewer, parts

    def draw(self, *choices: Any) -> Updates:
        """Summary, grid, enlarged kernel or map, and the network's input."""
        view, parts = self.viewer.resolve(View(*choices)), self.parts
        shown = self.viewer.pictures(view)
        return {
            parts.summary: shown.summary,
            parts.grid: shown.items,
            parts.detail: shown.detail,
            parts.face.crop: self.viewer.crop(view),
            parts.chosen: shown.chosen,
        }

    def draw_page(self, *choices: Any) -> Updates:
        """The same for another page of the grid; the kernel or map that varies most on it is enlarged."""
        return self.draw(*choices[:-1], None)

    def draw_layer(self, *choices: Any) -> Updates:
        """The same for another network, kind or layer, with the controls that it needs."""
        name, kind, layer, _, _, *rest = choices
        choices = (name, kind, layer, None, 0, *rest)
        return self.controls(*choices) | self.draw_page(*choices)

    def controls(self, *choices: Any) -> Updates:
        """The controls that the network and the kind need."""
        view, parts = self.viewer.resolve(View(*choices)), self.parts
        if view is None:
            hidden = (parts.channel, parts.page, parts.applied, parts.shared)
            return {parts.layer: gr.Dropdown([], value=None), **{part: gr.update(visible=False) for part in hidden}}
        channels, pages = self.viewer.channels(view), self.viewer.pages(view)
        layers = self.viewer.layers(view.predictor, view.kind)
        of_kernels = view.kind == KERNELS
        return {
            parts.layer: gr.Dropdown(layers, value=view.layer, label="Convolution" if of_kernels else "Stage"),
            parts.channel: gr.Slider(0, max(1, channels - 1), view.channel, visible=channels > 1),
            parts.page: gr.Radio(
                pages, value=view.page, visible=len(pages) > 1, label="Kernels" if of_kernels else "Feature maps"
            ),
            parts.applied: gr.Radio(visible=of_kernels and view.layer != layers[0][1]),
            parts.shared: gr.Checkbox(visible=view.kind == MAPS),
        }

    def on_grid(self, event: gr.EventData, *choices: Any) -> Updates:
        """A click on a cell of the grid."""
        return self.enlarge(int(event.index), *choices)

    def enlarge(self, index: int, *choices: Any) -> Updates:
        """The kernel or map in cell `index` of the grid."""
        view = self.viewer.resolve(View(*choices))
        shown = self.viewer.pictures(view and replace(view, chosen=view.first + index))
        return {self.parts.detail: shown.detail, self.parts.chosen: shown.chosen}

    def read_photo(self, name: str | None, image: np.ndarray | None) -> InputFace | None:
        """The face in a visitor's photo; None where there is no photo or no network."""
        return None if image is None or name is None else photo_face(image, self.viewer.models.predictor(name))

    def faces(self, page: int, frame: int | None) -> list[GridItem]:
        """A page of test people; none without a dataset."""
        if self.viewer.data.problem:
            return []
        return face_items(self.viewer.people, faces_shown(self.viewer.first_frames, page), frame)

    def offer_faces(self, page: int, frame: int | None) -> Updates:
        """A page of test people, with the controls that need a dataset, which may arrive while the app runs."""
        face, frames = self.parts.face, 0 if self.viewer.data.problem else len(self.viewer.people)
        return {
            face.faces: self.faces(page, frame),
            face.others: gr.Button(visible=frames > 0),
            face.frame: gr.Number(
                visible=frames > 0, label=f"Frame of the test people, 0 to {frames - 1}", maximum=max(0, frames - 1)
            ),
        }

    def next_faces(self, page: int, frame: int | None) -> Updates:
        """The next page of test people."""
        return {self.parts.face.page: page + 1, self.parts.face.faces: self.faces(page + 1, frame)}

    def on_face(self, event: gr.EventData, page: int) -> Updates:
        """A click on a face."""
        return self.pick_face(int(event.index), page)

    def pick_face(self, index: int, page: int) -> Updates:
        """The face in cell `index` of the test people, in place of a photo."""
        face = self.parts.face
        return {face.frame: faces_shown(self.viewer.first_frames, page)[index], face.upload: None, face.photo: None}

    def pick_frame(self, page: int, frame: int | None) -> Updates:
        """The frame of this number, in place of a photo."""
        face = self.parts.face
        return {face.upload: None, face.photo: None, face.faces: self.faces(page, frame)}
