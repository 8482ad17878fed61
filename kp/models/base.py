"""The base class of all networks."""

import copy
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from kp.errors import ConfigError


class StagedModel(nn.Module):
    """A network with named stages; the last one is its output."""

    input_size: int  # default side of the crop, pixels
    has_heatmaps = False  # whether its stages include "heatmaps" and "sigma"

    @classmethod
    def arguments_for(cls, size: int, width: int = 0) -> dict[str, Any]:
        """The constructor's arguments for crops of `size` pixels, and a width other than the default if not 0.

        Raises ConfigError where the network does not support them.
        """
        if width:
            raise ConfigError(f"{cls.__name__} has one width; leave it at 0. Only heatmap_net comes in others.")
        return {"input_size": size}

    def stages(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Each stage's name and output, in order; the last is the keypoints (n, 68, 2)."""
        raise NotImplementedError

    def folded(self) -> "StagedModel":
        """A copy for prediction only, with batch normalisation folded into the convolutions: same outputs, faster."""
        copied = copy.deepcopy(self).eval()
        fold_norms(copied)
        return copied

    def forward(self, x: Tensor) -> Tensor:
        *_, (_, keypoints) = self.stages(x)
        return keypoints


def fold_norms(module: nn.Module) -> None:
    """Fold each batch normalisation right after a convolution into it, in place."""
    children = list(module.named_children())
    for (_, first), (name, second) in pairwise(children):
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
            if second.running_mean is None or second.running_var is None:
                raise ConfigError(f"{name} keeps no running statistics, and cannot be folded into a convolution.")
            weight, bias = fuse_conv_bn_weights(
                first.weight,
                first.bias,
                second.running_mean,
                second.running_var,
                second.eps,
                second.weight,
                second.bias,
            )
            first.weight, first.bias = weight, bias
            setattr(module, name, nn.Identity())
    for _, child in children:
        fold_norms(child)
