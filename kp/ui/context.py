"""What every tab gets: limits, data, networks, runs, and the picker that they share."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from kp.data import FacialKeypointsDataset, find_data
from kp.data.dataset import PLACES
from kp.errors import DataError, KpError
from kp.ui.downloads import DownloadManager
from kp.ui.models import ModelStore
from kp.ui.runs import RunManager
from kp.ui.settings import Settings


class DataSource:
    """The dataset, opened when it is first asked for, and looked for again as long as there is none.

    fallback: where a download puts it; looked into last. `problem` says why there is none.
    """

    def __init__(self, folder: str | None, *, fallback: Path | None = None) -> None:
        self.folder, self.fallback = folder, fallback
        self._dataset: FacialKeypointsDataset | None = None
        self._lock = threading.Lock()

    def open(self) -> FacialKeypointsDataset:
        """Raises DataError, with where data is looked for, if there is none."""
        with self._lock:
            if self._dataset is None:
                root = self._find()
                if root is None:
                    raise DataError(f"No dataset was found. It is looked for in {PLACES}.")
                self._dataset = FacialKeypointsDataset(root)
            return self._dataset

    def _find(self) -> Path | None:
        root = find_data(self.folder)
        if root is None and self.fallback:
            with suppress(DataError):  # nothing there either
                return find_data(self.fallback)
        return root

    @property
    def missing(self) -> bool:
        """Whether there is no dataset at all, rather than one that cannot be read."""
        with suppress(DataError):  # the folder that was named holds none
            return self._dataset is None and self._find() is None
        return True

    @property
    def problem(self) -> str | None:
        try:
            self.open()
        except KpError as error:
            return str(error)
        return None


@dataclass(frozen=True)
class AppContext:
    """page: for its load event. picker: the dropdown at the top of the page; its value goes to `models`.

    tabs: for going to another tab. run_ids: the visitor's own runs, kept in the browser as {"ids": [...]}.
    arrived: a number that changes when the dataset has come while the page was open.
    """

    settings: Settings
    data: DataSource
    downloads: DownloadManager
    models: ModelStore
    runs: RunManager
    page: gr.Blocks
    picker: gr.Dropdown
    tabs: gr.Tabs
    run_ids: gr.BrowserState
    arrived: gr.State

    @property
    def fills(self) -> list[Callable]:
        """The events at which a tab shows what the dataset holds: the page opens, or the data arrives."""
        return [self.page.load, self.arrived.change]

    def offer_models(self, owned: dict, chosen: str | None) -> gr.Dropdown:
        """The picker with the visitor's own networks and the shipped ones."""
        choices = self.models.choices(owned["ids"])
        values = [value for _, value in choices]
        return gr.Dropdown(choices, value=chosen if chosen in values else next(iter(self.models.names()), None))
