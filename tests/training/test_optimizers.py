"""RMSprop against PyTorch's, and the learning rate schedules."""

import copy

import numpy as np
import pytest
import torch

from kp.training.optimizers import RMSprop, lr_factor


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_rmsprop_makes_the_steps_of_pytorchs(decay: float) -> None:
    torch.manual_seed(0)
    ours = torch.nn.Linear(5, 4)
    theirs = copy.deepcopy(ours)
    optimizers = (
        RMSprop(ours.parameters(), lr=1e-2, weight_decay=decay),
        torch.optim.RMSprop(theirs.parameters(), lr=1e-2, weight_decay=decay),
    )
    for _ in range(5):
        for weight, twin in zip(ours.parameters(), theirs.parameters(), strict=True):
            weight.grad = torch.randn_like(weight) * (torch.rand_like(weight) < 0.5)
            twin.grad = weight.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for weight, twin in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(weight, twin)


def test_schedules() -> None:
    progress = np.linspace(0, 1, 101)
    assert {lr_factor("constant", value) for value in progress} == {1.0}
    cycle = np.array([lr_factor("one-cycle", value) for value in progress])
    assert cycle[0] == pytest.approx(0.1)
    assert cycle.max() == pytest.approx(1)
    assert progress[cycle.argmax()] == pytest.approx(0.05)
    assert 0 < cycle[-1] <= 0.001
    assert (np.diff(cycle[:6]) > 0).all()
    assert (np.diff(cycle[6:]) <= 0).all()
