"""Latency and throughput of prediction: whole photos, and a network alone."""

import functools
import os
from collections.abc import Iterator
from pathlib import Path

import torch

from kp.bench.photos import photo_of
from kp.bench.row import Row, median_seconds, plural
from kp.checkpoint import list_checkpoints
from kp.data import FacialKeypointsDataset
from kp.prediction.predictor import Predictor

PHOTO = (3000, 4000)  # 12 megapixels: height, width
PHOTO_ROUNDS = 10
ROUNDS = 50  # of a network alone
BATCH = 32
BATCH_ROUNDS = 10


def measure_prediction(root: Path) -> Iterator[Row]:
    """Each shipped network: one face in 12 megapixels, one face alone with one thread and with two, and batches."""
    photo = photo_of(FacialKeypointsDataset(root).part("people", "test"), PHOTO)
    for name in list_checkpoints():
        predictor = Predictor(name)
        found = plural(len(predictor.predict(photo)), "face")
        taken = median_seconds(functools.partial(predictor.predict, photo), PHOTO_ROUNDS)
        yield Row(f"{name}: a photo of 12 megapixels, {found}, p50", taken, "s")
        yield from network_rows(name, predictor)


def network_rows(name: str, predictor: Predictor) -> Iterator[Row]:
    """The network alone on ready crops: latency of one, and batches."""
    size, channels = predictor.preprocessing.size, predictor.preprocessing.channels
    face, batch = torch.rand(1, channels, size, size), torch.rand(BATCH, channels, size, size)
    before = torch.get_num_threads()
    for threads in (1, 2) if (os.cpu_count() or 1) > 1 else (1,):
        torch.set_num_threads(threads)
        with torch.inference_mode():
            one = median_seconds(lambda: predictor.network(face), ROUNDS)
            many = median_seconds(lambda: predictor.network(batch), BATCH_ROUNDS)
        yield Row(f"{name}: one face, the network alone, {plural(threads, 'thread')}, p50", one * 1000, "ms")
        yield Row(
            f"{name}: batches of {BATCH}, the network alone, {plural(threads, 'thread')}", BATCH / many, "images/s"
        )
    torch.set_num_threads(before)
