"""Train a network and save it.

The defaults are one short run on face crops; start from a preset, or say what differs, e.g.
  python -m kp train --preset reference --out mine.safetensors
Ctrl-C stops after the step and saves the network so far (exit code 130); a loss that is no number ends
the run with the last good weights saved (exit code 1).
"""

import argparse
import dataclasses
import signal
import sys
import time
from pathlib import Path

import torch
from tqdm import tqdm

from kp.checkpoint import save_checkpoint
from kp.commands.common import add_data, add_json, open_dataset, print_json
from kp.errors import ConfigError
from kp.training import PRESETS, Decoding, EpochDone, RunEnded, RunStarted, StepDone, TrainConfig, TrainEvent, train
from kp.training.config import CHOICES

EXIT_CODES = {"finished": 0, "diverged": 1, "stopped": 130}
SAVE_EVERY = 60.0   # seconds between two saves of the network so far
SHARD_BYTES = 9_500_000  # the Hub takes plain files of up to 10 MB


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    parser.add_argument("--out", required=True, metavar="FILE", help="the checkpoint to write, NAME.safetensors")
    parser.add_argument("--preset", default=None, metavar="NAME",
                        help=f"settings to start from: {', '.join(PRESETS)}; other options change them")
    parser.add_argument("--title", default="", help="one line that tells people what this network is")
    parser.add_argument("--half", action="store_true",
                        help="save as float16, in files below 10 MB, as the shipped ones are")
    parser.add_argument("--threads", type=int, default=0, help="processor threads; 0 for all")
    add_json(parser)
    group = parser.add_argument_group("settings")
    for option in dataclasses.fields(TrainConfig):
        group.add_argument(f"--{option.name.replace('_', '-')}", type=type(option.default), default=None, metavar="V",
                           help=f"{option.metadata['help']}{_choices(option.name)} (default: {option.default})")


def _choices(name: str) -> str:
    return f": {', '.join(CHOICES[name])}" if name in CHOICES else ""


def config_of(options: argparse.Namespace) -> TrainConfig:
    """The preset with what the options change. Raises ConfigError for an unknown preset or a bad value."""
    if options.preset is not None and options.preset not in PRESETS:
        raise ConfigError(f"There is no preset {options.preset!r}. Choose one of: {', '.join(PRESETS)}.")
    start = PRESETS[options.preset] if options.preset else TrainConfig()
    changes = {option.name: getattr(options, option.name) for option in dataclasses.fields(TrainConfig)}
    return dataclasses.replace(start, **{name: value for name, value in changes.items() if value is not None})


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    out = Path(options.out)
    if out.is_dir() or out.suffix != ".safetensors":
        raise ConfigError(f"--out {out} must name a file that ends in .safetensors.")
    if options.threads < 0:
        raise ConfigError(f"--threads is {options.threads}; name at least 1, or 0 for all.")
    if options.threads:
        torch.set_num_threads(options.threads)
    dataset = open_dataset(options.data)
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    saved = time.monotonic()
    report = print_event_json if options.json else TerminalReport()
    previous = signal.signal(signal.SIGINT, stop)
    try:
        for event in train(config, dataset, stop=lambda: stopping):
            ended = isinstance(event, RunEnded)
            if ended or (isinstance(event, EpochDone) and time.monotonic() - saved > SAVE_EVERY):
                checkpoint = dataclasses.replace(event.checkpoint, title=options.title or event.checkpoint.title)
                save_checkpoint(checkpoint, out, dtype=torch.float16 if options.half else None,
                                max_bytes=SHARD_BYTES if options.half else None)
                saved = time.monotonic()
            report(event)
    finally:
        signal.signal(signal.SIGINT, previous)
    return EXIT_CODES[event.reason]


def print_event_json(event: TrainEvent) -> None:
    print_json(event.to_json())


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
                self._say(f"{event.parameters:,} parameters, {event.train_images} images to learn from, "
                          f"{event.validation_images} to validate on, {event.precision}, {event.threads} threads")
            case StepDone():
                self._advance("training", event.step, event.steps)
                self.bar.set_postfix_str(f"loss {event.loss:.4g}, {event.images_per_second:.0f} images/s, "
                                         f"{event.seconds_left:.0f} s left")
            case EpochDone():
                self._say(f"epoch {event.epoch}/{event.epochs}: loss {event.train_loss:.4g}, "
                          f"validation {event.validation_loss:.4g}, NME {event.nme:.2f} %, {event.seconds:.0f} s")
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
