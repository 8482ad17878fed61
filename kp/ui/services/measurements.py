"""Evaluation figures of networks: stored with them, or measured on this machine, one job at a time."""

import atexit
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kp.data import FacialKeypointsDataset
from kp.errors import ConfigError, KpError
from kp.evaluation import evaluate, frames_learnt, metrics_key
from kp.ui.context import DataSource
from kp.ui.services.model_store import RUN, ModelStore

RESULTS_KEPT = 200  # results in memory
STORED, HERE, HERE_ON_SYNTHETIC = "stored with the model", "measured here", "measured here, on synthetic faces"
JOIN_SECONDS = 5.0  # to wait for a job when the program ends


@dataclass(frozen=True)
class Conditions:
    """What is measured on: a split's test part, where the face box comes from, and the detector for a detected one."""

    split: str = "people"
    setting: str = "true-box"
    detector: str = "yunet"

    @property
    def key(self) -> str:
        """As checkpoints name it; the detector plays no part with true boxes."""
        return metrics_key(self.split, self.setting, self.detector)


@dataclass(frozen=True)
class Result:
    """One network's figures. record: as of EvaluationReport.record(), older ones without errors and groups.

    source: STORED, HERE or HERE_ON_SYNTHETIC. seen: how many of the images were in its training; None where unknown.
    """

    name: str
    record: dict[str, Any] = field(repr=False)
    source: str
    seen: int | None

    @property
    def synthetic(self) -> bool:
        """Whether it was measured on synthetic faces."""
        return self.source == HERE_ON_SYNTHETIC

    @property
    def label(self) -> str:
        return label_of(self.name) + " (synthetic faces)" * self.synthetic

    @property
    def errors(self) -> list[float | None]:
        """Each face's NME in percent, None where it was missed; empty where only sums are stored."""
        return self.record.get("errors") or []


@dataclass
class Job:
    """Networks that are being measured. state: running, stopping, finished, stopped, failed."""

    number: int
    names: list[str]
    conditions: Conditions
    state: str = "running"
    message: str = ""
    name: str = ""  # of the network that is measured now
    done: int = 0  # images of it
    total: int = 0
    measured: int = 0  # networks
    begun: float = field(default_factory=time.monotonic)  # of this network

    @property
    def active(self) -> bool:
        return self.state in ("running", "stopping")

    @property
    def share(self) -> float:
        """Of all images of all networks, 0..1."""
        part = self.done / self.total if self.total and self.active else 0.0
        return min(1.0, (self.measured + part) / len(self.names))

    @property
    def seconds_left(self) -> float | None:
        """Of this network; None before its first images."""
        spent = time.monotonic() - self.begun
        return spent * (self.total - self.done) / self.done if self.done else None


class _StopRequested(Exception):
    """Ends a measurement from within its progress callback."""


def label_of(name: str) -> str:
    """A network's name as the page shows it."""
    return f"your run {name.removeprefix(RUN)}" if name.startswith(RUN) else name


class Measurements:
    """Results by network and conditions, shared read-only by all visitors; one job at a time on a machine."""

    def __init__(self, data: DataSource, models: ModelStore) -> None:
        self.data, self.models = data, models
        self._results: OrderedDict[tuple, dict[str, Any]] = OrderedDict()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._job: Job | None = None
        atexit.register(self.close)

    @property
    def active(self) -> Job | None:
        job = self._job
        return job if job and job.active else None

    def job(self, number: int | None) -> Job | None:
        """The last job, if it is this one."""
        return self._job if self._job and self._job.number == number else None

    def find(self, name: str, conditions: Conditions) -> Result | None:
        """The figures measured here, else those stored with the network; None without either.

        Raises CheckpointError where the network's file is gone.
        """
        dataset = None if self.data.problem else self.data.open()
        record = self._results.get(self._key(name, conditions, dataset))
        if record:
            synthetic = dataset is not None and dataset.synthetic
            return Result(name, record, HERE_ON_SYNTHETIC if synthetic else HERE, record["learnt"])
        card = self.models.card(name)
        record = card.metrics.get(conditions.key)
        if record is None:
            return None
        seen = record.get("learnt")
        if seen is None and dataset is not None and not dataset.synthetic:
            faces = dataset.part(conditions.split, "test")
            seen = frames_learnt(card, dataset, faces) if len(faces) == record["images"] else None
        return Result(name, record, STORED, seen)

    def start(self, names: Sequence[str], conditions: Conditions) -> Job:
        """Start a job. Raises ConfigError while another one is active, DataError where there is no dataset."""
        if not names:
            raise ConfigError("No model is chosen. Choose one or several to measure.")
        self.data.open()
        with self._lock:
            if busy := self.active:
                raise ConfigError(
                    f"{label_of(busy.name)} is being measured on this machine, {busy.share:.0%} done. "
                    "Press Run again when that is over."
                )
            self._job = job = Job(self._job.number + 1 if self._job else 1, list(names), conditions)
            self._thread = threading.Thread(
                target=self._work, args=(job,), daemon=True, name=f"evaluation-{job.number}"
            )
            self._thread.start()
        return job

    def stop(self, number: int | None) -> None:
        """Make a job end after its batch of images."""
        job = self.job(number)
        if job and job.state == "running":
            job.state = "stopping"

    def close(self) -> None:
        """End the active job: no thread may use torch when the program ends."""
        if self._job and self._thread:
            self.stop(self._job.number)
            self._thread.join(JOIN_SECONDS)

    def _work(self, job: Job) -> None:
        try:
            for name in job.names:
                job.name, job.done, job.begun = name, 0, time.monotonic()
                self._measure(job)
                job.measured += 1
        except _StopRequested:
            job.state, job.message = "stopped", f"{job.measured} of {len(job.names)} models measured before that."
        except KpError as error:
            job.state, job.message = "failed", str(error)
        else:
            several = "models are" if len(job.names) > 1 else "model is"
            job.state, job.message = "finished", f"{len(job.names)} {several} measured."
        finally:
            if job.active:  # an unexpected exception: pages must not wait for ever
                job.state, job.message = "failed", "The measurement failed; the server's log says why."

    def _measure(self, job: Job) -> None:
        """One network's record into the results."""

        def progress(done: int, total: int) -> None:
            job.done, job.total = done, total
            if job.state == "stopping":
                raise _StopRequested

        conditions = job.conditions
        dataset = self.data.open()
        key = self._key(job.name, conditions, dataset)
        report = evaluate(
            self.models.predictor(job.name, conditions.detector),
            dataset,
            split=conditions.split,
            setting=conditions.setting,
            name=job.name,
            progress=progress,
        )
        with self._lock:
            self._results[key] = report.record()
            while len(self._results) > RESULTS_KEPT:
                self._results.popitem(last=False)

    def _key(
        self, name: str, conditions: Conditions, dataset: FacialKeypointsDataset | None
    ) -> tuple[Path, int, Path | None, str]:
        """The cache key: changes with the file's time and the dataset."""
        path = self.models.path(name)
        return path, path.stat().st_mtime_ns, dataset.root if dataset is not None else None, conditions.key
