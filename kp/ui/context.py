"""What the tabs share: settings, data, networks, runs, and the model picker."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    """The real dataset; the synthetic faces as long as none is found, with a new search at each call.

    fallback: the folder of a download, searched last. fault: why the folder in the settings is no dataset.
    problem: why there are not even synthetic faces.
    """

    def __init__(self, folder: str | None, *, fallback: Path | None = None) -> None:
        self.folder, self.fallback = folder, fallback
        self.fault: str | None = None
        self._dataset: FacialKeypointsDataset | None = None
        self._again = 0.0  # time.monotonic() of the next try, after a dataset could not be read
        self._lock = threading.Lock()

    def open(self) -> FacialKeypointsDataset:
        """The real dataset, or the synthetic faces. Raises CheckpointError where their model is damaged."""
        with self._lock:
            if self._dataset is None and not names_synthetic(self.folder):
                self._dataset = self._real()
            return synthetic_faces() if self._dataset is None else self._dataset

    def at(self, root: Path) -> FacialKeypointsDataset | None:
        """The dataset with this root; None where the current one has another."""
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
        """Why there are no faces at all; None where there are some."""
        try:
            self.open()
        except KpError as error:
            return str(error)
        return None


@dataclass(frozen=True)
class AppContext:
    """page: for its load event. picker: the dropdown at the top of the page; its value is a name in `models`.

    tabs: to select another tab. run_ids: the visitor's own runs, kept in the browser as {"ids": [...]}.
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
    def fills(self) -> list[Callable[..., Any]]:
        """The events at which the tabs load the dataset: the page opens, or a download has finished."""
        return [self.page.load, self.arrived.change]

    def offer_models(self, owned: dict[str, list[str]], chosen: str | None) -> gr.Dropdown:
        """The picker with the visitor's own networks and the shipped ones."""
        choices = self.models.choices(owned["ids"])
        values = [value for _, value in choices]
        return gr.Dropdown(choices, value=chosen if chosen in values else next(iter(self.models.names()), None))
