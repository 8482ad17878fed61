"""A trained network with all that is needed to use it: weights as safetensors, the rest as JSON inside.

Never a pickle: opening a checkpoint runs no code. Weights over `max_bytes` a file go to further files
(shards) beside the first, which names them with their checksums.
"""

import contextlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from kp import __version__
from kp.data.preprocessing import Preprocessing
from kp.errors import CheckpointError, ConfigError
from kp.files import atomic_write, digest_of_file
from kp.landmarks import NUM_KEYPOINTS
from kp.models import MODELS, create_model
from kp.models.base import StagedModel

FORMAT = 1
KEY = "keypoint_lab"  # the one metadata entry of the file, a JSON object
SHIPPED = Path(__file__).resolve().parent.parent / "checkpoints"
SUFFIX = ".safetensors"
NO_NETWORK = "appearance"  # the sample faces' model (kp/synthetic/appearance.py), which lies among the checkpoints
DESCRIPTION: dict[str, type] = {  # what that object must hold
    "architecture": str,
    "arguments": dict,
    "preprocessing": dict,
    "config": dict,
    "data": dict,
    "metrics": dict,
    "history": list,
    "versions": dict,
    "title": str,
    "shards": dict,
}
# What earlier versions called settings of a run (TrainConfig) and parts of networks: their files are read.
OLD_SETTINGS = {
    "subset": "max_train_images",
    "size": "crop_size",
    "seconds": "max_seconds",
    "evaluations": "evals_per_epoch",
    "averaging": "ema_decay",
}
OLD_PARAMETERS = {
    "way_round": "shortcut",
    "narrow8": "lateral8",
    "narrow16": "lateral16",
    "spreads.": "sigmas.",
    "spread_of_all": "sigma_of_face",
}
UNCALIBRATED = 0.7  # the threshold of a checkpoint without a calibration
PIECE = "//"  # a tensor too large for one shard is stored in rows: "fc1.weight//0", "fc1.weight//1"


@dataclass(frozen=True)
class Checkpoint:
    """Architecture and weights, the Preprocessing they were trained with, and the record of how and how well.

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
    calibration: dict[str, Any] = field(
        default_factory=dict
    )  # by number of crops a face: {"1": {"threshold": 0.9, ...}}

    def confidence_threshold(self, tta: int) -> float:
        """The expected share of good points below which confidence is low, for so many crops a face, 0..1.

        Of the calibration of as many crops, or of the most below; 0.7 where there is none.
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
                f"one picture gives an answer of shape {' x '.join(map(str, shape))}, not 1 x {NUM_KEYPOINTS} x 2"
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
    return {"kp": __version__, "torch": torch.__version__, "python": platform.python_version()}


def save_checkpoint(
    checkpoint: Checkpoint, path: Path | str, *, dtype: torch.dtype | None = None, max_bytes: int | None = None
) -> list[Path]:
    """Write `path` (and shards beside it) and return the files. Whoever reads meanwhile sees the old or the new one.

    dtype: torch.float16 halves the files. Raises CheckpointError where the disk does not take it.

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
        **{name: value for name, value in asdict(_without_weights(checkpoint)).items() if name != "weights"},
    }
    first, *rest = _shards(weights, max_bytes)
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
            with contextlib.suppress(OSError):  # the new checkpoint is whole, with or without old shards
                file.unlink()
    return [path, *(path.with_name(name) for name in meta["shards"])]


def _shard_files(path: Path) -> list[Path]:
    """The shards that the checkpoint at `path` names and that are as it says; none where it is no checkpoint."""
    try:
        shards = read_description(path)["shards"] if path.is_file() else {}
    except CheckpointError:
        return []
    files = {path.with_name(Path(name).name): digest for name, digest in shards.items()}
    return [file for file, digest in files.items() if digest_of_file(file) == digest]


def _without_weights(checkpoint: Checkpoint) -> Checkpoint:
    return Checkpoint(**{**vars(checkpoint), "weights": {}})


def _shards(weights: dict[str, torch.Tensor], max_bytes: int | None) -> list[dict[str, torch.Tensor]]:
    """The tensors in as few groups as fit `max_bytes` each; large tensors are cut into rows."""
    if max_bytes is None:
        return [weights]
    room = max_bytes - 64 * 1024  # for the header
    shards: list[dict[str, torch.Tensor]] = [{}]
    free = room
    for name, tensor in weights.items():
        rows, piece = tensor, 0
        if rows.nbytes > room * max(1, len(rows) if rows.dim() else 1):
            raise ConfigError(f"max_bytes is {max_bytes}, too little for one row of {name}. Allow more.")
        while rows.nbytes > free:
            fit = int(free // (rows.nbytes / len(rows))) if rows.dim() else 0
            if fit > 0:
                shards[-1][f"{name}{PIECE}{piece}"] = rows[:fit].clone()
                rows, piece = rows[fit:], piece + 1
            shards.append({})
            free = room
        shards[-1][f"{name}{PIECE}{piece}" if piece else name] = rows.clone()
        free -= rows.nbytes
    return shards


def list_checkpoints(folder: Path = SHIPPED) -> dict[str, Path]:
    """Names and paths of the checkpoints in a folder."""
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}")) if path.stem != NO_NETWORK}


def find_checkpoint(model: str | Path) -> Path:
    """The file of a shipped checkpoint's name, or of a path. Raises CheckpointError if there is none."""
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
    """A checkpoint by name (such as "five_conv") or path. Raises CheckpointError with advice for anything else.

    >>> from kp import load_checkpoint
    >>> load_checkpoint("heatmap_net_minute").create_model().training
    False
    """
    path = find_checkpoint(model)
    meta, weights = _read(path)
    _check(path, meta)
    for name, digest in meta["shards"].items():
        shard = path.parent / Path(name).name
        if not shard.is_file():
            raise CheckpointError(f"{path.name} also needs {shard}, which is missing. Copy both files together.")
        if sha256(shard.read_bytes()).hexdigest() != digest:
            raise CheckpointError(f"{shard} is not the file that belongs to {path.name}. Copy both files again.")
        weights |= _read(shard)[1]
    try:
        return Checkpoint(
            architecture=meta["architecture"],
            arguments=meta["arguments"],
            weights={current_name(name): tensor for name, tensor in _joined(weights).items()},
            preprocessing=Preprocessing(**meta["preprocessing"]),
            calibration=_calibration(path, meta),
            **{key: meta[key] for key in ("config", "data", "metrics", "history", "versions", "title")},
        )
    except (TypeError, ValueError, RuntimeError, ConfigError) as error:
        raise CheckpointError(f"{path} has garbled weights or preprocessing ({error}). Train it again.") from None


def _calibration(path: Path, meta: dict[str, Any]) -> dict[str, Any]:
    """The calibration of a description; empty in files that were written without one."""
    calibration = meta.get("calibration", {})
    try:
        if all(int(crops) > 0 and 0 < float(entry["threshold"]) < 1 for crops, entry in calibration.items()):
            return calibration
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    raise CheckpointError(
        f"{path} garbles 'calibration' in its description. Run `python -m kp calibrate` on a whole copy of it."
    )


def read_description(path: Path) -> dict[str, Any]:
    """The JSON of a checkpoint file, without its weights. Raises CheckpointError with advice for anything else."""
    meta, _ = _read(path, weights=False)
    _check(path, meta)
    return meta


def _check(path: Path, meta: dict[str, Any]) -> None:
    if not isinstance(meta, dict):
        raise CheckpointError(f"{path} has a description that is no JSON object. Train it again.")
    if meta.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} has format {meta.get('format')!r}; this version of kp reads format {FORMAT}. "
            "Update kp, or train it again."
        )
    for key, kind in DESCRIPTION.items():
        if not isinstance(meta.get(key), kind):
            raise CheckpointError(f"{path} lacks or garbles {key!r} in its description. Train it again.")
    if meta["architecture"] not in MODELS:
        raise CheckpointError(
            f"{path} holds the architecture {meta['architecture']!r}, which this version of kp does "
            f"not know ({', '.join(MODELS)}). Update kp."
        )
    meta["config"] = current_settings(meta["config"])


def current_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """A run's settings under the names that they have now; those of earlier versions are renamed."""
    renamed = {OLD_SETTINGS.get(name, name): value for name, value in config.items()}
    if renamed.get("augmentation") == "deep":
        renamed["augmentation"] = "3d"
    return renamed


def current_name(parameter: str) -> str:
    """The name that a parameter of a network has now; those of earlier versions are renamed."""
    for old, new in OLD_PARAMETERS.items():
        parameter = parameter.replace(old, new)
    return parameter


def _read(path: Path, *, weights: bool = True) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The JSON description (empty in a shard) and the tensors of one file, or none of them."""
    with path.open("rb") as file:
        head = file.read(9)
    if head[:9] == b"version h" or path.suffix.lower() == ".onnx":
        raise CheckpointError(f"{path} {foreign_file(path)}")
    # A safetensors file begins with the length of its JSON, eight bytes that may look like anything.
    if head[8:] != b"{" and head[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        raise CheckpointError(
            f"{path} is a PyTorch pickle, which may run code when it is opened, so it is refused. "
            f"Use a {SUFFIX} file that `python -m kp train` wrote; `python -m kp info` lists those "
            "that are shipped."
        )
    try:
        with safe_open(path, framework="pt") as file:
            raw = (file.metadata() or {}).get(KEY)
            names = list(file.keys()) if weights else []
            tensors = {name: file.get_tensor(name) for name in names}
        meta = json.loads(raw) if raw else {}
    except (SafetensorError, json.JSONDecodeError, OSError) as error:
        raise CheckpointError(f"{path} is damaged or no safetensors file ({error}). Copy or train it again.") from None
    if raw is None and path.suffix == SUFFIX:
        raise CheckpointError(
            f"{path} is a safetensors file of another program: it has no {KEY!r} description. "
            "Use a file that `python -m kp train` wrote."
        )
    return meta, {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}


def foreign_file(path: Path) -> str:
    """What a Git LFS pointer or an ONNX file is and what to do, as the end of a sentence."""
    if path.suffix.lower() == ".onnx":
        return (
            f"is an ONNX export, for programs without PyTorch (onnxruntime runs it). Name the {SUFFIX} file it was "
            "exported from."
        )
    return "is a Git LFS pointer, not the file itself. Run `git lfs pull` in its repository, or download the file."


def _joined(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors that were cut into rows, whole again."""
    joined = {name: tensor for name, tensor in weights.items() if PIECE not in name}
    for name in {name.partition(PIECE)[0] for name in weights if PIECE in name}:
        pieces = [key for key in weights if key.startswith(name + PIECE)]
        pieces.sort(key=lambda key: int(key.split(PIECE)[1]))
        joined[name] = torch.cat([weights[key] for key in pieces])
    return joined
