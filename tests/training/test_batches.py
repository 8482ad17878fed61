"""Batches: every face once an epoch, with its own keypoints, and augmentation drawn by the seed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from short_runs import QUICK

from kp import Box, TrainConfig
from kp.data import FacialKeypointsDataset
from kp.errors import ConfigError
from kp.training.batches import TrainingBatches, crop_transform, to_batch


@pytest.mark.parametrize("augmentation", ["geometry", "full", "3d"])
def test_augmentation_is_drawn_anew_each_epoch_and_repeats_with_the_seed(augmentation: str, few_faces) -> None:
    def drawn(config: TrainConfig, epoch: int) -> list[torch.Tensor]:
        return [inputs for inputs, _ in TrainingBatches(few_faces, config).epoch(epoch)]

    config = replace(QUICK, augmentation=augmentation)
    first = drawn(config, 1)
    assert all(torch.equal(a, b) for a, b in zip(first, drawn(config, 1), strict=True))
    assert not torch.equal(
        torch.cat(first).sum((1, 2, 3)).sort().values, torch.cat(drawn(config, 2)).sum((1, 2, 3)).sort().values
    )
    assert not torch.equal(first[0], drawn(replace(config, seed=1), 1)[0])


def test_3d_deforms_faces_that_full_leaves(few_faces) -> None:
    bent, plain = (
        torch.cat([targets for _, targets in TrainingBatches(few_faces, config).epoch(1)])
        for config in (replace(QUICK, augmentation=name) for name in ("3d", "full"))
    )
    narrow = [torch.linalg.svdvals(targets - targets.mean(1, keepdim=True)) for targets in (bent, plain)]
    shares = [(values[:, 1] / values[:, 0]).std() for values in narrow]  # a face's width by its height, or so
    assert shares[0] > 1.2 * shares[1]
    with pytest.raises(ConfigError, match="do not determine the depth"):
        TrainingBatches(few_faces.subset([0]), replace(QUICK, augmentation="3d"))


def test_batches_prepared_ahead_are_the_same(dataset) -> None:
    config = replace(QUICK, augmentation="full")
    ahead, now = (
        list(TrainingBatches(dataset.subset(range(9)), config, ahead=choice).epoch(1)) for choice in (True, False)
    )
    assert len(ahead) == len(now) == 3
    for first, second in zip(ahead, now, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    "config",
    [
        QUICK,
        replace(QUICK, crop="frame"),
        replace(QUICK, augmentation="full"),
        replace(QUICK, crop="frame", augmentation="full"),
    ],
)
def test_an_epoch_shows_every_face_once_with_its_own_points(config: TrainConfig, dataset) -> None:
    part = dataset.subset(range(10))
    batches = TrainingBatches(part, config)
    sizes = [len(inputs) for inputs, _ in batches.epoch(1)]
    assert sizes == [4, 4, 2]
    assert len(batches) == 3
    for inputs, targets in batches.epoch(1):
        assert tuple(inputs.shape[1:]) == (1, 32, 32)
        assert tuple(targets.shape[1:]) == (68, 2)
        assert 0 <= float(inputs.min()) <= float(inputs.max()) <= 1
    if config == QUICK:  # without chance, each face's points tell which one it is
        seen = torch.cat([targets for _, targets in batches.epoch(1)])
        expected = torch.stack(
            [
                torch.from_numpy(config.preprocessing.encode(crop.to_crop(points)))
                for points in part.keypoints
                for crop in [config.preprocessing.crop_transform(Box.from_points(points))]
            ]
        )
        distances = torch.cdist(seen.flatten(1), expected.flatten(1))
        assert sorted(distances.argmin(1).tolist()) == list(range(10))
        assert float(distances.min(1).values.max()) < 1e-3


def test_a_batch_holds_what_the_samples_hold(dataset: FacialKeypointsDataset) -> None:
    transform = crop_transform(QUICK, np.random.default_rng(0))
    samples = [transform(dataset.sample(index)) for index in range(3)]
    inputs, targets = to_batch(samples, QUICK.preprocessing)
    assert (
        np.abs(QUICK.preprocessing.decode(targets.numpy()) - np.stack([sample.keypoints for sample in samples])).max()
        < 0.01
    )
    assert tuple(inputs.shape) == (3, 1, 32, 32)
