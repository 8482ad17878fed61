"""Opening the dataset, and a page of it."""

import time
from collections.abc import Iterator
from pathlib import Path

from kp.bench.row import Row
from kp.data import FacialKeypointsDataset
from kp.drawing.overlay import data_uri, draw_face, enlarge, scale_points

PAGE = 24


def measure_data(root: Path) -> Iterator[Row]:
    """Opening, decoding everything once, and a page of 24 frames with their labels drawn, cold and warm."""
    begun = time.perf_counter()
    dataset = FacialKeypointsDataset(root)
    yield Row("open the dataset", time.perf_counter() - begun, "s")
    for state in ("first time", "again"):
        begun = time.perf_counter()
        for index in range(PAGE):
            picture, factor = enlarge(dataset.image(index), 200)
            data_uri(draw_face(picture, scale_points(dataset.keypoints[index], factor), truth=True), quality=85)
        yield Row(f"a page of {PAGE} frames, {state}", time.perf_counter() - begun, "s")
    for state in ("first time", "again"):
        begun = time.perf_counter()
        dataset.preload()
        yield Row(f"decode all {len(dataset)} images, {state}", time.perf_counter() - begun, "s")
