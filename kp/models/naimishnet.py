"""NaimishNet, after Agarwal, Krohn-Grimberghe and Vyas, "Facial Key Points Detection using Deep
Convolutional Neural Network - NaimishNet", arXiv 1710.00977.

After the paper's tables: four convolutions (4x4, 3x3, 2x2, 1x1 with 32, 64, 128, 256 maps, no
padding), each with ELU, 2x2 max pooling and dropout; dense 1000 with ELU, dense 1000 linear; dropout
rising by 0.1 from 0.1 to 0.6; convolutions initialised uniformly, dense layers by Glorot's uniform rule.
On 1 x 96 x 96 with the paper's two outputs that is its 7,488,962 parameters (a test counts them).

Not as in the paper: it trains one network for each of 15 points; this is one network for all 68.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kp.errors import ConfigError
from kp.landmarks import NUM_KEYPOINTS
from kp.models.base import StagedModel


class NaimishNet(StagedModel):
    """Grey crops (n, 1, input_size, input_size) to keypoints (n, num_keypoints, 2)."""

    input_size = 96

    def __init__(self, *, input_size: int = 96, num_keypoints: int = NUM_KEYPOINTS) -> None:
        super().__init__()
        self.num_keypoints = num_keypoints
        self.conv1 = nn.Conv2d(1, 32, 4)  # 96 -> 93, pooled 46
        self.conv2 = nn.Conv2d(32, 64, 3)  # 44, pooled 22
        self.conv3 = nn.Conv2d(64, 128, 2)  # 21, pooled 10
        self.conv4 = nn.Conv2d(128, 256, 1)  # 10, pooled 5
        side = input_size
        for kernel in (4, 3, 2, 1):
            side = (side - kernel + 1) // 2
        if side < 1:
            raise ConfigError(f"naimishnet takes crops of at least 27 pixels, not {input_size}.")
        self.fc1 = nn.Linear(256 * side * side, 1000)
        self.fc2 = nn.Linear(1000, 1000)
        self.fc3 = nn.Linear(1000, 2 * num_keypoints)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.uniform_(module.weight, -0.05, 0.05)
            elif isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)

    def stages(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Each stage's name and output; the last one is the keypoints (n, num_keypoints, 2)."""
        for number in range(1, 5):
            # Pooling first gives the same numbers as ELU first (both only rise), for a quarter of the work.
            x = F.elu(torch.max_pool2d(getattr(self, f"conv{number}")(x), 2))
            x = F.dropout(x, 0.1 * number, self.training)
            yield f"conv{number}", x
        x = F.dropout(F.elu(self.fc1(x.flatten(1))), 0.5, self.training)
        yield "fc1", x
        x = F.dropout(self.fc2(x), 0.6, self.training)
        yield "fc2", x
        yield "keypoints", self.fc3(x).unflatten(1, (self.num_keypoints, 2))
