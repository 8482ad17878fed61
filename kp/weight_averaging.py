"""One network from several that were trained on from the same one.

The mean of their weights errs less than each of them, and asks for no more time (Wortsman et al., "Model soups", 2022).
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from kp.checkpoint import Checkpoint, current_versions
from kp.errors import ConfigError

ALIKE = {  # what networks must have in common
    "architecture": lambda checkpoint: checkpoint.architecture,
    "arguments": lambda checkpoint: checkpoint.arguments,
    "preprocessing": lambda checkpoint: checkpoint.preprocessing,
    "split": lambda checkpoint: checkpoint.data.get("split"),  # or one has seen people whom another is tested on
}
RELATED = 0.5  # cosine of the angle between their weights; of networks that began apart it is near 0


def average_checkpoints(checkpoints: Sequence[Checkpoint]) -> Checkpoint:
    """The mean of the weights. Settings and curve are the first one's; figures there are none yet.

    Raises ConfigError where they are fewer than two, differ in architecture, crop or split, or began
    apart: between networks of different random starts lies none that has learnt anything.
    """
    if len(checkpoints) < 2:
        raise ConfigError("An average needs two networks or more. Name another one.")
    first = checkpoints[0]
    direction = _direction(first)
    for number, other in enumerate(checkpoints[1:], start=2):
        for what, of in ALIKE.items():
            if of(first) != of(other):
                raise ConfigError(
                    f"The first network's {what} is {of(first)}, that of number {number} "
                    f"{of(other)}. Take networks that were trained on from the same one."
                )
        if F.cosine_similarity(direction, _direction(other), dim=0) < RELATED:
            raise ConfigError(
                f"Network number {number} was not trained on from the same one as the first, so that "
                "their mean would know nothing. Take networks that were (train --start)."
            )
    weights = {
        name: torch.stack([one.weights[name].double() for one in checkpoints]).mean(0).to(weight.dtype)
        for name, weight in first.weights.items()
    }
    return replace(first, weights=weights, metrics={}, versions=current_versions())


def _direction(checkpoint: Checkpoint) -> Tensor:
    """All kernels and matrices in one vector."""
    return torch.cat([weight.flatten().float() for weight in checkpoint.weights.values() if weight.ndim > 1])
