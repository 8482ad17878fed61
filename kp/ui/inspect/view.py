"""From a visitor's choices to the summary, grid and enlarged picture of a network. No components here."""

from dataclasses import dataclass, replace
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
from kp.ui.inspect import html
from kp.ui.inspect.faces import InputFace, dataset_face, first_frames, to_input
from kp.ui.services.model_store import ModelStore
from kp.ui.widgets.image_grid import GridItem

KERNELS, MAPS = "kernels", "maps"
NETWORK, FACE = "network", "face"
PAGE = 64  # kernels or maps on a page of the grid
NO_MODEL = "No checkpoint is shipped yet. Train a network in the tab Train; then its kernels can be seen here."
NO_FACE = "Feature maps need a face. There is no dataset here, so choose a photo of your own on this page."


@dataclass(frozen=True)
class View:
    """A visitor's choices. name: the picker's value. layer: a convolution's or a stage's name. page: of the grid.

    channel: of those that a kernel reads; None for the one with most to see for this face. applied: what a deeper
    kernel is applied to. shared: whether all maps have one colour scale. frame: of the test people; a photo
    comes before it. chosen: the enlarged kernel or map; None for the one that varies most.
    """

    name: str | None = None
    kind: str = KERNELS
    layer: str | None = None
    channel: int | None = None
    page: int = 0
    applied: str = NETWORK
    shared: bool = False
    frame: int | None = 0
    photo: InputFace | None = None
    chosen: int | None = None


@dataclass(frozen=True)
class Pictures:
    """HTML and grid items. chosen: what is enlarged, or None where there is nothing to choose."""

    summary: str
    items: list[GridItem]
    detail: str
    chosen: int | None = None


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
        return first_frames(self.people)

    def face(self, view: View) -> InputFace | None:
        """The photo, else the frame; None where there is neither."""
        if view.photo is not None or self.data.problem or not len(self.people):
            return view.photo
        return dataset_face(self.people, int(np.clip(view.frame or 0, 0, len(self.people) - 1)))

    def layers(self, view: View) -> list[tuple[str, str]]:
        """Labels and names of the convolutions or of the stages."""
        if view.name is None:
            return []
        predictor = self.models.predictor(view.name)
        if view.kind == KERNELS:
            return [
                (html.convolution_label(name, module), name) for name, module in convolutions(predictor.network).items()
            ]
        return [(html.stage_label(name, shape), name) for name, shape in self._shapes(predictor).items()]

    def settled(self, view: View) -> View:
        """The view with a layer, a channel and a page that the network has."""
        names = [name for _, name in self.layers(view)]
        if not names:
            return view
        layer = view.layer if view.layer in names else names[0]
        view = replace(view, layer=layer)
        page = min(max(int(view.page or 0), 0), max(0, len(self.pages(view)) - 1))
        channel = self._most_varied_channel(view) if view.channel is None else int(view.channel)
        return replace(view, page=page, channel=min(max(channel, 0), self.channels(view) - 1))

    def channels(self, view: View) -> int:
        """How many channels each kernel of the layer reads; 1 for a stage."""
        if view.kind == MAPS:
            return 1
        return kernels(self.models.predictor(view.name).network, view.layer).shape[1]

    def _most_varied_channel(self, view: View) -> int:
        """The channel that varies most of those that the layer reads; 0 where there is no face."""
        face = self.face(view) if self.channels(view) > 1 else None
        if face is None:
            return 0
        predictor = self.models.predictor(view.name)
        read = convolution_inputs(predictor.network, to_input(predictor, face.crop(predictor)))[view.layer]
        return int(read[0].float().std((1, 2)).argmax())

    def pages(self, view: View) -> list[tuple[str, int]]:
        """Labels and numbers of the grid's pages."""
        predictor = self.models.predictor(view.name)
        if view.kind == KERNELS:
            return html.ranges(len(kernels(predictor.network, view.layer)), PAGE)
        shape = self._shapes(predictor)[view.layer]
        return html.ranges(shape[0] if len(shape) == 3 else 1, PAGE)

    def crop(self, view: View) -> str:
        """The face as the network sees it; nothing where there is no network."""
        if view.name is None:
            return ""
        face = self.face(view)
        if face is None:
            return html.sentence("There is no dataset here. Choose a photo of your own below.")
        predictor = self.models.predictor(view.name)
        return html.crop_html(html.seen(face.crop(predictor), predictor.preprocessing.channels), face.note)

    def pictures(self, view: View) -> Pictures:
        """The summary, grid and enlarged picture of a settled view."""
        if view.name is None:
            return Pictures(html.sentence(NO_MODEL), [], "")
        predictor, face = self.models.predictor(view.name), self.face(view)
        crop = face.crop(predictor) if face else None
        if view.kind == KERNELS:
            return self._kernels(view, predictor, crop)
        if crop is None:
            return Pictures(html.sentence(NO_FACE), [], "")
        return self._stage(view, predictor, crop)

    def _kernels(self, view: View, predictor: Predictor, crop: np.ndarray | None) -> Pictures:
        network = predictor.network
        values = kernels(network, view.layer)  # (out, in, kh, kw)
        limit, first = symmetric_limit(values), view.page * PAGE
        shown = values[first : first + PAGE, view.channel]
        chosen = first + html.strongest(shown) if view.chosen is None else view.chosen
        module = convolutions(network)[view.layer]
        channel = input_channel(module, chosen, view.channel)
        applied = None if crop is None else self._applied(view, predictor, crop, channel)
        title = f"Kernel {chosen} of {view.layer}" + (f", for channel {channel}" if values.shape[1] > 1 else "")
        detail = html.kernel_detail(
            title,
            values[chosen, view.channel],
            limit,
            applied=applied,
            sums=html.sums_sentence(view.layer, module, chosen),
        )
        summary = html.kernels_summary(html.convolution_label(view.layer, module), values, limit)
        return Pictures(summary, html.kernel_items(shown, first, chosen, limit), detail, chosen)

    def _applied(self, view: View, predictor: Predictor, crop: np.ndarray, channel: int) -> html.Applied:
        """The input that the kernels of the layer are applied to."""
        inputs = convolution_inputs(predictor.network, to_input(predictor, crop))
        first, channels = view.layer == next(iter(inputs)), predictor.preprocessing.channels
        if view.applied == FACE and not first:
            return html.Applied(html.brightness(crop), "The face", True)
        read = inputs[view.layer][0, channel].float().numpy()
        if first:
            return html.Applied(read, "The face" if channels == 1 else f"The face, colour channel {channel}", True)
        return html.Applied(read, f"Channel {channel} of what {view.layer} reads", False)

    def _stage(self, view: View, predictor: Predictor, crop: np.ndarray) -> Pictures:
        output = feature_maps(predictor.network, to_input(predictor, crop))[view.layer]
        label, seen = html.stage_label(view.layer, output.shape), html.seen(crop, predictor.preprocessing.channels)
        if output.ndim == 1:
            return Pictures("", [], html.vector_detail(label, output))
        if output.ndim == 2:
            return Pictures("", [], html.points_detail(label, predictor.preprocessing.decode(output), seen))
        ends, first = sequential_range(output) if view.shared else None, view.page * PAGE
        shown = output[first : first + PAGE]
        chosen = first + html.strongest(shown) if view.chosen is None else view.chosen
        detail = html.map_detail(
            html.map_title(view.layer, len(output), chosen),
            output[chosen],
            seen,
            self._geometry(predictor, view.layer, crop),
        )
        return Pictures(
            html.maps_summary(label, output, ends), html.map_items(shown, first, chosen, ends), detail, chosen
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
