"""Training as a stream of events."""

from kp.training.config import PRESETS, TrainConfig
from kp.training.events import Decoding, EpochDone, RunEnded, RunStarted, StepDone, TrainEvent
from kp.training.loop import train

__all__ = [
    "PRESETS",
    "Decoding",
    "EpochDone",
    "RunEnded",
    "RunStarted",
    "StepDone",
    "TrainConfig",
    "TrainEvent",
    "train",
]
