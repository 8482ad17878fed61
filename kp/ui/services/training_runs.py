"""Training runs. A run belongs to the server: it is a process of `python -m kp train`, whose events pages poll."""

import atexit
import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import kp
from kp.errors import ConfigError
from kp.synthetic.dataset import SYNTHETIC
from kp.training import TrainConfig
from kp.ui.services.run import Run

OWN_NAME = re.compile("[0-9a-f]{12}")  # of a run's network; other files in the folder are not the app's and stay
NICENESS = 5  # of the training process, so that pages stay quick


class Limits(Protocol):
    """The settings of the app that the manager reads."""

    @property
    def home(self) -> Path: ...
    @property
    def max_training_seconds(self) -> int: ...
    @property
    def runs_kept(self) -> int: ...


class RunManager:
    """Starts, stops and remembers runs; one at a time on a machine."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.folder = limits.home / "runs"
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._processes: dict[str, subprocess.Popen] = {}
        self._count = 0
        self._lock = threading.Lock()
        atexit.register(self.close)

    @property
    def active(self) -> Run | None:
        return next((run for run in reversed(self._runs.values()) if run.active), None)

    def get(self, run_id: str | None) -> Run | None:
        """The run of this secret id."""
        return self._runs.get(run_id or "")

    def find(self, number: int | None) -> Run | None:
        return next((run for run in self._runs.values() if run.number == number), None)

    def history(self) -> list[Run]:
        """Newest first."""
        return list(reversed(self._runs.values()))

    def start(self, config: TrainConfig, data: Path) -> Run:
        """Start a run. Raises ConfigError while another one is active."""
        limit = self.limits.max_training_seconds
        if not config.max_seconds or config.max_seconds > limit:
            config = replace(config, max_seconds=float(limit))
        with self._lock:
            if self.active:
                raise ConfigError(
                    "A network is being trained on this machine already; watch it below, "
                    "and start yours when it is done."
                )
            self.folder.mkdir(parents=True, exist_ok=True)
            run_id = secrets.token_hex(6)
            self._count += 1
            run = Run(run_id, self._count, config, data, self.folder / f"{run_id}.safetensors")
            process = self._spawn(run)
            self._runs[run_id], self._processes[run_id] = run, process
            self._forget_old()
        threading.Thread(target=self._follow, args=(run, process), daemon=True, name=f"run-{run_id}").start()
        return run

    def stop(self, run_id: str) -> None:
        """End a run after its current step; its weights are saved."""
        run = self.get(run_id)
        if run and run.active:
            run.state = "stopping"
            run.version += 1
            self._processes[run_id].send_signal(signal.SIGINT)

    def close(self) -> None:
        """End the active run; called when the program ends."""
        for process in self._processes.values():
            if process.poll() is None:
                process.terminate()

    def _spawn(self, run: Run) -> subprocess.Popen[str]:
        home = Path(kp.__file__).resolve().parent.parent
        process = subprocess.Popen(
            command_of(run), cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
        return process

    def _follow(self, run: Run, process: subprocess.Popen[str]) -> None:
        errors: list[str] = []
        reader = threading.Thread(target=lambda: errors.extend(process.stderr or ()), daemon=True)
        reader.start()
        for line in process.stdout or ():
            with contextlib.suppress(json.JSONDecodeError):  # a process that is killed may leave half a line
                run.take(json.loads(line))
        code = process.wait()
        reader.join()
        if run.active:  # the process ended without RunEnded
            stopped = run.state == "stopping" and "step" not in run.progress
            run.message = "Stopped before the first step." if stopped else reason_of(code, errors, run.checkpoint)
            run.state = "stopped" if stopped else "failed"
            run.version += 1

    def _forget_old(self) -> None:
        """Forget the oldest runs, and delete networks beyond `runs_kept`, also those of earlier starts."""
        while len(self._runs) > self.limits.runs_kept:
            old, _ = self._runs.popitem(last=False)
            self._processes.pop(old)
        networks = (file for file in self.folder.glob("*.safetensors") if OWN_NAME.fullmatch(file.stem))
        files = sorted(networks, key=lambda file: file.stat().st_mtime, reverse=True)
        for file in files[self.limits.runs_kept - 1 :]:  # the new run writes one more
            file.unlink(missing_ok=True)


def command_of(run: Run) -> list[str]:
    """The command line of its process."""
    settings = [f"--{name.replace('_', '-')}={value}" for name, value in run.config.to_dict().items()]
    data = SYNTHETIC if run.synthetic else run.data.resolve()
    return [sys.executable, "-m", "kp", "train", "--json", f"--data={data}", f"--out={run.checkpoint}", *settings]


def reason_of(code: int, errors: list[str], checkpoint: Path) -> str:
    """Why a process failed, shown to all visitors: without its network's file name, which only the owner knows."""
    if code < 0:
        return f"The training process was ended from outside (signal {-code}); perhaps there was too little memory."
    last = errors[-1].strip().removeprefix("Error: ") if errors else f"The training process ended with code {code}."
    return last.replace(str(checkpoint), "the network's file")
