"""From a visitor's choices to the summary, grid and enlarged picture of a network. No components here."""

from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np
import torch

from kp.data import FacialKeypointsDataset
from kp.drawing.network import sequential_range, symmetric_limit
from kp.explain.feature_maps import MapGeometry, feature_maps, map_geometry
from kp.explain.kernels import convolution_inputs, convolutions, input_channel, kernels
from kp.models.base import StagedModel
from kp.prediction.predictor import Predictor
from kp.ui.context import DataSource
from kp.ui.inspect import html, kernel_html, map_html
from kp.ui.inspect.faces import InputFace, dataset_face, first_frames, to_input
from kp.ui.inspect.kernel_html import KernelInput
from kp.ui.inspect.view import FACE, KERNELS, MAPS, PAGE, LayerView, Pictures, View
from kp.ui.services.model_store import ModelStore

NO_MODEL = "No checkpoint is shipped yet. Train a network in the tab Train; then its kernels can be seen here."
NO_FACE = "Feature maps need a face. There is no dataset here, so choose a photo of your own on this page."
NO_CROP = "There is no dataset here. Choose a photo of your own below."


class NetworkViewer:
    """Shared by all visitors; keeps nothing about them."""

    def __init__(self, models: ModelStore, data: DataSource) -> None:
        self.models, self.data = models, data
        self._people: tuple[FacialKeypointsDataset, FacialKeypointsDataset] | None = None
        self._geometries: WeakKeyDictionary[StagedModel, dict[str, MapGeometry]] = WeakKeyDictionary()
        self._known_shapes: WeakKeyDictionary[StagedModel, dict[str, tuple[int, ...]]] = WeakKeyDictionary()

    @property
    def people(self) -> FacialKeypointsDataset:
        """The test people of the dataset that is open now. Raises CheckpointError where there is none."""
        dataset = self.data.open()
        if self._people is None or self._people[0] is not dataset:
            self._people = dataset, dataset.part("people", "test")
        return self._people[1]

    @property
    def first_frames(self) -> list[int]:
        """The first frame of each test person."""
        return first_frames(self.people)

    def layers(self, predictor: Predictor, kind: str) -> list[tuple[str, str]]:
        """Labels and names of the convolutions or of the stages."""
        if kind == KERNELS:
            modules = convolutions(predictor.network)
            return [(html.convolution_label(name, module), name) for name, module in modules.items()]
        return [(html.stage_label(name, shape), name) for name, shape in self._shapes(predictor).items()]

    def resolve(self, view: View) -> LayerView | None:
        """The view with a layer, a channel and a page that the network has; None where no network is chosen."""
        if view.name is None:
            return None
        predictor = self.models.predictor(view.name)
        names = [name for _, name in self.layers(predictor, view.kind)]
        layer = view.layer if view.layer in names else names[0]
        face = self._face(view)
        resolved = LayerView(predictor, view.kind, layer, 0, 0, view.applied, view.shared, face, view.chosen)
        channel = self._most_varied_channel(resolved) if view.channel is None else int(view.channel)
        return replace(
            resolved,
            page=min(max(int(view.page or 0), 0), max(0, len(self.pages(resolved)) - 1)),
            channel=min(max(channel, 0), self.channels(resolved) - 1),
        )

    def channels(self, view: LayerView) -> int:
        """The number of input channels of each kernel of the layer; 1 for a stage."""
        return 1 if view.kind == MAPS else kernels(view.predictor.network, view.layer).shape[1]

    def pages(self, view: LayerView) -> list[tuple[str, int]]:
        """Labels and numbers of the grid's pages."""
        if view.kind == KERNELS:
            return html.ranges(len(kernels(view.predictor.network, view.layer)), PAGE)
        shape = self._shapes(view.predictor)[view.layer]
        return html.ranges(shape[0] if len(shape) == 3 else 1, PAGE)

    def crop(self, view: LayerView | None) -> str:
        """The network's input; empty where there is no network."""
        if view is None:
            return ""
        if view.face is None:
            return html.sentence(NO_CROP)
        crop = view.face.crop(view.predictor)
        return html.crop_html(html.network_input(crop, view.predictor.preprocessing.channels), view.face.note)

    def pictures(self, view: LayerView | None) -> Pictures:
        """The summary, grid and enlarged picture; a message where there is no network, or no face for its maps."""
        if view is None:
            return Pictures(html.sentence(NO_MODEL), [], "")
        crop = view.face.crop(view.predictor) if view.face else None
        if view.kind == KERNELS:
            return self._kernels(view, crop)
        if crop is None:
            return Pictures(html.sentence(NO_FACE), [], "")
        return self._stage(view, crop)

    def _face(self, view: View) -> InputFace | None:
        """The photo, else the frame; None where there is neither."""
        if view.photo is not None or self.data.problem or not len(self.people):
            return view.photo
        return dataset_face(self.people, int(np.clip(view.frame or 0, 0, len(self.people) - 1)))

    def _most_varied_channel(self, view: LayerView) -> int:
        """The layer's input channel with the largest standard deviation; 0 where there is no face."""
        if view.face is None or self.channels(view) == 1:
            return 0
        inputs = convolution_inputs(view.predictor.network, to_input(view.predictor, view.face.crop(view.predictor)))
        return int(inputs[view.layer][0].float().std((1, 2)).argmax())

    def _kernels(self, view: LayerView, crop: np.ndarray | None) -> Pictures:
        network, first = view.predictor.network, view.first
        values = kernels(network, view.layer)  # (out, in, kh, kw)
        limit = symmetric_limit(values)
        page = values[first : first + PAGE, view.channel]
        chosen = first + html.strongest(page) if view.chosen is None else view.chosen
        module = convolutions(network)[view.layer]
        channel = input_channel(module, chosen, view.channel)
        title = f"Kernel {chosen} of {view.layer}" + (f", for channel {channel}" if values.shape[1] > 1 else "")
        detail = kernel_html.kernel_detail(
            title,
            values[chosen, view.channel],
            limit,
            applied=None if crop is None else _kernel_input(view, crop, channel),
            sums=kernel_html.sums_sentence(view.layer, module, chosen),
        )
        summary = kernel_html.kernels_summary(html.convolution_label(view.layer, module), values, limit)
        return Pictures(summary, kernel_html.kernel_items(page, first, chosen, limit), detail, chosen)

    def _stage(self, view: LayerView, crop: np.ndarray) -> Pictures:
        predictor, first = view.predictor, view.first
        output = feature_maps(predictor.network, to_input(predictor, crop))[view.layer]
        label, shown = (
            html.stage_label(view.layer, output.shape),
            html.network_input(crop, predictor.preprocessing.channels),
        )
        if output.ndim == 1:
            return Pictures("", [], map_html.vector_detail(label, output))
        if output.ndim == 2:
            return Pictures("", [], map_html.points_detail(label, predictor.preprocessing.decode(output), shown))
        ends, page = sequential_range(output) if view.shared else None, output[first : first + PAGE]
        chosen = first + html.strongest(page) if view.chosen is None else view.chosen
        title, geometry = (
            map_html.map_title(view.layer, len(output), chosen),
            self._geometry(predictor, view.layer, crop),
        )
        return Pictures(
            map_html.maps_summary(label, output, ends),
            map_html.map_items(page, first, chosen, ends),
            map_html.map_detail(title, output[chosen], shown, geometry),
            chosen,
        )

    def _shapes(self, predictor: Predictor) -> dict[str, tuple[int, ...]]:
        """The shapes of the stages' outputs for one crop."""
        if predictor.network not in self._known_shapes:
            size, channels = predictor.preprocessing.size, predictor.preprocessing.channels
            outputs = feature_maps(predictor.network, torch.zeros(1, channels, size, size))
            self._known_shapes[predictor.network] = {name: output.shape for name, output in outputs.items()}
        return self._known_shapes[predictor.network]

    def _geometry(self, predictor: Predictor, stage: str, crop: np.ndarray) -> MapGeometry:
        known = self._geometries.setdefault(predictor.network, {})
        if stage not in known:
            known[stage] = map_geometry(predictor.network, stage, to_input(predictor, crop))
        return known[stage]


def _kernel_input(view: LayerView, crop: np.ndarray, channel: int) -> KernelInput:
    """What the kernels of the layer are applied to: the face, or input channel `channel` of the layer."""
    inputs = convolution_inputs(view.predictor.network, to_input(view.predictor, crop))
    is_first, channels = view.layer == next(iter(inputs)), view.predictor.preprocessing.channels
    if view.applied == FACE and not is_first:
        return KernelInput(html.brightness(crop), "The face", is_face=True)
    values = inputs[view.layer][0, channel].float().numpy()
    if is_first:
        name = "The face" if channels == 1 else f"The face, colour channel {channel}"
        return KernelInput(values, name, is_face=True)
    return KernelInput(values, f"Input channel {channel} of {view.layer}", is_face=False)
