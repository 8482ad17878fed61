"""From any picture to keypoints: detect -> crop -> network -> map back.

    from kp import Predictor
    faces = Predictor(model="five_conv", detector="yunet").predict(image)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from kp.checkpoint import Checkpoint, load_checkpoint
from kp.data.images import check_image
from kp.detectors import create_detector
from kp.detectors.base import Detector
from kp.errors import ConfigError
from kp.geometry import Box, CropMap

BATCH = 64  # crops a forward pass


@dataclass(frozen=True)
class FacePrediction:
    """One face. box: tight about the points, as far as the detector tells. keypoints: float32 (68, 2), image pixels."""

    box: Box
    score: float | None
    keypoints: np.ndarray


class Predictor:
    """A network and a detector, ready to use; safe to share between threads.

    model: a shipped checkpoint's name, a path, or a Checkpoint. detector: a name or a Detector.
    threshold: the detector's, in its own unit. margin: the crop's side in box sides, instead of the network's own.
    """

    def __init__(self, model: str | Checkpoint = "five_conv", detector: str | Detector = "yunet", *,
                 threshold: float | None = None, margin: float | None = None) -> None:
        self.checkpoint = model if isinstance(model, Checkpoint) else load_checkpoint(model)
        self.network = self.checkpoint.create_model()
        preprocessing = self.checkpoint.preprocessing
        if margin is not None:
            preprocessing = type(preprocessing)(**{**vars(preprocessing), "margin": margin})
        self.preprocessing = preprocessing
        self.detector = detector if isinstance(detector, Detector) else create_detector(detector, threshold=threshold)

    def predict(self, image: np.ndarray, boxes: Sequence[Box] | None = None) -> list[FacePrediction]:
        """The faces in uint8 (H, W, 3) RGB, best first; no face is an empty list.

        boxes: tight face boxes, used in place of the detector. Raises ImageError for any other kind of array.
        """
        check_image(image)
        if boxes is None:
            found = [(self.detector.box_map.to_tight(face.box), face.score) for face in self.detector.detect(image)]
        else:
            found = [(box, None) for box in boxes]
        for box, _ in found:
            if box.width <= 0 or box.height <= 0:
                raise ConfigError(f"A face box needs left < right and top < bottom, not {box}.")
        maps = [self.preprocessing.crop_map(box) for box, _ in found]
        keypoints = self.keypoints([(image, crop) for crop in maps])
        return [FacePrediction(box, score, points)
                for (box, score), points in zip(found, keypoints, strict=True)]

    @torch.inference_mode()
    def keypoints(self, crops: Sequence[tuple[np.ndarray, CropMap]]) -> np.ndarray:
        """Keypoints float32 (n, 68, 2) in image pixels, for n pairs of a picture and where to crop it."""
        answers = []
        for start in range(0, len(crops), BATCH):
            batch = crops[start : start + BATCH]
            tensor = self.preprocessing.to_tensor([crop.cut(image) for image, crop in batch])
            output = self.preprocessing.decode(self.network(tensor).numpy())  # (n, 68, 2) crop pixels
            answers += [crop.to_image(points) for (_, crop), points in zip(batch, output, strict=True)]
        return np.array(answers, np.float32).reshape(-1, 68, 2)
