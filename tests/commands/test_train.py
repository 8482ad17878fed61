"""`python -m kp train` where things go wrong: a clear message, an exit code, and what could be kept is kept."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from running import QUICK_OPTIONS, ROOT

from kp import Predictor, load_checkpoint
from kp.__main__ import build_parser, main
from kp.checkpoint import save_checkpoint
from kp.commands.train import config_of
from kp.errors import CheckpointError

QUICK = [*QUICK_OPTIONS, "--threads", "1"]


def train(data: Path, out: Path, *options: object) -> int:
    return main(["train", "--data", str(data), "--out", str(out), *QUICK, *map(str, options)])


def start(data: Path, out: Path, *options: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "kp", "train", "--data", str(data), "--out", str(out), "--json", *QUICK, *options]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"},
    )


def events_of(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


@pytest.fixture
def no_training(monkeypatch) -> None:
    """The run must not get as far as that."""
    monkeypatch.setattr("kp.commands.train.train", lambda *_, **__: pytest.fail("the training began"))


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("folder", ["a_file", "/proc"])
def test_a_place_that_takes_no_file_is_known_at_the_start(folder: str, data_root, tmp_path: Path, capsys) -> None:
    (tmp_path / "a_file").write_text("no folder")
    out = tmp_path / folder / "new" / "mine.safetensors"
    assert train(data_root, out) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"Error: --out {out} cannot be written (")
    assert "Name a file in a folder" in said


@pytest.mark.usefixtures("no_training")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_known_at_the_start(data_root: Path, tmp_path: Path, capsys) -> None:
    tmp_path.chmod(0o500)
    assert train(data_root, tmp_path / "mine.safetensors") == 1
    assert "Permission denied" in capsys.readouterr().err


@pytest.mark.usefixtures("no_training")
def test_a_file_that_is_there_is_refused_before_the_training(data_root: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "mine.safetensors"
    out.write_bytes(b"three days of work")
    assert train(data_root, out) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"Error: {out} is there already") and "--overwrite" in said and said.count("\n") == 1
    assert out.read_bytes() == b"three days of work"


def test_a_file_that_may_be_replaced_is_named(data_root: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "mine.safetensors"
    out.write_bytes(b"an earlier network")
    assert train(data_root, out, "--overwrite") == 0
    assert f"--overwrite: {out} will be replaced." in capsys.readouterr().err.splitlines()
    load_checkpoint(out)


def test_an_unknown_device(data_root: Path, tmp_path: Path, capsys) -> None:
    assert train(data_root, tmp_path / "mine.safetensors", "--device", "abacus") == 1
    assert "There is no device named 'abacus'. Choose one of: auto, cpu, cuda." in capsys.readouterr().err


def test_a_gpu_that_is_not_there(data_root: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert train(data_root, tmp_path / "mine.safetensors", "--device", "cuda") == 1
    assert "PyTorch finds no GPU" in capsys.readouterr().err


def test_a_full_disk_at_the_end_says_where_it_tried(data_root: Path, tmp_path: Path, capsys) -> None:
    """The limit of a file's size stands for the disk; a network of this size takes 6 MB."""
    out = tmp_path / "mine.safetensors"
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        code = train(data_root, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert code == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"Error: {out} cannot be written (File too large).")
    assert not list(tmp_path.iterdir())


def fail_at(tries: set[int], monkeypatch) -> None:
    """Saves go wrong at these tries, counted from 1; every epoch is saved."""
    count = 0

    def save(*arguments: Any, **options: Any) -> list[Path]:
        nonlocal count
        count += 1
        if count in tries:
            raise CheckpointError(f"{arguments[1]} cannot be written (No space left on device).")
        return save_checkpoint(*arguments, **options)

    monkeypatch.setattr("kp.commands.common.save_checkpoint", save)
    monkeypatch.setattr("kp.commands.train_report.SAVE_EVERY", -1.0)


def test_a_save_that_fails_on_the_way_is_tried_again(data_root: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    fail_at({1}, monkeypatch)
    out = tmp_path / "mine.safetensors"
    assert train(data_root, out) == 0
    said = capsys.readouterr().err
    assert f"Warning: {out} cannot be written (No space left on device). The training goes on" in said
    assert len(load_checkpoint(out).history) == 2


def test_where_the_last_save_fails_the_one_before_is_named(data_root, tmp_path: Path, capsys, monkeypatch) -> None:
    fail_at({3}, monkeypatch)
    out = tmp_path / "mine.safetensors"
    assert train(data_root, out) == 1
    assert "It still holds the network after epoch 2." in capsys.readouterr().err.splitlines()[-1]
    assert len(load_checkpoint(out).history) == 2


def test_ctrl_c_twice_quickly_keeps_a_whole_network(data_root: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.safetensors"
    with start(data_root, out, "--epochs", "10000") as process:
        while '"StepDone"' not in (line := process.stdout.readline()):
            assert line, process.stderr.read()
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
    assert events_of(rest)[-1]["reason"] == "stopped"
    Predictor(str(out), "whole-image")
    assert list(tmp_path.iterdir()) == [out]


def test_ctrl_c_while_images_are_decoded_leaves_what_was_there(data_root, tmp_path: Path, capsys, monkeypatch) -> None:
    out = tmp_path / "mine.safetensors"
    out.write_bytes(b"an earlier network")

    def decode(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("kp.data.dataset.ImageStore.preload", decode)
    assert train(data_root, out, "--overwrite") == 130
    assert capsys.readouterr().err.splitlines()[-1].startswith("Stopped before the first step")
    assert out.read_bytes() == b"an earlier network"


def test_the_same_seed_gives_the_same_losses_in_new_processes(data_root: Path, tmp_path: Path, capsys) -> None:
    """Exactly, with the same precision and number of threads, which the run tells."""
    full = ["--augmentation", "full", "--architecture", "heatmap_net", "--width", "8", "--loss", "heatmap"]
    processes = [start(data_root, tmp_path / f"{name}.safetensors", *full) for name in "ab"]
    assert train(data_root, tmp_path / "c.safetensors", *full, "--json") == 0
    outputs = [process.communicate(timeout=60)[0] for process in processes] + [capsys.readouterr().out]
    told = []
    for events in map(events_of, outputs):
        (started,) = (event for event in events if event["event"] == "RunStarted")
        assert (started["precision"], started["threads"]) == ("float32", 1)
        told.append([[event["loss"] for event in events if event["event"] == "StepDone"], events[-1]["nme"]])
    assert len(told[0][0]) == 4
    assert told[0] == told[1] == told[2]


def test_options_of_earlier_versions_still_work() -> None:
    old = ["--subset", "5", "--size", "224", "--seconds", "9", "--evaluations", "2", "--averaging", "0.9"]
    config = config_of(build_parser().parse_args(["train", "--out", "a.safetensors", *old]))
    assert (config.max_train_images, config.crop_size, config.max_seconds) == (5, 224, 9.0)
    assert (config.evals_per_epoch, config.ema_decay) == (2, 0.9)
