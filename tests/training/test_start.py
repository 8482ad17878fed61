"""What a run is trained on, and from which network it starts."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from short_runs import QUICK, run

from kp import TrainConfig, train
from kp.data import FacialKeypointsDataset
from kp.data.splits import is_validation_person
from kp.errors import ConfigError, ImageError
from kp.training import RunStarted
from kp.training.batches import TrainingBatches


def test_validation_people_are_not_trained_on(dataset: FacialKeypointsDataset, monkeypatch) -> None:
    batches_of_runs: list[TrainingBatches] = []

    class Spy(TrainingBatches):
        def __init__(self, *arguments: object, **more: object) -> None:
            super().__init__(*arguments, **more)
            batches_of_runs.append(self)

    monkeypatch.setattr("kp.training.loop.TrainingBatches", Spy)
    for validate_on in ("validation", "test"):
        ended = run(replace(QUICK, max_train_images=0, epochs=1, validate_on=validate_on), dataset)[-1]
        assert ended.checkpoint.data["images"] == len(batches_of_runs[-1].dataset)
    held_out, everybody = ({frame.person for frame in batches.dataset.frames} for batches in batches_of_runs)
    assert not any(map(is_validation_person, held_out))
    assert everybody - held_out == {"Ada_Hart"}


def test_a_limit_above_the_number_of_images_takes_all(dataset: FacialKeypointsDataset) -> None:
    (started,) = (
        event for event in run(replace(QUICK, max_train_images=999, epochs=1), dataset) if isinstance(event, RunStarted)
    )
    assert started.train_images == len(dataset.part("people", "train"))


def test_empty_sets_are_refused(dataset: FacialKeypointsDataset) -> None:
    alone = dataset.subset([index for index, frame in enumerate(dataset.frames) if frame.person == "Ada_Stone"])
    with pytest.raises(ConfigError, match="6 images to train on and 0 to validate on.*6 frames of 1 person"):
        run(QUICK, alone)


def test_an_unreadable_image_is_an_error_before_the_first_step(data_root: Path, tmp_path: Path) -> None:

    root = Path(shutil.copytree(data_root, tmp_path / "own"))
    (root / "training" / "Ada_Stone_00.jpg").write_bytes(b"no picture")
    with pytest.raises(ImageError, match="Ada_Stone_00.jpg"):
        run(replace(QUICK, max_train_images=0), FacialKeypointsDataset(root))


def test_a_run_starts_from_a_network(dataset: FacialKeypointsDataset) -> None:
    first = run(replace(QUICK, epochs=1), dataset)[-1].checkpoint
    frozen = replace(QUICK, epochs=1, learning_rate=1e-8, augmentation="none", ema_decay=0.0)
    again = [*train(frozen, dataset, start=first)][-1].checkpoint
    assert [entry["epoch"] for entry in again.history] == [1, 2]
    assert again.history[1]["seconds"] > again.history[0]["seconds"]
    assert all(
        torch.allclose(again.weights[name], tensor, atol=1e-4)
        for name, tensor in first.weights.items()
        if name.endswith("weight")
    )


def test_a_run_starts_with_another_crop(dataset: FacialKeypointsDataset) -> None:
    """A network of convolutions alone takes crops of any size."""
    settings = TrainConfig(architecture="heatmap_net", loss="heatmap", width=8, crop_size=64, epochs=1)
    first = run(settings, dataset)[-1].checkpoint
    again = [*train(replace(settings, crop_size=48), dataset, start=first)][-1].checkpoint
    assert (first.preprocessing.size, again.preprocessing.size) == (64, 48)
    assert [entry["epoch"] for entry in again.history] == [1, 2]


def test_a_run_does_not_start_from_a_network_that_saw_its_test_people(dataset: FacialKeypointsDataset) -> None:
    official = run(replace(QUICK, epochs=1, split="official"), dataset)[-1].checkpoint
    with pytest.raises(ConfigError, match="split"):
        list(train(QUICK, dataset, start=official))
