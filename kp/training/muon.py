"""Muon: momentum whose step is made orthogonal, so that no direction of a layer's weights learns faster than another.

Keller Jordan, "Muon: An optimizer for hidden layers in neural networks" (2024). PyTorch's own (from 2.9 on) takes
matrices alone; here a convolution's kernel is the matrix of its outputs by all its inputs, and kernels of one shape are
worked on together. Weights that do not look about (1x1 kernels, layers without place, batch norm) are left to AdamW.
"""

from collections import defaultdict

import torch
from torch import Tensor, nn

ROUNDS = 3  # of Newton-Schulz's iteration; five, as published, take a third longer
QUINTIC = (3.4445, -4.7750, 2.0315)  # its coefficients: fast growth of small singular values, to about 1
MOMENTUM = 0.9
OTHERS = 0.1  # AdamW's share of the learning rate


def _looks_about(weight: Tensor) -> bool:
    """Whether it is the kernel of a convolution, (outputs, inputs, height, width), larger than 1x1."""
    return weight.ndim == 4 and weight[0, 0].numel() > 1


def orthogonal(matrices: Tensor, dtype: torch.dtype) -> Tensor:
    """Of each matrix (n, rows, columns) one with about the same singular vectors and singular values near 1."""
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
    """For a network's convolutions; AdamW, inside, for the rest. dtype: what the iteration computes with."""

    def __init__(
        self, model: nn.Module, *, lr: float, weight_decay: float = 0.0, dtype: torch.dtype = torch.float32
    ) -> None:
        parameters = list(model.parameters())
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})
        self.dtype, self.shapes = dtype, defaultdict(list)
        for parameter in parameters:
            if _looks_about(parameter):
                self.shapes[parameter.shape].append(parameter)
        self.others = torch.optim.AdamW(
            [parameter for parameter in parameters if not _looks_about(parameter)],
            lr=lr * OTHERS,
            weight_decay=weight_decay,
            fused=True,
        )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # no closure: nothing here needs the loss
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
