"""Packed convolutions: the same answers as PyTorch's own."""

import copy

import pytest
import torch
from torch import nn

from kp.models.packed import PackedConv2d, pack_weights


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(4, 96, 3, 2, 1), nn.ReLU(), nn.Sequential(nn.Conv2d(96, 128, 3, 1, 1)),
                         nn.Conv2d(128, 8, 1)).eval()


@pytest.fixture
def packed() -> nn.Module:
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this PyTorch comes without oneDNN")
    return pack_weights(network())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_answers_are_the_same_for_any_number_and_size_of_crops(packed: nn.Module, layout) -> None:
    plain = network()
    for count, size in [(1, 16), (3, 16), (1, 24), (0, 16)]:
        x = torch.rand(count, 4, size, size).contiguous(memory_format=layout)
        with torch.inference_mode():
            torch.testing.assert_close(packed(x), plain(x), atol=1e-5, rtol=1e-5)
    assert packed[2][0].packed is not None


def test_only_kernels_with_many_weights_that_look_about_are_packed(packed: nn.Module) -> None:
    assert [type(module) for module in packed.modules() if isinstance(module, nn.Conv2d)] == [
        nn.Conv2d, PackedConv2d, nn.Conv2d]


def test_gradients_pass_and_a_copy_can_be_made(packed: nn.Module) -> None:
    x = torch.rand(1, 4, 16, 16, requires_grad=True)
    with torch.no_grad():
        packed(x)
    copied = copy.deepcopy(packed)
    copied(x).sum().backward()
    assert x.grad.abs().sum() > 0
    with torch.inference_mode():
        torch.testing.assert_close(copied(x), packed(x))
