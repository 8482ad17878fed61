"""Training: what happens, in which order, and what a run leaves behind."""

import copy
import json
import math
import shutil
import threading
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import TEST_PEOPLE

from kp import Box, Predictor, TrainConfig, evaluate, load_checkpoint, save_checkpoint, train
from kp.checkpoint import Checkpoint
from kp.data import FacialKeypointsDataset
from kp.data.splits import is_validation_person
from kp.errors import ConfigError, ImageError
from kp.models import MODELS, count_parameters
from kp.training import PRESETS, Decoding, EpochDone, RunEnded, RunStarted, StepDone, TrainEvent
from kp.training.batches import TrainingBatches, crop_transform, to_batch
from kp.training.config import CHOICES
from kp.training.losses import LOSSES, heatmap_loss, wing_loss
from kp.training.optimizers import RMSprop, lr_factor

QUICK = TrainConfig(
    architecture="naimishnet",
    crop_size=32,
    augmentation="none",
    max_train_images=6,
    batch_size=4,
    epochs=2,
    precision="float32",
    optimizer="adam",
)
SHARP = replace(QUICK, architecture="heatmap_net", width=8, loss="heatmap", learning_rate=3e-3)


def run(config: TrainConfig, dataset: FacialKeypointsDataset, **options) -> list[TrainEvent]:
    return list(train(config, dataset, **options))


def losses(events: list[TrainEvent]) -> list[float]:
    return [event.loss for event in events if isinstance(event, StepDone)]


def assert_usable(checkpoint: Checkpoint, path: Path) -> None:
    """It can be saved, loaded and asked, and its weights are numbers."""
    save_checkpoint(checkpoint, path)
    loaded = load_checkpoint(path)
    assert all(tensor.isfinite().all() for tensor in loaded.weights.values())
    (face,) = Predictor(loaded, "whole-image").predict(np.full((60, 60, 3), 90, np.uint8))
    assert np.isfinite(face.keypoints).all()


@pytest.fixture(scope="module")
def events(dataset: FacialKeypointsDataset) -> list[TrainEvent]:
    """What a short run tells."""
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
        told = json.loads(json.dumps(event.to_json(), allow_nan=False))
        assert told["event"] == type(event).__name__
        assert "checkpoint" not in told


def test_what_is_no_number_is_null_in_json() -> None:
    event = StepDone(1, 2, 1, math.nan, 0.1, math.inf, 1.0, 1.0)
    assert event.to_json()["loss"] is None
    assert event.to_json()["images_per_second"] is None


def test_the_checkpoint_tells_how_it_was_made(events: list[TrainEvent]) -> None:
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


def test_the_watched_faces_are_told_in_pixels_of_their_frames(dataset: FacialKeypointsDataset) -> None:
    events = run(SHARP, dataset)
    (started,) = (event for event in events if isinstance(event, RunStarted))
    epoch = events[-2]
    assert epoch.faces.shape == (len(started.watched), 68, 2)
    predictor = Predictor(epoch.checkpoint, "whole-image")
    assert {dataset.frames[row].person for row in started.watched} <= set(TEST_PEOPLE)
    for row, points in zip(started.watched, epoch.faces, strict=True):
        crop = predictor.preprocessing.crop_transform(Box.from_points(dataset.keypoints[row]))
        assert np.abs(predictor.predict_crops([(dataset.image(row), crop)]).keypoints[0] - points).max() < 1


def test_a_handful_of_faces_is_learnt_by_heart(dataset: FacialKeypointsDataset) -> None:
    few = [
        index
        for index, frame in enumerate(dataset.frames)
        if frame.person in TEST_PEOPLE or frame.name.startswith("Ada_Stone_0")
    ]
    small = dataset.subset(few)
    learnt = small.part("people", "train")
    events = run(replace(SHARP, max_train_images=0, batch_size=3, epochs=60), small)
    assert np.mean(losses(events)[-5:]) < 0.3 * losses(events)[0]
    predictor = Predictor(events[-1].checkpoint, "whole-image")
    assert len(learnt) == 3
    for index, truth in enumerate(learnt.keypoints):
        (face,) = predictor.predict(learnt.image(index), [Box.from_points(truth)])
        assert np.linalg.norm(face.keypoints - truth, axis=1).mean() / np.linalg.norm(truth[36] - truth[45]) < 0.1


def test_the_same_seed_gives_the_same_run(events: list[TrainEvent], dataset: FacialKeypointsDataset) -> None:
    again = run(QUICK, dataset)
    assert losses(again) == losses(events)
    assert again[-1].nme == events[-1].nme
    assert losses(run(replace(QUICK, seed=1), dataset)) != losses(events)


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


def test_deep_bends_faces_that_full_leaves(few_faces) -> None:
    bent, plain = (
        torch.cat([targets for _, targets in TrainingBatches(few_faces, config).epoch(1)])
        for config in (replace(QUICK, augmentation=name) for name in ("3d", "full"))
    )
    narrow = [torch.linalg.svdvals(targets - targets.mean(1, keepdim=True)) for targets in (bent, plain)]
    shares = [(values[:, 1] / values[:, 0]).std() for values in narrow]  # a face's width by its height, or so
    assert shares[0] > 1.2 * shares[1]
    with pytest.raises(ConfigError, match="do not tell how deep"):
        TrainingBatches(few_faces.subset([0]), replace(QUICK, augmentation="3d"))


def test_batches_prepared_ahead_are_the_same(dataset) -> None:
    config = replace(QUICK, augmentation="full")
    ahead, now = (
        list(TrainingBatches(dataset.subset(range(9)), config, ahead=choice).epoch(1)) for choice in (True, False)
    )
    assert len(ahead) == len(now) == 3
    for first, second in zip(ahead, now, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_the_error_is_measured_several_times_an_epoch(dataset) -> None:
    """Here after 2 and 3 of 3 steps, a part of an epoch having a number that is not whole."""
    events = run(replace(QUICK, max_train_images=9, epochs=2, evals_per_epoch=2), dataset)
    told = [(type(event).__name__, event.epoch) for event in events if isinstance(event, EpochDone | StepDone)]
    first = [("StepDone", 1), ("StepDone", 1), ("EpochDone", 0.67), ("StepDone", 1), ("EpochDone", 1)]
    assert told == first + [(name, epoch + 1) for name, epoch in first]
    measured = [event for event in events if isinstance(event, EpochDone)]
    steps = losses(events)
    assert [event.train_loss for event in measured] == pytest.approx(
        [np.mean(steps[0:2]), steps[2], np.mean(steps[3:5]), steps[5]]
    )
    assert [entry["epoch"] for entry in events[-1].checkpoint.history] == [0.67, 1, 1.67, 2]


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


def stopped_after(count: int, kind: type[TrainEvent], dataset: FacialKeypointsDataset) -> list[TrainEvent]:
    """The events of a run that is asked to stop once there were so many of a kind."""
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
    told = losses(run(config, dataset))
    assert np.isfinite(told).all()
    assert np.mean(told[-3:]) < np.mean(told[:2])


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_rmsprop_makes_the_steps_of_pytorchs(decay: float) -> None:
    torch.manual_seed(0)
    ours = torch.nn.Linear(5, 4)
    theirs = copy.deepcopy(ours)
    optimizers = (
        RMSprop(ours.parameters(), lr=1e-2, weight_decay=decay),
        torch.optim.RMSprop(theirs.parameters(), lr=1e-2, weight_decay=decay),
    )
    for _ in range(5):
        for weight, twin in zip(ours.parameters(), theirs.parameters(), strict=True):
            weight.grad = torch.randn_like(weight) * (torch.rand_like(weight) < 0.5)
            twin.grad = weight.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for weight, twin in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(weight, twin)


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


def test_validation_people_are_not_learnt_from(dataset: FacialKeypointsDataset, monkeypatch) -> None:
    fed: list[TrainingBatches] = []

    class Spy(TrainingBatches):
        def __init__(self, *arguments: object, **more: object) -> None:
            super().__init__(*arguments, **more)
            fed.append(self)

    monkeypatch.setattr("kp.training.loop.TrainingBatches", Spy)
    for validate_on in ("validation", "test"):
        ended = run(replace(QUICK, max_train_images=0, epochs=1, validate_on=validate_on), dataset)[-1]
        assert ended.checkpoint.data["images"] == len(fed[-1].dataset)
    held_out, everybody = ({frame.person for frame in batches.dataset.frames} for batches in fed)
    assert not any(map(is_validation_person, held_out))
    assert everybody - held_out == {"Ada_Hart"}


def test_a_subset_is_drawn_by_the_seed(dataset: FacialKeypointsDataset) -> None:
    (started,) = (
        event for event in run(replace(QUICK, max_train_images=999, epochs=1), dataset) if isinstance(event, RunStarted)
    )
    assert started.train_images == len(dataset.part("people", "train"))


def test_empty_parts_are_refused(dataset: FacialKeypointsDataset) -> None:
    alone = dataset.subset([index for index, frame in enumerate(dataset.frames) if frame.person == "Ada_Stone"])
    with pytest.raises(ConfigError, match="6 images to train on and 0 to validate on.*6 frames of 1 person"):
        run(QUICK, alone)


def test_an_unreadable_image_is_an_error_before_the_first_step(data_root: Path, tmp_path: Path) -> None:

    root = Path(shutil.copytree(data_root, tmp_path / "own"))
    (root / "training" / "Ada_Stone_00.jpg").write_bytes(b"no picture")
    with pytest.raises(ImageError, match="Ada_Stone_00.jpg"):
        run(replace(QUICK, max_train_images=0), FacialKeypointsDataset(root))


def test_leaving_early_leaves_no_thread_behind(dataset: FacialKeypointsDataset) -> None:
    before = threading.active_count()
    stream = train(replace(QUICK, epochs=100), dataset)
    while not isinstance(next(stream), StepDone):
        pass
    stream.close()
    assert threading.active_count() == before


def test_wing_loss_is_the_paper_s_formula() -> None:
    """Feng et al. 2018, equation 5, with w = 10 px and epsilon = 2 px; the network's unit is 50 px."""

    def paper(x: float) -> float:
        w, epsilon = 10.0, 2.0
        constant = w - w * math.log(1 + w / epsilon)
        return w * math.log(1 + abs(x) / epsilon) if abs(x) < w else abs(x) - constant

    for x in (0.0, 0.1, -3.0, 9.99, 10.01, -40.0, 200.0):
        ours = wing_loss(torch.full((2, 68, 2), x / 50), torch.zeros(2, 68, 2))
        assert float(ours) * 50 == pytest.approx(paper(x), rel=1e-4, abs=1e-5)


def test_the_heatmap_loss_likes_a_sharp_map_in_the_right_place() -> None:
    truth = torch.zeros(1, 68, 2)
    truth[:, 36:48] = torch.tensor([0.25, 0.0])
    truth[:, 36] = torch.tensor([-0.25, 0.0])

    def loss(shift: int, height: float) -> float:
        heatmaps = torch.zeros(1, 68, 16, 16)
        columns = ((truth[0, :, 0] + 1) * 8).long() + shift
        heatmaps[0, range(68), 8, columns] = height
        points = truth + torch.tensor([shift / 8, 0.0])
        return float(
            heatmap_loss({"keypoints": points, "heatmaps": heatmaps, "sigma": torch.full((1, 68), 0.1)}, truth)
        )

    assert loss(0, 3.0) < loss(1, 3.0) < loss(4, 3.0)
    assert loss(0, 3.0) < loss(0, 0.0)


def test_the_spread_learns_the_error_s_size() -> None:
    """Among constant spreads, the loss is least where the spread fits a point's distance (half of it, in a plane)."""
    truth = torch.zeros(1, 68, 2)
    truth[:, 45] = torch.tensor([1.0, 0.0])
    points, heatmaps = truth + torch.tensor([0.3, 0.4]), torch.zeros(1, 68, 8, 8)  # half a unit away
    spreads = torch.linspace(0.05, 1, 96)
    told = [
        float(heatmap_loss({"keypoints": points, "heatmaps": heatmaps, "sigma": spread.expand(1, 68)}, truth))
        for spread in spreads
    ]
    assert float(spreads[int(np.argmin(told))]) == pytest.approx(0.25, abs=0.02)


def test_schedules() -> None:
    progress = np.linspace(0, 1, 101)
    assert {lr_factor("constant", value) for value in progress} == {1.0}
    cycle = np.array([lr_factor("one-cycle", value) for value in progress])
    assert cycle[0] == pytest.approx(0.1)
    assert cycle.max() == pytest.approx(1)
    assert progress[cycle.argmax()] == pytest.approx(0.05)
    assert 0 < cycle[-1] <= 0.001
    assert (np.diff(cycle[:6]) > 0).all()
    assert (np.diff(cycle[6:]) <= 0).all()


def test_the_reference_recipe_is_the_published_one() -> None:
    config = TrainConfig.reference()
    assert (config.architecture, config.crop, config.augmentation) == ("five_conv", "frame", "none")
    assert (config.loss, config.optimizer, config.learning_rate) == ("mse", "rmsprop", 1e-4)
    assert (config.batch_size, config.epochs, config.schedule) == (10, 3, "constant")
    assert (config.weight_decay, config.ema_decay, config.max_train_images) == (0, 0, 0)
    assert (config.input_size, config.preprocessing.mean, config.preprocessing.scale) == (224, 100, 50)
    assert repr(crop_transform(config, np.random.default_rng())) == (
        "Compose([Rescale(size=250), RandomCrop(size=(224, 224))])"
    )


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_sound(name: str) -> None:
    config = PRESETS[name]
    assert TrainConfig(**config.to_dict()) == config
    assert json.loads(json.dumps(config.to_dict())) == config.to_dict()
    assert config.model_arguments is not None


def test_every_setting_says_what_it_is() -> None:
    for option in fields(TrainConfig):
        assert option.metadata["help"]
        assert "%" not in option.metadata["help"]  # argparse would take it for a format


@pytest.mark.parametrize(
    "bad",
    [
        {"epochs": 0},
        {"epochs": 2.5},
        {"epochs": "3"},
        {"batch_size": 0},
        {"batch_size": 4096},
        {"learning_rate": 0},
        {"learning_rate": -1e-3},
        {"learning_rate": 50},
        {"learning_rate": math.nan},
        {"max_train_images": -1},
        {"max_train_images": 1.5},
        {"crop_size": 20},
        {"crop_size": 1000},
        {"margin": 0.1},
        {"margin": math.inf},
        {"max_seconds": -1},
        {"weight_decay": 2},
        {"ema_decay": 1.0},
        {"seed": -1},
        {"seed": True},
        {"seed": None},
        {"architecture": "six_conv"},
        {"split": "mine"},
        {"loss": "none"},
        {"optimizer": "magic"},
        {"crop": "hair"},
        {"augmentation": "wild"},
        {"schedule": "never"},
        {"precision": "int8"},
    ],
)
def test_a_bad_setting_is_named(bad: dict) -> None:
    with pytest.raises(ConfigError, match=next(iter(bad))):
        TrainConfig(**{"architecture": "naimishnet"} | bad)


@pytest.mark.parametrize(
    "bad",
    [
        {"architecture": "five_conv", "crop_size": 96},
        {"architecture": "heatmap_net", "crop_size": 100},
        {"architecture": "naimishnet", "loss": "heatmap"},
        {"validate_on": "train"},
    ],
)
def test_settings_that_do_not_go_together_are_refused_at_once(bad: dict) -> None:
    with pytest.raises(ConfigError, match="takes crops|heatmap|validate on"):
        TrainConfig(**bad)


@pytest.mark.parametrize("size", [64, 224])
def test_heatmaps_keep_their_units_at_every_size(size: int) -> None:
    """Their mean lies in -1..1 across the crop, also at the reference's 224 px."""
    preprocessing = TrainConfig(architecture="heatmap_net", crop_size=size).preprocessing
    assert preprocessing.encode(np.array([[-0.5, size - 0.5]])) == pytest.approx(np.array([[-1, 1]]))


def test_a_run_goes_on_from_a_network(dataset: FacialKeypointsDataset) -> None:
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


def test_a_run_goes_on_with_another_crop(dataset: FacialKeypointsDataset) -> None:
    """A network of convolutions alone takes crops of any size."""
    settings = TrainConfig(architecture="heatmap_net", loss="heatmap", width=8, crop_size=64, epochs=1)
    first = run(settings, dataset)[-1].checkpoint
    again = [*train(replace(settings, crop_size=48), dataset, start=first)][-1].checkpoint
    assert (first.preprocessing.size, again.preprocessing.size) == (64, 48)
    assert [entry["epoch"] for entry in again.history] == [1, 2]


def test_a_run_does_not_go_on_from_a_network_that_saw_its_test_people(dataset: FacialKeypointsDataset) -> None:
    official = run(replace(QUICK, epochs=1, split="official"), dataset)[-1].checkpoint
    with pytest.raises(ConfigError, match="split"):
        list(train(QUICK, dataset, start=official))
