"""The events of a run, made from its clock, its network and its record."""

import torch

from kp.models import count_parameters
from kp.training.clock import RunClock
from kp.training.config import TrainConfig
from kp.training.distributed import ProcessGroup
from kp.training.events import EpochDone, RunEnded, RunStarted, StepDone
from kp.training.precision import Forward
from kp.training.run_record import RunRecord
from kp.training.run_state import NetworkState
from kp.training.validation import Validation, ValidationResult

TOO_EARLY = "Stopped before the first step; nothing is trained yet, so nothing is kept."


class RunReports:
    """Makes each event of a run from its present state."""

    def __init__(self, config: TrainConfig, clock: RunClock, state: NetworkState, record: RunRecord) -> None:
        self.config, self.clock, self.state, self.record = config, clock, state, record

    def started(self, validation: Validation, forward: Forward, group: ProcessGroup) -> RunStarted:
        return RunStarted(
            config=self.config.to_dict(),
            parameters=count_parameters(self.state.model),
            train_images=self.record.images,
            validation_images=len(validation.inputs),
            steps=self.clock.steps,
            precision="bfloat16" if forward.bfloat16 else "float32",
            threads=torch.get_num_threads(),
            device=forward.device.type,
            processes=group.size,
            watched=validation.preview_rows,
        )

    def step_done(self, loss: float, learning_rate: float) -> StepDone:
        return StepDone(
            step=self.clock.step,
            steps=self.clock.steps,
            epoch=self.clock.epoch,
            loss=loss,
            learning_rate=learning_rate,
            images_per_second=self.clock.images_per_second,
            seconds=self.clock.seconds,
            seconds_left=self.clock.seconds_left,
        )

    def epoch_done(self, train_loss: float, result: ValidationResult) -> EpochDone:
        """The event of a validation; its figures also enter the learning curve."""
        figures = {
            "epoch": self.clock.epochs,
            "seconds": self.clock.seconds,
            "train_loss": train_loss,
            "validation_loss": result.loss,
            "nme": result.nme,
        }
        self.record.history.append(figures)
        checkpoint = self.record.checkpoint(self.state.result)
        return EpochDone(epochs=self.config.epochs, faces=result.previews, checkpoint=checkpoint, **figures)

    def finished(self) -> RunEnded:
        return self._ended("finished", f"Finished after {self.clock.step} steps.")

    def stopped(self) -> RunEnded:
        """With the network so far, or the last good weights where the last step made some that are not finite."""
        self.state.restore_if_broken()
        step = self.clock.step
        return self._ended("stopped", f"Stopped after step {step}; the network so far is kept." if step else TOO_EARLY)

    def diverged(self, loss: float) -> RunEnded:
        """With the last good weights."""
        self.state.restore_good()
        return self._ended(
            "diverged",
            f"The loss became {loss} at step {self.clock.step}; the last good weights are kept. "
            "Try a learning rate ten times lower.",
        )

    def _ended(self, reason: str, message: str) -> RunEnded:
        checkpoint = self.record.checkpoint(self.state.result) if self.clock.step else None
        return RunEnded(reason, message, self.clock.seconds, self.record.nme, checkpoint)
