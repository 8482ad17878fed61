"""The dataset's download in the app: one at a time for all visitors, in a thread; pages poll its progress."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from kp.download.dataset import download
from kp.download.progress import Progress
from kp.download.sources import Source
from kp.errors import DownloadCancelled, KpError

STEPS = {"connecting": "Connecting", "downloading": "Downloading", "unpacking": "Unpacking", "checking": "Checking"}
LONG = 90.0  # seconds; longer times are shown in minutes


@dataclass
class Download:
    """One download, updated by its thread. state: running, or done, cancelled, failed. cancel: set to end it."""

    state: str = "running"
    message: str = ""
    progress: Progress = Progress("connecting", "")
    cancel: threading.Event = field(default_factory=threading.Event)

    @property
    def active(self) -> bool:
        return self.state == "running"

    def run(self, folder: Path, sources: Sequence[Source]) -> None:
        """Download until done, cancelled or failed. Sets `message` before `state`, which pages poll meanwhile."""
        ended, message = "failed", "It failed with an unexpected error; the app's log has it."
        try:
            download(folder, sources=sources, progress=self.note, cancelled=self.cancel.is_set)
            ended, message = "done", ""
        except DownloadCancelled as error:
            ended, message = "cancelled", str(error)
        except KpError as error:
            message = str(error)
        finally:
            self.message = message
            self.state = ended

    def note(self, progress: Progress) -> None:
        self.progress = progress


class DownloadManager:
    """Starts and cancels the download; starting it again while it runs returns the same one."""

    def __init__(self, folder: Path, sources: Sequence[Source]) -> None:
        self.folder, self.sources = folder, sources
        self.current: Download | None = None
        self._lock = threading.Lock()

    def start(self) -> Download:
        with self._lock:
            if self.current is None or not self.current.active:
                self.current = Download()
                threading.Thread(
                    target=self.current.run, args=(self.folder, self.sources), daemon=True, name="download"
                ).start()
            return self.current

    def cancel(self) -> None:
        if self.current:
            self.current.cancel.set()


def status_html(state: Download | None) -> str:
    """Step, progress and time left of a download, or how it ended; empty where there is none or it is done."""
    if state is None or state.state == "done":
        return ""
    if not state.active:
        head = "Cancelled." if state.state == "cancelled" else "That did not work."
        text = state.message.removeprefix("The download was cancelled. ")
        return f'<div class="kp-run" role="status"><b>{head}</b> {escape(text)}</div>'
    if state.cancel.is_set():
        return '<div class="kp-run" role="status"><b>Cancelling</b> up to 20 s if the server is silent</div>'
    now = state.progress
    share = 100 * now.done / now.total if now.total else 0.0
    return (
        f'<div class="kp-run" role="status"><b>{STEPS[now.step]}</b> {escape(" · ".join(_facts(now)))}'
        f'<div class="kp-bar"><div style="width:{share:.1f}%"></div></div></div>'
    )


def _facts(now: Progress) -> list[str]:
    if now.step not in ("downloading", "unpacking"):
        return [now.source] if now.source else []
    amount = f"{now.done / 1e6:.0f} of {now.total / 1e6:.0f} MB" if now.total else f"{now.done / 1e6:.0f} MB so far"
    facts = [amount]
    if now.seconds_left is not None:
        long = now.seconds_left > LONG
        facts.append(f"{now.seconds_left / 60:.0f} min left" if long else f"{now.seconds_left:.0f} s left")
    return [*facts, f"from {now.source}"] if now.step == "downloading" else facts
