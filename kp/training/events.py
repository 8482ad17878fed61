"""What a training run tells while it goes on: frozen, plain values, so that any watcher can use them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kp.checkpoint import Checkpoint


@dataclass(frozen=True)
class TrainEvent:
    """One piece of news. `to_json()` is a dict with the event's name and its plain values."""

    def to_json(self) -> dict[str, Any]:
        values = {name: value for name, value in vars(self).items() if name != "checkpoint"}
        return {"event": type(self).__name__, **{name: _plain(value) for name, value in values.items()}}


def _plain(value: Any) -> Any:
    """JSON has no NaN: what is not a finite number becomes None."""
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in np.round(value.astype(float), 2).tolist()]
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value


@dataclass(frozen=True)
class Decoding(TrainEvent):
    """Images are being read, before the clock starts."""

    done: int
    total: int


@dataclass(frozen=True)
class RunStarted(TrainEvent):
    """threads: of the processor, in each of the `processes`. device: cpu or cuda.

    watched: a few validation frames, the same ones all along, as rows of the whole dataset.
    """

    config: dict[str, Any]
    parameters: int
    train_images: int
    validation_images: int
    steps: int
    precision: str
    threads: int
    device: str
    processes: int
    watched: list[int]


@dataclass(frozen=True)
class StepDone(TrainEvent):
    """loss: of this batch. images_per_second: since the run's start, validation not counted."""

    step: int
    steps: int
    epoch: int
    loss: float
    learning_rate: float
    images_per_second: float
    seconds: float
    seconds_left: float


@dataclass(frozen=True)
class EpochDone(TrainEvent):
    """An epoch is over, or a part of it: `epoch` is a whole number at its end, and a fraction before.

    nme: mean over the validation faces, percent of the eye distance. checkpoint: the network so far.

    faces: the watched frames' keypoints as predicted now, float32 (n, 68, 2), pixels of their frames.
    """

    epoch: float
    epochs: int
    train_loss: float
    validation_loss: float
    nme: float
    seconds: float
    faces: np.ndarray = field(repr=False)
    checkpoint: Checkpoint = field(repr=False)


@dataclass(frozen=True)
class RunEnded(TrainEvent):
    """reason: finished, stopped or diverged. checkpoint: the network as it is worth keeping; None before step 1."""

    reason: str
    message: str
    seconds: float
    nme: float | None
    checkpoint: Checkpoint | None = field(repr=False)


__all__ = ["Decoding", "EpochDone", "RunEnded", "RunStarted", "StepDone", "TrainEvent"]
