"""One face: its picture, its keypoints, and where both come from."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from kp.geometry import IDENTITY, apply, compose, invert
from kp.landmarks import MIRROR


@dataclass(frozen=True)
class Sample:
    """A picture with its 68 keypoints; every transform takes one and gives a new one.

    image: uint8 (H, W, 3) RGB as read; float32 (H, W) or (H, W, 3) in 0..1 after Normalize;
        a tensor (C, H, W) after ToTensor.
    keypoints: float32 (68, 2), xy in pixels of `image` (in the network's units after Normalize).
    matrix: 2x3, from the pixels of the picture as read to the units of `keypoints`.
    mirrored: whether left and right have changed places on the way.

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

    def moved(self, image: np.ndarray, matrix: np.ndarray) -> "Sample":
        """The sample with new pixels, and its keypoints moved by `matrix` (old pixels -> new ones)."""
        return replace(
            self, image=image, keypoints=apply(matrix, np.asarray(self.keypoints)), matrix=compose(matrix, self.matrix)
        )

    def to_original(self, keypoints: np.ndarray | torch.Tensor) -> np.ndarray:
        """Keypoints (68, 2) in this sample's units, taken back to the picture as read. Float32."""
        points = apply(invert(self.matrix), np.asarray(keypoints))
        return points[MIRROR] if self.mirrored else points
