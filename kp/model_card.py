"""The architecture, training data and metrics of a checkpoint, without its weights."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kp.checkpoint import list_checkpoints, read_description
from kp.errors import CheckpointError, ConfigError
from kp.models import count_parameters, create_model
from kp.synthetic.dataset import is_synthetic


@dataclass(frozen=True)
class ModelCard:
    """The card of one checkpoint. megabytes: of all its files, in units of a million bytes."""

    name: str
    file: str
    title: str
    architecture: str
    parameters: int
    megabytes: float
    data: dict[str, Any] = field(repr=False)
    config: dict[str, Any] = field(repr=False)
    metrics: dict[str, dict[str, Any]] = field(repr=False)
    history: list[dict[str, float]] = field(repr=False)

    @property
    def nme(self) -> float | None:
        """Mean NME in percent on unseen people, true box; None where it was not measured."""
        return self.metrics.get("people, true-box", {}).get("nme_mean")

    @property
    def from_synthetic(self) -> bool:
        """Whether it was trained on synthetic faces."""
        return is_synthetic(self.data.get("name"))

    @property
    def trained_on(self) -> str:
        """Its training set in words."""
        kind = "synthetic faces" if self.from_synthetic else "images"
        return f"{self.data.get('images', '?')} {kind} of {self.data.get('people', '?')} people"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def read_card(path: Path) -> ModelCard:
    """The card of a checkpoint file. Raises CheckpointError for anything else."""
    meta = read_description(path)
    try:
        parameters = count_parameters(create_model(meta["architecture"], **meta["arguments"]))
    except (ConfigError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} has garbled arguments ({error}). Train it again.") from None
    files = [path, *(path.with_name(name) for name in meta["shards"])]
    return ModelCard(
        name=path.stem,
        file=str(path),
        title=meta["title"],
        architecture=meta["architecture"],
        parameters=parameters,
        megabytes=sum(file.stat().st_size for file in files if file.is_file()) / 1e6,
        data=meta["data"],
        config=meta["config"],
        metrics=meta["metrics"],
        history=meta["history"],
    )


def shipped_cards() -> list[ModelCard]:
    """The cards of all shipped checkpoints."""
    return [read_card(path) for path in list_checkpoints().values()]
