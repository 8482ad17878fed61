"""Options and output that several commands share. Only the command line prints."""

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from kp.checkpoint import SUFFIX, Checkpoint, read_description, save_checkpoint
from kp.data import FacialKeypointsDataset, find_data
from kp.data.dataset import PLACES
from kp.errors import ConfigError
from kp.files import OVERWRITE, check_outputs, listed
from kp.synthetic.dataset import SYNTHETIC, names_synthetic, open_data

SHARD_BYTES = 9_500_000  # the Hub takes plain files of up to 10 MB
Progress = Callable[[int, int], None]  # done, total


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        metavar="DIR",
        help=f"the dataset's folder, or '{SYNTHETIC}' for synthetic faces: "
        f"nobody real (default: KP_DATA, else data/, else {SYNTHETIC})",
    )
    parser.add_argument(
        "--strict", action="store_true", help="a label that cannot be a face is an error, not a warning"
    )


def add_old_name(parser: argparse.ArgumentParser, old: str, option: argparse.Action) -> None:
    """Add an earlier name of an option as a hidden alias."""
    flag: dict[str, Any] = {"action": "store_true"} if option.nargs == 0 else {"type": option.type}
    parser.add_argument(old, dest=option.dest, default=argparse.SUPPRESS, help=argparse.SUPPRESS, **flag)


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def open_dataset(options: argparse.Namespace) -> FacialKeypointsDataset:
    """The dataset of --data, KP_DATA or data/; where there is none, synthetic faces, with a line on stderr.

    Raises DataError for a named folder that is no dataset.
    """
    if not names_synthetic(options.data) and find_data(options.data) is None:
        print(
            f"There is no dataset here: this works on synthetic faces, which are nobody real. Get the dataset with "
            f"`python -m kp download`, or name its folder with {PLACES}.",
            file=sys.stderr,
        )
    return open_data(options.data, strict=options.strict)


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        OVERWRITE, action="store_true", help="replace files that are there; without it they stay as they are"
    )


def claim_outputs(paths: Sequence[Path], options: argparse.Namespace) -> None:
    """`name_replaced` after making the folder. Raises ConfigError also where no file can be written there."""
    check_writable(paths[0])
    name_replaced(paths, options)


def name_replaced(paths: Sequence[Path], options: argparse.Namespace) -> None:
    """Name the files that will be replaced, on stderr, before the work.

    Raises ConfigError where there are some and --overwrite is not given.
    """
    if replaced := check_outputs(paths, overwrite=options.overwrite):
        print(f"{OVERWRITE}: {listed(replaced)} will be replaced.", file=sys.stderr)


def check_writable(out: Path) -> None:
    """Raises ConfigError where no file can be written beside `out`, before any long work."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out.parent).close()
    except OSError as error:
        raise ConfigError(
            f"--out {out} cannot be written ({error.strerror or error}). Name a file in a folder that you may write to."
        ) from None


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """The options of a command that writes a network."""
    parser.add_argument("--out", required=True, metavar="FILE", help=f"the checkpoint to write, NAME{SUFFIX}")
    parser.add_argument("--title", default="", help="one line that describes this network")
    fp16 = parser.add_argument(
        "--fp16", action="store_true", help="save as float16, in files below 10 MB, as the shipped ones are"
    )
    add_old_name(parser, "--half", fp16)
    add_overwrite(parser)


def checkpoint_file(options: argparse.Namespace) -> Path:
    """The path of --out. Raises ConfigError unless it names a .safetensors file."""
    out = Path(options.out)
    if out.is_dir() or out.suffix != SUFFIX:
        raise ConfigError(f"--out {out} must name a file that ends in {SUFFIX}.")
    return out


def write_checkpoint(checkpoint: Checkpoint, options: argparse.Namespace) -> list[Path]:
    """Write the checkpoint of --out; returns its files. Raises CheckpointError where they cannot be written."""
    return save_checkpoint(
        dataclasses.replace(checkpoint, title=options.title or checkpoint.title),
        options.out,
        dtype=torch.float16 if options.fp16 else None,
        max_bytes=SHARD_BYTES if options.fp16 else None,
    )


def rewrite_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Replace a checkpoint's description in its file; the weights keep their precision and their shards."""
    half = all(
        torch.equal(tensor, tensor.half().float())
        for tensor in checkpoint.weights.values()
        if tensor.is_floating_point()
    )
    sharded = bool(read_description(path)["shards"])
    save_checkpoint(checkpoint, path, dtype=torch.float16 if half else None, max_bytes=SHARD_BYTES if sharded else None)


def print_json(value: Any) -> None:
    print(json.dumps(value), flush=True)


@contextmanager
def progress_bar(what: str, *, hidden: bool = False) -> Iterator[Progress]:
    """Yields a callback(done, total) that draws a bar on the terminal."""
    with tqdm(desc=what, unit=" images", disable=True if hidden else None, leave=False) as bar:

        def update(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield update
