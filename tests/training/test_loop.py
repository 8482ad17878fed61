"""Training: what is optimised, and how a run ends."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import TEST_PEOPLE
from short_runs import QUICK, SHARP, losses, run

from kp import Box, Predictor, TrainConfig, evaluate, load_checkpoint, save_checkpoint, train
from kp.checkpoint import Checkpoint
from kp.data import FacialKeypointsDataset
from kp.models import MODELS
from kp.training import Decoding, EpochDone, RunEnded, RunStarted, StepDone, TrainEvent
from kp.training.config import CHOICES
from kp.training.losses import LOSSES


def assert_usable(checkpoint: Checkpoint, path: Path) -> None:
    """It can be saved, loaded and used for prediction, and its weights are finite."""
    save_checkpoint(checkpoint, path)
    loaded = load_checkpoint(path)
    assert all(tensor.isfinite().all() for tensor in loaded.weights.values())
    (face,) = Predictor(loaded, "whole-image").predict(np.full((60, 60, 3), 90, np.uint8))
    assert np.isfinite(face.keypoints).all()


@pytest.mark.parametrize(
    "config", [SHARP, replace(SHARP, crop="frame"), replace(SHARP, ema_decay=0.9)], ids=["face", "frame", "averaged"]
)
def test_training_measures_what_evaluation_measures(config: TrainConfig, dataset: FacialKeypointsDataset) -> None:
    """Preprocessing of training, of prediction and of evaluation is one and the same."""
    *_, epoch, _ = run(config, dataset)
    predictor = Predictor(epoch.checkpoint, "whole-image")
    setting = "true-box" if config.crop == "face" else "whole-frame"
    report = evaluate(predictor, dataset, setting=setting)
    assert report.summary()["nme_mean"] == pytest.approx(epoch.nme, rel=0.01)


def test_a_few_faces_are_overfitted(dataset: FacialKeypointsDataset) -> None:
    indices = [
        index
        for index, frame in enumerate(dataset.frames)
        if frame.person in TEST_PEOPLE or frame.name.startswith("Ada_Stone_0")
    ]
    small = dataset.subset(indices)
    train_set = small.part("people", "train")
    events = run(replace(SHARP, max_train_images=0, batch_size=3, epochs=60), small)
    assert np.mean(losses(events)[-5:]) < 0.3 * losses(events)[0]
    predictor = Predictor(events[-1].checkpoint, "whole-image")
    assert len(train_set) == 3
    for index, truth in enumerate(train_set.keypoints):
        (face,) = predictor.predict(train_set.image(index), [Box.from_points(truth)])
        assert np.linalg.norm(face.keypoints - truth, axis=1).mean() / np.linalg.norm(truth[36] - truth[45]) < 0.1


def stopped_after(count: int, kind: type[TrainEvent], dataset: FacialKeypointsDataset) -> list[TrainEvent]:
    """The events of a run that is stopped after so many of a kind."""
    events: list[TrainEvent] = []
    for event in train(QUICK, dataset, stop=lambda: sum(isinstance(event, kind) for event in events) >= count):
        events.append(event)
    return events


@pytest.mark.parametrize("after", [1, 3])
def test_stopping_keeps_the_network_so_far(after: int, dataset: FacialKeypointsDataset, tmp_path: Path) -> None:
    events = stopped_after(after, StepDone, dataset)
    assert len(losses(events)) == after
    ended = events[-1]
    assert isinstance(ended, RunEnded)
    assert ended.reason == "stopped"
    assert (ended.nme is None) == (after < 2)
    assert_usable(ended.checkpoint, tmp_path / "a.safetensors")


@pytest.mark.parametrize("kind", [Decoding, RunStarted])
def test_before_the_first_step_there_is_nothing_to_keep(kind: type[TrainEvent], dataset) -> None:
    events = stopped_after(1, kind, dataset)
    assert not losses(events)
    ended = events[-1]
    assert (ended.reason, ended.checkpoint, ended.nme) == ("stopped", None, None)
    assert "checkpoint" not in ended.to_json()
    assert "before the first step" in ended.message
    assert [event for event in events if isinstance(event, RunStarted)] == ([events[-2]] if kind is RunStarted else [])


def test_stopping_does_not_wait_for_all_images(dataset: FacialKeypointsDataset, monkeypatch) -> None:
    monkeypatch.setattr("kp.training.preparation.DECODE_BATCH", 2)
    events = stopped_after(2, Decoding, dataset)
    assert [(event.done, event.total) for event in events[:-1]] == [(2, 18), (4, 18)]


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_a_run_that_diverges_keeps_the_last_good_weights(ema_decay: float, dataset, tmp_path: Path) -> None:
    config = replace(QUICK, optimizer="sgd", learning_rate=10, epochs=50, ema_decay=ema_decay)
    ended = run(config, dataset)[-1]
    assert ended.reason == "diverged"
    assert "learning rate" in ended.message
    assert_usable(ended.checkpoint, tmp_path / "a.safetensors")


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_falls(loss: str, dataset: FacialKeypointsDataset) -> None:
    config = replace(SHARP, loss=loss, max_train_images=4, epochs=12, optimizer="adamw")
    values = losses(run(config, dataset))
    assert np.isfinite(values).all()
    assert np.mean(values[-3:]) < np.mean(values[:2])


@pytest.mark.parametrize("optimizer", CHOICES["optimizer"])
def test_every_optimiser_moves_the_weights(optimizer: str, dataset, tmp_path: Path) -> None:
    first, second = (
        event.checkpoint for event in run(replace(QUICK, optimizer=optimizer), dataset) if isinstance(event, EpochDone)
    )
    assert not torch.equal(first.weights["fc3.weight"], second.weights["fc3.weight"])
    assert_usable(second, tmp_path / "a.safetensors")


@pytest.mark.parametrize("architecture", MODELS)
def test_every_network_can_be_trained_at_its_own_size(architecture: str, dataset, tmp_path: Path) -> None:
    config = TrainConfig(architecture=architecture, max_train_images=2, batch_size=2, epochs=1, precision="float32")
    few = dataset.subset([index for index, frame in enumerate(dataset.frames) if frame.folder == "test"])
    ended = run(config, few)[-1]
    assert ended.reason == "finished"
    assert_usable(ended.checkpoint, tmp_path / "a.safetensors")


@pytest.mark.parametrize("precision", ["auto", "bfloat16"])
def test_every_precision(precision: str, dataset: FacialKeypointsDataset) -> None:
    events = run(replace(SHARP, precision=precision, epochs=1), dataset)
    (started,) = (event for event in events if isinstance(event, RunStarted))
    assert started.precision in (("float32", "bfloat16") if precision == "auto" else (precision,))
    assert np.isfinite(losses(events)).all()
    assert {tensor.dtype for tensor in events[-1].checkpoint.weights.values()} <= {torch.float32, torch.int64}


def test_a_last_batch_of_one_face(dataset: FacialKeypointsDataset) -> None:
    assert run(replace(SHARP, max_train_images=5, batch_size=4, epochs=1), dataset)[-1].reason == "finished"


def test_a_time_limit_ends_the_run_in_good_order(dataset: FacialKeypointsDataset) -> None:
    events = run(replace(QUICK, max_seconds=1.5, epochs=10_000, schedule="one-cycle"), dataset)
    ended = events[-1]
    assert ended.reason == "finished"
    assert isinstance(events[-2], EpochDone)
    rates = [event.learning_rate for event in events if isinstance(event, StepDone)]
    assert len(rates) < 5000
    assert rates[-1] < max(rates)  # the schedule is fitted to the time


def test_leaving_early_leaves_no_thread_behind(dataset: FacialKeypointsDataset) -> None:
    before = threading.active_count()
    stream = train(replace(QUICK, epochs=100), dataset)
    while not isinstance(next(stream), StepDone):
        pass
    stream.close()
    assert threading.active_count() == before
