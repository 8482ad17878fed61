"""Degraded frames, the same for a seed: confidence is calibrated and checked on them."""

from collections.abc import Sequence

import cv2
import numpy as np

from kp.data.sample import Sample
from kp.errors import TransformError
from kp.geometry import Box
from kp.transforms.face_deformation import RandomHeadTurn
from kp.transforms.geometric import RandomRotate
from kp.transforms.head_shape import Head

KINDS = ("turned", "dark", "covered", "blurred", "other camera")


def degraded(sample: Sample, head: Head, seed: Sequence[int]) -> tuple[str, Sample]:
    """The kind of degradation (one of KINDS) and the degraded frame with its keypoints; the same for the same seed.

    Strengths range from slight to those at which a network fails on many frames.
    """
    rng = np.random.default_rng(seed)
    kind = KINDS[int(rng.integers(len(KINDS)))]
    if kind == "turned":
        sample = RandomHeadTurn(head, 1.0, turn=70.0, nod=35.0, rng=rng)(sample)
        return kind, RandomRotate(60.0, rng=rng)(sample)
    change = {"dark": _dark, "covered": _covered, "blurred": _blurred, "other camera": _other_camera}[kind]
    return kind, sample.moved(change(sample.pixels(), Box.from_points(sample.points()), rng), np.eye(2, 3))


def _dark(image: np.ndarray, face: Box, rng: np.random.Generator) -> np.ndarray:
    """Low light: few grey levels, and sensor noise."""
    light = np.exp(rng.uniform(np.log(0.02), np.log(0.2)))
    noise = rng.normal(0, rng.uniform(0.5, 4), image.shape)
    return np.clip(image * light + noise, 0, 255).astype(np.uint8)


def _covered(image: np.ndarray, face: Box, rng: np.random.Generator) -> np.ndarray:
    """One to four patches of one colour on the face, with sides of 0.3 to 0.9 of its side."""
    covered = image.copy()
    for _ in range(int(rng.integers(1, 5))):
        width, height = rng.uniform(0.3, 0.9, 2) * face.side
        x, y = rng.uniform(face.left, face.right), rng.uniform(face.top, face.bottom)
        left, top = max(0, int(x - width / 2)), max(0, int(y - height / 2))
        covered[top : max(0, int(y + height / 2)), left : max(0, int(x + width / 2))] = rng.integers(0, 256, 3)
    return covered


def _blurred(image: np.ndarray, face: Box, rng: np.random.Generator) -> np.ndarray:
    """Defocus or motion blur, in proportion to the face."""
    if rng.random() < 0.5:
        return cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.01, 0.07) * face.side))
    length = max(3, int(rng.uniform(0.05, 0.25) * face.side))
    line = np.zeros((length, length), np.float32)
    turn, middle = rng.uniform(0, np.pi), (length - 1) / 2
    reach = middle * np.array([np.cos(turn), np.sin(turn)])
    start, end = np.round(middle + np.stack([-reach, reach])).astype(int).tolist()
    cv2.line(line, start, end, (1.0,))
    return cv2.filter2D(image, -1, line / line.sum())


def _other_camera(image: np.ndarray, face: Box, rng: np.random.Generator) -> np.ndarray:
    """Low resolution (a face of 8 to 30 pixels), strong JPEG, noise of each colour and a colour cast."""
    height, width = image.shape[:2]
    factor = min(1.0, float(rng.uniform(8, 30)) / face.side)
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    seen = small * rng.uniform(0.6, 1.3, 3) + rng.normal(0, rng.uniform(0, 25), small.shape)
    large = cv2.resize(np.clip(seen, 0, 255).astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)
    _, file = cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(10, 60))])
    decoded = cv2.imdecode(file, cv2.IMREAD_COLOR)
    if decoded is None:
        raise TransformError("OpenCV cannot decode the JPEG that it encoded. Install opencv-python-headless again.")
    return decoded
