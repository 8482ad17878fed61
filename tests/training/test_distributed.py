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
# Trains each of RUNS in this process and its team, and writes the losses and how it ended.
WORKER = """
import json, sys, torch
from kp.data import FacialKeypointsDataset
from kp.training import RunEnded, StepDone, TrainConfig, train
from kp.training.distributed import join_process_group
from kp.training.losses import LOSSES

torch.set_num_threads(1)
torch.nn.functional.dropout = lambda x, *_: x  # what it draws is another thing for each process
data, out, runs = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
dataset, told = FacialKeypointsDataset(data), {}
with join_process_group() as team:
    for name, settings in runs.items():
        losses, right = [], LOSSES["mse"]
        def wrong(stages, truth):
            return right(stages, truth) * (float("nan") if len(losses) == 2 else 1)
        if team.rank == 1 and name == "one has no number":
            LOSSES["mse"] = wrong  # the last of RUNS
        stop = lambda: team.rank == 1 and name == "one stops" and len(losses) == 2
        for event in train(TrainConfig(**settings), dataset, stop=stop, device="cpu", group=team):
            losses += [event.loss] if isinstance(event, StepDone) else []
        weights = sum(float(tensor.double().abs().sum()) for tensor in event.checkpoint.weights.values())
        told[name] = {"losses": losses, "reason": event.reason, "nme": event.nme, "weights": weights}
json.dump(told, open(f"{out}/{team.rank}.json", "w"))
"""


def environments(size: int) -> list[dict[str, str]]:
    """What torchrun would tell each process."""
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
def told(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What two processes told of each run."""
    out = tmp_path_factory.mktemp("team")
    processes = start_two("-c", WORKER, str(data_root), str(out), json.dumps(RUNS))
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    return [json.loads((out / f"{rank}.json").read_text()) for rank in range(2)]


def alone(settings: dict[str, Any], dataset: FacialKeypointsDataset) -> tuple[list[float], RunEnded]:
    """The losses and the end of the same run in this process."""
    *events, ended = train(TrainConfig(**settings), dataset)
    return [event.loss for event in events if isinstance(event, StepDone)], ended


@pytest.mark.parametrize(("name", "rounding"), [("naimishnet", 1e-3), ("five_conv", 1e-3), ("heatmap_net", 0.15)])
def test_two_processes_do_what_one_does(name: str, rounding: float, told, dataset, monkeypatch) -> None:
    """But for rounding; and for heatmap_net's batch norm, which sees half a batch."""
    monkeypatch.setattr(functional, "dropout", lambda x, *_: x)
    losses, ended = alone(RUNS[name], dataset)
    first, second = (team[name] for team in told)
    assert first["losses"] == second["losses"]
    assert first["losses"] == pytest.approx(losses, rel=rounding)
    assert (first["reason"], first["nme"]) == ("finished", pytest.approx(ended.nme, rel=max(rounding, 0.01)))


@pytest.mark.parametrize("name", ["naimishnet", "five_conv", "heatmap_net"])
def test_all_end_with_the_same_network(name: str, told) -> None:
    assert told[0][name] == told[1][name]


@pytest.mark.parametrize(
    ("name", "reason", "steps"), [("one stops", "stopped", 2), ("one has no number", "diverged", 2)]
)
def test_where_one_ends_all_end(name: str, reason: str, steps: int, told) -> None:
    assert [(team[name]["reason"], len(team[name]["losses"])) for team in told] == [(reason, steps)] * 2
    assert np.isfinite(told[0][name]["weights"])


def test_the_command_in_two_processes_ends_with_one_checkpoint(data_root: Path, tmp_path: Path) -> None:
    """Ctrl-C, pressed twice, reaches both; both leave with 130, and the first has saved and told."""
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
    ("rows", "shares"),
    [
        (range(5), [[0, 2, 4], [1, 3]]),
        (range(2), [[0], [1]]),
        (range(1), [[0], [0]]),
    ],
)
def test_each_process_takes_its_share(rows: range, shares: list[list[int]]) -> None:
    assert [ProcessGroup(rank, 2).shard(np.array(rows)).tolist() for rank in range(2)] == shares


def test_a_team_of_one_changes_nothing(monkeypatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    team, tensor = ProcessGroup.from_environment(), torch.tensor([1.0, 2.0])
    team.average([tensor], 0.5)
    assert (team, tensor.tolist(), team.sum(3, 4), team.any(False)) == (ProcessGroup(), [1, 2], [3, 4], False)


def test_half_an_environment_is_refused(monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ConfigError, match="WORLD_SIZE is 2, but RANK.*torchrun"):
        ProcessGroup.from_environment()


@pytest.mark.parametrize(
    ("team", "idle", "threads"),
    [
        (ProcessGroup(), 1, 1),
        (ProcessGroup(), 64, 2),
        (ProcessGroup(1, 4, 1, 2), 8, 4),
        (ProcessGroup(1, 4, 1, 4), 3, 1),
    ],
)
def test_threads_are_a_share_of_what_is_idle(team: ProcessGroup, idle: int, threads: int, monkeypatch) -> None:
    monkeypatch.setattr("kp.training.distributed.idle_cores", lambda: idle)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert free_threads(team) == threads
