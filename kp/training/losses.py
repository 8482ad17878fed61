"""Loss functions of a network's stages by name and the true keypoints (n, 68, 2), in the network's units.

Keypoints that are NaN are not labelled, and do not count.
"""

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

TARGET_WIDTH = 1.0  # standard deviation of a heatmap's target, cells
CROSS_ENTROPY = 0.2  # weight of the heatmaps' cross-entropy, relative to the NME
SIGMA = 0.02  # weight of the predicted sigma's likelihood; it trains only the sigma layers
EYES_OF_FACE = 0.57  # distance of the outer eye corners over the longer side of the points' box, median of the dataset
LEAST_EYES = 1e-3  # in the network's units, so that coinciding labels give a finite loss

Stages = dict[str, Tensor]
Loss = Callable[[Stages, Tensor], Tensor]  # of a network's stages and the true keypoints (n, 68, 2)


def wing_loss(predicted: Tensor, truth: Tensor) -> Tensor:
    """Logarithmic near zero, so that small errors count more than with L1; linear beyond WING_WIDTH."""
    error = (predicted - truth).abs()
    near = WING_WIDTH * torch.log1p(error / WING_CURVATURE)
    gap = WING_WIDTH - WING_WIDTH * math.log1p(WING_WIDTH / WING_CURVATURE)
    return torch.where(error < WING_WIDTH, near, error - gap).mean()


def heatmap_loss(stages: Stages, truth: Tensor) -> Tensor:
    """NME of the points, plus cross-entropy of each heatmap against a small Gaussian about its label.

    The sigma is fitted to the error's scale (likelihood of a Laplace distribution), with no gradient to the points.
    """
    predicted, sigma, heatmaps = stages["keypoints"], stages["sigma"], stages["heatmaps"]
    eyes = eye_distances(truth).clamp_min(LEAST_EYES)  # (n, 1)
    known = truth.isfinite().all(2)  # (n, 68)
    truth = torch.where(known[..., None], truth, 0.0)
    distance = (predicted - truth).square().sum(2).add(1e-12).sqrt()  # (n, 68)
    likelihood = distance.detach() / sigma + 2 * sigma.log()  # in two dimensions
    cells = cell_centres(heatmaps.shape[-1], heatmaps.device)
    sharpness = (heatmaps.shape[-1] / 2 / TARGET_WIDTH) ** 2 / 2
    across, down = (-(cells - truth[..., axis, None]).square() * sharpness for axis in (0, 1))  # (n, 68, cells) each
    target = (across.softmax(2)[:, :, None, :] * down.softmax(2)[:, :, :, None]).flatten(2)
    entropy = -(target * heatmaps.flatten(2).log_softmax(2)).sum(2)
    error, entropy, likelihood = (mean_of(values, known) for values in (distance / eyes, entropy, likelihood))
    return error + CROSS_ENTROPY * entropy + SIGMA * likelihood


def eye_distances(truth: Tensor) -> Tensor:
    """(n, 1) distances of the outer eye corners; EYES_OF_FACE of the face's size where they are not labelled."""
    left, right = EYE_CORNERS
    eyes = (truth[:, left] - truth[:, right]).square().sum(1, keepdim=True).sqrt()
    low, high = truth.nan_to_num(math.inf).amin(1), truth.nan_to_num(-math.inf).amax(1)
    return torch.where(eyes.isfinite(), eyes, EYES_OF_FACE * (high - low).amax(1, keepdim=True))


def mean_of(values: Tensor, known: Tensor) -> Tensor:
    """The mean of values where they are known; 0 where none is."""
    return values.mean() if known.all() else (values * known).sum() / known.sum().clamp_min(1)


def of_points(loss: Callable[[Tensor, Tensor], Tensor]) -> Loss:
    """A loss of the keypoints alone, over the labelled coordinates."""

    def labelled(stages: Stages, truth: Tensor) -> Tensor:
        known = truth.isfinite()
        if known.all():
            return loss(stages["keypoints"], truth)
        return loss(stages["keypoints"][known], truth[known]) if known.any() else stages["keypoints"].sum() * 0

    return labelled


LOSSES: dict[str, Loss] = {
    "mse": of_points(F.mse_loss),
    "l1": of_points(F.l1_loss),
    "smooth_l1": of_points(F.smooth_l1_loss),
    "wing": of_points(wing_loss),
    "heatmap": heatmap_loss,
}
