"""Train a network and save it.

The defaults are one short run on face crops; start from a preset, or set single options, e.g.
  python -m kp train --preset reference --out mine.safetensors
Several processes take a shard of each batch, here two:
  torchrun --nproc-per-node 2 -m kp train --preset reference --out mine.safetensors
(after Ctrl-C, torchrun adds a message and an exit code of its own).
Ctrl-C stops after the step and saves the network so far (exit code 130); a loss that is not finite ends
the run with the last good weights saved (exit code 1). The network is saved about once a minute meanwhile.
"""

import argparse
import contextlib
import dataclasses
import signal
from collections.abc import Callable, Iterator

import torch

from kp.checkpoint import load_checkpoint
from kp.checkpoint_format import OLD_SETTINGS, current_settings
from kp.commands.common import (
    add_checkpoint,
    add_data,
    add_json,
    add_old_name,
    checkpoint_file,
    claim_outputs,
    open_dataset,
)
from kp.commands.train_report import CheckpointSaver, TerminalReport, print_event_json
from kp.errors import ConfigError
from kp.hardware import keep_memory
from kp.training import PRESETS, RunEnded, TrainConfig, TrainEvent, train
from kp.training.config import CHOICES
from kp.training.device import DEVICES
from kp.training.distributed import ProcessGroup, free_threads, join_process_group

EXIT_CODES = {"finished": 0, "diverged": 1, "stopped": 130}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    add_checkpoint(parser)
    parser.add_argument(
        "--preset",
        default=None,
        metavar="NAME",
        help=f"settings to start from: {', '.join(PRESETS)}; other options change them",
    )
    init = parser.add_argument(
        "--init-from",
        metavar="MODEL",
        help="a network whose weights to start from, by name or file, instead of random ones",
    )
    add_old_name(parser, "--start", init)
    parser.add_argument(
        "--threads",
        type=int,
        default=0,
        help="processor threads of each process; 0 for as many as there are idle cores",
    )
    parser.add_argument(
        "--device",
        default="auto",
        metavar="NAME",
        help=f"device to train on: {', '.join(DEVICES)} (default: auto, a GPU where there is one)",
    )
    add_json(parser)
    group = parser.add_argument_group("settings")
    for option in dataclasses.fields(TrainConfig):
        action = group.add_argument(
            f"--{option.name.replace('_', '-')}",
            type=type(option.default),
            default=None,
            metavar="V",
            help=f"{option.metadata['help']}{_choices(option.name)} (default: {option.default})",
        )
        for old in [old for old, new in OLD_SETTINGS.items() if new == option.name]:
            add_old_name(parser, f"--{old}", action)


def _choices(name: str) -> str:
    return f": {', '.join(CHOICES[name])}" if name in CHOICES else ""


def config_of(options: argparse.Namespace) -> TrainConfig:
    """The preset with what the options change. Raises ConfigError for an unknown preset or a bad value."""
    if options.preset is not None and options.preset not in PRESETS:
        raise ConfigError(f"There is no preset {options.preset!r}. Choose one of: {', '.join(PRESETS)}.")
    start = PRESETS[options.preset] if options.preset else TrainConfig()
    changes = {option.name: getattr(options, option.name) for option in dataclasses.fields(TrainConfig)}
    return dataclasses.replace(start, **current_settings({k: v for k, v in changes.items() if v is not None}))


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    out = checkpoint_file(options)
    if options.threads < 0:
        raise ConfigError(f"--threads is {options.threads}; name at least 1, or 0 for as many as there are idle cores.")
    start = load_checkpoint(options.init_from) if options.init_from else None
    dataset = open_dataset(options)
    claim_outputs([out], options)
    keep_memory()
    with join_process_group() as group:
        torch.set_num_threads(options.threads or free_threads(group))
        with stop_on_ctrl_c() as stop:
            events = train(config, dataset, stop=stop, device=options.device, group=group, start=start)
            return follow(events, options, group)


@contextlib.contextmanager
def stop_on_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Yields a function that returns whether Ctrl-C was pressed; pressing it again changes nothing."""
    pressed: list[int] = []  # no Event: its lock would deadlock when a second signal interrupts the first one's handler
    previous = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, previous)


def follow(events: Iterator[TrainEvent], options: argparse.Namespace, group: ProcessGroup) -> int:
    """Save and report the events, in the first process of a group; returns the exit code."""
    report, saver = print_event_json if options.json else TerminalReport(), CheckpointSaver(options)
    code = EXIT_CODES["stopped"]
    for event in events:
        if group.rank == 0:
            saver.take(event)
            report(event)
        if isinstance(event, RunEnded):
            code = EXIT_CODES[event.reason]
    return code
