"""Loss functions against their papers' formulas."""

import math

import numpy as np
import pytest
import torch

from kp.training.losses import heatmap_loss, wing_loss


def test_wing_loss_is_the_paper_s_formula() -> None:
    """Feng et al. 2018, equation 5, with w = 10 px and epsilon = 2 px; the network's unit is 50 px."""

    def paper(x: float) -> float:
        w, epsilon = 10.0, 2.0
        constant = w - w * math.log(1 + w / epsilon)
        return w * math.log(1 + abs(x) / epsilon) if abs(x) < w else abs(x) - constant

    for x in (0.0, 0.1, -3.0, 9.99, 10.01, -40.0, 200.0):
        ours = wing_loss(torch.full((2, 68, 2), x / 50), torch.zeros(2, 68, 2))
        assert float(ours) * 50 == pytest.approx(paper(x), rel=1e-4, abs=1e-5)


def test_the_heatmap_loss_is_least_for_a_sharp_map_in_the_right_place() -> None:
    truth = torch.zeros(1, 68, 2)
    truth[:, 36:48] = torch.tensor([0.25, 0.0])
    truth[:, 36] = torch.tensor([-0.25, 0.0])

    def loss(shift: int, height: float) -> float:
        heatmaps = torch.zeros(1, 68, 16, 16)
        columns = ((truth[0, :, 0] + 1) * 8).long() + shift
        heatmaps[0, range(68), 8, columns] = height
        points = truth + torch.tensor([shift / 8, 0.0])
        return float(
            heatmap_loss({"keypoints": points, "heatmaps": heatmaps, "sigma": torch.full((1, 68), 0.1)}, truth)
        )

    assert loss(0, 3.0) < loss(1, 3.0) < loss(4, 3.0)
    assert loss(0, 3.0) < loss(0, 0.0)


def test_sigma_is_fitted_to_the_error() -> None:
    """Among constant sigmas, the loss is least at half a point's distance, in two dimensions."""
    truth = torch.zeros(1, 68, 2)
    truth[:, 45] = torch.tensor([1.0, 0.0])
    points, heatmaps = truth + torch.tensor([0.3, 0.4]), torch.zeros(1, 68, 8, 8)  # half a unit away
    sigmas = torch.linspace(0.05, 1, 96)
    values = [
        float(heatmap_loss({"keypoints": points, "heatmaps": heatmaps, "sigma": sigma.expand(1, 68)}, truth))
        for sigma in sigmas
    ]
    assert float(sigmas[int(np.argmin(values))]) == pytest.approx(0.25, abs=0.02)
