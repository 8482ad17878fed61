"""The state of a training run, updated by the events of its process."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kp.synthetic.dataset import is_synthetic
from kp.training import TrainConfig

SMOOTHING = 0.9  # of the training loss, which jumps from batch to batch
MOST_LOSSES = 2000  # of a run in memory; those of a long one are thinned out
ACTIVE = ("starting", "decoding", "training", "stopping")


@dataclass
class Run:
    """One run, updated by its events. state: one of ACTIVE, or finished, stopped, diverged, failed.

    id: known to its owner alone; its network goes by it. number: public. `version` rises with each event,
    so that pages notice changes. losses: seconds and smoothed training loss of every `stride`-th step.
    """

    id: str
    number: int
    config: TrainConfig
    data: Path
    checkpoint: Path
    state: str = "starting"
    message: str = ""
    version: int = 0
    begun: float = field(default_factory=time.time)
    started: dict[str, Any] = field(default_factory=dict)  # the RunStarted event
    progress: dict[str, Any] = field(default_factory=dict)  # the last Decoding or StepDone event
    losses: list[tuple[float, float]] = field(default_factory=list)
    smooth: float | None = None
    stride: int = 1
    epochs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    @property
    def synthetic(self) -> bool:
        """Whether it is trained on the synthetic faces."""
        return is_synthetic(self.data)

    def take(self, event: dict[str, Any]) -> None:
        """Apply an event. Pages poll meanwhile, so `message` is set before `state`."""
        match event["event"]:
            case "Decoding":
                self.progress = event
                self._enter("decoding")
            case "RunStarted":
                self.started = event
                self._enter("training")
            case "StepDone":
                self.progress = event
                self._keep_loss(event)
            case "EpochDone":
                faces = np.array(event["faces"], np.float32)  # a sixteenth of the memory of lists
                self.epochs.append(event | {"faces": faces})
            case "RunEnded":
                self.message = event["message"]
                self.state = event["reason"]
        self.version += 1

    def _keep_loss(self, event: dict[str, Any]) -> None:
        loss = event["loss"]
        if loss is None:
            return
        self.smooth = loss if self.smooth is None else SMOOTHING * self.smooth + (1 - SMOOTHING) * loss
        if event["step"] % self.stride == 0:
            self.losses.append((event["seconds"], self.smooth))
        if len(self.losses) > MOST_LOSSES:
            self.losses, self.stride = self.losses[1::2], 2 * self.stride

    def _enter(self, state: str) -> None:
        if self.state != "stopping":
            self.state = state
