"""From a face box to a network's input, and from its output back to pixels.

A Preprocessing holds these numbers. It is stored in the checkpoint, so that training and prediction use the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from kp.data.images import to_grey
from kp.errors import ConfigError
from kp.geometry import Box, CropTransform, compose, scaling

# The reference recipe rescales a frame's short side to 250 and cuts 224 out of it.
FRAME_RATIO = 250 / 224
# A face's tight box has 44 % of a frame's short side (median of the training people, as in the whole-image detector's
# box map), so that a network trained on whole frames expects this margin.
FRAME_MARGIN = round(1 / FRAME_RATIO / 0.444, 2)


@dataclass(frozen=True)
class Preprocessing:
    """A network's input crop, and the unit of its output.

    size: the crop's side, pixels. margin: the crop's side in sides of the tight face box.
    channels: 1 for grey, 3 for RGB. mean, scale: keypoints in crop pixels become (xy - mean) / scale.

        >>> from kp import Box, Preprocessing
        >>> preprocessing = Preprocessing.centred(96)
        >>> preprocessing.crop_transform(Box(100, 100, 196, 196)).to_crop([[148.0, 148.0]]).round(1).tolist()
        [[47.5, 47.5]]
    """

    size: int = 224
    margin: float = 1.35
    channels: int = 1
    mean: float = 100.0
    scale: float = 50.0

    def __post_init__(self) -> None:
        numbers = (self.size, self.margin, self.mean, self.scale)
        if not all(math.isfinite(value) for value in numbers) or self.channels not in (1, 3):
            raise ConfigError(f"A preprocessing needs finite numbers and 1 or 3 channels, not {self}.")
        whole = isinstance(self.size, int)
        if not whole or not 16 <= self.size <= 1024 or not 0.1 <= self.margin <= 10 or self.scale <= 0:
            raise ConfigError(f"A crop is 16..1024 whole px, its margin 0.1..10, its scale positive; not {self}.")

    @classmethod
    def centred(cls, size: int, margin: float = 1.35) -> "Preprocessing":
        """Keypoints from -1 to 1 across the crop."""
        return cls(size=size, margin=margin, mean=(size - 1) / 2, scale=size / 2)

    def crop_transform(self, box: Box, *, roll: float = 0.0) -> CropTransform:
        """The crop of a tight face box. roll: of the head, degrees."""
        return CropTransform.from_box(Box.square(box.centre, box.side * self.margin), self.size, roll=roll)

    def frame_transform(self, height: int, width: int) -> CropTransform:
        """The centre crop of a whole frame, as large as the reference recipe's random crops."""
        factor = self.size * FRAME_RATIO / min(height, width)
        resize = scaling(factor, factor)
        left, top = (width * factor - self.size) / 2, (height * factor - self.size) / 2
        return CropTransform(compose(np.array([[1, 0, -left], [0, 1, -top]], np.float64), resize), self.size)

    def to_tensor(self, crops: Sequence[np.ndarray]) -> torch.Tensor:
        """Crops uint8 (size, size, 3), or grey ones (size, size), as float32 (n, channels, size, size) in 0..1."""
        if self.channels == 1:
            crops = [(to_grey(crop) if crop.ndim == 3 else crop)[..., None] for crop in crops]
        stack = torch.from_numpy(np.stack(crops))  # (n, size, size, channels) uint8
        return stack.permute(0, 3, 1, 2).float() / 255

    def encode(self, keypoints: np.ndarray) -> np.ndarray:
        """Crop pixels to the network's units, float32."""
        return ((keypoints - self.mean) / self.scale).astype(np.float32)

    def decode(self, output: np.ndarray) -> np.ndarray:
        """The network's units to crop pixels, float32."""
        return (output * self.scale + self.mean).astype(np.float32)
