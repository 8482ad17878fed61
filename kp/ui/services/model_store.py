"""The networks that a visitor can choose from: the shipped ones, and those of their own runs."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from kp.checkpoint import Checkpoint, list_checkpoints, load_checkpoint
from kp.errors import CheckpointError
from kp.model_card import ModelCard, read_card
from kp.prediction.predictor import Predictor

Key = TypeVar("Key")
Value = TypeVar("Value")
RUN = "run:"  # prefix of the picker's value for a run's network, before its id
KEPT = 6  # networks in memory
NO_MODEL = "There is no network to predict with yet. Train one in the Train tab."


class ModelStore:
    """Networks by the picker's value: a shipped name, or "run:ID". Loaded once, shared read-only by all visitors."""

    def __init__(self, runs_folder: Path) -> None:
        self.runs_folder = runs_folder
        self._checkpoints: OrderedDict[tuple[Path, int], Checkpoint] = OrderedDict()
        self._predictors: OrderedDict[tuple[int, str, float | None, float | None, int], Predictor] = OrderedDict()
        self._lock = threading.Lock()

    def path(self, name: str) -> Path:
        """The file of a picker's value. Raises CheckpointError for anything else, other paths included."""
        run = name.removeprefix(RUN)
        if name.startswith(RUN) and run.isalnum():
            path = self.runs_folder / f"{run}.safetensors"
            if path.is_file():
                return path
            raise CheckpointError("That run's network is gone; old runs make room for new ones. Train it again.")
        shipped = list_checkpoints()
        if name not in shipped:
            raise CheckpointError(f"There is no model {name!r} here. Choose one of: {', '.join(shipped)}.")
        return shipped[name]

    def card(self, name: str) -> ModelCard:
        return read_card(self.path(name))

    def checkpoint(self, name: str) -> Checkpoint:
        path = self.path(name)
        key = (path, path.stat().st_mtime_ns)
        return self._kept(self._checkpoints, key, lambda: load_checkpoint(path))

    def predictor(
        self,
        name: str,
        detector: str = "yunet",
        *,
        threshold: float | None = None,
        margin: float | None = None,
        tta: int = 1,
    ) -> Predictor:
        """A Predictor with these settings. Raises KpError where there is none."""
        checkpoint = self.checkpoint(name)
        key = (id(checkpoint), detector, threshold, margin, tta)
        return self._kept(
            self._predictors,
            key,
            lambda: Predictor(checkpoint, detector, threshold=threshold, margin=margin, tta=tta),
        )

    def choices(self, run_ids: Sequence[str] = ()) -> list[tuple[str, str]]:
        """Labels and values for the picker: the visitor's runs that are still kept, newest first, then the shipped."""
        runs = [
            (f"your run {run}", RUN + run)
            for run in reversed(run_ids)
            if run.isalnum() and (self.runs_folder / f"{run}.safetensors").is_file()
        ]
        return runs + [(name, name) for name in self.names()]

    def names(self) -> list[str]:
        """The shipped networks, best first; the unmeasured last."""
        cards = [read_card(path) for path in list_checkpoints().values()]
        return [card.name for card in sorted(cards, key=lambda card: (card.nme is None, card.nme))]

    def _kept(self, cache: OrderedDict[Key, Value], key: Key, make: Callable[[], Value]) -> Value:
        """`cache[key]`, made where it is missing; the KEPT entries used last stay."""
        with self._lock:
            if key not in cache:
                cache[key] = make()
                while len(cache) > KEPT:
                    cache.popitem(last=False)
            cache.move_to_end(key)
            return cache[key]
