"""Seconds until the preset `minute` reaches certain levels of error on unseen people."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from kp.bench.row import Row, in_own_process
from kp.data import FacialKeypointsDataset
from kp.hardware import keep_memory
from kp.training import PRESETS, EpochDone, train

PUBLISHED = 9.74  # the best published NME on unseen people, percent
LEVELS = (20.0, PUBLISHED, 7.0, 6.0, 5.0)


def reaching(curve: Sequence[tuple[float, float]]) -> Iterator[Row]:
    """For each level the first time that the NME is at or below it; curve: pairs of seconds and percent."""
    for level in LEVELS:
        reached = next((seconds for seconds, nme in curve if nme <= level), None)
        yield Row(f"preset minute: to NME {level:g} %", reached, "s", "" if reached is not None else "not reached")


def learn(root: Path, threads: int) -> tuple[list[tuple[float, float]], float]:
    """Seconds and NME in percent at each validation of the preset, and the number of epochs."""
    keep_memory()
    torch.set_num_threads(threads)
    validations = [
        event for event in train(PRESETS["minute"], FacialKeypointsDataset(root)) if isinstance(event, EpochDone)
    ]
    return [(event.seconds, event.nme) for event in validations], validations[-1].epoch


def measure_learning(root: Path) -> Iterator[Row]:
    """Seconds of training and validating, decoding not counted; measured twice an epoch."""
    curve, epochs = in_own_process(learn, root, torch.get_num_threads())
    yield from reaching(curve)
    seconds, nme = curve[-1]
    yield Row(f"preset minute: NME after {seconds:.0f} s, {epochs:g} epochs", nme, "%")
