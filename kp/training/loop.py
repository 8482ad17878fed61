"""The training loop: a generator of events. The command line, the app and the tests consume it with `for`."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from kp.checkpoint import Checkpoint
from kp.data import FacialKeypointsDataset
from kp.hardware import own_cores
from kp.models.base import StagedModel
from kp.training.batches import TrainingBatches
from kp.training.clock import RunClock
from kp.training.config import TrainConfig
from kp.training.device import find_device
from kp.training.distributed import SINGLE_PROCESS, ProcessGroup
from kp.training.events import RunEnded, TrainEvent
from kp.training.losses import LOSSES
from kp.training.optimizers import lr_factor, make_optimizer
from kp.training.precision import choose_forward
from kp.training.preparation import check_start, decode, select_sets
from kp.training.reports import TOO_EARLY, RunReports
from kp.training.run_record import RunRecord
from kp.training.run_state import NetworkState, initial_network
from kp.training.validation import Validation, ValidationResult

KEEP_EVERY = 100  # steps between two copies of the last good weights


def train(
    config: TrainConfig,
    dataset: FacialKeypointsDataset,
    *,
    stop: Callable[[], bool] = lambda: False,
    device: str = "auto",
    group: ProcessGroup = SINGLE_PROCESS,
    start: Checkpoint | None = None,
) -> Iterator[TrainEvent]:
    """Train a network; yields an event for each step, and last RunEnded, with the network.

    stop: called before every step, and while images are decoded; true ends the run. device: one of DEVICES.
    group: the processes that train together, each in a call of its own. start: a network of the same architecture and
    split whose weights to start from. A loss that is not finite ends the run with the last good weights.

        >>> from kp import TrainConfig, train
        >>> from kp.synthetic.dataset import SyntheticFaces
        >>> config = TrainConfig("naimishnet", crop_size=32, epochs=1, max_train_images=4)
        >>> *_, ended = train(config, SyntheticFaces(2))
        >>> ended.reason, ended.checkpoint.architecture
        ('finished', 'naimishnet')
    """
    place = find_device(device, group.local_rank)
    if start:
        check_start(start, config)
    train_set, val_set = select_sets(config, dataset)
    for event in decode(train_set, val_set, grey=config.preprocessing.channels == 1):
        yield event
        if stop():
            break
    if group.any(stop()):
        yield RunEnded("stopped", TOO_EARLY, 0.0, None, None)
        return
    record = RunRecord(config, train_set, dataset.root.name, start.history if start else None)
    model = initial_network(config, start, place, group)
    yield from _Run(config, train_set, val_set, model, record, place, group).events(stop)


class _Run:
    """One run: the training step, and around it what validates, reports and ends."""

    def __init__(
        self,
        config: TrainConfig,
        train_set: FacialKeypointsDataset,
        val_set: FacialKeypointsDataset,
        model: StagedModel,
        record: RunRecord,
        device: torch.device,
        group: ProcessGroup,
    ) -> None:
        self.config, self.model, self.device, self.group = config, model, device, group
        self.state = NetworkState(model, config.ema_decay)
        self.loss = LOSSES[config.loss]
        spare_core = group.local_size * torch.get_num_threads() < own_cores()
        self.batches = TrainingBatches(train_set, config, group, ahead=device.type == "cuda" or spare_core)
        self.validation = Validation(val_set, config, group)
        self.clock = RunClock(config, len(self.batches), group)
        self.forward = choose_forward(config, model, device, group, batch_size=min(config.batch_size, len(train_set)))
        self.optimizer = make_optimizer(config, model, self.forward.dtype)
        self.report = RunReports(config, self.clock, self.state, record)

    def events(self, stop: Callable[[], bool]) -> Iterator[TrainEvent]:
        """Steps until the epochs or the time limit are over, `stop()` is true, or the loss is not finite."""
        yield self.report.started(self.validation, self.forward, self.group)
        self.clock.start()
        losses: list[float] = []  # of the steps since the last validation
        for inputs, targets in self._all_batches():
            if self.group.any(stop()):
                yield self.report.stopped()
                return
            weights = self.state.weights() if self.clock.step % KEEP_EVERY == 0 else None
            begun = self.clock.seconds
            loss, images = self._train_step(inputs, targets)
            self.clock.step_done(images, begun)
            if not math.isfinite(loss):
                yield self.report.diverged(loss)
                return
            self.state.good = weights or self.state.good  # their loss is finite
            losses.append(loss)
            yield self.report.step_done(loss, self.optimizer.param_groups[0]["lr"])
            if self.clock.validation_is_due:
                result = self._validate()
                if not math.isfinite(result.loss):
                    yield self.report.diverged(result.loss)
                    return
                self.state.good = self.state.weights()
                yield self.report.epoch_done(float(np.mean(losses)), result)
                losses.clear()
            if self.clock.out_of_time:
                break
        yield self.report.finished()

    def _all_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        for epoch in range(1, self.config.epochs + 1):
            yield from self.batches.epoch(epoch)

    def _train_step(self, inputs: Tensor, targets: Tensor) -> tuple[float, float]:
        """One step on a batch (n, channels, size, size) and (n, 68, 2): its mean loss and images, over the group.

        Where the loss is not finite, the weights stay as they are.
        """
        self._set_learning_rate()
        self.optimizer.zero_grad(set_to_none=True)
        stages = self.forward(self.model.train(), inputs)
        loss = self.loss(stages, targets.to(self.device, non_blocking=True))
        total, images = self.group.sum(loss.item() * len(inputs), len(inputs))
        if math.isfinite(total):
            loss.backward()
            self.group.average_gradients(self.model, len(inputs) / images)
            self.optimizer.step()
            if self.state.average:
                self.state.average.update(self.model)
        return total / images, images

    def _set_learning_rate(self) -> None:
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = self.config.learning_rate * lr_factor(self.config.schedule, self.clock.progress)

    def _validate(self) -> ValidationResult:
        begun = self.clock.seconds
        result = self.validation.measure(self.state.result, self.forward, self.loss)
        self.clock.validation_done(begun)
        return result
