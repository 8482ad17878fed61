"""Checkpoints: there and back, and everything that a file can be instead."""

import errno
import io
import json
import os
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from builders import tiny_checkpoint
from safetensors.torch import load_file, save_file

from kp.checkpoint import KEY, Checkpoint, list_checkpoints, load_checkpoint, read_description, save_checkpoint
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


def rewrite(path: Path, change) -> None:
    """Change a checkpoint's description in place."""
    meta = json.loads(json.dumps(read_description(path)))
    weights = load_file(path)
    save_file(weights, path, {KEY: json.dumps(change(meta))})


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


def as_pickle(protocol: int) -> bytes:
    return pickle.dumps({"weights": [1, 2]}, protocol)


def as_torch_file(*, new: bool) -> bytes:
    file = io.BytesIO()
    torch.save({"a": torch.ones(2)}, file, _use_new_zipfile_serialization=new)
    return file.getvalue()


def as_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "hello")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "damaged or no safetensors"),
        (b"\x00" * 7, "damaged or no safetensors"),
        (b"hello, this is a letter", "damaged or no safetensors"),
        (bytes(range(256)) * 40, "damaged or no safetensors"),
        *((as_pickle(protocol), "pickle.*may run code.*python -m kp train") for protocol in (2, 3, 4, 5)),
        (as_torch_file(new=True), "pickle.*may run code"),
        (as_torch_file(new=False), "pickle.*may run code"),
        (as_zip(), "refused"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS pointer.*git lfs pull"),
    ],
    ids=[
        "empty",
        "zeros",
        "text",
        "bytes",
        "pickle 2",
        "pickle 3",
        "pickle 4",
        "pickle 5",
        "torch",
        "old torch",
        "zip",
        "lfs",
    ],
)
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes, says: str, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=says):
        load_checkpoint(path)
    with pytest.raises(CheckpointError, match=says):
        read_description(path)


def test_an_onnx_file_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"\x08\x08\x12\x07pytorch" + bytes(100))
    with pytest.raises(CheckpointError, match="net.onnx is an ONNX export.*safetensors file it was exported from"):
        load_checkpoint(path)


def test_weights_that_do_not_fit_are_told_without_python_s_signs() -> None:
    unfit = Checkpoint("naimishnet", {"input_size": 64}, {}, Preprocessing.centred(32))
    with pytest.raises(CheckpointError) as caught:
        unfit.create_model()
    assert not set("{}()'") & set(str(caught.value).partition(":")[0])
    assert "architecture naimishnet with input_size 64, " in str(caught.value)


@pytest.mark.parametrize("length", [0x0480, 0x0580, 0x0380, 0x4B50])
def test_a_header_whose_length_looks_like_a_pickle_is_read(tmp_path: Path, length: int) -> None:
    """The first bytes of a safetensors file are a number; here they are those of a pickle or a zip file."""
    small = Checkpoint("naimishnet", {}, {"a": torch.ones(2)}, Preprocessing.centred(32))
    path = tmp_path / "a.safetensors"
    save_checkpoint(small, path)
    save_checkpoint(replace(small, title="x" * (length - int.from_bytes(path.read_bytes()[:8], "little"))), path)
    assert int.from_bytes(path.read_bytes()[:8], "little") == length
    assert equal(load_checkpoint(path).weights, small.weights)


@pytest.mark.parametrize("left", [4, 100, 5000, 0.5, 0.999])
def test_a_file_cut_short_is_refused(tiny: Checkpoint, tmp_path: Path, left: float) -> None:
    (path,) = save_checkpoint(tiny, tmp_path / "a.safetensors")
    data = path.read_bytes()
    path.write_bytes(data[: int(left if left > 1 else left * len(data))])
    with pytest.raises(CheckpointError, match="damaged.*Copy or train it again"):
        load_checkpoint(path)


def test_a_foreign_safetensors_file_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.ones(3)}, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="of another program.*kp train"):
        load_checkpoint(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda meta: meta | {"format": 99}, "format 99.*Update kp"),
        (lambda meta: {name: value for name, value in meta.items() if name != "format"}, "format None"),
        (lambda meta: meta | {"architecture": "six_conv"}, "'six_conv'.*does not know.*five_conv"),
        (lambda meta: meta | {"architecture": ["five_conv"]}, "'architecture'"),
        (lambda meta: meta | {"metrics": 3}, "'metrics'"),
        (lambda meta: meta | {"preprocessing": {"size": 5}}, "garbled"),
        (lambda meta: meta | {"preprocessing": {"size": "large"}}, "garbled"),
        (lambda meta: meta | {"preprocessing": {"colour": 5}}, "garbled"),
        (lambda meta: [meta], "no JSON object"),
        (lambda meta: None, "no JSON object"),
    ],
)
def test_a_strange_description_is_refused(tiny: Checkpoint, tmp_path: Path, change, says: str) -> None:
    (path,) = save_checkpoint(tiny, tmp_path / "a.safetensors")
    rewrite(path, change)
    with pytest.raises(CheckpointError, match=says):
        load_checkpoint(path)


@pytest.mark.parametrize("piece", ["fc1.weight//x", "fc1.weight//0"])
def test_strange_pieces_are_refused(tiny: Checkpoint, tmp_path: Path, piece: str) -> None:
    (path,) = save_checkpoint(tiny, tmp_path / "a.safetensors")
    meta = json.dumps(read_description(path))
    save_file(load_file(path) | {piece: torch.ones(2, 3), "fc1.weight//1": torch.ones(7)}, path, {KEY: meta})
    with pytest.raises(CheckpointError, match="garbled"):
        load_checkpoint(path)


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


def test_a_shard_s_name_cannot_lead_out_of_the_folder(tiny: Checkpoint, tmp_path: Path) -> None:
    (path,) = save_checkpoint(tiny, tmp_path / "in" / "a.safetensors")
    rewrite(path, lambda meta: meta | {"shards": {"../../etc/passwd": "0"}})
    with pytest.raises(CheckpointError, match=str(tmp_path / "in" / "passwd")):
        load_checkpoint(path)


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


def test_opening_a_pickle_runs_nothing(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "exploded"),)

    path = tmp_path / "a.safetensors"
    for data in (pickle.dumps(Bomb()), pickle.dumps(Bomb(), 0)):
        path.write_bytes(data)
        with pytest.raises(CheckpointError):
            load_checkpoint(path)
    assert not (tmp_path / "exploded").exists()


def test_shards_that_the_old_checkpoint_does_not_know_stay(tiny: Checkpoint, tmp_path: Path) -> None:
    """A file that is only named like one, and one that was changed since."""
    _, changed, *_ = save_checkpoint(tiny, tmp_path / "a.safetensors", max_bytes=1_500_000)
    foreign = tmp_path / "a.0123abcd.shard"
    for file in (changed, foreign):
        file.write_bytes(b"mine")
    save_checkpoint(tiny, tmp_path / "a.safetensors")
    assert set(tmp_path.iterdir()) == {tmp_path / "a.safetensors", changed, foreign}
    assert changed.read_bytes() == foreign.read_bytes() == b"mine"
