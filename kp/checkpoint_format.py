"""The format of checkpoint files: safetensors with one JSON entry of metadata, in one file or in shards.

Reading one runs no code: a pickle is refused.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from kp.errors import CheckpointError, ConfigError
from kp.models import MODELS

FORMAT = 1
KEY = "keypoint_lab"  # the one metadata entry of the file, a JSON object
SUFFIX = ".safetensors"
DESCRIPTION: dict[str, type] = {  # its keys and the types of their values
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
# Names of settings (TrainConfig) and of parameters in files of earlier versions.
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
PIECE = "//"  # a tensor too large for one shard is split into rows: "fc1.weight//0", "fc1.weight//1"


def read_file(path: Path, *, weights: bool = True) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The JSON description (empty in a shard) and the tensors of one file; no tensors without `weights`.

    Floating-point tensors become float32. Raises CheckpointError for anything but a checkpoint.
    """
    with path.open("rb") as file:
        head = file.read(9)
    if head[:9] == b"version h" or path.suffix.lower() == ".onnx":
        raise CheckpointError(f"{path} {foreign_file(path)}")
    # A safetensors file begins with the length of its JSON, eight bytes of any value, and then "{".
    if head[8:] != b"{" and head[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        raise CheckpointError(
            f"{path} is a PyTorch pickle, which may run code when it is opened, so it is refused. "
            f"Use a {SUFFIX} file that `python -m kp train` wrote; `python -m kp info` lists those "
            "that are shipped."
        )
    try:
        with safe_open(path, framework="pt") as stored:
            raw = (stored.metadata() or {}).get(KEY)
            names = list(stored.keys()) if weights else []
            tensors = {name: stored.get_tensor(name) for name in names}
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
    """The end of an error message about a Git LFS pointer or an ONNX file."""
    if path.suffix.lower() == ".onnx":
        return (
            f"is an ONNX export, for programs without PyTorch (onnxruntime runs it). Name the {SUFFIX} file it was "
            "exported from."
        )
    return "is a Git LFS pointer, not the file itself. Run `git lfs pull` in its repository, or download the file."


def verify_description(path: Path, meta: Any) -> None:
    """Raises CheckpointError unless the description is complete; renames old settings in place."""
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


def verified_calibration(path: Path, meta: dict[str, Any]) -> dict[str, Any]:
    """The calibration of a description, empty where it has none. Raises CheckpointError for a garbled one."""
    calibration = meta.get("calibration", {})
    try:
        if all(int(crops) > 0 and 0 < float(entry["threshold"]) < 1 for crops, entry in calibration.items()):
            return calibration
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    raise CheckpointError(
        f"{path} garbles 'calibration' in its description. Run `python -m kp calibrate` on a whole copy of it."
    )


def current_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """A run's settings with names of earlier versions replaced by the present ones."""
    renamed = {OLD_SETTINGS.get(name, name): value for name, value in config.items()}
    if renamed.get("augmentation") == "deep":
        renamed["augmentation"] = "3d"
    return renamed


def current_name(parameter: str) -> str:
    """The present name of a network's parameter that an earlier version may have named otherwise."""
    for old, new in OLD_PARAMETERS.items():
        parameter = parameter.replace(old, new)
    return parameter


def split_into_shards(weights: dict[str, torch.Tensor], max_bytes: int | None) -> list[dict[str, torch.Tensor]]:
    """The tensors in as few groups as fit `max_bytes` each; large tensors are split into rows."""
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


def join_pieces(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors with those that were split into rows joined again."""
    joined = {name: tensor for name, tensor in weights.items() if PIECE not in name}
    for name in {name.partition(PIECE)[0] for name in weights if PIECE in name}:
        pieces = [key for key in weights if key.startswith(name + PIECE)]
        pieces.sort(key=lambda key: int(key.split(PIECE)[1]))
        joined[name] = torch.cat([weights[key] for key in pieces])
    return joined
