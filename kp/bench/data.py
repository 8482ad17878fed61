"""Opening and decoding the dataset."""

import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from kp.bench.row import Row
from kp.data import FacialKeypointsDataset
from kp.data.readers.ytf import FOLDERS, LABEL_ORIGIN, table_file
from kp.drawing.overlay import data_uri, draw_face, enlarge, scale_points
from kp.formats.writer import png_bytes

PAGE = 24


def write_files(dataset: FacialKeypointsDataset, root: Path) -> Path:
    """Write the dataset as files in the published layout below `root`; returns `root`."""
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
        rows = [row for row, frame in enumerate(dataset.frames) if frame.folder == folder]
        for row in rows:
            (root / folder / dataset.frames[row].name).write_bytes(png_bytes(dataset.image(row)))
        labels = (dataset.keypoints[rows] + LABEL_ORIGIN).reshape(len(rows), -1)
        pd.DataFrame(labels, index=[dataset.frames[row].name for row in rows]).to_csv(table_file(root, folder))
    return root


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
