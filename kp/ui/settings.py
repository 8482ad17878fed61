"""What the app may do, from the environment and the command line, in one place."""

import getpass
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from kp.download.sources import SOURCES, Source
from kp.errors import ConfigError


def default_home() -> Path:
    """Where runs are kept: KP_HOME, else a folder of the system's temporary files."""
    who = os.getuid() if hasattr(os, "getuid") else getpass.getuser()  # Windows numbers nobody
    return Path(os.environ.get("KP_HOME") or Path(tempfile.gettempdir()) / f"keypoint-lab-{who}")


@dataclass(frozen=True)
class Settings:
    """Limits and places. max_megapixels: of an uploaded picture. runs_kept: finished runs on disk.

    visitors: how many pages, open or closed, the app remembers; one that it has forgotten must be opened anew. Each
    takes 0.4 MB and what is shown on it, and gradio by itself keeps 10,000.
    fetch_data: where there is no dataset, download it when the app starts, without being asked; from `sources`.
    """

    data: str | None = None
    home: Path = field(default_factory=default_home)
    max_megapixels: int = 100
    max_upload_mb: int = 40
    max_training_seconds: int = 4 * 3600
    runs_kept: int = 20
    visitors: int = 100
    max_queue: int = 40
    fetch_data: bool = False
    sources: tuple[Source, ...] = SOURCES

    @classmethod
    def from_environment(cls, data: str | None = None) -> "Settings":
        """Strict on a hosted Space (SPACE_ID is set), generous elsewhere. A Space and KP_DOWNLOAD=1 fetch the data."""
        if os.environ.get("SPACE_ID"):
            return cls(
                data=data, max_megapixels=40, max_upload_mb=15, max_training_seconds=600, runs_kept=10, fetch_data=True
            )
        return cls(data=data, fetch_data=os.environ.get("KP_DOWNLOAD") == "1")

    @property
    def upload_folder(self) -> Path:
        """Where gradio keeps uploads and pictures: GRADIO_TEMP_DIR, else a folder in `home`.

        Gradio's own default is one for all users of a machine, and only the first of them may write there.
        """
        return Path(os.environ.get("GRADIO_TEMP_DIR") or self.home / "uploads")

    def check_writable(self) -> None:
        """Make the folders that the app writes to. Raises ConfigError where one of them cannot be written."""
        places = {self.home: "KP_HOME", self.upload_folder: "GRADIO_TEMP_DIR or KP_HOME"}
        for folder, variable in places.items():
            try:
                folder.mkdir(parents=True, exist_ok=True)
                tempfile.TemporaryFile(dir=folder).close()
            except OSError as error:
                raise ConfigError(
                    f"The app cannot write to its folder {folder} ({error.strerror or error}). Set "
                    f"{variable} to a folder that you may write to."
                ) from None

    @property
    def download_folder(self) -> Path:
        """Where a download puts the dataset."""
        return Path(self.data or os.environ.get("KP_DATA") or self.downloaded_data)

    @property
    def downloaded_data(self) -> Path:
        """The place for it that can be written where nobody has named one."""
        return self.home / "data"
