"""The training loop against a plain one: the same network, recipe and images in the same run."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from kp.bench.row import Row, in_own_process
from kp.data import FacialKeypointsDataset
from kp.data.images import read_frame
from kp.data.sample import Sample
from kp.hardware import keep_memory
from kp.models import create_model
from kp.training import PRESETS, RunEnded, StepDone, TrainConfig, train
from kp.training.batches import crop_transform
from kp.training.losses import LOSSES, Stages
from kp.transforms.base import Compose
from kp.transforms.geometric import Normalize, ToTensor

ROUNDS = 3  # the loops alternate, so that a busy machine slows both; the median counts
WARM_UP = 2  # steps
VALIDATION = 16  # images; the training loop needs some


@dataclass(frozen=True)
class Contest:
    """A recipe for both loops; steps: of each loop in a round."""

    config: TrainConfig
    steps: int


CONTESTS = {
    "reference recipe": Contest(TrainConfig.reference(), steps=30),
    "preset minute": Contest(replace(PRESETS["minute"], max_seconds=0.0), steps=40),
    "heatmap_net": Contest(
        TrainConfig(architecture="heatmap_net", loss="heatmap", optimizer="muon", batch_size=32, learning_rate=0.03),
        steps=12,
    ),
}


def plain_five_conv() -> nn.Sequential:
    """The reference network without this package."""
    channels, kernels, layers = (1, 16, 32, 64, 128, 512), (7, 5, 3, 3, 3), []
    for inputs, outputs, kernel in zip(channels, channels[1:], kernels, strict=False):
        layers += [nn.Conv2d(inputs, outputs, kernel), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(8192, 1024), nn.ReLU(), nn.Dropout(0.6), nn.Linear(1024, 136))


def plain_network(config: TrainConfig) -> tuple[nn.Module, Callable[[Tensor], Stages]]:
    """A network, and its forward pass."""
    if config.architecture == "five_conv":
        plain = plain_five_conv()
        return plain, lambda inputs: {"keypoints": plain(inputs).view(-1, 68, 2)}
    model = create_model(config.architecture, **config.model_arguments)
    return model, lambda inputs: dict(model.stages(inputs))


def excerpt(root: Path, contest: Contest) -> FacialKeypointsDataset:
    """As many images as the loops need, so that no others are decoded."""
    dataset = FacialKeypointsDataset(root)
    train_rows = dataset.part(contest.config.split, "train").rows
    needed = (contest.steps + WARM_UP) * contest.config.batch_size
    rows = np.random.default_rng(0).permutation(train_rows)[:needed]
    return dataset.subset(np.concatenate([rows, dataset.part(contest.config.split, "test").rows[:VALIDATION]]))


class PlainDataset(Dataset):
    """Decodes a frame's file at every access."""

    def __init__(self, frames: FacialKeypointsDataset, config: TrainConfig) -> None:
        self.frames = frames
        self.transform = Compose(
            [
                crop_transform(config, np.random.default_rng(0)),
                Normalize(config.preprocessing.mean, config.preprocessing.scale),
                ToTensor(),
            ]
        )

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        image = read_frame(self.frames.store.paths[int(self.frames.rows[row])])
        sample = self.transform(Sample(image, self.frames.keypoints[row]))
        return torch.as_tensor(sample.image), torch.as_tensor(sample.keypoints)


def plain_optimizer(config: TrainConfig, model: nn.Module) -> torch.optim.Optimizer:
    """PyTorch's optimizer with its defaults; AdamW in place of Muon."""
    make = torch.optim.RMSprop if config.optimizer == "rmsprop" else torch.optim.AdamW
    return make(model.parameters(), lr=config.learning_rate)


def plain_rate(root: Path, contest: Contest, threads: int) -> float:
    """Images a second of a plain loop: float32, each file decoded each time, PyTorch's defaults."""
    torch.set_num_threads(threads)
    config = contest.config
    loader = DataLoader(
        PlainDataset(excerpt(root, contest).part(config.split, "train"), config), config.batch_size, shuffle=True
    )
    model, forward = plain_network(config)
    loss = LOSSES[config.loss]
    optimizer = plain_optimizer(config, model)
    times = [time.perf_counter()]
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss(forward(inputs), targets).backward()
        optimizer.step()
        times.append(time.perf_counter())
    return config.batch_size * (len(times) - 1 - WARM_UP) / (times[-1] - times[WARM_UP])


def package_rate(root: Path, contest: Contest, threads: int) -> float:
    """Images a second of `python -m kp train`, once the images are decoded."""
    keep_memory()
    torch.set_num_threads(threads)
    times: list[float] = []
    stream = train(contest.config, excerpt(root, contest), stop=lambda: len(times) == contest.steps + WARM_UP)
    for event in stream:
        if isinstance(event, StepDone):
            times.append(time.perf_counter())
        if isinstance(event, RunEnded):
            break
    return contest.config.batch_size * (len(times) - WARM_UP) / (times[-1] - times[WARM_UP - 1])


def measure_training(root: Path) -> Iterator[Row]:
    """Images a second of both loops, and their ratio."""
    for name, contest in CONTESTS.items():
        plain, ours = [], []
        for _ in range(ROUNDS):
            plain.append(in_own_process(plain_rate, root, contest, torch.get_num_threads()))
            ours.append(in_own_process(package_rate, root, contest, torch.get_num_threads()))
        yield Row(f"{name}: plain loop", median(plain), "images/s")
        yield Row(f"{name}: kp.training", median(ours), "images/s")
        yield Row(f"{name}: kp.training / plain loop", median(ours) / median(plain), "x")
