"""One network from several."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from builders import tiny_checkpoint

from kp import load_checkpoint, save_checkpoint
from kp.__main__ import main
from kp.checkpoint import Checkpoint
from kp.errors import ConfigError
from kp.weight_averaging import average_checkpoints


def trained_on(start: Checkpoint, seed: int) -> Checkpoint:
    """Another one near it, as a few epochs make it."""
    random = torch.Generator().manual_seed(seed)
    return replace(
        start,
        weights={
            name: weight + 0.3 * weight.std(correction=0) * torch.randn(weight.shape, generator=random)
            for name, weight in start.weights.items()
        },
    )


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    for seed in range(3):
        save_checkpoint(trained_on(tiny_checkpoint(), seed), tmp_path / f"{seed}.safetensors")
    return [str(tmp_path / f"{seed}.safetensors") for seed in range(3)]


def test_weights_are_the_mean_and_figures_are_gone() -> None:
    first, second = tiny_checkpoint(), replace(trained_on(tiny_checkpoint(), 1), title="other")
    first.metrics["people, true-box"] = {"nme_mean": 1.0}
    mean = average_checkpoints([first, second])
    for name, weight in mean.weights.items():
        torch.testing.assert_close(weight, (first.weights[name] + second.weights[name]) / 2)
        assert weight.dtype == first.weights[name].dtype
    assert (mean.metrics, mean.title) == ({}, "tiny")
    assert mean.create_model()(torch.zeros(1, 1, 32, 32)).shape == (1, 68, 2)


def test_the_command_writes_it(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "new" / "mean.safetensors"
    assert main(["average", *files, "--out", str(out), "--title", "Three in one"]) == 0
    assert "mean of 3 networks" in capsys.readouterr().out
    written = load_checkpoint(out)
    assert written.title == "Three in one"
    expected = average_checkpoints([load_checkpoint(file) for file in files])
    for name, weight in written.weights.items():
        torch.testing.assert_close(weight, expected.weights[name])


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ([], "two networks or more"),
        ([tiny_checkpoint(1, size=48)], "arguments.*32.*number 2.*48"),
        ([tiny_checkpoint(1)], "number 2 was not trained from the same one"),
        (
            [trained_on(tiny_checkpoint(), 1), replace(tiny_checkpoint(), data={"split": "official"})],
            "split.*number 3.*official",
        ),
    ],
)
def test_networks_that_have_no_average(others: list, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        average_checkpoints([tiny_checkpoint(), *others])


def test_a_bad_name_is_one_sentence(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["average", *files, "--out", str(tmp_path / "mean.pt")]) == 1
    assert ".safetensors" in capsys.readouterr().err
    assert main(["average", files[0], "nowhere", "--out", str(tmp_path / "mean.safetensors")]) == 1
    assert "nowhere" in capsys.readouterr().err
    assert not list(tmp_path.glob("mean*"))
