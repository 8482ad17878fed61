"""The average of several networks that were trained from the same one.

The mean of their weights has a lower error than each of them, at the same cost (Wortsman et al., "Model soups", 2022).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from kp.checkpoint import Checkpoint, current_versions
from kp.errors import ConfigError

ALIKE: dict[str, Callable[[Checkpoint], object]] = {  # what the networks must have in common
    "architecture": lambda checkpoint: checkpoint.architecture,
    "arguments": lambda checkpoint: checkpoint.arguments,
    "preprocessing": lambda checkpoint: checkpoint.preprocessing,
    "split": lambda checkpoint: checkpoint.data.get("split"),  # or one is trained on the test people of another
}
RELATED = 0.5  # cosine similarity of their weights; near 0 for networks with different random starts


def average_checkpoints(checkpoints: Sequence[Checkpoint]) -> Checkpoint:
    """The mean of the weights, with the settings and learning curve of the first and no metrics.

    Raises ConfigError where there are fewer than two, or where they differ in architecture, crop, split or random
    start: the mean of networks with different starts predicts nothing.
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
                    f"{of(other)}. Take networks that were trained from the same one."
                )
        if F.cosine_similarity(direction, _direction(other), dim=0) < RELATED:
            raise ConfigError(
                f"Network number {number} was not trained from the same one as the first, so that "
                "their mean would predict nothing. Take networks that were (train --init-from)."
            )
    weights = {
        name: torch.stack([one.weights[name].double() for one in checkpoints]).mean(0).to(weight.dtype)
        for name, weight in first.weights.items()
    }
    return replace(first, weights=weights, metrics={}, versions=current_versions())


def _direction(checkpoint: Checkpoint) -> Tensor:
    """All kernels and matrices as one vector."""
    return torch.cat([weight.flatten().float() for weight in checkpoint.weights.values() if weight.ndim > 1])
