"""Measure speed on this machine: data, training, learning, prediction, photos, other programs, the app's start.

Compare only figures of one run on an idle machine, as timings vary. All of it takes about ten minutes on two cores;
--only selects parts:
  data        opening the dataset, decoding it, a page of frames
  training    images a second of the training loop and of a plain one, same network and images
  learning    seconds until the preset minute reaches some levels of error on the test people
  prediction  a photo of 12 megapixels; each shipped network alone, by threads and batch
  photos      photos of one face and of twenty, frames of a webcam, a thousand files, twenty visitors at once
  peers       error and latency of the shipped networks, and of MediaPipe (pip install mediapipe==0.10.21) and dlib
              (its model's file named by KP_DLIB_MODEL) where they are installed
  app         python demo.py until its page answers
"""

import argparse
import json
import os
import platform
import tempfile
from dataclasses import asdict
from pathlib import Path

import torch

from kp.bench import MEASUREMENTS, Row
from kp.bench.data import write_files
from kp.commands.common import add_data, add_json, add_overwrite, claim_outputs, open_dataset, print_json
from kp.errors import ConfigError
from kp.files import write_file
from kp.training.distributed import SINGLE_PROCESS, free_threads


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    parser.add_argument(
        "--only", nargs="+", choices=MEASUREMENTS, metavar="PART", help=f"measure only these: {', '.join(MEASUREMENTS)}"
    )
    parser.add_argument("--out", metavar="FILE", help="write the figures as JSON too")
    add_overwrite(parser)
    parser.add_argument(
        "--threads", type=int, default=0, help="processor threads; 0 for as many as there are idle cores"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    if options.threads < 0:
        raise ConfigError(f"--threads is {options.threads}; name at least 1, or 0 for as many as there are idle cores.")
    if options.out:
        claim_outputs([Path(options.out)], options)
    dataset = open_dataset(options)
    torch.set_num_threads(options.threads or free_threads(SINGLE_PROCESS))
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        root = write_files(dataset, Path(folder)) if dataset.synthetic else dataset.root
        for part in options.only or MEASUREMENTS:
            for row in MEASUREMENTS[part](root):
                rows.append({"part": part, **asdict(row)})
                if not options.json:
                    print(f"{part:<11} {row.what:<62} {figure(row):>13} {row.unit}", flush=True)
    result = {"machine": machine, "figures": rows}
    if options.out:
        write_file(Path(options.out), json.dumps(result, indent=1).encode())
    if options.json:
        print_json(result)
    return 0


def figure(row: Row) -> str:
    """The value with three significant digits, or the note that says why there is none."""
    if row.value is None:
        return row.note
    return f"{row.value:,.0f}" if abs(row.value) >= 100 else f"{row.value:.3g}"
