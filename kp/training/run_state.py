"""What a run changes: the network, the moving average of its weights, the last good weights."""

import copy

import torch
from torch import Tensor

from kp.checkpoint import Checkpoint
from kp.models import create_model
from kp.models.base import StagedModel
from kp.training.config import TrainConfig
from kp.training.distributed import ProcessGroup


class MovingAverage:
    """A network whose weights are the exponential moving average of another's."""

    def __init__(self, model: StagedModel, decay: float) -> None:
        self.network, self.decay, self.updates = copy.deepcopy(model), decay, 0

    @torch.no_grad()
    def update(self, model: StagedModel) -> None:
        """Move towards the model's weights; early averages have a smaller decay. Integer buffers are copied."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates)) if self.updates else 0.0
        averages, current = self.network.state_dict(), model.state_dict()
        real = [name for name, tensor in averages.items() if tensor.is_floating_point()]
        if decay:
            torch._foreach_lerp_([averages[name] for name in real], [current[name] for name in real], 1 - decay)
        copied = averages.keys() - real if decay else averages.keys()
        for name in copied:
            averages[name].copy_(current[name])
        self.updates += 1


class NetworkState:
    """The network that steps change, its moving average where the config asks for one, the last good weights."""

    def __init__(self, model: StagedModel, ema_decay: float) -> None:
        self.model = model
        self.average = MovingAverage(model, ema_decay) if ema_decay else None
        self.good = self.weights()

    @property
    def result(self) -> StagedModel:
        """The network to validate and save: the averaged one where there is one."""
        return self.average.network if self.average else self.model

    def weights(self) -> dict[str, Tensor]:
        """A copy of the result's weights."""
        return copy.deepcopy(self.result.state_dict())

    def restore_good(self) -> None:
        self.result.load_state_dict(self.good)

    def restore_if_broken(self) -> None:
        """Go back to the last good weights where some are not finite."""
        if not all(torch.isfinite(tensor).all() for tensor in self.result.state_dict().values()):
            self.restore_good()


def initial_network(
    config: TrainConfig, start: Checkpoint | None, device: torch.device, group: ProcessGroup
) -> StagedModel:
    """A network with the seed's random weights or those of `start`, the same in all processes of the group.

    Seeds PyTorch's generator, for dropout, with another number in each process.
    """
    torch.manual_seed(config.seed)
    model = create_model(config.architecture, **config.model_arguments)
    if start:
        model.load_state_dict(start.weights)
    model.to(device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # PyTorch's stub lacks this overload
    group.broadcast(model)
    if group.rank:
        torch.manual_seed(config.seed + group.rank)  # dropout differs between the shards of a batch
    return model
