"""Fetch the dataset.

About 340 MB, from Amazon S3 or else from GitHub, verified and unpacked. After Ctrl-C the same command resumes the
download. A proxy is taken from the environment (HTTPS_PROXY).
"""

import argparse
import os
import sys

from tqdm import tqdm

from kp.commands.common import add_json, print_json
from kp.download.dataset import download
from kp.download.progress import Progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="DIR", help="the folder for it (default: KP_DATA, else data/)")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    report = JsonReport() if options.json else TerminalReport()
    try:
        root = download(options.data or os.environ.get("KP_DATA") or "data", progress=report)
    except KeyboardInterrupt:
        report.close()
        print("Interrupted. What has arrived is kept: the same command goes on from there.", file=sys.stderr)
        return 130
    finally:
        report.close()
    report.end(str(root))
    return 0


class JsonReport:
    """One event a line."""

    def __init__(self) -> None:
        self.downloaded = False

    def __call__(self, progress: Progress) -> None:
        self.downloaded = True
        print_json(progress.to_json())

    def end(self, folder: str) -> None:
        print_json({"event": "Downloaded", "folder": folder, "anew": self.downloaded})

    def close(self) -> None:
        pass


class TerminalReport:
    """A bar in MB for each step on stderr; where stderr is no terminal, a line for each step."""

    def __init__(self) -> None:
        self.bar: tqdm | None = None
        self.current = ("", "")

    def __call__(self, progress: Progress) -> None:
        current = (progress.step, progress.source)
        if self.bar is None or self.current != current:
            self.close()
            self.current = current
            self.bar = self._begin(progress)
        self.bar.total = progress.total
        self.bar.update(progress.done - self.bar.n)

    def _begin(self, progress: Progress) -> tqdm:
        what = f"{progress.step} ({progress.source})"
        if not sys.stderr.isatty():
            print(what, file=sys.stderr)
        return tqdm(
            desc=what, total=progress.total, initial=progress.done, unit="B", unit_scale=True, disable=None, leave=False
        )

    def end(self, folder: str) -> None:
        print(f"The dataset is in {folder}." if self.bar is not None else f"The dataset is in {folder} already.")

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
