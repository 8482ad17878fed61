"""What the app may do, from the environment and the command line, in one place."""

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path


def default_home() -> Path:
    """Where runs are kept: KP_HOME, else a folder of the system's temporary files."""
    return Path(os.environ.get("KP_HOME") or Path(tempfile.gettempdir()) / f"keypoint-lab-{os.getuid()}")


@dataclass(frozen=True)
class Settings:
    """Limits and places. max_megapixels: of an uploaded picture. runs_kept: finished runs on disk."""

    data: str | None = None
    home: Path = field(default_factory=default_home)
    max_megapixels: int = 100
    max_upload_mb: int = 40
    max_training_seconds: int = 4 * 3600
    runs_kept: int = 20
    max_queue: int = 40

    @classmethod
    def from_environment(cls, data: str | None = None) -> "Settings":
        """Strict on a hosted Space (SPACE_ID is set), generous elsewhere."""
        if os.environ.get("SPACE_ID"):
            return cls(data=data, max_megapixels=40, max_upload_mb=15, max_training_seconds=600, runs_kept=10)
        return cls(data=data)
