"""Geometric transforms, which move image and keypoints by one 2x3 matrix, and the conversion to tensors.

`sample.to_original(keypoints)` inverts any chain of them for the keypoints.
"""

from dataclasses import replace

import cv2
import numpy as np
import torch

from kp.data.images import to_grey
from kp.data.sample import Sample
from kp.errors import TransformError
from kp.geometry import Box, CropTransform, apply, compose, horizontal_flip, rotation, scaling, warp
from kp.landmarks import MIRROR
from kp.transforms.base import RandomTransform, Rng, Transform, checked_size


class Rescale(Transform):
    """Resizes to `size`: the new short side (int), with the aspect ratio kept, or (height, width)."""

    shown = ("size",)

    def __init__(self, size: int | tuple[int, int]) -> None:
        height, width = checked_size("Rescale", size)
        self.size = size if isinstance(size, int) else (height, width)

    def __call__(self, sample: Sample) -> Sample:
        image = self.pixels(sample)
        height, width = image.shape[:2]
        if isinstance(self.size, int):
            factor = self.size / min(height, width)
            new_height, new_width = round(height * factor), round(width * factor)
        else:
            new_height, new_width = self.size
        # Shrinking averages, enlarging interpolates, each side on its own.
        shrunk = cv2.resize(image, (min(new_width, width), min(new_height, height)), interpolation=cv2.INTER_AREA)
        resized = cv2.resize(shrunk, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
        return sample.moved(resized, scaling(new_width / width, new_height / height))


class RandomCrop(Transform):
    """Crops `size` (an int for a square, or height and width) at a random position."""

    shown = ("size",)

    def __init__(self, size: int | tuple[int, int], *, rng: Rng = None) -> None:
        self.size = checked_size("RandomCrop", size)
        self.rng = np.random.default_rng(rng)

    def __call__(self, sample: Sample) -> Sample:
        image = self.pixels(sample)
        spare_y, spare_x = image.shape[0] - self.size[0], image.shape[1] - self.size[1]
        if spare_y < 0 or spare_x < 0:
            raise TransformError(
                f"{self!r} is larger than the picture, {image.shape[:2]}. "
                "Rescale to something larger first, or crop less."
            )
        top, left = int(self.rng.integers(spare_y + 1)), int(self.rng.integers(spare_x + 1))
        piece = image[top : top + self.size[0], left : left + self.size[1]]
        return sample.moved(piece, np.array([[1, 0, -left], [0, 1, -top]], np.float64))


class FaceCrop(Transform):
    """A square crop about the keypoints' box, with optional jitter, in a single resampling.

    margin: the crop's side, in box sides. scale: (low, high) of a uniform log factor of the size.
    shift: standard deviation, in box sides. turn: standard deviation of the roll, degrees.
    """

    shown = ("size", "margin", "scale", "shift", "turn")

    def __init__(
        self,
        size: int = 128,
        margin: float = 1.35,
        *,
        scale: tuple[float, float] = (0.0, 0.0),
        shift: float = 0.0,
        turn: float = 0.0,
        rng: Rng = None,
    ) -> None:
        if size < 1 or margin <= 0:
            raise TransformError(f"FaceCrop needs a positive size and margin, not {size} and {margin}.")
        self.size, self.margin, self.scale, self.shift, self.turn = size, margin, scale, shift, turn
        self.rng = np.random.default_rng(rng)

    def __call__(self, sample: Sample) -> Sample:
        image = self.pixels(sample)
        box = Box.from_points(sample.points())
        side = box.side * self.margin * float(np.exp(self.rng.uniform(*self.scale)))
        dx, dy = self.rng.normal(0.0, self.shift, 2) * box.side
        centre = box.centre[0] + float(dx), box.centre[1] + float(dy)
        crop = CropTransform.from_box(Box.square(centre, side), self.size, roll=float(self.rng.normal(0.0, self.turn)))
        return sample.moved(crop.warp(image), crop.matrix)


class RandomRotate(Transform):
    """Rotates the image about its centre by a uniform angle within +-`degrees`; the size stays."""

    shown = ("degrees",)

    def __init__(self, degrees: float = 30.0, *, rng: Rng = None) -> None:
        self.degrees, self.rng = degrees, np.random.default_rng(rng)

    def __call__(self, sample: Sample) -> Sample:
        image = self.pixels(sample)
        height, width = image.shape[:2]
        matrix = rotation(self.rng.uniform(-self.degrees, self.degrees), ((width - 1) / 2, (height - 1) / 2))
        return sample.moved(warp(image, matrix, (height, width)), matrix)


class RandomHorizontalFlip(RandomTransform):
    """Flips the image with a probability; keypoints are reordered, so that the left eye's stay the left eye's."""

    def transform(self, sample: Sample, image: np.ndarray) -> Sample:
        moved = sample.moved(np.ascontiguousarray(image[:, ::-1]), horizontal_flip(image.shape[1]))
        return replace(moved, keypoints=moved.keypoints[MIRROR], mirrored=not sample.mirrored)


class Normalize(Transform):
    """Image to float32 in 0..1 (grey: (H, W); else (H, W, 3)), keypoints to (xy - mean) / scale.

    The defaults are those of the reference recipe, for crops of 224 px: about -2..2, centred near 0.
    """

    shown = ("mean", "scale", "grey")

    def __init__(self, mean: float = 100.0, scale: float = 50.0, *, grey: bool = True) -> None:
        if scale <= 0:
            raise TransformError(f"Normalize divides by `scale`, which must be positive, not {scale}.")
        self.mean, self.scale, self.grey = mean, scale, grey

    def __call__(self, sample: Sample) -> Sample:
        image = self.pixels(sample)
        image = to_grey(image) if self.grey and image.ndim == 3 else image
        step = 1 / self.scale
        matrix = np.array([[step, 0, -self.mean * step], [0, step, -self.mean * step]], np.float64)
        return replace(
            sample,
            image=image.astype(np.float32) / np.float32(255),
            keypoints=apply(matrix, sample.points()),
            matrix=compose(matrix, sample.matrix),
        )


class ToTensor(Transform):
    """Image (H, W) or (H, W, C) to a float32 tensor (C, H, W), keypoints to a tensor (68, 2)."""

    def __call__(self, sample: Sample) -> Sample:
        if isinstance(sample.image, torch.Tensor):
            raise TransformError(f"{sample.name or 'This sample'} is a tensor already. Use ToTensor once, at the end.")
        image = np.atleast_3d(sample.pixels())
        tensor = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1), np.float32))
        return replace(sample, image=tensor, keypoints=torch.from_numpy(np.array(sample.points(), np.float32)))
