"""What a run leaves behind: its learning curve and its checkpoints."""

import math

import torch

from kp.checkpoint import Checkpoint, current_versions
from kp.data import FacialKeypointsDataset
from kp.models.base import StagedModel
from kp.training.config import TrainConfig

History = list[dict[str, float]]  # one entry a validation: epoch, seconds, train_loss, validation_loss, nme


class RunRecord:
    """The settings, data and learning curve of a run, to be saved with its network."""

    def __init__(
        self, config: TrainConfig, train_set: FacialKeypointsDataset, data_name: str, earlier: History | None = None
    ) -> None:
        """earlier: the curve of the network that the run starts from."""
        self.config, self.earlier = config, earlier or []
        self.history: History = []
        self.images = len(train_set)
        self.data = {
            "name": data_name,
            "split": config.split,
            "images": self.images,
            "people": len({frame.person for frame in train_set.frames}),
        }

    @property
    def nme(self) -> float | None:
        """Of the last validation, percent; None where there is none yet, or no eye is labelled."""
        last = self.history[-1]["nme"] if self.history else math.nan
        return last if math.isfinite(last) else None

    def checkpoint(self, network: StagedModel) -> Checkpoint:
        """The record with a copy of the network's weights."""
        weights = {
            name: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
            for name, tensor in network.state_dict().items()
        }
        return Checkpoint(
            architecture=self.config.architecture,
            arguments=self.config.model_arguments,
            weights=weights,
            preprocessing=self.config.preprocessing,
            config=self.config.to_dict(),
            data=self.data,
            history=joined_history(self.earlier, self.history),
            versions=current_versions(),
            title=self.config.architecture,
        )


def joined_history(earlier: History, later: History) -> History:
    """The curve of a run that continues another one: epochs and seconds count on."""
    if not earlier:
        return list(later)
    epochs, seconds = earlier[-1]["epoch"], earlier[-1]["seconds"]
    return [
        *earlier,
        *(
            {**entry, "epoch": round(entry["epoch"] + epochs, 2), "seconds": entry["seconds"] + seconds}
            for entry in later
        ),
    ]
