"""Training runs that belong to the server."""

from pathlib import Path

from kp.ui.settings import Settings


class RunManager:
    """One run at a time on a machine."""

    def __init__(self, settings: Settings) -> None:
        self.folder: Path = settings.home / "runs"
