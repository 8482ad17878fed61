"""From a photo to keypoints: whole photos, and a network alone."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

from kp.bench.row import Row
from kp.checkpoint import list_checkpoints
from kp.data import FacialKeypointsDataset
from kp.predict import Predictor

PHOTO = (3000, 4000)  # 12 megapixels


def best_of(work: Callable[[], object], rounds: int = 5) -> float:
    """The shortest time of a few rounds, seconds, after one to warm up."""
    work()
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


def large_photo(dataset: FacialKeypointsDataset) -> np.ndarray:
    """A test person's frame in the middle of 12 megapixels."""
    frame = dataset.part("people", "test").image(0)
    photo = np.full((*PHOTO, 3), 120, np.uint8)
    factor = PHOTO[0] / 2 / frame.shape[0]
    face = cv2.resize(frame, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    photo[700 : 700 + face.shape[0], 1000 : 1000 + face.shape[1]] = face
    return photo


def measure_prediction(root: Path) -> Iterator[Row]:
    """Each shipped network: one face in 12 megapixels, and one face alone with one thread and with all."""
    photo = large_photo(FacialKeypointsDataset(root))
    threads = torch.get_num_threads()
    for name in list_checkpoints():
        predictor = Predictor(name)
        found = len(predictor.predict(photo))
        yield Row(f"{name}: a photo of 12 megapixels, {found} face", best_of(lambda p=predictor: p.predict(photo)), "s")
        size = predictor.preprocessing.size
        crop = torch.rand(1, predictor.preprocessing.channels, size, size)
        for count in (1, threads):
            torch.set_num_threads(count)
            with torch.inference_mode():
                taken = best_of(lambda p=predictor, x=crop: p.network(x), 30)
            yield Row(f"{name}: one face, the network alone, {count} thread{'s' * (count > 1)}", taken * 1000, "ms")
        torch.set_num_threads(threads)
