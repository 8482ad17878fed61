"""A trained network with everything needed to use it: weights as safetensors, the rest as JSON metadata.

Weights over `max_bytes` a file go to further files (shards) beside the first, which lists them with their checksums.
"""

import contextlib
import json
import platform
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from kp import __version__
from kp.checkpoint_format import (
    FORMAT,
    KEY,
    SUFFIX,
    current_name,
    join_pieces,
    read_file,
    split_into_shards,
    verified_calibration,
    verify_description,
)
from kp.data.preprocessing import Preprocessing
from kp.errors import CheckpointError, ConfigError
from kp.files import atomic_write, digest_of_file
from kp.landmarks import NUM_KEYPOINTS
from kp.models import create_model
from kp.models.base import StagedModel

SHIPPED = Path(__file__).resolve().parent.parent / "checkpoints"
NO_NETWORK = "appearance"  # the model of synthetic faces (kp/synthetic/appearance.py), in the same folder
UNCALIBRATED = 0.7  # the threshold of a checkpoint without a calibration


@dataclass(frozen=True)
class Checkpoint:
    """Architecture and weights, the Preprocessing they were trained with, training settings and metrics.

    >>> from kp import load_checkpoint
    >>> checkpoint = load_checkpoint("heatmap_net_minute")
    >>> checkpoint.architecture, checkpoint.preprocessing.channels
    ('heatmap_net', 1)
    """

    architecture: str
    arguments: dict[str, Any]
    weights: dict[str, torch.Tensor]
    preprocessing: Preprocessing
    config: dict[str, Any] = field(default_factory=dict)  # the TrainConfig, as plain values
    data: dict[str, Any] = field(default_factory=dict)  # name, split, images, people
    metrics: dict[str, Any] = field(default_factory=dict)  # "people, true-box": {"nme_mean": ...}
    history: list[dict[str, float]] = field(default_factory=list)  # one entry an epoch, for the curves
    versions: dict[str, str] = field(default_factory=dict)
    title: str = ""
    calibration: dict[str, Any] = field(default_factory=dict)  # by number of crops a face: {"1": {"threshold": 0.9}}

    def confidence_threshold(self, tta: int) -> float:
        """The expected fraction of good points below which confidence is low, 0..1, for `tta` crops a face.

        From the calibration of as many crops, or of the next fewer; 0.7 where there is none.
        """
        fitted = [int(count) for count in self.calibration if int(count) <= tta]
        return float(self.calibration[str(max(fitted))]["threshold"]) if fitted else UNCALIBRATED

    def create_model(self) -> StagedModel:
        """The network with its weights, in evaluation mode. Raises CheckpointError if they do not fit."""
        try:
            model = create_model(self.architecture, **self.arguments)
            model.load_state_dict(self.weights)
            size, channels = self.preprocessing.size, self.preprocessing.channels
            with torch.inference_mode():
                shape = model.eval()(torch.zeros(1, channels, size, size)).shape
        except (ConfigError, RuntimeError, TypeError, ValueError) as error:
            raise self._unfit(" ".join(str(error).split())[:300]) from None
        if shape != (1, NUM_KEYPOINTS, 2):
            raise self._unfit(
                f"one image gives an output of shape {' x '.join(map(str, shape))}, not 1 x {NUM_KEYPOINTS} x 2"
            )
        return model

    def _unfit(self, reason: str) -> CheckpointError:
        given = {**self.arguments, **vars(self.preprocessing)}
        return CheckpointError(
            f"The weights do not fit the architecture {self.architecture} with "
            f"{', '.join(f'{name} {value}' for name, value in given.items())}: {reason}. "
            "Train it again, or copy the file again."
        )


def current_versions() -> dict[str, str]:
    """The versions of kp, PyTorch and Python in use."""
    return {"kp": __version__, "torch": torch.__version__, "python": platform.python_version()}


def save_checkpoint(
    checkpoint: Checkpoint, path: Path | str, *, dtype: torch.dtype | None = None, max_bytes: int | None = None
) -> list[Path]:
    """Write `path` (and shards beside it) atomically; returns the files.

    dtype: torch.float16 halves the files. Raises CheckpointError where they cannot be written.

        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from kp import load_checkpoint, save_checkpoint
        >>> with TemporaryDirectory() as folder:
        ...     files = save_checkpoint(load_checkpoint("heatmap_net_minute"), Path(folder, "copy.safetensors"))
        ...     [file.name for file in files], load_checkpoint(files[0]).architecture
        (['copy.safetensors'], 'heatmap_net')
    """
    path = Path(path)
    weights = {
        name: tensor.detach().cpu().to(dtype if dtype and tensor.is_floating_point() else tensor.dtype).contiguous()
        for name, tensor in checkpoint.weights.items()
    }
    meta = {
        "format": FORMAT,
        **{name: value for name, value in asdict(replace(checkpoint, weights={})).items() if name != "weights"},
    }
    first, *rest = split_into_shards(weights, max_bytes)
    earlier, begun = _shard_files(path), []
    meta["shards"] = {}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for shard in rest:
            data = save(shard)
            digest = sha256(data).hexdigest()
            file = path.with_name(f"{path.stem}.{digest[:8]}.shard")
            meta["shards"][file.name] = digest
            if not file.exists():
                begun.append(file)
            atomic_write(file, data, durable=True)
        atomic_write(path, save(first, {KEY: json.dumps(meta)}), durable=True)
    except OSError as error:
        for half_written in begun:
            half_written.unlink(missing_ok=True)
        raise CheckpointError(
            f"{path} cannot be written ({error.strerror or error}). Free some space or name another file."
        ) from None
    for file in earlier:
        if file.name not in meta["shards"]:
            with contextlib.suppress(OSError):  # the new checkpoint is complete, with or without old shards
                file.unlink()
    return [path, *(path.with_name(name) for name in meta["shards"])]


def _shard_files(path: Path) -> list[Path]:
    """The shards of the checkpoint at `path` whose checksums agree; none where it is no checkpoint."""
    try:
        shards = read_description(path)["shards"] if path.is_file() else {}
    except CheckpointError:
        return []
    files = {path.with_name(Path(name).name): digest for name, digest in shards.items()}
    return [file for file, digest in files.items() if digest_of_file(file) == digest]


def list_checkpoints(folder: Path = SHIPPED) -> dict[str, Path]:
    """The checkpoints in a folder: paths by name."""
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}")) if path.stem != NO_NETWORK}


def find_checkpoint(model: str | Path) -> Path:
    """The file of a shipped checkpoint by name, or by path. Raises CheckpointError where there is none."""
    shipped = list_checkpoints()
    if str(model) in shipped:
        return shipped[str(model)]
    path = Path(model)
    if path.is_file():
        return path
    raise CheckpointError(
        f"There is no checkpoint {str(model)!r}. Name one of {', '.join(shipped) or 'none shipped'}, "
        f"or the path of a {SUFFIX} file."
    )


def load_checkpoint(model: str | Path) -> Checkpoint:
    """A checkpoint by name (such as "five_conv") or path. Raises CheckpointError for anything else.

    >>> from kp import load_checkpoint
    >>> load_checkpoint("heatmap_net_minute").create_model().training
    False
    """
    path = find_checkpoint(model)
    meta, weights = read_file(path)
    verify_description(path, meta)
    for name, digest in meta["shards"].items():
        shard = path.parent / Path(name).name
        if not shard.is_file():
            raise CheckpointError(f"{path.name} also needs {shard}, which is missing. Copy both files together.")
        if sha256(shard.read_bytes()).hexdigest() != digest:
            raise CheckpointError(f"{shard} is not the file that belongs to {path.name}. Copy both files again.")
        weights |= read_file(shard)[1]
    try:
        return Checkpoint(
            architecture=meta["architecture"],
            arguments=meta["arguments"],
            weights={current_name(name): tensor for name, tensor in join_pieces(weights).items()},
            preprocessing=Preprocessing(**meta["preprocessing"]),
            calibration=verified_calibration(path, meta),
            **{key: meta[key] for key in ("config", "data", "metrics", "history", "versions", "title")},
        )
    except (TypeError, ValueError, RuntimeError, ConfigError) as error:
        raise CheckpointError(f"{path} has garbled weights or preprocessing ({error}). Train it again.") from None


def read_description(path: Path) -> dict[str, Any]:
    """The JSON of a checkpoint file, without its weights. Raises CheckpointError for anything else."""
    meta, _ = read_file(path, weights=False)
    verify_description(path, meta)
    return meta
