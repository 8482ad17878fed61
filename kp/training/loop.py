"""The training loop: a generator of events. The command line, the app and the tests all read it with `for`."""

import copy
import math
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from kp.checkpoint import Checkpoint, current_versions
from kp.data import FacialKeypointsDataset
from kp.data.splits import NEEDED, describe_people
from kp.errors import ConfigError
from kp.hardware import own_cores
from kp.metrics import mean_of_known, nme
from kp.models import count_parameters, create_model
from kp.training.batches import TrainingBatches, to_batch, validation_crops
from kp.training.config import TrainConfig
from kp.training.device import find_device
from kp.training.distributed import SINGLE_PROCESS, ProcessGroup
from kp.training.events import Decoding, EpochDone, RunEnded, RunStarted, StepDone, TrainEvent
from kp.training.losses import LOSSES
from kp.training.optimizers import lr_factor, make_optimizer

DECODE_BATCH = 100  # images, or videos of sample faces, between two events
VALIDATION_BATCH = 64
WATCHED = 9  # faces whose keypoints are told after each epoch
KEEP_EVERY = 100  # steps between two copies of good weights
BFLOAT16_GAIN = 1.15  # bfloat16 is taken where it is at least this much faster
TOO_EARLY = "Stopped before the first step; nothing is learnt yet, so nothing is kept."


def train(
    config: TrainConfig,
    dataset: FacialKeypointsDataset,
    *,
    stop: Callable[[], bool] = lambda: False,
    device: str = "auto",
    group: ProcessGroup = SINGLE_PROCESS,
    start: Checkpoint | None = None,
) -> Iterator[TrainEvent]:
    """Train a network, telling each step. The last event is always RunEnded, with the network.

    It is a new one, or goes on from `start`, which must be of the same architecture and split.
    `stop` is asked at every step, and while images are decoded. A loss that is no number ends the run with the last
    good weights. device: one of DEVICES. group: the processes that train it together, each in a call of its own.
    """
    place = find_device(device, group.local_rank)
    if start:
        check_start(start, config)
    learning = dataset.part(config.split, "train" if config.validate_on == "test" else "fit")
    testing = dataset.part(config.split, config.validate_on)
    if config.max_train_images:
        rows = np.random.default_rng(config.seed).permutation(len(learning))[: config.max_train_images]
        learning = learning.subset(np.sort(rows))
    if not len(learning) or not len(testing):
        there = describe_people([frame.person for frame in dataset.frames])
        raise ConfigError(
            f"There are {len(learning)} images to learn from and {len(testing)} to validate on: "
            f"{dataset.root} holds {there}. {NEEDED}"
        )
    for event in _decode(learning, testing, grey=config.preprocessing.channels == 1):
        yield event
        if stop():
            break
    if group.any(stop()):
        yield RunEnded("stopped", TOO_EARLY, 0.0, None, None)
        return
    yield from _Run(config, learning, testing, dataset.root.name, place, group, start).events(stop)


def check_start(start: Checkpoint, config: TrainConfig) -> None:
    """Raises ConfigError unless a run with these settings can go on from there and be tested on people unseen.

    The crop may change where the network takes any.
    """
    of_start = (start.architecture, start.arguments, start.preprocessing.channels, start.data.get("split"))
    of_config = (config.architecture, config.model_arguments, config.preprocessing.channels, config.split)
    if of_start != of_config:
        raise ConfigError(
            f"The network to start from has architecture, arguments, channels and split {of_start}; this "
            f"run has {of_config}. They must be the same."
        )


def _decode(*parts: FacialKeypointsDataset, grey: bool) -> Iterator[TrainEvent]:
    """Decode the parts on all cores, telling how far it is."""
    done, total = 0, sum(map(len, parts))
    for part in parts:
        groups = part.store.together(part.rows)
        for start in range(0, len(groups), DECODE_BATCH):
            rows = [row for group in groups[start : start + DECODE_BATCH] for row in group]
            part.store.preload(rows, grey=grey)
            done += len(rows)
            yield Decoding(done, total)


class _Run:
    """The state of one run: network, optimiser, averaged weights, last good weights, clock."""

    def __init__(
        self,
        config: TrainConfig,
        learning: FacialKeypointsDataset,
        testing: FacialKeypointsDataset,
        data_name: str,
        device: torch.device,
        group: ProcessGroup,
        start: Checkpoint | None,
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.learning, self.testing, self.data_name = config, learning, testing, data_name
        self.device, self.group = device, group
        model = create_model(config.architecture, **config.model_arguments)
        if start:
            model.load_state_dict(start.weights)
        self.earlier = start.history if start else []
        self.model = model.to(device, memory_format=torch.channels_last)
        group.start_alike(self.model)
        if group.rank:
            torch.manual_seed(config.seed + group.rank)  # so that dropout differs between the shares of a batch
        self.averaged = None
        if config.ema_decay:
            self.averaged = AveragedModel(self.model, multi_avg_fn=self._average, use_buffers=True)
        self.loss = LOSSES[config.loss]
        spare_core = group.local_size * torch.get_num_threads() < own_cores()
        self.batches = TrainingBatches(learning, config, group, ahead=device.type == "cuda" or spare_core)
        self.steps = len(self.batches) * config.epochs
        self.bfloat16 = config.precision == "bfloat16"
        crops = validation_crops(testing, config)
        self.validation = to_batch(crops, config.preprocessing)
        self.watched = np.unique(np.linspace(0, len(testing) - 1, WATCHED).round().astype(int))
        self.watched_crops = [crops[index] for index in self.watched]
        self.good = copy.deepcopy(self.network.state_dict())
        self.step, self.seen, self.nme = 0, 0, None
        self.history: list[dict[str, float]] = []
        self.training_seconds = self.validation_seconds = self.clock = self.begun = 0.0

    def _average(self, averages: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        if not averages[0].is_floating_point():
            torch._foreach_copy_(averages, current)
            return
        keep = min(self.config.ema_decay, (1 + int(count)) / (10 + int(count)))  # young averages forget faster
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
            self.bfloat16 = self.group.any(self._bfloat16_is_faster())
        self.optimizer = make_optimizer(self.config, self.model, torch.bfloat16 if self.bfloat16 else torch.float32)
        yield RunStarted(
            self.config.to_dict(),
            count_parameters(self.model),
            len(self.learning),
            len(self.testing),
            self.steps,
            "bfloat16" if self.bfloat16 else "float32",
            torch.get_num_threads(),
            self.device.type,
            self.group.size,
            self.testing.rows[self.watched].tolist(),
        )
        self.begun = time.perf_counter()
        losses: list[float] = []
        for inputs, targets in self._all_batches():
            if self.group.any(stop()):
                self._drop_broken_weights()
                yield self._end(
                    "stopped",
                    f"Stopped after step {self.step}; the network so far is kept." if self.step else TOO_EARLY,
                )
                return
            loss = self._train_step(inputs, targets)
            if not math.isfinite(loss):
                yield self._diverged(loss)
                return
            losses.append(loss)
            yield self._step_done(loss)
            if not self._evaluation_is_due():
                continue
            begun = self.seconds
            validation_loss, self.nme, faces = self._validate()
            self.validation_seconds = self.group.sum(self.seconds - begun)[0] / self.group.size
            if not math.isfinite(validation_loss):
                yield self._diverged(validation_loss)
                return
            self._keep_good()
            self.history.append(
                {
                    "epoch": self._epochs(),
                    "seconds": self.seconds,
                    "train_loss": float(np.mean(losses)),
                    "validation_loss": validation_loss,
                    "nme": self.nme,
                }
            )
            losses.clear()
            yield EpochDone(epochs=self.config.epochs, faces=faces, checkpoint=self._checkpoint(), **self.history[-1])
            if self._out_of_time():
                break
        yield self._end("finished", f"Finished after {self.step} steps.")

    def _all_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        for epoch in range(1, self.config.epochs + 1):
            yield from self.batches.epoch(epoch)

    def _epochs(self) -> float:
        """How often each image was seen; whole numbers at the end of an epoch."""
        whole, more = divmod(self.step, len(self.batches))
        return round(whole + more / len(self.batches), 2) if more else whole

    def _evaluation_is_due(self) -> bool:
        """At the end of an epoch, in between as often as the config asks for, and when the time is over."""
        passed, before = (
            step * self.config.evals_per_epoch // len(self.batches) for step in (self.step, self.step - 1)
        )
        return passed > before or self._out_of_time()

    def _progress(self) -> float:
        """How far the run is, 0..1, by steps or by the clock, whichever is further."""
        by_clock = self._spent() / self.config.max_seconds if self.config.max_seconds else 0.0
        return max(self.step / self.steps, by_clock)

    def _spent(self) -> float:
        """Seconds of the limit that are gone, with those that the last validation will take."""
        return self.clock + self.validation_seconds

    def _out_of_time(self) -> bool:
        return bool(self.config.max_seconds) and self._spent() >= self.config.max_seconds

    def _train_step(self, inputs: Tensor, targets: Tensor) -> float:
        """One step; its loss. Where that is no number, the weights are left alone."""
        begun = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * lr_factor(self.config.schedule, self._progress())
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._loss(self.model, inputs, targets)
        total, images = self.group.sum(loss.item() * len(inputs), len(inputs))
        if math.isfinite(total):
            if self.step % KEEP_EVERY == 0:
                self._keep_good()
            loss.backward()
            self.group.average_gradients(self.model, len(inputs) / images)
            self.optimizer.step()
            if self.averaged:
                self.averaged.update_parameters(self.model)
        self.step += 1
        self.seen += images
        self.training_seconds += time.perf_counter() - begun
        # The same clock for all: the learning rate and the end may hang on it.
        self.clock = self.group.sum(self.seconds)[0] / self.group.size
        return total / images

    def _stages(self, model: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
        """The network's stages, the answer in float32."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            stages = dict(model.stages(inputs.to(self.device, non_blocking=True)))
        return stages | {"keypoints": stages["keypoints"].float()}

    def _loss(self, model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        return self.loss(self._stages(model, inputs), targets.to(self.device, non_blocking=True))

    def _drop_broken_weights(self) -> None:
        """Back to the last good weights where the last step made numbers that are none."""
        if not all(torch.isfinite(tensor).all() for tensor in self.network.state_dict().values()):
            self.network.load_state_dict(self.good)

    def _keep_good(self) -> None:
        self.good = copy.deepcopy(self.network.state_dict())

    @torch.inference_mode()
    def _validate(self) -> tuple[float, float, np.ndarray]:
        """Loss, mean NME in percent, and the watched faces' keypoints in pixels of their frames (n, 68, 2)."""
        network, (inputs, targets) = self.network.eval(), self.validation
        answers, total = torch.zeros_like(targets), 0.0
        for start in range(self.group.rank * VALIDATION_BATCH, len(inputs), self.group.size * VALIDATION_BATCH):
            batch = slice(start, start + VALIDATION_BATCH)  # each process takes its turn
            stages = self._stages(network, inputs[batch])
            total += self.loss(stages, targets[batch].to(self.device)).item() * len(inputs[batch])
            answers[batch] = stages["keypoints"].cpu()
        self.group.add(answers)  # where others are at work there are zeros
        output = answers.numpy()
        errors = nme(output, targets.numpy())
        decoded = self.config.preprocessing.decode(output[self.watched])
        faces = [sample.to_original(points) for sample, points in zip(self.watched_crops, decoded, strict=True)]
        return self.group.sum(total)[0] / len(output), float(mean_of_known(errors) * 100), np.array(faces)

    def _bfloat16_is_faster(self) -> bool:
        """Time a few steps of a copy in both; random numbers are left as they were. A GPU that has it is faster."""
        if self.device.type == "cuda":
            return torch.cuda.is_bf16_supported(including_emulation=False)
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

    def _step_done(self, loss: float) -> StepDone:
        progress = self._progress()
        return StepDone(
            step=self.step,
            steps=self.steps,
            epoch=-(-self.step // len(self.batches)),
            loss=loss,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            images_per_second=self.seen / max(self.training_seconds, 1e-9),
            seconds=self.seconds,
            seconds_left=self.seconds * (1 - progress) / progress,
        )

    def _diverged(self, loss: float) -> RunEnded:
        self.network.load_state_dict(self.good)
        return self._end(
            "diverged",
            f"The loss became {loss} at step {self.step}; the last good weights are kept. "
            "Try a learning rate ten times lower.",
        )

    def _end(self, reason: str, message: str) -> RunEnded:
        nme_percent = self.nme if self.nme is not None and math.isfinite(self.nme) else None
        return RunEnded(reason, message, self.seconds, nme_percent, self._checkpoint() if self.step else None)

    def _checkpoint(self) -> Checkpoint:
        learnt = {
            "name": self.data_name,
            "split": self.config.split,
            "images": len(self.learning),
            "people": len({frame.person for frame in self.learning.frames}),
        }
        weights = {
            name: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
            for name, tensor in self.network.state_dict().items()
        }
        return Checkpoint(
            architecture=self.config.architecture,
            arguments=self.config.model_arguments,
            weights=weights,
            preprocessing=self.config.preprocessing,
            config=self.config.to_dict(),
            data=learnt,
            history=joined_history(self.earlier, self.history),
            versions=current_versions(),
            title=self.config.architecture,
        )


def joined_history(earlier: list[dict[str, float]], later: list[dict[str, float]]) -> list[dict[str, float]]:
    """The curve of a run that goes on from another one: epochs and seconds count on."""
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
