"""Before the first step: the training and validation sets, the network to start from, decoded images."""

from collections.abc import Iterator

import numpy as np

from kp.checkpoint import Checkpoint
from kp.data import FacialKeypointsDataset
from kp.data.splits import NEEDED, describe_people
from kp.errors import ConfigError
from kp.training.config import TrainConfig
from kp.training.events import Decoding

DECODE_BATCH = 100  # images, or videos of synthetic faces, between two events


def select_sets(
    config: TrainConfig, dataset: FacialKeypointsDataset
) -> tuple[FacialKeypointsDataset, FacialKeypointsDataset]:
    """The training set and the validation set. Raises ConfigError where one of them is empty."""
    train_set = dataset.part(config.split, "train" if config.validate_on == "test" else "fit")
    val_set = dataset.part(config.split, config.validate_on)
    if config.max_train_images:
        rows = np.random.default_rng(config.seed).permutation(len(train_set))[: config.max_train_images]
        train_set = train_set.subset(np.sort(rows))
    if not len(train_set) or not len(val_set):
        there = describe_people([frame.person for frame in dataset.frames])
        raise ConfigError(
            f"There are {len(train_set)} images to train on and {len(val_set)} to validate on: "
            f"{dataset.root} holds {there}. {NEEDED}"
        )
    return train_set, val_set


def check_start(start: Checkpoint, config: TrainConfig) -> None:
    """Raises ConfigError unless a run with these settings can continue from `start` and be tested on unseen people.

    The crop size may differ where the network takes any.
    """
    of_start = (start.architecture, start.arguments, start.preprocessing.channels, start.data.get("split"))
    of_config = (config.architecture, config.model_arguments, config.preprocessing.channels, config.split)
    if of_start != of_config:
        raise ConfigError(
            f"The network to start from has architecture, arguments, channels and split {of_start}; this "
            f"run has {of_config}. They must be the same."
        )


def decode(*parts: FacialKeypointsDataset, grey: bool) -> Iterator[Decoding]:
    """Decode the parts on all cores; yields the progress."""
    done, total = 0, sum(map(len, parts))
    for part in parts:
        groups = part.store.together(part.rows)
        for start in range(0, len(groups), DECODE_BATCH):
            rows = [row for group in groups[start : start + DECODE_BATCH] for row in group]
            part.store.preload(rows, grey=grey)
            done += len(rows)
            yield Decoding(done, total)
