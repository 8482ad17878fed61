"""The networks: `forward(x (n, channels, size, size)) -> keypoints (n, 68, 2)`, in the units of the Preprocessing.

`model.stages(x)` yields the name and output of each stage; the last one is the keypoints.
"""

from typing import Any

import torch
from torch import Tensor

from kp.errors import ConfigError, choose
from kp.models.base import StagedModel
from kp.models.five_conv import FiveConvNet
from kp.models.heatmap_net import HeatmapNet
from kp.models.naimishnet import NaimishNet

MODELS: dict[str, type[StagedModel]] = {
    "five_conv": FiveConvNet,
    "naimishnet": NaimishNet,
    "heatmap_net": HeatmapNet,
}


def create_model(name: str, **arguments: Any) -> StagedModel:
    """A network with new random weights. Raises ConfigError for an unknown name or argument."""
    architecture = choose("architecture", name, MODELS)
    try:
        return architecture(**arguments)
    except TypeError as error:
        raise ConfigError(f"{name} cannot be made with {arguments}: {error}.") from None


def count_parameters(model: StagedModel) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@torch.inference_mode()
def stage_outputs(model: StagedModel, x: Tensor) -> dict[str, Tensor]:
    """The output of each stage by name for x (n, channels, size, size); the last entry is the keypoints."""
    return dict(model.stages(x))
