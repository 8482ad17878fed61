"""Muon: momentum with an orthogonalised step, so that all directions of a layer's weights change equally fast.

Keller Jordan, "Muon: An optimizer for hidden layers in neural networks" (2024). PyTorch's own (from 2.9 on) takes
only matrices; here a convolution's kernel is the matrix of its outputs by all its inputs, and kernels of one shape are
batched. AdamW updates all other weights: 1x1 kernels, linear layers, biases, batch norm.
"""

from collections import defaultdict

import torch
from torch import Tensor, nn

ROUNDS = 3  # of Newton-Schulz's iteration; five, as published, take a third longer
QUINTIC = (3.4445, -4.7750, 2.0315)  # coefficients that raise small singular values to about 1 in few rounds
MOMENTUM = 0.9
OTHERS = 0.1  # AdamW's learning rate, relative to Muon's


def _is_spatial_kernel(weight: Tensor) -> bool:
    """Whether it is a convolution's kernel (outputs, inputs, height, width) larger than 1x1."""
    return weight.ndim == 4 and weight[0, 0].numel() > 1


def orthogonal(matrices: Tensor, dtype: torch.dtype) -> Tensor:
    """Matrices (n, rows, columns) with about the same singular vectors, and singular values near 1."""
    x = matrices.to(dtype)
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    for _ in range(ROUNDS):
        own, squared, both = QUINTIC
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=squared, alpha=both), x, beta=own)
    return (x.mT if tall else x).to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """For a network's convolutions, with AdamW for the rest. dtype: of the Newton-Schulz iteration."""

    def __init__(
        self, model: nn.Module, *, lr: float, weight_decay: float = 0.0, dtype: torch.dtype = torch.float32
    ) -> None:
        parameters = list(model.parameters())
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})
        self.dtype, self.shapes = dtype, defaultdict(list)
        for parameter in parameters:
            if _is_spatial_kernel(parameter):
                self.shapes[parameter.shape].append(parameter)
        self.others = torch.optim.AdamW(
            [parameter for parameter in parameters if not _is_spatial_kernel(parameter)],
            lr=lr * OTHERS,
            weight_decay=weight_decay,
            fused=True,
        )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # takes no closure: the loss is not needed
        (group,) = self.param_groups
        for kernels in self.shapes.values():
            self._step([kernel for kernel in kernels if kernel.grad is not None], **group)
        self.others.param_groups[0]["lr"] = group["lr"] * OTHERS
        self.others.step()

    def _step(self, kernels: list[Tensor], *, lr: float, weight_decay: float, **_: object) -> None:
        if not kernels:
            return
        rows, columns = len(kernels[0]), kernels[0][0].numel()
        gradients = torch.stack([kernel.grad.reshape(rows, columns) for kernel in kernels if kernel.grad is not None])
        state = self.state[kernels[0]]
        momentum = state.setdefault("momentum", torch.zeros_like(gradients)).lerp_(gradients, 1 - MOMENTUM)
        steps = orthogonal(gradients.lerp_(momentum, MOMENTUM), self.dtype) * (-lr * max(1.0, rows / columns) ** 0.5)
        torch._foreach_mul_(kernels, 1 - lr * weight_decay)
        torch._foreach_add_(kernels, [step.view(kernel.shape) for step, kernel in zip(steps, kernels, strict=True)])
