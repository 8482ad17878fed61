"""FiveConvNet: the five-convolution network of the well-known course project, layer by layer.

Convolutions of 7x7, 5x5, 3x3, 3x3, 3x3 without padding; after each one ReLU and 2x2 max pooling;
then two linear layers with dropout between them.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from kp.errors import ConfigError
from kp.landmarks import NUM_KEYPOINTS
from kp.models.base import StagedModel


class FiveConvNet(StagedModel):
    """Grey crops (n, 1, 224, 224) to keypoints (n, 68, 2). 9,225,352 parameters."""

    input_size = 224

    @classmethod
    def arguments_for(cls, size: int, width: int = 0) -> dict[str, Any]:
        if size != cls.input_size:
            raise ConfigError(f"five_conv takes crops of 224 pixels, not {size}. Leave the size at 0, or 224.")
        super().arguments_for(size, width)
        return {}

    def __init__(self, *, dropout: float = 0.6) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 7)  # 224 -> 218, pooled 109
        self.conv2 = nn.Conv2d(16, 32, 5)  # 105, pooled 52
        self.conv3 = nn.Conv2d(32, 64, 3)  # 50, pooled 25
        self.conv4 = nn.Conv2d(64, 128, 3)  # 23, pooled 11
        self.conv5 = nn.Conv2d(128, 512, 3)  # 9, pooled 4
        self.fc1 = nn.Linear(512 * 4 * 4, 1024)
        self.fc2 = nn.Linear(1024, 2 * NUM_KEYPOINTS)
        self.dropout = nn.Dropout(dropout)

    def stages(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Each stage's name and output; the last one is the keypoints (n, 68, 2)."""
        for number in range(1, 6):
            # Pooling first gives the same numbers as ReLU first, and leaves ReLU a quarter of the work.
            x = torch.relu(torch.max_pool2d(getattr(self, f"conv{number}")(x), 2))
            yield f"conv{number}", x
        x = torch.relu(self.fc1(x.flatten(1)))  # (n, 1024)
        yield "fc1", x
        yield "keypoints", self.fc2(self.dropout(x)).unflatten(1, (NUM_KEYPOINTS, 2))
