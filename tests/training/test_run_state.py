"""The moving average against PyTorch's, and the last good weights."""

import torch
from torch.optim.swa_utils import AveragedModel

from kp.models import create_model
from kp.training.run_state import MovingAverage, NetworkState

DECAY = 0.4  # reached at the fifth update: (1 + 5) / (10 + 5)


def change(model: torch.nn.Module) -> None:
    """New random weights, and new statistics of batch norm."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))
    model.train()(torch.rand(2, 1, 32, 32))


def test_the_moving_average_is_pytorch_s() -> None:
    torch.manual_seed(0)
    model = create_model("heatmap_net", width=8)

    def average(averages: list[torch.Tensor], current: list[torch.Tensor], count: torch.Tensor | int) -> None:
        decay = min(DECAY, (1 + int(count)) / (10 + int(count)))
        for mean, value in zip(averages, current, strict=True):
            mean.copy_(mean.lerp(value, 1 - decay) if mean.is_floating_point() else value)

    theirs = AveragedModel(model, multi_avg_fn=average, use_buffers=True)
    ours = MovingAverage(model, DECAY)
    for _ in range(8):
        change(model)
        theirs.update_parameters(model)
        ours.update(model)
    expected = theirs.module.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in ours.network.state_dict().items())


def test_weights_that_are_not_finite_are_replaced_by_the_last_good_ones() -> None:
    state = NetworkState(create_model("naimishnet", input_size=32), 0.0)
    good = state.weights()
    change(state.model)
    changed = state.weights()
    state.restore_if_broken()
    assert torch.equal(state.weights()["fc3.bias"], changed["fc3.bias"])
    with torch.no_grad():
        state.model.fc3.bias[0] = torch.nan
    state.restore_if_broken()
    assert all(torch.equal(tensor, good[name]) for name, tensor in state.weights().items())
