"""A visitor's choices on the Feature maps tab, and what is shown for them."""

from dataclasses import dataclass

from kp.prediction.predictor import Predictor
from kp.ui.inspect.faces import InputFace
from kp.ui.widgets.image_grid import GridItem

KERNELS, MAPS = "kernels", "maps"
NETWORK, FACE = "network", "face"
PAGE = 64  # kernels or maps on a page of the grid


@dataclass(frozen=True)
class View:
    """A visitor's choices. name: the picker's value. layer: a convolution's or a stage's name. page: of the grid.

    channel: the kernel's input channel; None for the one that varies most for this face. applied: what a deeper
    kernel is applied to. shared: whether all maps have one colour scale. frame: of the test people; a photo
    comes before it. chosen: the enlarged kernel or map; None for the one that varies most.
    """

    name: str | None = None
    kind: str = KERNELS
    layer: str | None = None
    channel: int | None = None
    page: int | None = 0
    applied: str = NETWORK
    shared: bool = False
    frame: int | None = 0
    photo: InputFace | None = None
    chosen: int | None = None


@dataclass(frozen=True)
class LayerView:
    """The same for a network that exists: its predictor, a layer, a channel and a page that it has.

    face: the network's input; None where there is neither a photo nor a dataset.
    """

    predictor: Predictor
    kind: str
    layer: str
    channel: int
    page: int
    applied: str
    shared: bool
    face: InputFace | None
    chosen: int | None

    @property
    def first(self) -> int:
        """The number of the page's first kernel or map."""
        return self.page * PAGE


@dataclass(frozen=True)
class Pictures:
    """HTML and grid items. chosen: the enlarged kernel or map; None where there is nothing to choose."""

    summary: str
    items: list[GridItem]
    detail: str
    chosen: int | None = None
