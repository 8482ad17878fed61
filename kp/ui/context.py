"""What every tab gets: limits, data, networks, runs, and the picker that they share."""

import threading
from dataclasses import dataclass

import gradio as gr

from kp.data import FacialKeypointsDataset, find_data
from kp.data.dataset import PLACES
from kp.errors import DataError, KpError
from kp.ui.models import ModelStore
from kp.ui.runs import RunManager
from kp.ui.settings import Settings


class DataSource:
    """The dataset, opened when it is first asked for. `problem` says why there is none."""

    def __init__(self, folder: str | None) -> None:
        self.folder = folder
        self._dataset: FacialKeypointsDataset | None = None
        self._lock = threading.Lock()

    def open(self) -> FacialKeypointsDataset:
        """Raises DataError, with where data is looked for, if there is none."""
        with self._lock:
            if self._dataset is None:
                root = find_data(self.folder)
                if root is None:
                    raise DataError(f"No dataset was found. It is looked for in {PLACES}.")
                self._dataset = FacialKeypointsDataset(root)
            return self._dataset

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
    """

    settings: Settings
    data: DataSource
    models: ModelStore
    runs: RunManager
    page: gr.Blocks
    picker: gr.Dropdown
    tabs: gr.Tabs
    run_ids: gr.BrowserState

    def offer_models(self, owned: dict, chosen: str | None) -> gr.Dropdown:
        """The picker with the visitor's own networks and the shipped ones."""
        choices = self.models.choices(owned["ids"])
        values = [value for _, value in choices]
        return gr.Dropdown(choices, value=chosen if chosen in values else next(iter(self.models.names()), None))
