"""Photos small and large, camera frames, folders of photos, and many visitors of the app at once."""

import functools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch

import kp
from kp.bench.app import running_app
from kp.bench.row import Row, median_seconds, plural
from kp.data import FacialKeypointsDataset
from kp.errors import KpError
from kp.prediction.predictor import Predictor

ROUNDS = 20
BATCH = 1000  # photos for the command line, made of so many different ones:
DIFFERENT = 50
VISITORS = 20
MODEL = "heatmap_net"
GREY = 120  # grey level of the background


def photo_of(faces: FacialKeypointsDataset, size: tuple[int, int], *, start: int = 0, count: int = 1) -> np.ndarray:
    """uint8 RGB of `size` (height, width): frames of `count` people on grey, in a grid of cells."""
    columns = int(np.ceil(np.sqrt(count * size[1] / size[0])))
    rows = -(-count // columns)
    photo = np.full((*size, 3), GREY, np.uint8)
    cell = size[0] // rows, size[1] // columns
    step = max(1, len(faces) // (start + count))
    for place in range(count):
        frame = faces.image((start + place) * step % len(faces))
        factor = min(cell[0] / frame.shape[0], cell[1] / frame.shape[1]) * (0.9 if count > 1 else 0.6)
        frame = cv2.resize(frame, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        top, left = place // columns * cell[0], place % columns * cell[1]
        photo[top : top + frame.shape[0], left : left + frame.shape[1]] = frame
    return photo


def measure_photos(root: Path) -> Iterator[Row]:
    """The default network with the default detector, on photos made of test people's frames."""
    faces = FacialKeypointsDataset(root).part("people", "test")
    predictor, threads = Predictor(MODEL), plural(torch.get_num_threads(), "thread")
    for name, size, count in (("1 megapixel", (866, 1155), 1), ("12 megapixels", (3000, 4000), 20)):
        photo = photo_of(faces, size, count=count)
        found = plural(len(predictor.predict(photo)), "face")
        taken = median_seconds(functools.partial(predictor.predict, photo), ROUNDS)
        yield Row(f"a photo of {name}, {found}, {threads}, p50", taken * 1000, "ms")
    yield webcam_row(faces)
    with tempfile.TemporaryDirectory() as folder:
        yield batch_row(faces, Path(folder))
    yield from visitor_rows(faces)


def webcam_row(faces: FacialKeypointsDataset) -> Row:
    """Camera frames a second of the app, from pixels to the page's HTML; without browser and network."""
    from kp.ui.predict.live import LivePredictor  # imported here: the other parts do not need the app
    from kp.ui.services.model_store import ModelStore

    with tempfile.TemporaryDirectory() as runs:
        live = LivePredictor(ModelStore(Path(runs)))
        frame, state = photo_of(faces, (480, 640)), None

        def step() -> None:
            nonlocal state
            _, state = live.step(frame, state, MODEL, ("points", "boxes", "colours"), True)

        return Row("webcam, 640x480: frames that the app can answer", 1 / median_seconds(step, ROUNDS), "a second")


def batch_row(faces: FacialKeypointsDataset, folder: Path) -> Row:
    """Images a second of `python -m kp predict` on a folder, its start included."""
    photos = folder / "photos"
    photos.mkdir()
    for number in range(DIFFERENT):
        _, data = cv2.imencode(".jpg", photo_of(faces, (480, 640), start=number)[..., ::-1])
        for copy in range(BATCH // DIFFERENT):
            (photos / f"{number:02}-{copy:02}.jpg").write_bytes(data.tobytes())
    command = [sys.executable, "-m", "kp", "predict", str(photos), "--out", str(folder / "out"), "--formats", "json"]
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=Path(kp.__file__).parent.parent, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - begun
    if done.returncode:
        raise KpError(f"`python -m kp predict` failed: {done.stderr.strip()[-300:]}")
    return Row(
        f"{BATCH} photos of 640x480 by the command line, {os.cpu_count()} cores, with its start",
        BATCH / taken,
        "images/s",
    )


def visitor_rows(faces: FacialKeypointsDataset) -> Iterator[Row]:
    """Latency and failures of visitors who send a photo at the same moment."""
    from gradio_client import Client, handle_file

    with tempfile.TemporaryDirectory() as folder, running_app(faces.root) as (address, _):
        path = Path(folder) / "photo.jpg"
        cv2.imwrite(str(path), photo_of(faces, (1225, 1633))[..., ::-1])
        clients = [Client(address, verbose=False) for _ in range(VISITORS)]

        def predict(client: Client) -> tuple[float, bool]:
            begun = time.perf_counter()
            _, found = client.submit(handle_file(path), api_name="/predict").result(timeout=120)
            return time.perf_counter() - begun, len(found) == 1

        with ThreadPoolExecutor(VISITORS) as pool:
            results = list(pool.map(predict, clients))
    times, right = zip(*results, strict=True)
    yield Row(f"{VISITORS} visitors at once, 2 megapixels each: p95", float(np.percentile(times, 95)), "s")
    yield Row(f"{VISITORS} visitors at once: answers without the face", float(VISITORS - sum(right)), "answers")
