"""Progress reports of a download, and its cancellation."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from kp.errors import DownloadCancelled

INTERVAL = 0.1  # seconds between two reports
WARM_UP = 0.5  # seconds before the time left is estimated


@dataclass(frozen=True)
class Progress:
    """step: connecting, downloading, unpacking or checking. done, total: bytes of this step; total None if unknown."""

    step: str
    source: str
    done: int = 0
    total: int | None = None
    seconds_left: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {"event": "Progress"} | asdict(self)


class ProgressReporter:
    """Counts bytes, reports to `listen` ten times a second, and raises DownloadCancelled once `cancelled()` is true."""

    def __init__(self, listen: Callable[[Progress], None], cancelled: Callable[[], bool]) -> None:
        self.listen, self.cancelled = listen, cancelled
        self.state = Progress("connecting", "")
        self.begun = self.reported = 0.0
        self.start = 0

    def begin(self, step: str, source: str, *, done: int = 0, total: int | None = None) -> None:
        """Start a step and report it at once."""
        self.state, self.start = Progress(step, source, done, total), done
        self.begun = self.reported = time.monotonic()
        self.check()
        self.listen(self.state)

    def advance(self, count: int) -> None:
        """Count `count` more bytes."""
        now, done, total = time.monotonic(), self.state.done + count, self.state.total
        spent = now - self.begun
        left = spent * (total - done) / (done - self.start) if total and done > self.start and spent > WARM_UP else None
        self.state = Progress(self.state.step, self.state.source, done, total, left)
        self.check()
        if now - self.reported > INTERVAL or done == total:
            self.reported = now
            self.listen(self.state)

    def check(self) -> None:
        """Raises DownloadCancelled if cancelled."""
        if self.cancelled():
            raise DownloadCancelled(
                "The download was cancelled. What has arrived is kept: the next download goes on from there."
            )

    def pause(self, seconds: float) -> None:
        """Wait, checking for cancellation."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, INTERVAL))
