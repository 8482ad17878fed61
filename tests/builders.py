"""What tests are made of: drawn faces with known keypoints, a dataset of them as published, and a tiny network."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pandas as pd
import torch

from kp.checkpoint import Checkpoint
from kp.data import Preprocessing
from kp.landmarks import CONTOURS
from kp.models import create_model

if TYPE_CHECKING:
    from kp.ui.context import AppContext

# The sha256 rule of the split "people" puts these to the test part, and the others to the training part.
TEST_PEOPLE = ("Ben_Hart", "Cleo_Brook")
TRAINING_PEOPLE = ("Ada_Hart", "Ada_Stone", "Ben_Field", "Ben_Lake")  # Ada_Hart is a validation person


def face_shape() -> np.ndarray:
    """A frontal face, float32 (68, 2), in units of the tight box: x and y from 0 to 1."""
    shape = np.zeros((68, 2))
    angle = np.linspace(np.pi, 0, 17)
    shape[0:17] = np.stack([0.5 + 0.5 * np.cos(angle), 0.25 + 0.75 * np.sin(angle) ** 0.8], 1)
    arch = np.array([0.04, 0.01, 0.0, 0.01, 0.03])
    shape[17:22] = np.stack([np.linspace(0.1, 0.42, 5), arch], 1)
    shape[22:27] = np.stack([np.linspace(0.58, 0.9, 5), arch[::-1]], 1)
    shape[27:31] = np.stack([np.full(4, 0.5), np.linspace(0.2, 0.48, 4)], 1)
    shape[31:36] = np.stack([np.linspace(0.4, 0.6, 5), [0.54, 0.555, 0.56, 0.555, 0.54]], 1)
    eye = np.array([[0, 0], [0.3, -0.25], [0.7, -0.25], [1, 0], [0.7, 0.2], [0.3, 0.2]]) * (0.18, 0.12)
    shape[36:42] = eye + (0.18, 0.2)
    shape[42:48] = eye + (0.64, 0.2)
    around = np.linspace(np.pi, -np.pi, 13)[:12]
    shape[48:60] = np.stack([0.5 + 0.18 * np.cos(around), 0.75 - 0.08 * np.sin(around)], 1)
    around = np.linspace(np.pi, -np.pi, 9)[:8]
    shape[60:68] = np.stack([0.5 + 0.12 * np.cos(around), 0.75 - 0.03 * np.sin(around)], 1)
    return shape.astype(np.float32)


def drawn_face(seed: int = 0, *, height: int = 150, width: int = 140) -> tuple[np.ndarray, np.ndarray]:
    """A drawing uint8 (height, width, 3) and its keypoints float32 (68, 2); different for each seed."""
    rng = np.random.default_rng(seed)
    side = rng.uniform(0.4, 0.55) * min(height, width)
    centre = np.array([width, height]) / 2 + rng.uniform(-0.06, 0.06, 2) * side
    points = (centre + (face_shape() - 0.5) * side).round().astype(np.float32)
    image = np.full((height, width, 3), rng.integers(60, 200, 3), np.uint8)
    skin = tuple(int(value) for value in rng.integers(120, 240, 3))
    cv2.fillPoly(image, [np.concatenate([points[0:17], points[26:16:-1]]).astype(np.int32)], skin)
    for name, indices in CONTOURS.items():
        if name != "jaw":
            cv2.polylines(image, [points[indices].astype(np.int32)], False, (40, 20, 20), 1, cv2.LINE_AA)
    return image, points


def write_frame(path: Path, image: np.ndarray) -> None:
    """As the original has them: PNG bytes with an idle alpha channel, in a file named .jpg."""
    _, encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGRA))
    path.write_bytes(encoded.tobytes())


def make_dataset(root: Path, *, unlabelled: int = 2) -> Path:
    """A dataset in the original layout: 6 people, 2 videos each; frame 5 of each video is in the test CSV."""
    rows: dict[str, list] = {"training": [], "test": []}
    seed = 0
    for person in (*TEST_PEOPLE, *TRAINING_PEOPLE):
        for video in (0, 1):
            for frame in (0, 1, 5):
                folder = "test" if frame == 5 else "training"
                image, points = drawn_face(seed)
                name = f"{person}_{video}{frame}.jpg"
                (root / folder).mkdir(parents=True, exist_ok=True)
                write_frame(root / folder / name, image)
                rows[folder].append([name, *(points + 1).astype(int).ravel()])  # labels count from 1
                seed += 1
    for number in range(unlabelled):
        write_frame(root / "test" / f"Nobody_{number}0.jpg", drawn_face(900 + number)[0])
    for folder, table in rows.items():
        columns = ["Unnamed: 0", *map(str, range(136))]
        pd.DataFrame(table, columns=columns).to_csv(root / f"{folder}_frames_keypoints.csv", index=False)
    return root


def tiny_checkpoint(seed: int = 0, *, size: int = 32) -> Checkpoint:
    """An untrained network that is quick: NaimishNet on small crops."""
    torch.manual_seed(seed)
    arguments = {"input_size": size}
    return Checkpoint(
        "naimishnet",
        arguments,
        create_model("naimishnet", **arguments).state_dict(),
        Preprocessing.centred(size),
        title="tiny",
    )


def app_context(**parts: Any) -> "AppContext":
    """What the app's handlers get, with these parts of it; the others are there in name only."""
    from kp.ui.context import AppContext  # here: most tests need no gradio

    return AppContext(**{part.name: None for part in fields(AppContext)} | parts)
