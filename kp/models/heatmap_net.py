"""HeatmapNet: a small residual network that predicts a heatmap for each keypoint.

Residual stages (He et al., 2016) go down to 1/16 of the crop, a top-down path (Lin et al., "Feature Pyramid Networks",
2017) brings their features back to 1/4, and the mean of each heatmap is the point (soft-argmax; Sun et al., "Integral
Human Pose Regression", 2018). A second map for each point, and the pooled features of the whole face, predict the
point's sigma.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kp.errors import ConfigError
from kp.landmarks import NUM_KEYPOINTS
from kp.models.base import StagedModel

STRIDE = 4  # crop pixels a heatmap cell
DEEPEST = 16  # crop pixels a cell of the deepest stage
LOG_SIGMA = -3.5  # initial logarithm of the sigma: 3 % of half a crop


class HeatmapNet(StagedModel):
    """Crops (n, channels, size, size) to keypoints (n, 68, 2) in -1..1 across the crop.

    width: channels of the first stage; the others have 2, 4 and 8 times as many.
    """

    input_size = 128
    has_heatmaps = True

    @classmethod
    def arguments_for(cls, size: int, width: int = 0) -> dict[str, Any]:
        if size % DEEPEST:
            raise ConfigError(f"heatmap_net takes crops whose side is a multiple of {DEEPEST} pixels, not {size}.")
        return {"width": width} if width else {}

    def __init__(self, *, width: int = 24, channels: int = 1) -> None:
        super().__init__()
        w = width
        self.stem = nn.Sequential(nn.Conv2d(channels, w, 3, 2, 1, bias=False), nn.BatchNorm2d(w), nn.ReLU())  # 1/2
        self.stage4 = nn.Sequential(ResidualBlock(w, 2 * w, 2), ResidualBlock(2 * w, 2 * w))  # 1/4
        self.stage8 = nn.Sequential(ResidualBlock(2 * w, 4 * w, 2), ResidualBlock(4 * w, 4 * w))  # 1/8
        self.stage16 = nn.Sequential(ResidualBlock(4 * w, 8 * w, 2), ResidualBlock(8 * w, 8 * w))  # 1/16
        self.lateral16 = nn.Conv2d(8 * w, 4 * w, 1)
        self.merge8 = ResidualBlock(4 * w, 4 * w)
        self.lateral8 = nn.Conv2d(4 * w, 2 * w, 1)
        self.merge4 = ResidualBlock(2 * w, 2 * w)
        self.heatmaps = nn.Conv2d(2 * w, NUM_KEYPOINTS, 1)
        self.sigmas = nn.Conv2d(2 * w, NUM_KEYPOINTS, 1)
        self.sigma_of_face = nn.Linear(8 * w, NUM_KEYPOINTS, bias=False)
        nn.init.zeros_(self.sigmas.weight)
        nn.init.zeros_(self.sigma_of_face.weight)
        if self.sigmas.bias is not None:  # as it is by default, which its type does not say
            nn.init.constant_(self.sigmas.bias, LOG_SIGMA)

    def stages(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Each stage's name and output.

        heatmaps: logarithms of probabilities, (n, 68, size/4, size/4). sigma: (n, 68), in the unit of the keypoints.
        """
        x = self.stem(x)
        yield "stem", x
        fine = self.stage4(x)  # (n, 2w, size/4, size/4)
        yield "stage4", fine
        middle = self.stage8(fine)  # (n, 4w, size/8, size/8)
        yield "stage8", middle
        coarse = self.stage16(middle)  # (n, 8w, size/16, size/16)
        yield "stage16", coarse
        x = self.merge8(middle + upsample2x(self.lateral16(coarse)))
        yield "merge8", x
        x = self.merge4(fine + upsample2x(self.lateral8(x)))
        yield "merge4", x
        heatmaps = self.heatmaps(x).float()
        yield "heatmaps", heatmaps
        height, width = map(int, heatmaps.shape[2:])  # constants in ONNX, which infers no other axis where n is 0
        probabilities = heatmaps.reshape(-1, NUM_KEYPOINTS, height * width).softmax(2)
        probabilities = probabilities.reshape(-1, NUM_KEYPOINTS, height, width)
        local = (probabilities.detach() * self.sigmas(x.detach()).float()).sum((2, 3))
        whole_face = self.sigma_of_face(coarse.detach().mean((2, 3))).float()
        yield "sigma", (local + whole_face).exp()
        yield "keypoints", torch.stack([_mean(probabilities.sum(2)), _mean(probabilities.sum(3))], dim=2)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is a 1x1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        same = inputs == outputs and stride == 1
        self.stride = stride
        self.shortcut = (
            nn.Identity() if same else nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, x: Tensor) -> Tensor:
        change = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
        # Not a strided convolution: in oneDNN 3.12 the gradient of some writes out of bounds.
        sampled = x[:, :, :: self.stride, :: self.stride]
        return torch.relu(self.shortcut(sampled) + change)


def upsample2x(x: Tensor) -> Tensor:
    """Twice the height and width."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def cell_centres(cells: int, device: torch.device) -> Tensor:
    """Coordinates (cells,) of the centres of cells in a row, with -1..1 across all of them."""
    return (torch.arange(cells, device=device, dtype=torch.float32) + 0.5) * (2 / cells) - 1


def _mean(probabilities: Tensor) -> Tensor:
    """The mean coordinate (n, 68) of probabilities (n, 68, cells) along an axis."""
    return (probabilities * cell_centres(probabilities.shape[2], probabilities.device)).sum(2)
