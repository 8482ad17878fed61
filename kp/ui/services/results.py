"""Evaluation figures of a network, the conditions of a measurement, and its progress."""

import time
from dataclasses import dataclass, field
from typing import Any

from kp.evaluation import metrics_key
from kp.ui.services.model_store import RUN

STORED, HERE, HERE_ON_SYNTHETIC = "stored with the model", "measured here", "measured here, on synthetic faces"


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


def label_of(name: str) -> str:
    """A network's name as the page shows it."""
    return f"your run {name.removeprefix(RUN)}" if name.startswith(RUN) else name
