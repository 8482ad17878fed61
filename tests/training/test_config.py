"""Settings of a run: presets, and what is refused."""

import json
import math
from dataclasses import fields

import numpy as np
import pytest

from kp import TrainConfig
from kp.errors import ConfigError
from kp.training import PRESETS
from kp.training.batches import crop_transform


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
