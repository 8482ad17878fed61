"""Checkpoints: there and back, and everything that a file can be instead."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from builders import tiny_checkpoint

from kp.checkpoint import Checkpoint, list_checkpoints, load_checkpoint, read_description, save_checkpoint
from kp.data import Preprocessing
from kp.errors import CheckpointError, ConfigError
from kp.models import MODELS, create_model


@pytest.fixture(scope="module")
def tiny() -> Checkpoint:
    return replace(
        tiny_checkpoint(),
        metrics={"people, true-box": {"nme_mean": 12.5}},
        data={"split": "people"},
        history=[{"epoch": 1, "nme": 20.0}],
        config={"seed": 3},
        versions={"kp": "0"},
    )


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("max_bytes", [None, 1_500_000, 400_000])
@pytest.mark.parametrize("dtype", [None, torch.float32, torch.float16])
def test_there_and_back(tiny: Checkpoint, tmp_path: Path, dtype, max_bytes: int | None) -> None:
    files = save_checkpoint(tiny, tmp_path / "a.safetensors", dtype=dtype, max_bytes=max_bytes)
    loaded = load_checkpoint(tmp_path / "a.safetensors")
    expected = {name: tensor.to(dtype or tensor.dtype).float() for name, tensor in tiny.weights.items()}
    assert equal(loaded.weights, expected)
    assert replace(loaded, weights={}) == replace(tiny, weights={})
    assert sorted(files) == sorted(tmp_path.iterdir())
    assert (len(files) > 1) == (max_bytes is not None)
    if max_bytes:
        assert max(file.stat().st_size for file in files) <= max_bytes


@pytest.mark.parametrize("name", MODELS)
def test_every_network_there_and_back(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    size = MODELS[name].input_size
    arguments = MODELS[name].arguments_for(size)
    model = create_model(name, **arguments).eval()
    save_checkpoint(
        Checkpoint(name, arguments, model.state_dict(), Preprocessing.centred(size)),
        tmp_path / "a.safetensors",
        max_bytes=9_500_000,
    )
    x = torch.rand(1, 1, size, size)
    with torch.inference_mode():
        assert torch.equal(load_checkpoint(tmp_path / "a.safetensors").create_model()(x), model(x))


def test_half_takes_half_the_space(tiny: Checkpoint, tmp_path: Path) -> None:
    (whole,) = save_checkpoint(tiny, tmp_path / "a.safetensors")
    (half,) = save_checkpoint(tiny, tmp_path / "b.safetensors", dtype=torch.float16)
    assert half.stat().st_size == pytest.approx(whole.stat().st_size / 2, rel=0.01)


def test_saving_again_replaces_shards_and_leaves_others_alone(tiny: Checkpoint, tmp_path: Path) -> None:
    other = save_checkpoint(tiny_checkpoint(5), tmp_path / "a.b.safetensors", max_bytes=1_500_000)
    save_checkpoint(tiny, tmp_path / "a.safetensors", max_bytes=1_500_000)
    files = save_checkpoint(tiny_checkpoint(9), tmp_path / "a.safetensors", max_bytes=1_500_000)
    assert sorted(tmp_path.iterdir()) == sorted([*files, *other])
    assert equal(load_checkpoint(tmp_path / "a.b.safetensors").weights, tiny_checkpoint(5).weights)
    save_checkpoint(tiny, tmp_path / "a.safetensors")
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "a.safetensors", *other])


def test_too_small_shards_are_refused(tiny: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="max_bytes"):
        save_checkpoint(tiny, tmp_path / "a.safetensors", max_bytes=1000)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize(("max_bytes", "calls"), [(None, 0), (1_500_000, 0), (1_500_000, 1)])
def test_a_full_disk_leaves_the_old_one(tiny, tmp_path, monkeypatch, step: str, max_bytes, calls: int) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(tiny, path, max_bytes=max_bytes)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    work, done = getattr(os, step), []

    def full(*args: object) -> None:
        if len(done) >= calls:
            raise OSError(errno.ENOSPC, "No space left on device")
        done.append(args)
        work(*args)

    monkeypatch.setattr(os, step, full)
    with pytest.raises(CheckpointError, match="a.safetensors cannot be written.*No space left.*Free some space"):
        save_checkpoint(tiny_checkpoint(7), path, max_bytes=max_bytes)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_an_interruption_leaves_no_temporary_file(tiny: Checkpoint, tmp_path: Path, monkeypatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tiny, tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made(tiny: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot be written"):
        save_checkpoint(tiny, tmp_path / "file" / "a.safetensors")


def test_weights_that_do_not_fit_are_told_without_python_s_signs() -> None:
    unfit = Checkpoint("naimishnet", {"input_size": 64}, {}, Preprocessing.centred(32))
    with pytest.raises(CheckpointError) as caught:
        unfit.create_model()
    assert not set("{}()'") & set(str(caught.value).partition(":")[0])
    assert "architecture naimishnet with input_size 64, " in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: replace(c, arguments={"input_size": 96}),
        lambda c: replace(c, arguments={"wings": 2}),
        lambda c: replace(c, arguments={"name": "five_conv"}),
        lambda c: replace(c, arguments={"input_size": 1}),
        lambda c: replace(c, architecture="five_conv", arguments={}),
        lambda c: replace(c, weights={name: value for name, value in c.weights.items() if "fc1" not in name}),
        lambda c: replace(c, weights=c.weights | {"more": torch.ones(1)}),
        lambda c: replace(c, weights=c.weights | {"conv1.bias": torch.ones(31)}),
        lambda c: replace(c, preprocessing=Preprocessing.centred(96)),
        lambda c: replace(c, preprocessing=replace(c.preprocessing, channels=3)),
    ],
)
def test_weights_that_do_not_fit_are_refused(tiny: Checkpoint, change) -> None:
    with pytest.raises(CheckpointError, match="do not fit.*Train it again") as caught:
        change(tiny).create_model()
    assert "\n" not in str(caught.value)


def test_an_answer_of_another_shape_is_refused(tiny: Checkpoint) -> None:
    arguments = {"input_size": 32, "num_keypoints": 5}
    weights = create_model("naimishnet", **arguments).state_dict()
    with pytest.raises(CheckpointError, match="shape"):
        replace(tiny, arguments=arguments, weights=weights).create_model()


def test_a_missing_or_changed_shard_is_named(tiny: Checkpoint, tmp_path: Path) -> None:
    path, *shards = save_checkpoint(tiny, tmp_path / "a.safetensors", max_bytes=1_500_000)
    data = shards[0].read_bytes()
    shards[0].write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(CheckpointError, match=f"{shards[0].name} is not the file.*Copy both files again"):
        load_checkpoint(path)
    shards[0].unlink()
    with pytest.raises(CheckpointError, match=f"{shards[0].name}, which is missing. Copy"):
        load_checkpoint(path)
    assert read_description(path)["title"] == "tiny"  # the description is in the first file


def test_a_name_or_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint 'nobody'.*path"):
        load_checkpoint("nobody")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_checkpoint(tmp_path)


def test_a_folder_s_checkpoints_are_listed_by_name(tiny: Checkpoint, tmp_path: Path) -> None:
    for name in ("b", "a"):
        save_checkpoint(tiny, tmp_path / f"{name}.safetensors", max_bytes=1_500_000)
    assert list(list_checkpoints(tmp_path).items()) == [
        ("a", tmp_path / "a.safetensors"),
        ("b", tmp_path / "b.safetensors"),
    ]
    assert list_checkpoints(tmp_path / "away") == {}


def test_shards_that_the_old_checkpoint_does_not_know_stay(tiny: Checkpoint, tmp_path: Path) -> None:
    """A file that is only named like one, and one that was changed since."""
    _, changed, *_ = save_checkpoint(tiny, tmp_path / "a.safetensors", max_bytes=1_500_000)
    foreign = tmp_path / "a.0123abcd.shard"
    for file in (changed, foreign):
        file.write_bytes(b"mine")
    save_checkpoint(tiny, tmp_path / "a.safetensors")
    assert set(tmp_path.iterdir()) == {tmp_path / "a.safetensors", changed, foreign}
    assert changed.read_bytes() == foreign.read_bytes() == b"mine"
