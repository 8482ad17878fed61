"""Files that are checkpoints of today and of earlier versions, and everything that a file can be instead."""

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

from kp.checkpoint import Checkpoint, load_checkpoint, read_description, save_checkpoint
from kp.checkpoint_format import KEY, current_name, current_settings
from kp.data import Preprocessing
from kp.errors import CheckpointError


def rewrite(path: Path, change) -> None:
    """Change a checkpoint's description in place."""
    meta = json.loads(json.dumps(read_description(path)))
    weights = load_file(path)
    save_file(weights, path, {KEY: json.dumps(change(meta))})


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
    ("content", "message"),
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
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes, message: str, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)
    with pytest.raises(CheckpointError, match=message):
        read_description(path)


def test_an_onnx_file_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"\x08\x08\x12\x07pytorch" + bytes(100))
    with pytest.raises(CheckpointError, match="net.onnx is an ONNX export.*safetensors file it was exported from"):
        load_checkpoint(path)


@pytest.mark.parametrize("length", [0x0480, 0x0580, 0x0380, 0x4B50])
def test_a_header_whose_length_looks_like_a_pickle_is_read(tmp_path: Path, length: int) -> None:
    """The first bytes of a safetensors file are a number; here they are those of a pickle or a zip file."""
    small = Checkpoint("naimishnet", {}, {"a": torch.ones(2)}, Preprocessing.centred(32))
    path = tmp_path / "a.safetensors"
    save_checkpoint(small, path)
    save_checkpoint(replace(small, title="x" * (length - int.from_bytes(path.read_bytes()[:8], "little"))), path)
    assert int.from_bytes(path.read_bytes()[:8], "little") == length
    assert load_checkpoint(path).weights["a"].tolist() == [1, 1]


@pytest.mark.parametrize("left", [4, 100, 5000, 0.5, 0.999])
def test_a_file_cut_short_is_refused(tmp_path: Path, left: float) -> None:
    (path,) = save_checkpoint(tiny_checkpoint(), tmp_path / "a.safetensors")
    data = path.read_bytes()
    path.write_bytes(data[: int(left if left > 1 else left * len(data))])
    with pytest.raises(CheckpointError, match="damaged.*Copy or train it again"):
        load_checkpoint(path)


def test_a_foreign_safetensors_file_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.ones(3)}, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="of another program.*kp train"):
        load_checkpoint(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("change", "message"),
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
def test_a_strange_description_is_refused(tmp_path: Path, change, message: str) -> None:
    (path,) = save_checkpoint(tiny_checkpoint(), tmp_path / "a.safetensors")
    rewrite(path, change)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


@pytest.mark.parametrize("piece", ["fc1.weight//x", "fc1.weight//0"])
def test_strange_pieces_are_refused(tmp_path: Path, piece: str) -> None:
    (path,) = save_checkpoint(tiny_checkpoint(), tmp_path / "a.safetensors")
    meta = json.dumps(read_description(path))
    save_file(load_file(path) | {piece: torch.ones(2, 3), "fc1.weight//1": torch.ones(7)}, path, {KEY: meta})
    with pytest.raises(CheckpointError, match="garbled"):
        load_checkpoint(path)


def test_a_shard_s_name_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    (path,) = save_checkpoint(tiny_checkpoint(), tmp_path / "in" / "a.safetensors")
    rewrite(path, lambda meta: meta | {"shards": {"../../etc/passwd": "0"}})
    with pytest.raises(CheckpointError, match=str(tmp_path / "in" / "passwd")):
        load_checkpoint(path)


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


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"subset": 5}, {"max_train_images": 5}),
        ({"size": 64, "seconds": 60.0}, {"crop_size": 64, "max_seconds": 60.0}),
        ({"evaluations": 2, "averaging": 0.9}, {"evals_per_epoch": 2, "ema_decay": 0.9}),
        ({"augmentation": "deep"}, {"augmentation": "3d"}),
        ({"max_train_images": 5, "augmentation": "full"}, {"max_train_images": 5, "augmentation": "full"}),
    ],
)
def test_settings_of_earlier_versions_are_renamed(tmp_path: Path, old: dict, new: dict) -> None:
    assert current_settings(old) == new
    save_checkpoint(replace(tiny_checkpoint(), config=old), tmp_path / "a.safetensors")
    assert load_checkpoint(tmp_path / "a.safetensors").config == new


def test_parameters_of_earlier_versions_are_renamed() -> None:
    assert current_name("stage8.0.way_round.0.weight") == "stage8.0.shortcut.0.weight"
    assert current_name("spread_of_all.weight") == "sigma_of_face.weight"
    assert current_name("spreads.bias") == "sigmas.bias"
    assert current_name("conv1.weight") == "conv1.weight"
