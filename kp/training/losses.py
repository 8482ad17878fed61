"""What training reduces: each takes predicted and true keypoints (n, 68, 2), in the network's units."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

# Feng et al., "Wing Loss for Robust Facial Landmark Localisation with CNNs", CVPR 2018: w = 10 px and
# epsilon = 2 px on 224 px crops; here in the reference's units of 50 px.
WING_WIDTH = 10 / 50
WING_CURVATURE = 2 / 50


def wing_loss(predicted: Tensor, truth: Tensor) -> Tensor:
    """Logarithmic near zero, so that small errors count more than with L1; linear further out."""
    error = (predicted - truth).abs()
    near = WING_WIDTH * torch.log1p(error / WING_CURVATURE)
    gap = WING_WIDTH - WING_WIDTH * math.log1p(WING_WIDTH / WING_CURVATURE)
    return torch.where(error < WING_WIDTH, near, error - gap).mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": F.mse_loss,
    "l1": F.l1_loss,
    "smooth_l1": F.smooth_l1_loss,
    "wing": wing_loss,
}
