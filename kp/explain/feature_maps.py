"""Feature maps of a network's stages for one face, and the receptive fields of their pixels."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kp.errors import ConfigError
from kp.geometry import Box
from kp.models import stage_outputs
from kp.models.base import StagedModel

PROBES = 2  # random inputs a position; the receptive field is the union of their non-zero gradients


def feature_maps(model: StagedModel, x: Tensor) -> dict[str, np.ndarray]:
    """Each stage's output for one crop x (1, channels, size, size), float32.

    (channels, h, w) where a stage has maps, (n,) where it is fully connected, (68, 2) for the keypoints.
    """
    return {name: output[0].float().cpu().numpy() for name, output in stage_outputs(model, x).items()}


@dataclass(frozen=True)
class MapGeometry:
    """Where a stage's map lies in the crop, in crop pixels; the same for x and y.

    start: centre of the receptive field of pixel 0. step: from there to the next pixel's. sees: side of a pixel's
    square receptive field. exact: False where the map is assumed to be stretched over the crop.
    """

    start: float
    step: float
    sees: int
    exact: bool

    @property
    def matrix(self) -> np.ndarray:
        """2x3, from pixels of the map to pixels of the crop."""
        return np.array([[self.step, 0, self.start], [0, self.step, self.start]], np.float64)

    def field(self, x: int, y: int) -> Box:
        """The receptive field of the map's pixel (x, y); with padding it may reach beyond the crop."""
        return Box.square((self.start + self.step * x, self.start + self.step * y), self.sees)


def map_geometry(model: StagedModel, stage: str, x: Tensor) -> MapGeometry:
    """Where the maps of `stage` lie in crops like x (1, channels, size, size). Raises ConfigError if it has no maps.

    Measured by the gradients of a map's first, middle and last pixel with respect to the input. Where these three
    receptive fields are equally large the network has no padding and the result is exact. Where padding cuts off the
    outer ones, the map is assumed to be stretched over the crop, which is right within half a step.
    """
    noise = torch.rand((3 * PROBES, *x.shape[1:]), generator=torch.Generator().manual_seed(0)).requires_grad_()
    with torch.enable_grad():
        output = next((maps for name, maps in model.stages(noise) if name == stage and maps.ndim == 4), None)
        if output is None:
            raise ConfigError(f"There is no stage {stage!r} with maps in this network. Choose a convolution's stage.")
        side = output.shape[-1]
        places = output.unflatten(0, (3, PROBES))
        reached = sum(places[row, :, :, at, at].sum() for row, at in enumerate((0, side // 2, side - 1)))
        (gradient,) = torch.autograd.grad(reached, noise)
    columns = gradient.abs().unflatten(0, (3, PROBES)).sum((1, 2, 3))  # (3, size)
    first, middle, last = (_extent(row) for row in columns.numpy())
    sees = middle[1] - middle[0] + 1
    if side > 1 and first[1] - first[0] == last[1] - last[0] == sees - 1 and last[0] > first[0]:
        return MapGeometry(sum(first) / 2, (last[0] - first[0]) / (side - 1), sees, True)
    step = x.shape[-1] / side
    return MapGeometry((step - 1) / 2, step, sees, False)


def _extent(values: np.ndarray) -> tuple[int, int]:
    """First and last index of the non-zero values; (0, 0) where all are zero."""
    found = np.flatnonzero(values)
    return (int(found[0]), int(found[-1])) if len(found) else (0, 0)
