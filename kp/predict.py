"""From any picture to keypoints: detect -> crop -> network -> map back.

    from kp import Predictor
    faces = Predictor(model="heatmap_net", detector="yunet").predict(image)
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from kp.checkpoint import Checkpoint, load_checkpoint
from kp.data.images import check_image
from kp.detectors import create_detector
from kp.detectors.base import Detector
from kp.errors import ConfigError
from kp.geometry import Box, CropMap
from kp.metrics import eye_distance

BATCH = 64  # crops a forward pass
ANSWERS = ("keypoints", "spread")  # the stages that are answers; a spread is half the expected error


@dataclass(frozen=True)
class Answers:
    """What a network says of n faces, in image pixels.

    keypoints: float32 (n, 68, 2). spread: float32 (n, 68), how far off it expects each point to be; NaN where the
    network does not say.
    """

    keypoints: np.ndarray
    spread: np.ndarray


@dataclass(frozen=True)
class FacePrediction:
    """One face. box: tight about the points, as far as the detector tells. keypoints: float32 (68, 2), image pixels.

    spread: float32 (68,), how far off each point is expected to be, image pixels; NaN where the network does not say.
    """

    box: Box
    score: float | None
    keypoints: np.ndarray
    spread: np.ndarray = field(default_factory=lambda: np.full(68, np.nan, np.float32))

    @property
    def confidence(self) -> float | None:
        """The share of points expected within 8 % of the eye distance, 0..1; None where the network does not say."""
        return None if np.isnan(self.spread).any() else float(share_within(self.spread / eye_distance(self.keypoints)))


def share_within(spread: np.ndarray, limit: float = 0.08) -> np.ndarray:
    """The expected share of points (..., 68) with an error below `limit`, from expected errors in the same unit.

    Errors have the density exp(-r / b) in the plane, whose mean is 2 b: the one that the spread was learnt with.
    """
    reach = limit / np.maximum(spread / 2, 1e-9)
    return (1 - (1 + reach) * np.exp(-reach)).mean(axis=-1)


class Predictor:
    """A network and a detector, ready to use; safe to share between threads.

    model: a shipped checkpoint's name, a path, or a Checkpoint. detector: a name or a Detector.
    threshold: the detector's, in its own unit. margin: the crop's side in box sides, instead of the network's own.
    """

    def __init__(self, model: str | Checkpoint = "heatmap_net", detector: str | Detector = "yunet", *,
                 threshold: float | None = None, margin: float | None = None) -> None:
        self.checkpoint = model if isinstance(model, Checkpoint) else load_checkpoint(model)
        self.network = self.checkpoint.create_model().folded().to(memory_format=torch.channels_last)
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
        answers = self.answers([(image, crop) for crop in maps])
        return [FacePrediction(box, score, points, spread)
                for (box, score), points, spread in zip(found, answers.keypoints, answers.spread, strict=True)]

    @torch.inference_mode()
    def answers(self, crops: Sequence[tuple[np.ndarray, CropMap]]) -> Answers:
        """The network's answers for n pairs of a picture and where to crop it."""
        keypoints, spreads = [], []
        for start in range(0, len(crops), BATCH):
            batch = crops[start : start + BATCH]
            tensor = self.preprocessing.to_tensor([crop.cut(image) for image, crop in batch])
            tensor = tensor.contiguous(memory_format=torch.channels_last)
            stages = {name: output.numpy() for name, output in self.network.stages(tensor) if name in ANSWERS}
            points = self.preprocessing.decode(stages["keypoints"])           # (n, 68, 2) crop pixels
            spread = stages.get("spread", np.full(points.shape[:2], np.nan)) * 2 * self.preprocessing.scale
            keypoints += [crop.to_image(face) for (_, crop), face in zip(batch, points, strict=True)]
            spreads += [face / crop.zoom for (_, crop), face in zip(batch, spread, strict=True)]
        return Answers(np.array(keypoints, np.float32).reshape(-1, 68, 2),
                       np.array(spreads, np.float32).reshape(-1, 68))
