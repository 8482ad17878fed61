"""Muon: orthogonal steps for convolutions, AdamW for the rest."""

import pytest
import torch
from torch import nn

from kp.models import create_model
from kp.training.muon import OTHERS, Muon, orthogonal


@pytest.mark.parametrize("shape", [(3, 32, 144), (1, 64, 9), (2, 16, 16)])
def test_singular_values_come_near_one(shape: tuple[int, ...]) -> None:
    """From a spread of a factor of twenty; and the singular vectors stay, which makes U S V a positive U V."""
    generator = torch.Generator().manual_seed(0)
    left, _, right = torch.linalg.svd(torch.randn(shape, generator=generator), full_matrices=False)
    scales = torch.linspace(0.05, 1, min(shape[1:])) * 7
    result = orthogonal(left * scales @ right, torch.float32)
    inner = left.mT @ result @ right.mT
    values = inner.diagonal(dim1=1, dim2=2)
    assert (values > 0.15).all()
    assert (values < 1.3).all()
    assert values.max() / values.min() < 20 / 3
    assert torch.allclose(inner, torch.diag_embed(values), atol=1e-3)


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1), nn.Flatten(), nn.Linear(72, 2))


def test_a_step_of_a_kernel_is_orthogonal_and_of_the_others_adamw() -> None:
    network, twin = small(), small()
    optimizer = Muon(network, lr=0.01)
    others = [name for name, _ in twin.named_parameters() if name != "0.weight"]
    adamw = torch.optim.AdamW([twin.get_parameter(name) for name in others], lr=0.01 * OTHERS, weight_decay=0)
    inputs = torch.randn(5, 1, 8, 8)
    for model, step in ((network, optimizer.step), (twin, adamw.step)):
        model(inputs).square().sum().backward()
        step()
    for name in others:
        assert torch.allclose(network.get_parameter(name), twin.get_parameter(name), atol=1e-6), name
    step = (twin.get_parameter("0.weight") - network.get_parameter("0.weight")).reshape(1, 4, 9)
    direction = orthogonal(twin.get_parameter("0.weight").grad.reshape(1, 4, 9), torch.float32)
    assert torch.allclose(step, direction * 0.01, atol=1e-5)


def test_the_learning_rate_of_a_schedule_reaches_all() -> None:
    network = small()
    optimizer = Muon(network, lr=0.01)
    optimizer.param_groups[0]["lr"] = 0.0
    before = [parameter.clone() for parameter in network.parameters()]
    network(torch.randn(5, 1, 8, 8)).sum().backward()
    optimizer.step()
    assert all(torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))


def test_weights_decay() -> None:
    network = small()
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    before = network[0].weight.clone()
    Muon(network, lr=0.1, weight_decay=0.5).step()
    assert torch.allclose(network[0].weight, before * 0.95)


def test_kernels_without_a_gradient_stay() -> None:
    network = create_model("heatmap_net", width=8)
    network.stem(torch.randn(2, 1, 32, 32)).sum().backward()
    before = network.stage4[0].conv1.weight.clone()
    Muon(network, lr=0.1, weight_decay=0.5).step()
    assert torch.equal(network.stage4[0].conv1.weight, before)
