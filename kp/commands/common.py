"""Options and output that several commands share. Only the command line prints."""

import argparse
import json
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from kp.data import FacialKeypointsDataset, find_data
from kp.data.dataset import PLACES
from kp.errors import DataError


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="DIR", help="the dataset's folder (default: KP_DATA, else data/)")


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def open_dataset(folder: str | None) -> FacialKeypointsDataset:
    """The dataset of --data, KP_DATA or data/. Raises DataError where there is none."""
    root = find_data(folder)
    if root is None:
        raise DataError(f"There is no dataset. Name its folder with {PLACES}.")
    return FacialKeypointsDataset(root)


def print_json(value: Any) -> None:
    print(json.dumps(value), flush=True)


@contextmanager
def progress_bar(what: str, *, hidden: bool = False):
    """A callback(done, total) that draws a bar on the terminal."""
    with tqdm(desc=what, unit=" images", disable=True if hidden else None, leave=False) as bar:
        def update(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield update


Progress = Callable[[int, int], None]
