"""Transforms: each takes a Sample and returns a new one.

    Compose([Rescale(250), RandomCrop(224), Normalize(), ToTensor()])      the reference recipe

Each works alone, shows its parameters in its `repr`, and draws random numbers from `rng` (a seed or a numpy Generator).
"""

from collections.abc import Sequence

import numpy as np
import torch

from kp.data.sample import Sample
from kp.errors import TransformError

Rng = np.random.Generator | int | None


class Transform:
    """From a Sample to a Sample. A subclass names its settings in `shown`, for `repr`."""

    shown: Sequence[str] = ()

    def __call__(self, sample: Sample) -> Sample:
        """The transformed sample. Raises TransformError where the transform does not apply."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.shown)})"

    def pixels(self, sample: Sample) -> np.ndarray:
        """The sample's image, uint8. Raises TransformError after Normalize or ToTensor."""
        if isinstance(sample.image, np.ndarray) and sample.image.dtype == np.uint8:
            return sample.image
        state = "a tensor" if isinstance(sample.image, torch.Tensor) else "normalised"
        raise TransformError(
            f"{self!r} works on a uint8 picture, but {sample.name or 'this sample'} is already "
            f"{state}. Put it before Normalize and ToTensor."
        )


class RandomTransform(Transform):
    """Applied with a probability; a subclass implements `transform`."""

    shown: Sequence[str] = ("probability",)

    def __init__(self, probability: float = 0.5, *, rng: Rng = None) -> None:
        self.probability, self.rng = probability, np.random.default_rng(rng)

    def __call__(self, sample: Sample) -> Sample:
        image = self.pixels(sample)
        return self.transform(sample, image) if self.rng.random() < self.probability else sample

    def transform(self, sample: Sample, image: np.ndarray) -> Sample:
        """The transformed sample; image: its pixels, uint8."""
        raise NotImplementedError


class Compose(Transform):
    """One transform after the other."""

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = list(transforms)

    def __call__(self, sample: Sample) -> Sample:
        for transform in self.transforms:
            sample = transform(sample)
        return sample

    def __repr__(self) -> str:
        return f"Compose([{', '.join(map(repr, self.transforms))}])"


def checked_size(what: str, size: int | tuple[int, int]) -> tuple[int, int]:
    """(height, width) in pixels from an int or a pair. Raises TransformError for anything else."""
    sides = (size, size) if isinstance(size, int) else tuple(size) if isinstance(size, tuple | list) else ()
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise TransformError(f"{what} needs a positive whole number, or (height, width); not {size!r}.")
    return sides
