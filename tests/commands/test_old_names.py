"""Options and checkpoints of earlier versions: their names still work."""

from pathlib import Path

import pytest
from builders import tiny_checkpoint

from kp import load_checkpoint, save_checkpoint
from kp.__main__ import build_parser
from kp.checkpoint_format import OLD_SETTINGS, current_name, current_settings
from kp.commands.train import config_of
from kp.training import TrainConfig


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        ("--subset", "max_train_images", 7),
        ("--size", "crop_size", 64),
        ("--seconds", "max_seconds", 5.0),
        ("--evaluations", "evals_per_epoch", 3),
        ("--averaging", "ema_decay", 0.5),
    ],
)
def test_old_settings_of_a_run_set_the_new_ones(old: str, new: str, value: float) -> None:
    words = ["train", "--out", "x.safetensors", "--architecture", "naimishnet", old, str(value)]
    assert getattr(config_of(build_parser().parse_args(words)), new) == value
    assert OLD_SETTINGS[old.removeprefix("--")] == new and hasattr(TrainConfig(), new)


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["train", "--out", "x.safetensors", "--half"], "fp16", True),
        (["train", "--out", "x.safetensors", "--start", "one"], "init_from", "one"),
        (["predict", "x.jpg", "--views", "4"], "tta", 4),
        (["calibrate", "one", "--views", "2"], "tta", 2),
    ],
)
def test_other_old_options_set_the_new_ones(words: list[str], name: str, value: object) -> None:
    assert getattr(build_parser().parse_args(words), name) == value


def test_the_old_name_of_an_augmentation_works() -> None:
    words = ["train", "--out", "x.safetensors", "--augmentation", "deep"]
    assert config_of(build_parser().parse_args(words)).augmentation == "3d"


@pytest.mark.parametrize("command", ["train", "predict", "calibrate"])
def test_help_lists_the_new_names_alone(command: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args([command, "--help"])
    listed = capsys.readouterr().out
    old = ["--views", "--half", "--start", *(f"--{name} " for name in OLD_SETTINGS)]
    assert not [name for name in old if name in listed] and ("--tta" in listed) == (command != "train")


def test_settings_of_earlier_checkpoints_are_read_under_their_new_names(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint()
    checkpoint.config.update(subset=5, seconds=60.0, averaging=0.9, augmentation="deep")
    save_checkpoint(checkpoint, tmp_path / "x.safetensors")
    config = load_checkpoint(tmp_path / "x.safetensors").config
    assert (config["max_train_images"], config["max_seconds"], config["ema_decay"]) == (5, 60.0, 0.9)
    assert config["augmentation"] == "3d" and not set(OLD_SETTINGS) & set(config)
    assert current_settings(config) == config


def test_parameters_of_earlier_checkpoints_are_read_under_their_new_names() -> None:
    old = ["stage4.0.way_round.0.weight", "narrow8.bias", "narrow16.weight", "spreads.weight", "spread_of_all.weight"]
    new = ["stage4.0.shortcut.0.weight", "lateral8.bias", "lateral16.weight", "sigmas.weight", "sigma_of_face.weight"]
    assert [current_name(name) for name in old] == new
    assert [current_name(name) for name in new] == new
