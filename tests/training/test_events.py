"""The events of a run: their order and values."""

import json
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from builders import TEST_PEOPLE
from short_runs import QUICK, SHARP, losses, run

from kp import Box, Predictor
from kp.data import FacialKeypointsDataset
from kp.models import count_parameters
from kp.training import Decoding, EpochDone, RunEnded, RunStarted, StepDone, TrainEvent


@pytest.fixture(scope="module")
def events(dataset: FacialKeypointsDataset) -> list[TrainEvent]:
    """The events of a short run."""
    return run(QUICK, dataset)


def test_events_come_in_order(events: list[TrainEvent]) -> None:
    kinds = [type(event) for event in events if not isinstance(event, Decoding)]
    epoch = [StepDone, StepDone, EpochDone]
    assert kinds == [RunStarted, *epoch, *epoch, RunEnded]
    decoding = [event for event in events if isinstance(event, Decoding)]
    assert decoding == events[: len(decoding)]
    assert all(first.done <= second.done for first, second in pairwise(decoding))


def test_events_say_how_far_the_run_is(events: list[TrainEvent]) -> None:
    steps = [event for event in events if isinstance(event, StepDone)]
    assert [(step.step, step.steps, step.epoch) for step in steps] == [(1, 4, 1), (2, 4, 1), (3, 4, 2), (4, 4, 2)]
    assert steps[-1].seconds_left == 0
    assert all(first.seconds <= second.seconds for first, second in pairwise(steps))
    assert all(step.images_per_second > 0 and step.learning_rate == 1e-4 for step in steps)
    (started,) = (event for event in events if isinstance(event, RunStarted))
    assert (started.train_images, started.validation_images, started.steps) == (6, 12, 4)
    assert started.precision == "float32"
    assert started.config == QUICK.to_dict()
    ended = events[-1]
    assert (ended.reason, ended.nme) == ("finished", events[-2].nme)
    assert count_parameters(ended.checkpoint.create_model()) == started.parameters


def test_an_epoch_s_loss_is_the_mean_of_its_steps(events: list[TrainEvent]) -> None:
    first, second = (event for event in events if isinstance(event, EpochDone))
    assert first.train_loss == pytest.approx(np.mean(losses(events)[:2]))
    assert second.train_loss == pytest.approx(np.mean(losses(events)[2:]))


def test_every_event_is_plain_json(events: list[TrainEvent]) -> None:
    for event in events:
        record = json.loads(json.dumps(event.to_json(), allow_nan=False))
        assert record["event"] == type(event).__name__
        assert "checkpoint" not in record


def test_what_is_no_number_is_null_in_json() -> None:
    event = StepDone(1, 2, 1, math.nan, 0.1, math.inf, 1.0, 1.0)
    assert event.to_json()["loss"] is None
    assert event.to_json()["images_per_second"] is None


def test_the_checkpoint_holds_settings_data_and_curve(events: list[TrainEvent]) -> None:
    checkpoint = events[-1].checkpoint
    assert checkpoint.config == QUICK.to_dict()
    assert checkpoint.preprocessing == QUICK.preprocessing
    assert (checkpoint.data["split"], checkpoint.data["images"]) == ("people", 6)
    assert [entry["epoch"] for entry in checkpoint.history] == [1, 2]
    assert set(checkpoint.versions) >= {"kp", "torch", "python"}


def test_a_later_epoch_leaves_an_earlier_checkpoint_alone(events: list[TrainEvent]) -> None:
    first, second = (event.checkpoint for event in events if isinstance(event, EpochDone))
    assert not all(torch.equal(first.weights[name], second.weights[name]) for name in first.weights)
    assert len(first.history) == 1
    assert all(torch.equal(second.weights[name], value) for name, value in events[-1].checkpoint.weights.items())


def test_validation_previews_are_in_pixels_of_their_frames(dataset: FacialKeypointsDataset) -> None:
    events = run(SHARP, dataset)
    (started,) = (event for event in events if isinstance(event, RunStarted))
    epoch = events[-2]
    assert epoch.faces.shape == (len(started.watched), 68, 2)
    predictor = Predictor(epoch.checkpoint, "whole-image")
    assert {dataset.frames[row].person for row in started.watched} <= set(TEST_PEOPLE)
    for row, points in zip(started.watched, epoch.faces, strict=True):
        crop = predictor.preprocessing.crop_transform(Box.from_points(dataset.keypoints[row]))
        assert np.abs(predictor.predict_crops([(dataset.image(row), crop)]).keypoints[0] - points).max() < 1


def test_the_same_seed_gives_the_same_run(events: list[TrainEvent], dataset: FacialKeypointsDataset) -> None:
    again = run(QUICK, dataset)
    assert losses(again) == losses(events)
    assert again[-1].nme == events[-1].nme
    assert losses(run(replace(QUICK, seed=1), dataset)) != losses(events)


def test_several_validations_an_epoch(dataset) -> None:
    """Here after 2 and 3 of 3 steps, a part of an epoch having a number that is not whole."""
    events = run(replace(QUICK, max_train_images=9, epochs=2, evals_per_epoch=2), dataset)
    order = [(type(event).__name__, event.epoch) for event in events if isinstance(event, EpochDone | StepDone)]
    first = [("StepDone", 1), ("StepDone", 1), ("EpochDone", 0.67), ("StepDone", 1), ("EpochDone", 1)]
    assert order == first + [(name, epoch + 1) for name, epoch in first]
    measured = [event for event in events if isinstance(event, EpochDone)]
    steps = losses(events)
    assert [event.train_loss for event in measured] == pytest.approx(
        [np.mean(steps[0:2]), steps[2], np.mean(steps[3:5]), steps[5]]
    )
    assert [entry["epoch"] for entry in events[-1].checkpoint.history] == [0.67, 1, 1.67, 2]
