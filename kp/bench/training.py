"""The training loop against a plain one, on the same images in the same run."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from kp.bench.row import Row
from kp.data import FacialKeypointsDataset
from kp.data.images import read_frame
from kp.data.sample import Sample
from kp.data.transforms import Compose, Normalize, RandomCrop, Rescale, ToTensor
from kp.training import RunEnded, StepDone, TrainConfig, train

STEPS = 30   # timed steps of each loop in a round
ROUNDS = 2   # the two loops take turns, so that a busy machine slows both


def plain_network() -> nn.Sequential:
    """The reference network as a beginner writes it."""
    channels, kernels, layers = (1, 16, 32, 64, 128, 512), (7, 5, 3, 3, 3), []
    for inputs, outputs, kernel in zip(channels, channels[1:], kernels, strict=False):
        layers += [nn.Conv2d(inputs, outputs, kernel), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(8192, 1024), nn.ReLU(), nn.Dropout(0.6),
                         nn.Linear(1024, 136))


def plain_rate(dataset: FacialKeypointsDataset, config: TrainConfig) -> float:
    """Images a second of a plain loop: float32, each file decoded each time, nothing at the same time."""
    model, loss = plain_network(), nn.MSELoss()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=config.learning_rate)
    transform = Compose([Rescale(250), RandomCrop(224, rng=0), Normalize(), ToTensor()])
    order, taken = np.random.default_rng(0).permutation(len(dataset)), []
    for step in range(STEPS + 2):
        begun = time.perf_counter()
        rows = order[step * config.batch_size : (step + 1) * config.batch_size]
        samples = [transform(Sample(read_frame(dataset.store.paths[int(dataset.rows[row])]), dataset.keypoints[row]))
                   for row in rows]
        inputs = torch.stack([sample.image for sample in samples])
        targets = torch.stack([sample.keypoints for sample in samples])
        optimizer.zero_grad()
        loss(model(inputs).view(-1, 68, 2), targets).backward()
        optimizer.step()
        taken.append(time.perf_counter() - begun)
    return config.batch_size * STEPS / sum(taken[2:])  # the first two steps are warming up


def our_rate(dataset: FacialKeypointsDataset, config: TrainConfig) -> float:
    """Images a second of `kp.training`, once the images are decoded."""
    times: list[float] = []
    for event in train(config, dataset, stop=lambda: len(times) >= STEPS + 2):
        if isinstance(event, StepDone):
            times.append(time.perf_counter())
        if isinstance(event, RunEnded):
            break
    return config.batch_size * STEPS / (times[STEPS + 1] - times[1])


def measure_training(root: Path) -> Iterator[Row]:
    """The reference recipe: images a second of both loops, and their ratio."""
    dataset, config = FacialKeypointsDataset(root), TrainConfig.reference()
    learning = dataset.part(config.split, "train")
    plain, ours = [], []
    for _ in range(ROUNDS):
        plain.append(plain_rate(learning, config))
        ours.append(our_rate(dataset, config))
    yield Row("reference recipe, plain loop", max(plain), "images/s")
    yield Row("reference recipe, kp.training", max(ours), "images/s")
    yield Row("kp.training / plain loop", max(ours) / max(plain), "x")
