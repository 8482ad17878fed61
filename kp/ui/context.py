"""What every tab gets: limits, data, networks, runs, and the picker that they share."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from kp.data import FacialKeypointsDataset, find_data
from kp.errors import DataError, KpError
from kp.synthetic.dataset import is_synthetic, names_synthetic, synthetic_faces
from kp.ui.services.downloads import DownloadManager
from kp.ui.services.model_store import ModelStore
from kp.ui.services.training_runs import RunManager
from kp.ui.settings import Settings

RETRY = 3.0  # seconds until a dataset that cannot be read is tried again


class DataSource:
    """The real dataset, looked for again as long as there is none; until then the synthetic faces.

    fallback: where a download puts it; searched last. fault: why the folder that was named is no dataset.
    problem: why there are not even synthetic faces.
    """

    def __init__(self, folder: str | None, *, fallback: Path | None = None) -> None:
        self.folder, self.fallback = folder, fallback
        self.fault: str | None = None
        self._dataset: FacialKeypointsDataset | None = None
        self._again = 0.0  # when a dataset that could not be read is tried once more
        self._lock = threading.Lock()

    def open(self) -> FacialKeypointsDataset:
        """The real dataset, or the synthetic faces. Raises CheckpointError where their model is damaged."""
        with self._lock:
            if self._dataset is None and not names_synthetic(self.folder):
                self._dataset = self._real()
            return synthetic_faces() if self._dataset is None else self._dataset

    def at(self, root: Path) -> FacialKeypointsDataset | None:
        """The dataset that has this root; None where another one has taken its place."""
        if is_synthetic(root):
            return synthetic_faces()
        dataset = self.open()
        return dataset if dataset.root == root else None

    def _real(self) -> FacialKeypointsDataset | None:
        dataset = None
        try:
            if root := self._find():
                if time.monotonic() < self._again:
                    return None
                self._again = time.monotonic() + RETRY
                dataset = FacialKeypointsDataset(root)
            self.fault = None
        except KpError as error:
            self.fault = str(error)
        return dataset

    def _find(self) -> Path | None:
        root = find_data(self.folder)
        if root is None and self.fallback:
            with suppress(DataError):  # nothing there either
                return find_data(self.fallback)
        return root

    @property
    def missing(self) -> bool:
        """Whether there is no real dataset at all, rather than an unreadable one or synthetic faces by choice."""
        if names_synthetic(self.folder):
            return False
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
