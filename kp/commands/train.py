"""Train a network and save it.

The defaults are one short run on face crops; start from a preset, or say what differs, e.g.
  python -m kp train --preset reference --out mine.safetensors
Several processes share the work of each step, here two:
  torchrun --nproc-per-node 2 -m kp train --preset reference --out mine.safetensors
(after Ctrl-C, torchrun adds a message and an exit code of its own).
Ctrl-C stops after the step and saves the network so far (exit code 130); a loss that is no number ends
the run with the last good weights saved (exit code 1). The network is saved about once a minute on the way.
"""

import argparse
import contextlib
import dataclasses
import signal
import sys
import time
from collections.abc import Callable, Iterator

import torch
from tqdm import tqdm

from kp.checkpoint import Checkpoint, load_checkpoint
from kp.checkpoint_format import OLD_SETTINGS, current_settings
from kp.commands.common import (
    add_checkpoint,
    add_data,
    add_json,
    add_old_name,
    checkpoint_file,
    claim_outputs,
    open_dataset,
    print_json,
    write_checkpoint,
)
from kp.errors import CheckpointError, ConfigError
from kp.hardware import keep_memory
from kp.training import PRESETS, Decoding, EpochDone, RunEnded, RunStarted, StepDone, TrainConfig, TrainEvent, train
from kp.training.config import CHOICES
from kp.training.device import DEVICES
from kp.training.distributed import ProcessGroup, free_threads, join_process_group

EXIT_CODES = {"finished": 0, "diverged": 1, "stopped": 130}
SAVE_EVERY = 60.0  # seconds between two saves of the network so far


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
        help="a network whose weights to start from, by name or file, in place of new ones",
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
        help=f"what computes: {', '.join(DEVICES)} (default: auto, a GPU where there is one)",
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
    """Whether Ctrl-C was pressed, as a function; pressing it again changes nothing."""
    pressed: list[int] = []  # no Event: its lock would hang where a second signal meets the first one's handler
    previous = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, previous)


def follow(events: Iterator[TrainEvent], options: argparse.Namespace, group: ProcessGroup) -> int:
    """Save and report what happens, in the first process of a group; the exit code."""
    report, keeper = print_event_json if options.json else TerminalReport(), Keeper(options)
    for event in events:
        if group.rank == 0:
            keeper.take(event)
            report(event)
    return EXIT_CODES[event.reason]


class Keeper:
    """Saves the network now and then, and at the end. Only at the end is it an error if that cannot be done."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.tried, self.kept = time.monotonic(), 0  # the epoch of the last one saved

    def take(self, event: TrainEvent) -> None:
        """Raises CheckpointError where the last one cannot be saved."""
        match event:
            case EpochDone() if time.monotonic() - self.tried > SAVE_EVERY:
                try:
                    write_checkpoint(event.checkpoint, self.options)
                    self.kept = event.epoch
                except CheckpointError as error:
                    tqdm.write(f"Warning: {error} The training goes on, and the next try is soon.", file=sys.stderr)
                self.tried = time.monotonic()
            case RunEnded(checkpoint=Checkpoint()):
                try:
                    write_checkpoint(event.checkpoint, self.options)
                except CheckpointError as error:
                    older = f" It still holds the network after epoch {self.kept}." if self.kept else ""
                    raise CheckpointError(f"{error}{older}") from None


def print_event_json(event: TrainEvent) -> None:
    print_json(event.to_json())


def _each(processes: int) -> str:
    return f" in each of {processes} processes" if processes > 1 else ""


class TerminalReport:
    """Events as lines and a progress bar, on the error stream; the last line says where the run ended."""

    def __init__(self) -> None:
        self.bar: tqdm | None = None
        self.doing = ""

    def __call__(self, event: TrainEvent) -> None:
        match event:
            case Decoding():
                self._advance("decoding", event.done, event.total)
            case RunStarted():
                self._say(
                    f"{event.parameters:,} parameters, {event.train_images} images to learn from, "
                    f"{event.validation_images} to validate on, {event.precision}, {event.device}, "
                    f"{event.threads} thread{'s' * (event.threads > 1)}{_each(event.processes)}"
                )
            case StepDone():
                self._advance("training", event.step, event.steps)
                self.bar.set_postfix_str(
                    f"loss {event.loss:.4g}, {event.images_per_second:.0f} images/s, {event.seconds_left:.0f} s left"
                )
            case EpochDone():
                self._say(
                    f"epoch {event.epoch:g}/{event.epochs}: loss {event.train_loss:.4g}, "
                    f"validation {event.validation_loss:.4g}, NME {event.nme:.2f} %, {event.seconds:.0f} s"
                )
            case RunEnded():
                self._close()
                print(event.message, file=sys.stderr)

    def _advance(self, what: str, done: int, total: int) -> None:
        if self.doing != what:
            self._close()
            self.doing = what
            self.bar = tqdm(desc=what, total=total, disable=None, leave=False)
        self.bar.update(done - self.bar.n)

    def _say(self, line: str) -> None:
        tqdm.write(line, file=sys.stderr)

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()
