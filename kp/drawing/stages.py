"""The stages of a chain of transforms for one sample: a picture and plain values after each transform."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from kp.data.sample import Sample
from kp.drawing.overlay import draw_face, enlarge, scale_points
from kp.transforms.base import Transform
from kp.transforms.geometric import (
    FaceCrop,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    RandomRotate,
    Rescale,
    ToTensor,
)
from kp.transforms.photometric import RandomBlur, RandomBrightnessContrast, RandomNoise, RandomOcclusion

DRAWN = 320  # short side of a stage's picture, pixels


@dataclass(frozen=True)
class Stage:
    """A sample after one transform.

    code: the transform's repr. picture: uint8 (H, W, 3) RGB, enlarged, with the keypoints drawn in place.
    shape, dtype, low, high: of the sample's own image. points_low, points_high: range of the keypoints,
    in `unit`. outside: how many of the 68 points are outside the image. changed: whether the transform was applied.
    """

    title: str
    code: str
    picture: np.ndarray
    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float
    points_low: float
    points_high: float
    unit: str
    outside: int
    changed: bool = True


def reference_recipe(seed: int) -> list[Transform]:
    """The reference recipe: the whole frame, rescaled, and a random crop of it."""
    return [Rescale(250), RandomCrop(224, rng=seed), Normalize(), ToTensor()]


def augmented_face(seed: int) -> list[Transform]:
    """A crop about the face, then random geometry, brightness, blur, noise and occlusion."""
    rng = np.random.default_rng(seed)
    return [
        FaceCrop(128, scale=(-0.1, 0.3), shift=0.04, rng=rng),
        RandomHorizontalFlip(rng=rng),
        RandomRotate(18.0, rng=rng),
        RandomBrightnessContrast(rng=rng),
        RandomBlur(rng=rng),
        RandomNoise(rng=rng),
        RandomOcclusion(rng=rng),
        Normalize(mean=63.5, scale=32.0, grey=False),
        ToTensor(),
    ]


CHAINS: dict[str, Callable[[int], list[Transform]]] = {
    "reference recipe": reference_recipe,
    "face crop with augmentation": augmented_face,
}


def describe_stages(sample: Sample, chain: Sequence[Transform], *, code: str = "sample") -> list[Stage]:
    """One stage for the original sample, with `code` as caption, and one after each transform.

    Raises TransformError where a transform has an invalid position.
    """
    pixels = np.asarray(sample.keypoints)  # image pixels, whatever the unit of the keypoints
    stages = [_stage("Original", code, sample, pixels)]
    for transform in chain:
        after = transform(sample)
        pixels = np.asarray(after.keypoints) if is_picture(after.image) else pixels
        stages.append(_stage(type(transform).__name__, repr(transform), after, pixels, changed=after is not sample))
        sample = after
    return stages


def is_picture(image: np.ndarray | torch.Tensor) -> bool:
    """Whether the image is uint8 pixels; only then are the keypoints in pixels."""
    return isinstance(image, np.ndarray) and image.dtype == np.uint8


def to_picture(image: np.ndarray | torch.Tensor) -> np.ndarray:
    """uint8 (H, W, 3) RGB of a sample's image at any stage; values of 0..1 become 0..255."""
    pixels = image.numpy().transpose(1, 2, 0) if isinstance(image, torch.Tensor) else image  # (C, H, W) -> (H, W, C)
    if pixels.dtype != np.uint8:
        pixels = np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    if pixels.ndim == 3 and pixels.shape[2] == 3:
        return pixels
    return cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_GRAY2RGB)


def _stage(title: str, code: str, sample: Sample, pixels: np.ndarray, *, changed: bool = True) -> Stage:
    picture = to_picture(sample.image)
    height, width = picture.shape[:2]
    inside = ((pixels >= -0.5) & (pixels < (width - 0.5, height - 0.5))).all(axis=1)
    drawn, factor = enlarge(picture, DRAWN)
    image, keypoints = sample.image, np.asarray(sample.keypoints)
    return Stage(
        title=title,
        code=code,
        picture=draw_face(drawn, scale_points(pixels, factor), truth=True),
        shape=tuple(image.shape),
        dtype=str(image.dtype),
        low=float(image.min()),
        high=float(image.max()),
        points_low=float(keypoints.min()),
        points_high=float(keypoints.max()),
        unit="pixels" if is_picture(image) else "network units",
        outside=int((~inside).sum()),
        changed=changed,
    )
