"""The events of a training run on the terminal, and the checkpoints that are saved on the way."""

import argparse
import sys
import time

from tqdm import tqdm

from kp.commands.common import print_json, write_checkpoint
from kp.errors import CheckpointError
from kp.training import Decoding, EpochDone, RunEnded, RunStarted, StepDone, TrainEvent

SAVE_EVERY = 60.0  # seconds between two saves of the network so far


class CheckpointSaver:
    """Saves the network about once a minute, and at the end. Only a failure at the end is an error."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.last_try = time.monotonic()
        self.saved_epoch = 0.0  # of the last save that succeeded

    def take(self, event: TrainEvent) -> None:
        """Raises CheckpointError where the last checkpoint cannot be saved."""
        if isinstance(event, EpochDone) and time.monotonic() - self.last_try > SAVE_EVERY:
            self._save_so_far(event)
        elif isinstance(event, RunEnded) and event.checkpoint:
            try:
                write_checkpoint(event.checkpoint, self.options)
            except CheckpointError as error:
                older = f" It still holds the network after epoch {self.saved_epoch:g}." if self.saved_epoch else ""
                raise CheckpointError(f"{error}{older}") from None

    def _save_so_far(self, event: EpochDone) -> None:
        try:
            write_checkpoint(event.checkpoint, self.options)
            self.saved_epoch = event.epoch
        except CheckpointError as error:
            tqdm.write(f"Warning: {error} The training goes on, and the next try is soon.", file=sys.stderr)
        self.last_try = time.monotonic()


def print_event_json(event: TrainEvent) -> None:
    print_json(event.to_json())


class TerminalReport:
    """Events as lines and a progress bar, on the error stream; the last line is the end of the run."""

    def __init__(self) -> None:
        self.bar: tqdm | None = None
        self.work = ""

    def __call__(self, event: TrainEvent) -> None:
        match event:
            case Decoding():
                self._advance("decoding", event.done, event.total)
            case RunStarted():
                each = f" in each of {event.processes} processes" if event.processes > 1 else ""
                self._print(
                    f"{event.parameters:,} parameters, {event.train_images} images to train on, "
                    f"{event.validation_images} to validate on, {event.precision}, {event.device}, "
                    f"{event.threads} thread{'s' * (event.threads > 1)}{each}"
                )
            case StepDone():
                self._advance("training", event.step, event.steps).set_postfix_str(
                    f"loss {event.loss:.4g}, {event.images_per_second:.0f} images/s, {event.seconds_left:.0f} s left"
                )
            case EpochDone():
                self._print(
                    f"epoch {event.epoch:g}/{event.epochs}: loss {event.train_loss:.4g}, "
                    f"validation {event.validation_loss:.4g}, NME {event.nme:.2f} %, {event.seconds:.0f} s"
                )
            case RunEnded():
                self._close()
                print(event.message, file=sys.stderr)

    def _advance(self, what: str, done: int, total: int) -> tqdm:
        """The bar of this kind of work, moved to `done` of `total`."""
        if self.bar is None or self.work != what:
            self._close()
            self.work = what
            self.bar = tqdm(desc=what, total=total, disable=None, leave=False)
        self.bar.update(done - self.bar.n)
        return self.bar

    def _print(self, line: str) -> None:
        tqdm.write(line, file=sys.stderr)

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()
