"""Evaluation figures of networks: stored with them, or measured on this machine, one job at a time."""

import atexit
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kp.data import FacialKeypointsDataset
from kp.errors import ConfigError, KpError
from kp.evaluation import evaluate, frames_learnt
from kp.ui.context import DataSource
from kp.ui.services.model_store import ModelStore
from kp.ui.services.results import HERE, HERE_ON_SYNTHETIC, STORED, Conditions, Job, Result, label_of

RESULTS_KEPT = 200  # results in memory
JOIN_SECONDS = 5.0  # to wait for a job when the program ends


class _StopRequested(Exception):
    """Ends a measurement from within its progress callback."""


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
                job.state, job.message = "failed", "The measurement failed; the server's log has the reason."

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
