"""Optimizers and learning rate schedules."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from kp.training.config import TrainConfig
from kp.training.muon import Muon

WARM_UP = 0.05  # fraction of the run in which one-cycle rises
FIRST_RATE = 0.1  # factor of the learning rate at the start of one-cycle
LATE = 2.0**20  # steps, after which Adam's bias correction is 1


class RMSprop(torch.optim.Adam):
    """torch.optim.RMSprop with Adam's fused kernel: one pass over the weights instead of one for each operation.

    RMSprop is Adam without momentum and without bias correction.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], *, lr: float, weight_decay: float = 0.0) -> None:
        super().__init__(parameters, lr=lr, betas=(0.0, 0.99), weight_decay=weight_decay, fused=True)
        for parameter in self.param_groups[0]["params"]:
            self.state[parameter] = {
                "step": torch.tensor(LATE, device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }


def make_optimizer(config: TrainConfig, model: nn.Module, dtype: torch.dtype = torch.float32) -> torch.optim.Optimizer:
    """The config's optimizer. dtype: of Muon's iteration, which need not be exact."""
    rate, decay = config.learning_rate, config.weight_decay
    match config.optimizer:
        case "rmsprop":
            return RMSprop(model.parameters(), lr=rate, weight_decay=decay)
        case "adam":
            return torch.optim.Adam(model.parameters(), lr=rate, weight_decay=decay, fused=True)
        case "adamw":
            return torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay, fused=True)
        case "muon":
            return Muon(model, lr=rate, weight_decay=decay, dtype=dtype)
        case _:
            return torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=decay, fused=True)


def lr_factor(schedule: str, progress: float) -> float:
    """The factor of the learning rate at a point of the run, `progress` 0..1 (one-cycle: Smith, 2018)."""
    if schedule == "constant":
        return 1.0
    if progress < WARM_UP:
        return FIRST_RATE + (1 - FIRST_RATE) * progress / WARM_UP
    return max(1e-3, 0.5 + 0.5 * math.cos(math.pi * min(1.0, (progress - WARM_UP) / (1 - WARM_UP))))
