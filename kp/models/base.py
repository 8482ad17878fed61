"""What all networks share."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from kp.errors import ConfigError


class StagedModel(nn.Module):
    """A network that says its stages by name; the last one is its answer."""

    input_size: int  # pixels, where nothing else is asked for
    has_heatmaps = False  # whether its stages include "heatmaps" and "spread"

    @classmethod
    def arguments_for(cls, size: int, width: int = 0) -> dict[str, Any]:
        """The constructor's arguments for crops of this side, and a width other than its own if not 0.

        Raises ConfigError where it cannot take them.
        """
        if width:
            raise ConfigError(f"{cls.__name__} has one width; leave it at 0. Only heatmap_net comes in others.")
        return {"input_size": size}

    def stages(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Each stage's name and output, in order; the last is the keypoints (n, 68, 2)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        *_, (_, keypoints) = self.stages(x)
        return keypoints
