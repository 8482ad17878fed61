"""The events of a training run: frozen, with plain values."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kp.checkpoint import Checkpoint


@dataclass(frozen=True)
class TrainEvent:
    """One event of a run."""

    def to_json(self) -> dict[str, Any]:
        """The event's name and its values, without the checkpoint; a number that is not finite is None."""
        values = {name: value for name, value in vars(self).items() if name != "checkpoint"}
        return {"event": type(self).__name__, **{name: _plain(value) for name, value in values.items()}}


def _plain(value: Any) -> Any:
    """A value as JSON takes it, which has no NaN; arrays are rounded to 0.01."""
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in np.round(value.astype(float), 2).tolist()]
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value


@dataclass(frozen=True)
class Decoding(TrainEvent):
    """Images are being decoded, before the clock starts; done of total."""

    done: int
    total: int


@dataclass(frozen=True)
class RunStarted(TrainEvent):
    """threads: processor threads of each of the `processes`. device: cpu or cuda.

    watched: the validation previews, a few validation frames, as rows of the whole dataset.
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
    """A validation: `epoch` is a whole number at the end of an epoch, and a fraction before.

    nme: mean over the validation faces, percent of the eye distance. checkpoint: the network so far.
    faces: predicted keypoints of the validation previews, float32 (n, 68, 2), pixels of their frames.
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
    """reason: finished, stopped or diverged. checkpoint: the network to keep; None before step 1."""

    reason: str
    message: str
    seconds: float
    nme: float | None
    checkpoint: Checkpoint | None = field(repr=False)


__all__ = ["Decoding", "EpochDone", "RunEnded", "RunStarted", "StepDone", "TrainEvent"]
