"""Runs of the app: two of real training, the rest with small scripts in its place."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from running import ROOT

import kp.ui.services.training_runs
from kp import load_checkpoint
from kp.__main__ import build_parser
from kp.commands.train import config_of
from kp.errors import ConfigError
from kp.training import TrainConfig
from kp.ui.services.run import MOST_LOSSES, Run
from kp.ui.services.training_runs import RunManager
from kp.ui.settings import Settings

QUICK = TrainConfig(architecture="naimishnet", crop_size=32, max_train_images=20, epochs=2, precision="float32")
ENDLESS = TrainConfig(**{**QUICK.to_dict(), "epochs": 10_000})
PATIENCE = 120  # seconds; the machine may be busy
SLEEP = "import time; time.sleep(600)"


def wait_for(done: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def ended(run: Run) -> None:
    wait_for(lambda: not run.active)


def is_running(process_id: int) -> bool:
    """A process that is there and no zombie."""
    status = Path(f"/proc/{process_id}/status")
    try:
        return "\nState:\tZ" not in status.read_text()
    except OSError:
        return False


@pytest.fixture
def manager(tmp_path: Path):
    manager = RunManager(Settings(home=tmp_path, max_training_seconds=3600, runs_kept=2))
    yield manager
    manager.close()


def test_a_run_from_start_to_finish(manager: RunManager, data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states, take = [], Run.take

    def noted(run: Run, event: dict) -> None:
        before = run.version
        take(run, event)
        assert run.version == before + 1
        states.append(run.state)

    monkeypatch.setattr(Run, "take", noted)
    run = manager.start(QUICK, data_root)
    assert (run.state, manager.active) == ("starting", run)
    ended(run)
    assert list(dict.fromkeys(states)) == ["decoding", "training", "finished"], run.message
    assert (run.started["train_images"], run.started["validation_images"]) == (20, 12)
    assert len(run.losses) == 4 and run.progress["step"] == run.progress["steps"] == 4
    assert [event["epoch"] for event in run.epochs] == [1, 2]
    assert run.epochs[0]["faces"].shape == (len(run.started["watched"]), 68, 2)
    assert manager.active is None
    network = load_checkpoint(run.checkpoint)
    assert network.architecture == "naimishnet" and network.config["max_train_images"] == 20
    assert [entry["nme"] for entry in network.history] == pytest.approx([event["nme"] for event in run.epochs])
    network.create_model()


def test_one_run_at_a_time_and_a_stop_keeps_the_network(manager: RunManager, data_root: Path, play) -> None:
    run = manager.start(ENDLESS, data_root)
    with pytest.raises(ConfigError, match="trained on this machine already"):
        manager.start(QUICK, data_root)
    wait_for(lambda: run.epochs or not run.active)
    version = run.version
    manager.stop(run.id)
    assert run.state == "stopping" and run.version > version
    ended(run)
    assert run.state == "stopped" and run.message.startswith("Stopped after step")
    assert len(load_checkpoint(run.checkpoint).history) >= 1
    play(SLEEP)
    assert manager.start(QUICK, data_root).active


MANAGER = """
import sys, time
from pathlib import Path
from kp.training import TrainConfig
from kp.ui.services.training_runs import RunManager
from kp.ui.settings import Settings
manager = RunManager(Settings(home=Path(sys.argv[1])))
config = TrainConfig(architecture="naimishnet", crop_size=32, max_train_images=20, epochs=10_000, precision="float32")
run = manager.start(config, Path(sys.argv[2]))
while not run.losses:
    assert run.active, run.message
    time.sleep(0.02)
print(manager._processes[run.id].pid, flush=True)
time.sleep(600)
"""


def test_training_ends_with_the_process_that_started_it(data_root: Path, tmp_path: Path) -> None:
    """Even if that one is killed: a run that nobody can see or stop must not go on."""
    app = subprocess.Popen(
        [sys.executable, "-c", MANAGER, str(tmp_path), str(data_root)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    trainer = int(app.stdout.readline())
    try:
        assert is_running(trainer)
        app.kill()
        app.wait()
        wait_for(lambda: not is_running(trainer))
    finally:
        app.kill()
        if is_running(trainer):
            os.kill(trainer, signal.SIGKILL)


def test_closing_the_app_ends_its_run(manager: RunManager, tmp_path: Path, play) -> None:
    processes = play(SLEEP)
    run = manager.start(QUICK, tmp_path)
    manager.close()
    ended(run)
    assert processes[0].poll() == -signal.SIGTERM


def test_a_killed_run_has_failed_and_the_next_can_start(manager: RunManager, tmp_path: Path, play) -> None:
    half_a_line = """print('{"event": "Decoding", "done": 1, "total": 2}\\n{"event": "StepDo', end="", flush=True)"""
    processes = play(f"{half_a_line}; {SLEEP}")
    run = manager.start(QUICK, tmp_path)
    wait_for(lambda: run.state == "decoding")
    processes[0].kill()
    ended(run)
    assert run.state == "failed" and "signal 9" in run.message
    assert manager.start(QUICK, tmp_path).number == 2


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "import sys; sys.exit('Error: There is no dataset. Name its folder.')",
            "There is no dataset. Name its folder.",
        ),
        ("import sys; sys.exit('a warning\\nError: the last line')", "the last line"),
        ("import sys; sys.exit(3)", "The training process ended with code 3."),
        ("", "The training process ended with code 0."),
        (
            "import sys; sys.exit(f'Error: {sys.argv[1]} cannot be written (disk full).')",
            "the network's file cannot be written (disk full).",
        ),
    ],
)
def test_a_run_that_fails_says_why(manager: RunManager, tmp_path: Path, play, script: str, message: str) -> None:
    play(script)
    run = manager.start(QUICK, tmp_path)
    ended(run)
    assert (run.state, run.message) == ("failed", message)


def test_a_stop_before_the_first_step_is_no_failure(manager: RunManager, tmp_path: Path, play) -> None:
    play(SLEEP)
    run = manager.start(QUICK, tmp_path)
    manager.stop(run.id)
    ended(run)
    assert (run.state, run.message) == ("stopped", "Stopped before the first step.")


def test_a_run_that_breaks_while_it_stops_is_a_failure(manager: RunManager, tmp_path: Path, play) -> None:
    step = '{"event": "StepDone", "step": 1, "seconds": 1.0, "loss": 1.0}'
    play(f"""import sys, time; print('{step}', flush=True)
try: time.sleep(600)
except KeyboardInterrupt: sys.exit("Error: The disk is full.")""")
    run = manager.start(QUICK, tmp_path)
    wait_for(lambda: run.losses)
    manager.stop(run.id)
    ended(run)
    assert (run.state, run.message) == ("failed", "The disk is full.")


def test_a_loss_that_is_no_number_is_told_as_such(manager: RunManager, tmp_path: Path, play) -> None:
    play("""print('{"event": "RunEnded", "reason": "diverged", "message": "The loss became nan."}')""")
    run = manager.start(QUICK, tmp_path)
    ended(run)
    assert (run.state, run.message) == ("diverged", "The loss became nan.")


def test_only_so_many_runs_are_kept(manager: RunManager, tmp_path: Path, play) -> None:
    manager.folder.mkdir()
    for name in ("0123456789ab", "mine"):  # of an app that ran before, and somebody's own
        (manager.folder / f"{name}.safetensors").touch()
        os.utime(manager.folder / f"{name}.safetensors", (1, 1))
    play("import pathlib, sys; pathlib.Path(sys.argv[1]).touch()")
    runs = []
    for number in range(1, 5):
        runs.append(manager.start(QUICK, tmp_path))
        ended(runs[-1])
        os.utime(runs[-1].checkpoint, (100 + number, 100 + number))
        assert len(list(manager.folder.iterdir())) <= 3 and (manager.folder / "mine.safetensors").exists()
    assert not (manager.folder / "0123456789ab.safetensors").exists()
    assert manager.history() == runs[:1:-1]
    assert [run.checkpoint.is_file() for run in runs] == [False, False, True, True]
    assert manager.get(runs[0].id) is None and manager.find(1) is None


def test_a_run_has_a_public_number_and_a_secret_name(manager: RunManager, tmp_path: Path, play) -> None:
    play("")
    runs = [manager.start(QUICK, tmp_path)]
    ended(runs[0])
    runs.append(manager.start(QUICK, tmp_path))
    assert [run.number for run in runs] == [1, 2] and manager.find(2) is runs[1]
    assert all(len(run.id) == 12 and run.id.isalnum() for run in runs) and runs[0].id != runs[1].id
    assert manager.get(runs[0].id) is runs[0]
    assert [manager.get(guess) for guess in ("1", "", None)] == [None] * 3
    assert runs[0].checkpoint == tmp_path / "runs" / f"{runs[0].id}.safetensors"


@pytest.mark.parametrize(("asked", "given"), [(0.0, 3600.0), (86_400.0, 3600.0), (60.0, 60.0)])
def test_no_run_is_longer_than_the_app_allows(
    manager: RunManager, tmp_path: Path, play, asked: float, given: float
) -> None:
    play("")
    assert manager.start(TrainConfig(max_seconds=asked), tmp_path).config.max_seconds == given


def test_the_process_gets_every_setting(manager: RunManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def popen(command: list[str], **options) -> subprocess.Popen:
        commands.append(command)
        return subprocess.Popen([sys.executable, "-S", "-c", ""], **options)

    monkeypatch.setattr(
        kp.ui.services.training_runs, "subprocess", type("fake", (), {"Popen": staticmethod(popen), "PIPE": -1})
    )
    config = TrainConfig(
        architecture="heatmap_net",
        crop_size=64,
        width=16,
        loss="heatmap",
        optimizer="adamw",
        seed=7,
        learning_rate=4e-3,
        schedule="one-cycle",
        ema_decay=0.99,
        max_seconds=5.0,
        margin=1.5,
        augmentation="full",
        validate_on="validation",
        split="official",
        weight_decay=0.01,
    )
    run = manager.start(config, tmp_path)
    options = build_parser().parse_args(commands[0][3:])
    assert (commands[0][:3], options.command, options.json) == ([sys.executable, "-m", "kp"], "train", True)
    assert config_of(options) == config
    assert (options.data, options.out) == (str(tmp_path), str(run.checkpoint))


def run_of(losses: Iterable[float | None]) -> Run:
    run = Run("id", 1, QUICK, Path(), Path())
    for step, loss in enumerate(losses, start=1):
        run.take({"event": "StepDone", "step": step, "seconds": step / 10, "loss": loss})
    return run


def test_the_training_loss_is_smoothed_and_gaps_are_left_out() -> None:
    assert run_of([1.0, None, 2.0, 0.0]).losses == [(0.1, 1.0), (0.3, pytest.approx(1.1)), (0.4, pytest.approx(0.99))]


def test_a_long_run_stays_small() -> None:
    run = run_of(1 / step for step in range(1, 50_001))
    assert MOST_LOSSES / 2 < len(run.losses) <= MOST_LOSSES
    seconds, losses = np.array(run.losses).T
    assert np.diff(seconds) == pytest.approx(3.2) and (seconds[0], seconds[-1]) == (3.2, pytest.approx(4998.4))
    assert (np.diff(losses) < 0).all()
