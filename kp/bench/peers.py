"""The shipped networks against other programs that are installed, on the same faces and boxes.

A new peer is a function that opens it and a line in PEERS.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from kp.bench.row import Row
from kp.checkpoint import list_checkpoints
from kp.data import FacialKeypointsDataset
from kp.geometry import Box
from kp.landmarks import REGIONS
from kp.metrics import point_errors
from kp.prediction.predictor import Predictor

Find = Callable[[np.ndarray, Box], np.ndarray | None]  # image and tight box to keypoints (68, 2), or None: no face
DLIB_MODEL = "KP_DLIB_MODEL"
MESH_MARGIN = 2.0  # side of MediaPipe's input in sides of the tight box; 1.5 to 3 give the same error
# The vertices of MediaPipe's mesh at the 68 points; the usual list.
# fmt: off
MESH_POINTS = [
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,  # jaw
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301,  # brows
    168, 197, 5, 4, 75, 97, 2, 326, 305,  # nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # eyes
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,  # mouth
]
# fmt: on


def open_mediapipe() -> Find | None:
    try:
        from mediapipe.python.solutions.face_mesh import FaceMesh
    except ImportError:
        return None
    mesh = FaceMesh(static_image_mode=True, max_num_faces=1)

    def find(image: np.ndarray, box: Box) -> np.ndarray | None:
        wide = Box.square(box.centre, box.side * MESH_MARGIN)
        left, top = max(0, round(wide.left)), max(0, round(wide.top))
        crop = np.ascontiguousarray(image[top : round(wide.bottom), left : round(wide.right)])
        faces = mesh.process(crop).multi_face_landmarks
        if not faces:
            return None
        points = np.array([(point.x, point.y) for point in faces[0].landmark])[MESH_POINTS]  # 0..1 across the crop
        # No half pixel is subtracted: the error is smaller without it.
        return points * (crop.shape[1], crop.shape[0]) + (left, top)

    return find


def open_dlib() -> Find | None:
    model = os.environ.get(DLIB_MODEL)
    try:
        import dlib
    except ImportError:
        return None
    if not model:
        return None
    predictor = dlib.shape_predictor(model)

    def find(image: np.ndarray, box: Box) -> np.ndarray:
        square = Box.square(box.centre, box.side)
        sides = (round(side) for side in (square.left, square.top, square.right, square.bottom))
        return np.array([(point.x, point.y) for point in predictor(image, dlib.rectangle(*sides)).parts()])

    return find


PEERS: dict[str, Callable[[], Find | None]] = {
    "MediaPipe face mesh": open_mediapipe,  # pip install mediapipe==0.10.21
    "dlib's 68-point predictor": open_dlib,  # pip install dlib, and its model's file named by KP_DLIB_MODEL
}


def open_shipped(name: str) -> Find:
    predictor = Predictor(name, "whole-image")
    return lambda image, box: predictor.predict(image, [box])[0].keypoints


def measure_peers(root: Path) -> Iterator[Row]:
    """NME with and without the jaw, and latency, of each shipped network and each peer on the test people."""
    faces = FacialKeypointsDataset(root).part("people", "test")
    for name in list_checkpoints():
        yield from face_rows(name, open_shipped(name), faces)
    for name, opened in PEERS.items():
        find = opened()
        if find is None:
            yield Row(f"{name}: NME, true box", None, "%", "not installed")
        else:
            yield from face_rows(name, find, faces)


def face_rows(name: str, find: Find, faces: FacialKeypointsDataset) -> Iterator[Row]:
    """Mean errors over the faces found, missed faces and median latency."""
    times, errors = [], []
    for index, truth in enumerate(faces.keypoints):
        image = faces.image(index)
        begun = time.perf_counter()
        points = find(image, Box.from_points(truth))
        times.append(time.perf_counter() - begun)
        if points is not None:
            errors.append(point_errors(points, truth) * 100)
    inner = np.setdiff1d(np.arange(68), list(REGIONS["jaw"]))
    found = np.array(errors).reshape(-1, 68)
    note = "" if errors else "no face found"
    yield Row(f"{name}: NME, true box", float(found.mean()) if errors else None, "%", note)
    yield Row(f"{name}: NME without the jaw", float(found[:, inner].mean()) if errors else None, "%", note)
    yield Row(f"{name}: missed, of {len(faces)}", float(len(faces) - len(errors)), "faces")
    yield Row(f"{name}: one face, from frame to points, p50", float(np.median(times)) * 1000, "ms")
