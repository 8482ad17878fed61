"""What a checkpoint tells about itself without its weights."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import tiny_checkpoint

from kp import Predictor, evaluate
from kp.checkpoint import load_checkpoint, read_description, save_checkpoint
from kp.errors import CheckpointError
from kp.model_card import ModelCard, read_card, shipped_cards
from kp.models import count_parameters

FIGURES = {"nme_mean": 7.25, "nme_median": 7.0, "nme_p95": 9.0, "images": 12, "missed": 0}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    checkpoint = replace(
        tiny_checkpoint(),
        title="A small one",
        config={"epochs": 2},
        data={"split": "people"},
        metrics={"people, true-box": FIGURES},
        history=[{"epoch": 1, "nme": 9.0}],
    )
    save_checkpoint(checkpoint, tmp_path / "small.safetensors", max_bytes=1_500_000)
    return tmp_path / "small.safetensors"


def test_a_card_holds_what_the_checkpoint_holds(saved: Path) -> None:
    card, checkpoint = read_card(saved), load_checkpoint(saved)
    assert (card.name, card.title, card.architecture) == ("small", "A small one", "naimishnet")
    assert card.parameters == count_parameters(checkpoint.create_model())
    assert card.megabytes == pytest.approx(sum(file.stat().st_size for file in saved.parent.iterdir()) / 1e6)
    assert (card.metrics, card.config, card.data) == (checkpoint.metrics, checkpoint.config, checkpoint.data)
    assert card.nme == 7.25


def test_a_card_is_plain_json(saved: Path) -> None:
    record = json.loads(json.dumps(read_card(saved).to_json()))
    assert ModelCard(**record) == read_card(saved)


def test_a_card_needs_no_weights(saved: Path) -> None:
    for shard in saved.parent.glob("*.shard"):
        shard.unlink()
    assert read_card(saved).title == "A small one"


def test_nobody_measured_it(tmp_path: Path) -> None:
    save_checkpoint(tiny_checkpoint(), tmp_path / "a.safetensors")
    assert read_card(tmp_path / "a.safetensors").nme is None


@pytest.mark.parametrize("arguments", [{"wings": 2}, {"name": "five_conv"}, {"input_size": 3}, {"input_size": "wide"}])
def test_garbled_arguments_are_a_checkpoint_error(tmp_path: Path, arguments: dict) -> None:
    save_checkpoint(replace(tiny_checkpoint(), arguments=arguments), tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="a.safetensors has garbled arguments"):
        read_card(tmp_path / "a.safetensors")


def test_a_file_that_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"no")
    with pytest.raises(CheckpointError, match="damaged"):
        read_card(tmp_path / "a.safetensors")


def test_the_shipped_checkpoints_are_sound(shipped: list[str]) -> None:
    """Each loads, is small enough for a plain file, and its people are those of the split by person."""
    assert [card.name for card in shipped_cards()] == shipped
    for card in shipped_cards():
        load_checkpoint(card.name).create_model()
        assert card.title
        assert card.data["split"] == "people"
        assert card.nme is not None
        assert all(
            path.stat().st_size < 10_000_000
            for path in [
                Path(card.file),
                *(Path(card.file).parent / name for name in read_description(Path(card.file))["shards"]),
            ]
        )


@pytest.mark.real_data
def test_the_shipped_figures_are_true(real_dataset) -> None:
    """Measured again on a fifth of the test faces: as on the card, within what drawing a fifth may change."""
    few = real_dataset.subset(np.arange(0, len(real_dataset), 5))
    for card in shipped_cards():
        report = evaluate(Predictor(card.name, "whole-image"), few)
        assert report.summary()["nme_mean"] == pytest.approx(card.nme, rel=0.1)
