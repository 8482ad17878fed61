"""How a step is made, and how its length changes over a run."""

import math

import torch
from torch import nn

from kp.training.config import TrainConfig
from kp.training.muon import Muon

WARM_UP = 0.05          # of the run, for the one-cycle schedule
FIRST_RATE = 0.1        # of the learning rate, where one-cycle starts


def make_optimizer(config: TrainConfig, model: nn.Module,
                   dtype: torch.dtype = torch.float32) -> torch.optim.Optimizer:
    """dtype: of numbers that need not be exact, which is Muon's business."""
    rate, decay = config.learning_rate, config.weight_decay
    match config.optimizer:
        case "rmsprop":
            return torch.optim.RMSprop(model.parameters(), lr=rate, weight_decay=decay)
        case "adam":
            return torch.optim.Adam(model.parameters(), lr=rate, weight_decay=decay, fused=True)
        case "adamw":
            return torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay, fused=True)
        case "muon":
            return Muon(model, lr=rate, weight_decay=decay, dtype=dtype)
        case _:
            return torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=decay, fused=True)


def rate_factor(schedule: str, progress: float) -> float:
    """The share of the learning rate at a point of the run, `progress` 0..1 (one-cycle: Smith, 2018)."""
    if schedule == "constant":
        return 1.0
    if progress < WARM_UP:
        return FIRST_RATE + (1 - FIRST_RATE) * progress / WARM_UP
    return max(1e-3, 0.5 + 0.5 * math.cos(math.pi * min(1.0, (progress - WARM_UP) / (1 - WARM_UP))))
