"""Loss and error on the validation set."""

from dataclasses import dataclass

import numpy as np
import torch

from kp.data import FacialKeypointsDataset
from kp.metrics import mean_of_known, nme
from kp.models.base import StagedModel
from kp.training.batches import to_batch, validation_crops
from kp.training.config import TrainConfig
from kp.training.distributed import ProcessGroup
from kp.training.losses import Loss
from kp.training.precision import Forward

BATCH = 64
PREVIEWS = 9  # faces whose keypoints are reported after each validation


@dataclass(frozen=True)
class ValidationResult:
    """nme: mean over the faces, percent. previews: float32 (n, 68, 2), pixels of the previews' frames."""

    loss: float
    nme: float
    previews: np.ndarray


class Validation:
    """The validation set as one batch of crops, the same each time, and a few of its faces as previews."""

    def __init__(self, val_set: FacialKeypointsDataset, config: TrainConfig, group: ProcessGroup) -> None:
        self.preprocessing, self.group = config.preprocessing, group
        crops = validation_crops(val_set, config)
        self.inputs, self.targets = to_batch(crops, config.preprocessing)
        self.previews = np.unique(np.linspace(0, len(val_set) - 1, PREVIEWS).round().astype(int))  # rows of val_set
        self.preview_crops = [crops[index] for index in self.previews]
        self.preview_rows: list[int] = val_set.rows[self.previews].tolist()  # rows of the whole dataset

    @torch.inference_mode()
    def measure(self, network: StagedModel, forward: Forward, loss: Loss) -> ValidationResult:
        """The network's figures on the whole set; each process of the group measures its share of the batches."""
        network.eval()
        keypoints, total = torch.zeros_like(self.targets), 0.0
        for start in range(self.group.rank * BATCH, len(self.inputs), self.group.size * BATCH):
            batch = slice(start, start + BATCH)
            stages = forward(network, self.inputs[batch])
            total += loss(stages, self.targets[batch].to(forward.device)).item() * len(self.inputs[batch])
            keypoints[batch] = stages["keypoints"].cpu()
        self.group.add(keypoints)  # zero in the batches of other processes
        predicted = keypoints.numpy()
        errors = nme(predicted, self.targets.numpy())
        decoded = self.preprocessing.decode(predicted[self.previews])
        previews = [crop.to_original(points) for crop, points in zip(self.preview_crops, decoded, strict=True)]
        mean_loss = self.group.sum(total)[0] / len(predicted)
        return ValidationResult(mean_loss, float(mean_of_known(errors) * 100), np.array(previews))
