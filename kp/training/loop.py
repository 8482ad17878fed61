"""The training loop: a generator of events. The command line, the app and the tests all read it with `for`."""

import contextlib
import copy
import math
import queue
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from kp.checkpoint import Checkpoint, current_versions
from kp.data import FacialKeypointsDataset
from kp.errors import ConfigError
from kp.metrics import nme
from kp.models import count_parameters, create_model
from kp.training.batches import TrainingBatches, to_batch, validation_crops
from kp.training.config import TrainConfig
from kp.training.events import Decoding, EpochDone, RunEnded, RunStarted, StepDone, TrainEvent
from kp.training.losses import LOSSES

WARM_UP = 0.25          # of the run, for the one-cycle schedule
FIRST_RATE = 0.1        # of the learning rate, where one-cycle starts
VALIDATION_BATCH = 64
WATCHED = 9             # faces whose keypoints are told after each epoch
KEEP_EVERY = 100        # steps between two copies of good weights
BFLOAT16_GAIN = 1.15    # bfloat16 is taken where it is at least this much faster


def make_optimizer(config: TrainConfig, model: nn.Module) -> torch.optim.Optimizer:
    rate, decay = config.learning_rate, config.weight_decay
    match config.optimizer:
        case "rmsprop":
            return torch.optim.RMSprop(model.parameters(), lr=rate, weight_decay=decay)
        case "adam":
            return torch.optim.Adam(model.parameters(), lr=rate, weight_decay=decay)
        case "adamw":
            return torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)
        case _:
            return torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=decay)


def rate_factor(schedule: str, progress: float) -> float:
    """The share of the learning rate at a point of the run, `progress` 0..1 (one-cycle: Smith, 2018)."""
    if schedule == "constant":
        return 1.0
    if progress < WARM_UP:
        return FIRST_RATE + (1 - FIRST_RATE) * progress / WARM_UP
    return max(1e-3, 0.5 + 0.5 * math.cos(math.pi * min(1.0, (progress - WARM_UP) / (1 - WARM_UP))))


def train(config: TrainConfig, dataset: FacialKeypointsDataset, *,
          stop: Callable[[], bool] = lambda: False) -> Iterator[TrainEvent]:
    """Train a new network, telling each step. The last event is always RunEnded, with the network.

    `stop` is asked at every step. A loss that is no number ends the run with the last good weights.
    """
    learning = dataset.learning(config.split, validate_on=config.validate_on, subset=config.subset, seed=config.seed)
    testing = dataset.part(config.split, config.validate_on)
    if not len(learning) or not len(testing):
        raise ConfigError(f"There are {len(learning)} images to learn from and {len(testing)} to validate on. "
                          "Choose another split or a larger subset.")
    yield from _decode(learning, testing, grey=config.preprocessing.channels == 1)
    yield from _Run(config, learning, testing, dataset.root.name).events(stop)


def _decode(*parts: FacialKeypointsDataset, grey: bool) -> Iterator[TrainEvent]:
    """Decode the parts, telling how far it is; the work is in a thread, so that this can stay a generator."""
    total, before = sum(map(len, parts)), 0
    with ThreadPoolExecutor(1) as pool:
        for part in parts:
            news: queue.SimpleQueue[int] = queue.SimpleQueue()
            work = pool.submit(part.preload, lambda done, _, news=news: news.put(done), grey=grey)
            while not (work.done() and news.empty()):
                with contextlib.suppress(queue.Empty):
                    yield Decoding(before + news.get(timeout=0.1), total)
            work.result()  # raises here what went wrong there
            before += len(part)


class _Run:
    """The state of one run: network, optimiser, averaged weights, last good weights, clock."""

    def __init__(self, config: TrainConfig, learning: FacialKeypointsDataset, testing: FacialKeypointsDataset,
                 data_name: str) -> None:
        torch.manual_seed(config.seed)
        self.config, self.learning, self.testing, self.data_name = config, learning, testing, data_name
        self.model = create_model(config.architecture, **config.model_arguments).to(memory_format=torch.channels_last)
        self.averaged = None
        if config.averaging:
            self.averaged = AveragedModel(self.model, multi_avg_fn=self._average, use_buffers=True)
        self.optimizer = make_optimizer(config, self.model)
        self.loss = LOSSES[config.loss]
        self.batches = TrainingBatches(learning, config)
        self.steps = len(self.batches) * config.epochs
        self.bfloat16 = config.precision == "bfloat16"
        crops = validation_crops(testing, config)
        self.validation = to_batch(crops, config.preprocessing)
        self.watched = np.unique(np.linspace(0, len(testing) - 1, WATCHED).round().astype(int))
        self.watched_crops = [crops[index] for index in self.watched]
        self.good = copy.deepcopy(self.network.state_dict())
        self.step, self.seen, self.nme = 0, 0, None
        self.history: list[dict[str, float]] = []
        self.training_seconds = self.begun = 0.0

    def _average(self, averages: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        if not averages[0].is_floating_point():
            torch._foreach_copy_(averages, current)
            return
        keep = min(self.config.averaging, (1 + int(count)) / (10 + int(count)))  # young averages forget faster
        torch._foreach_lerp_(averages, current, 1 - keep)

    @property
    def network(self) -> nn.Module:
        """The network worth keeping: the averaged one where there is one."""
        return self.averaged.module if self.averaged else self.model

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.begun

    def events(self, stop: Callable[[], bool]) -> Iterator[TrainEvent]:
        if self.config.precision == "auto":
            self.bfloat16 = self._bfloat16_is_faster()
        yield RunStarted(self.config.to_dict(), count_parameters(self.model), len(self.learning), len(self.testing),
                         self.steps, "bfloat16" if self.bfloat16 else "float32", torch.get_num_threads(),
                         self.testing.rows[self.watched].tolist())
        self.begun = time.perf_counter()
        for epoch in range(1, self.config.epochs + 1):
            losses = []
            for inputs, targets in self.batches.epoch(epoch):
                if stop():
                    self._drop_broken_weights()
                    yield self._end("stopped", f"Stopped after step {self.step}; the network so far is kept.")
                    return
                loss = self._train_step(inputs, targets)
                if not math.isfinite(loss):
                    yield self._diverged(loss)
                    return
                losses.append(loss)
                yield self._step_done(epoch, loss)
                if self._out_of_time():
                    break
            validation_loss, self.nme, faces = self._validate()
            if not math.isfinite(validation_loss):
                yield self._diverged(validation_loss)
                return
            self._keep_good()
            self.history.append({"epoch": epoch, "seconds": self.seconds, "train_loss": float(np.mean(losses)),
                                 "validation_loss": validation_loss, "nme": self.nme})
            yield EpochDone(epochs=self.config.epochs, faces=faces, checkpoint=self._checkpoint(), **self.history[-1])
            if self._out_of_time():
                break
        yield self._end("finished", f"Finished after {self.step} steps.")

    def _progress(self) -> float:
        """How far the run is, 0..1, by steps or by the clock, whichever is further."""
        by_clock = self.training_seconds / self.config.seconds if self.config.seconds else 0.0
        return max(self.step / self.steps, by_clock)

    def _out_of_time(self) -> bool:
        return bool(self.config.seconds) and self.training_seconds >= self.config.seconds

    def _train_step(self, inputs: Tensor, targets: Tensor) -> float:
        """One step; its loss. Where that is no number, the weights are left alone."""
        begun = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * rate_factor(self.config.schedule, self._progress())
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._loss(self.model, inputs, targets)
        value = loss.item()
        if math.isfinite(value):
            if self.step % KEEP_EVERY == 0:
                self._keep_good()
            loss.backward()
            self.optimizer.step()
            if self.averaged:
                self.averaged.update_parameters(self.model)
        self.step += 1
        self.seen += len(inputs)
        self.training_seconds += time.perf_counter() - begun
        return value

    def _stages(self, model: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
        """The network's stages, the answer in float32."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            stages = dict(model.stages(inputs))
        return stages | {"keypoints": stages["keypoints"].float()}

    def _loss(self, model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        return self.loss(self._stages(model, inputs), targets)

    def _drop_broken_weights(self) -> None:
        """Back to the last good weights where the last step made numbers that are none."""
        if not all(torch.isfinite(tensor).all() for tensor in self.network.state_dict().values()):
            self.network.load_state_dict(self.good)

    def _keep_good(self) -> None:
        self.good = copy.deepcopy(self.network.state_dict())

    @torch.inference_mode()
    def _validate(self) -> tuple[float, float, np.ndarray]:
        """Loss, mean NME in percent, and the watched faces' keypoints in pixels of their frames (n, 68, 2)."""
        network, losses, answers = self.network.eval(), [], []
        for inputs, targets in zip(*(part.split(VALIDATION_BATCH) for part in self.validation), strict=True):
            stages = self._stages(network, inputs)
            losses.append(self.loss(stages, targets).item() * len(inputs))
            answers.append(stages["keypoints"])
        output = torch.cat(answers).numpy()
        errors = nme(output, self.validation[1].numpy())
        decoded = self.config.preprocessing.decode(output[self.watched])
        faces = [sample.to_original(points) for sample, points in zip(self.watched_crops, decoded, strict=True)]
        return sum(losses) / len(output), float(errors.mean() * 100), np.array(faces)

    def _bfloat16_is_faster(self) -> bool:
        """Time a few steps of a copy in both; random numbers are left as they were."""
        shape = (min(self.config.batch_size, len(self.learning)), *self.validation[0].shape[1:])
        inputs = torch.zeros(shape).contiguous(memory_format=torch.channels_last)
        targets = torch.zeros(len(inputs), *self.validation[1].shape[1:])
        model, times = copy.deepcopy(self.model), {}
        with torch.random.fork_rng():
            for self.bfloat16 in (False, True):
                for _ in range(4):
                    begun = time.perf_counter()
                    self._loss(model, inputs, targets).backward()
                    taken = time.perf_counter() - begun
                    times[self.bfloat16] = min(taken, times.get(self.bfloat16, math.inf))
        return times[True] * BFLOAT16_GAIN < times[False]

    def _step_done(self, epoch: int, loss: float) -> StepDone:
        progress = self._progress()
        return StepDone(
            step=self.step, steps=self.steps, epoch=epoch, loss=loss,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            images_per_second=self.seen / max(self.training_seconds, 1e-9),
            seconds=self.seconds, seconds_left=self.seconds * (1 - progress) / progress,
        )

    def _diverged(self, loss: float) -> RunEnded:
        self.network.load_state_dict(self.good)
        return self._end("diverged", f"The loss became {loss} at step {self.step}; the last good weights are kept. "
                                     "Try a learning rate ten times lower.")

    def _end(self, reason: str, message: str) -> RunEnded:
        nme_percent = self.nme if self.nme is not None and math.isfinite(self.nme) else None
        return RunEnded(reason, message, self.seconds, nme_percent, self._checkpoint())

    def _checkpoint(self) -> Checkpoint:
        learnt = {"name": self.data_name, "split": self.config.split, "images": len(self.learning),
                  "people": len({frame.person for frame in self.learning.frames})}
        weights = {name: tensor.detach().clone(memory_format=torch.contiguous_format)
                   for name, tensor in self.network.state_dict().items()}
        return Checkpoint(
            architecture=self.config.architecture, arguments=self.config.model_arguments, weights=weights,
            preprocessing=self.config.preprocessing, config=self.config.to_dict(), data=learnt,
            history=list(self.history), versions=current_versions(), title=self.config.architecture,
        )
