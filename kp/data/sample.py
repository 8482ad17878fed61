"""One face: its image, its keypoints, and the frame that they come from."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from kp.errors import TransformError
from kp.geometry import IDENTITY, apply, compose, invert
from kp.landmarks import MIRROR


@dataclass(frozen=True)
class Sample:
    """An image with its 68 keypoints; each transform takes a sample and returns a new one.

    image: uint8 (H, W, 3) RGB as read; float32 (H, W) or (H, W, 3) in 0..1 after Normalize;
        a tensor (C, H, W) after ToTensor.
    keypoints: float32 (68, 2), xy in pixels of `image` (in the network's units after Normalize).
    matrix: 2x3, from the pixels of the image as read to the units of `keypoints`.
    mirrored: whether an odd number of transforms flipped the image.

        >>> from kp.synthetic.dataset import SyntheticFaces
        >>> from kp.transforms.geometric import FaceCrop
        >>> sample = SyntheticFaces(1)[0]
        >>> crop = FaceCrop(96)(sample)
        >>> crop.image.shape, bool(abs(crop.to_original(crop.keypoints) - sample.keypoints).max() < 1e-3)
        ((96, 96, 3), True)
    """

    image: np.ndarray | torch.Tensor
    keypoints: np.ndarray | torch.Tensor
    name: str = ""
    person: str = ""
    video: str = ""
    frame: str = ""
    matrix: np.ndarray = field(default_factory=IDENTITY.copy)
    mirrored: bool = False

    def pixels(self) -> np.ndarray:
        """`image` as an array. Raises TransformError after ToTensor."""
        return self._array(self.image)

    def points(self) -> np.ndarray:
        """`keypoints` as an array. Raises TransformError after ToTensor."""
        return self._array(self.keypoints)

    def _array(self, values: np.ndarray | torch.Tensor) -> np.ndarray:
        if isinstance(values, np.ndarray):
            return values
        raise TransformError(f"{self.name or 'This sample'} holds tensors; arrays are needed. Put ToTensor last.")

    def moved(self, image: np.ndarray, matrix: np.ndarray) -> "Sample":
        """The sample with new pixels, and its keypoints moved by `matrix` (old pixels to new ones)."""
        return replace(self, image=image, keypoints=apply(matrix, self.points()), matrix=compose(matrix, self.matrix))

    def to_original(self, keypoints: np.ndarray | torch.Tensor) -> np.ndarray:
        """Keypoints (68, 2) in this sample's units as float32 pixels of the image as read."""
        points = apply(invert(self.matrix), np.asarray(keypoints))
        return points[MIRROR] if self.mirrored else points
