"""Convolutions for prediction, their weights laid out once as oneDNN reads them.

For one face PyTorch leaves convolutions with a small input to a product of matrices (ATen's use_mkldnn, in
Convolution.cpp); where the weights are many, oneDNN takes two thirds of its time, once they are laid out for it.
"""

from typing import Any

import torch
from torch import Tensor, nn

MANY = 80_000  # weights; fewer gain nothing


def pack_weights(module: nn.Module) -> nn.Module:
    """Replace each convolution that gains by it with a PackedConv2d, in place; the answers are the same."""
    if torch.backends.mkldnn.is_available():
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d) and child.kernel_size != (1, 1) and child.weight.numel() >= MANY:
                setattr(module, name, PackedConv2d(child))
            else:
                pack_weights(child)
    return module


class PackedConv2d(nn.Conv2d):
    """A convolution with the weights of another, packed for inputs as large as the first one."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding,
                         conv.dilation, conv.groups, device="meta")
        self.weight, self.bias = conv.weight, conv.bias
        self.packed: Tensor | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "packed": None}  # oneDNN's tensors cannot be copied

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or x.device.type != "cpu":
            return super().forward(x)
        places = self.padding, self.stride, self.dilation, self.groups
        if self.packed is None:
            self.packed = torch.ops.mkldnn._reorder_convolution_weight(self.weight, *places, [1, *x.shape[1:]])
        return torch.ops.mkldnn._convolution_pointwise(x, self.packed, self.bias, *places, "none", [], "")
