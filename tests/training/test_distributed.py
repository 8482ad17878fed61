"""Several processes that train one network: the same run as one process's, and they end together."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from kp import Predictor, load_checkpoint
from kp.data import FacialKeypointsDataset
from kp.errors import ConfigError
from kp.training import RunEnded, StepDone, TrainConfig, train
from kp.training.distributed import ProcessGroup, free_threads

ROOT = Path(__file__).parents[2]
QUICK = {
    "architecture": "naimishnet",
    "crop_size": 32,
    "augmentation": "none",
    "max_train_images": 9,
    "batch_size": 8,
    "epochs": 2,
    "precision": "float32",
    "optimizer": "adam",
}
RUNS = {  # a last batch of one image, which two processes cannot divide, is in all of them
    "naimishnet": QUICK,
    "five_conv": QUICK
    | {"architecture": "five_conv", "crop_size": 224, "max_train_images": 5, "batch_size": 4, "epochs": 1},
    "heatmap_net": QUICK
    | {"architecture": "heatmap_net", "width": 8, "loss": "heatmap", "ema_decay": 0.9, "learning_rate": 3e-3},
    "one stops": QUICK,
    "one has no number": QUICK,
}
# Trains each of RUNS in this process and its group, and writes the losses and how it ended.
WORKER = """
import json, sys, torch
from kp.data import FacialKeypointsDataset
from kp.training import RunEnded, StepDone, TrainConfig, train
from kp.training.distributed import join_process_group
from kp.training.losses import LOSSES

torch.set_num_threads(1)
torch.nn.functional.dropout = lambda x, *_: x  # it differs between processes
data, out, runs = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
dataset, results = FacialKeypointsDataset(data), {}
with join_process_group() as group:
    for name, settings in runs.items():
        losses, right = [], LOSSES["mse"]
        def wrong(stages, truth):
            return right(stages, truth) * (float("nan") if len(losses) == 2 else 1)
        if group.rank == 1 and name == "one has no number":
            LOSSES["mse"] = wrong  # the last of RUNS
        stop = lambda: group.rank == 1 and name == "one stops" and len(losses) == 2
        for event in train(TrainConfig(**settings), dataset, stop=stop, device="cpu", group=group):
            losses += [event.loss] if isinstance(event, StepDone) else []
        weights = sum(float(tensor.double().abs().sum()) for tensor in event.checkpoint.weights.values())
        results[name] = {"losses": losses, "reason": event.reason, "nme": event.nme, "weights": weights}
json.dump(results, open(f"{out}/{group.rank}.json", "w"))
"""


def environments(size: int) -> list[dict[str, str]]:
    """The variables that torchrun sets in each process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    meeting = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
        "OMP_NUM_THREADS": "1",
    }
    return [os.environ | meeting | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(size)]


def start_two(*arguments: str) -> list[subprocess.Popen]:
    return [
        subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        for environment in environments(2)
    ]


@pytest.fixture(scope="module")
def results(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The results of each run in both processes."""
    out = tmp_path_factory.mktemp("group")
    processes = start_two("-c", WORKER, str(data_root), str(out), json.dumps(RUNS))
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    return [json.loads((out / f"{rank}.json").read_text()) for rank in range(2)]


def single_process(settings: dict[str, Any], dataset: FacialKeypointsDataset) -> tuple[list[float], RunEnded]:
    """The losses and the end of the same run in this process."""
    *events, ended = train(TrainConfig(**settings), dataset)
    return [event.loss for event in events if isinstance(event, StepDone)], ended


@pytest.mark.parametrize(("name", "rounding"), [("naimishnet", 1e-3), ("five_conv", 1e-3), ("heatmap_net", 0.15)])
def test_two_processes_do_what_one_does(name: str, rounding: float, results, dataset, monkeypatch) -> None:
    """But for rounding; and for heatmap_net's batch norm, which sees half a batch."""
    monkeypatch.setattr(functional, "dropout", lambda x, *_: x)
    losses, ended = single_process(RUNS[name], dataset)
    first, second = (process[name] for process in results)
    assert first["losses"] == second["losses"]
    assert first["losses"] == pytest.approx(losses, rel=rounding)
    assert (first["reason"], first["nme"]) == ("finished", pytest.approx(ended.nme, rel=max(rounding, 0.01)))


@pytest.mark.parametrize("name", ["naimishnet", "five_conv", "heatmap_net"])
def test_all_end_with_the_same_network(name: str, results) -> None:
    assert results[0][name] == results[1][name]


@pytest.mark.parametrize(
    ("name", "reason", "steps"), [("one stops", "stopped", 2), ("one has no number", "diverged", 2)]
)
def test_where_one_ends_all_end(name: str, reason: str, steps: int, results) -> None:
    assert [(process[name]["reason"], len(process[name]["losses"])) for process in results] == [(reason, steps)] * 2
    assert np.isfinite(results[0][name]["weights"])


def test_the_command_in_two_processes_ends_with_one_checkpoint(data_root: Path, tmp_path: Path) -> None:
    """Ctrl-C, pressed twice, reaches both; both leave with 130, and the first has saved the network and reported."""
    out = tmp_path / "mine.safetensors"
    options = [f"--{name.replace('_', '-')}={value}" for name, value in (QUICK | {"epochs": 10_000}).items()]
    first, second = start_two("-m", "kp", "train", "--data", str(data_root), "--out", str(out), "--json", *options)
    events: list[dict[str, Any]] = []
    while sum(event["event"] == "StepDone" for event in events) < 3:
        line = first.stdout.readline()
        assert line, first.stderr.read()
        events.append(json.loads(line))
    for number in (signal.SIGINT, signal.SIGINT):
        for process in (first, second):
            process.send_signal(number)
    rest, errors = first.communicate(timeout=60)
    silent, other_errors = second.communicate(timeout=60)
    assert (first.returncode, second.returncode, errors, other_errors) == (130, 130, "", "")
    (started,) = (event for event in events if event["event"] == "RunStarted")
    assert (started["processes"], started["device"], started["threads"] >= 1) == (2, "cpu", True)
    assert json.loads(rest.splitlines()[-1])["reason"] == "stopped"
    assert silent == ""
    assert list(tmp_path.iterdir()) == [out]
    Predictor(load_checkpoint(out), "whole-image")


@pytest.mark.parametrize(
    ("rows", "shards"),
    [
        (range(5), [[0, 2, 4], [1, 3]]),
        (range(2), [[0], [1]]),
        (range(1), [[0], [0]]),
    ],
)
def test_each_process_takes_its_shard(rows: range, shards: list[list[int]]) -> None:
    assert [ProcessGroup(rank, 2).shard(np.array(rows)).tolist() for rank in range(2)] == shards


def test_a_single_process_changes_nothing(monkeypatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    group, tensor = ProcessGroup.from_environment(), torch.tensor([1.0, 2.0])
    group.average([tensor], 0.5)
    assert (group, tensor.tolist(), group.sum(3, 4), group.any(False)) == (ProcessGroup(), [1, 2], [3, 4], False)


def test_half_an_environment_is_refused(monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ConfigError, match="WORLD_SIZE is 2, but RANK.*torchrun"):
        ProcessGroup.from_environment()


@pytest.mark.parametrize(
    ("group", "idle", "threads"),
    [
        (ProcessGroup(), 1, 1),
        (ProcessGroup(), 64, 2),
        (ProcessGroup(1, 4, 1, 2), 8, 4),
        (ProcessGroup(1, 4, 1, 4), 3, 1),
    ],
)
def test_threads_are_a_share_of_the_idle_cores(group: ProcessGroup, idle: int, threads: int, monkeypatch) -> None:
    monkeypatch.setattr("kp.training.distributed.idle_cores", lambda: idle)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert free_threads(group) == threads
