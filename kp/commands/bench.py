"""Measure speed on this machine: data, training, prediction, the app's start.

Machines are noisy: compare figures of one run with each other, and run it on an idle machine.
"""

import argparse
import json
import platform
from dataclasses import asdict
from pathlib import Path

import torch

from kp.bench import MEASUREMENTS
from kp.commands.common import add_data, add_json, open_dataset, print_json
from kp.export import write_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, metavar="PART",
                        help=f"measure only these: {', '.join(MEASUREMENTS)}")
    parser.add_argument("--out", metavar="FILE", help="write the figures as JSON too")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    root = open_dataset(options.data).root
    machine = {"processor": platform.processor() or platform.machine(), "threads": torch.get_num_threads(),
               "torch": torch.__version__, "python": platform.python_version()}
    rows = []
    for part in options.only or MEASUREMENTS:
        for row in MEASUREMENTS[part](root):
            rows.append({"part": part, **asdict(row)})
            if not options.json:
                print(f"{part:<11} {row.what:<60} {row.value:>10.3g} {row.unit}", flush=True)
    result = {"machine": machine, "figures": rows}
    if options.out:
        write_file(Path(options.out), json.dumps(result, indent=1).encode())
    if options.json:
        print_json(result)
    return 0
