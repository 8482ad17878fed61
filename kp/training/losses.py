"""What training reduces: each takes a network's stages by name and true keypoints (n, 68, 2), in its units."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from kp.landmarks import EYE_CORNERS
from kp.models.heatmap_net import cell_centres

# Feng et al., "Wing Loss for Robust Facial Landmark Localisation with CNNs", CVPR 2018: w = 10 px and
# epsilon = 2 px on 224 px crops; here in the reference's units of 50 px.
WING_WIDTH = 10 / 50
WING_CURVATURE = 2 / 50

TARGET_WIDTH = 1.0   # standard deviation of a heatmap's target, cells
CROSS_ENTROPY = 0.2   # weight of the heatmaps' own loss beside the points' distance
SPREAD = 0.02        # weight of the predicted spread's loss; it reaches no other weights

Stages = dict[str, Tensor]


def wing_loss(predicted: Tensor, truth: Tensor) -> Tensor:
    """Logarithmic near zero, so that small errors count more than with L1; linear further out."""
    error = (predicted - truth).abs()
    near = WING_WIDTH * torch.log1p(error / WING_CURVATURE)
    gap = WING_WIDTH - WING_WIDTH * math.log1p(WING_WIDTH / WING_CURVATURE)
    return torch.where(error < WING_WIDTH, near, error - gap).mean()


def heatmap_loss(stages: Stages, truth: Tensor) -> Tensor:
    """NME of the points, plus cross-entropy of each heatmap against a small Gaussian about its label.

    The spread learns to be the error's scale (the likelihood of a Laplace distribution), from the error alone.
    """
    predicted, spread, heatmaps = stages["keypoints"], stages["spread"], stages["heatmaps"]
    distance = (predicted - truth).square().sum(2).add(1e-12).sqrt()                          # (n, 68)
    eyes = (truth[:, EYE_CORNERS[0]] - truth[:, EYE_CORNERS[1]]).square().sum(1, keepdim=True).sqrt()
    likelihood = distance.detach() / spread + 2 * spread.log()                                # in the plane
    cells = cell_centres(heatmaps.shape[-1], heatmaps.device)
    sharpness = (heatmaps.shape[-1] / 2 / TARGET_WIDTH) ** 2 / 2
    across, down = (-(cells - truth[..., axis, None]).square() * sharpness for axis in (0, 1))  # (n, 68, cells) each
    target = (across.softmax(2)[:, :, None, :] * down.softmax(2)[:, :, :, None]).flatten(2)
    entropy = -(target * heatmaps.flatten(2).log_softmax(2)).sum(2)
    return (distance / eyes).mean() + CROSS_ENTROPY * entropy.mean() + SPREAD * likelihood.mean()


def of_points(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Stages, Tensor], Tensor]:
    """A loss that looks at the answer alone."""
    return lambda stages, truth: loss(stages["keypoints"], truth)


LOSSES: dict[str, Callable[[Stages, Tensor], Tensor]] = {
    "mse": of_points(F.mse_loss),
    "l1": of_points(F.l1_loss),
    "smooth_l1": of_points(F.smooth_l1_loss),
    "wing": of_points(wing_loss),
    "heatmap": heatmap_loss,
}
