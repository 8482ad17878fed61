"""Training runs that take a second: settings, and the events of a run."""

from dataclasses import replace
from typing import Any

from kp import TrainConfig, train
from kp.data import FacialKeypointsDataset
from kp.training import StepDone, TrainEvent

QUICK = TrainConfig(
    architecture="naimishnet",
    crop_size=32,
    augmentation="none",
    max_train_images=6,
    batch_size=4,
    epochs=2,
    precision="float32",
    optimizer="adam",
)
SHARP = replace(QUICK, architecture="heatmap_net", width=8, loss="heatmap", learning_rate=3e-3)


def run(config: TrainConfig, dataset: FacialKeypointsDataset, **options: Any) -> list[TrainEvent]:
    return list(train(config, dataset, **options))


def losses(events: list[TrainEvent]) -> list[float]:
    return [event.loss for event in events if isinstance(event, StepDone)]
