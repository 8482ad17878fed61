"""From an image to the keypoints of each face in it: `detect`, `predict_crops`, `refine_upright`.

The methods of `Predictor` stand in the order in which they are called.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
import torch

from kp.checkpoint import Checkpoint, load_checkpoint
from kp.data.images import check_image
from kp.detectors import create_detector
from kp.detectors.base import BoxStyle, Detector
from kp.errors import ConfigError
from kp.geometry import Box, CropTransform, move_box
from kp.prediction.face import CONFIDENT, FacePrediction
from kp.prediction.orientation import ROTATIONS, UprightBox, angle_between, rotated_copy, upright_box
from kp.prediction.tta import AUGMENTATIONS, CropPredictions

BATCH = 64  # crops in a forward pass
OUTPUTS = ("keypoints", "sigma")  # the stages that are predictions; a point's expected error is 2 sigma
TILTED = 10.0  # degrees between the eyes and the horizontal above which a face gets a second pass in an upright crop
SIDEWAYS = 60.0  # degrees; where all heads are tilted further, the image may lie on its side

Crop = tuple[np.ndarray, CropTransform]  # an image uint8 (H, W, 3), and the transform to the crop


@dataclass(frozen=True)
class SearchResult:
    """The faces of an image, best first.

    rotation: degrees counter-clockwise by which the image was rotated to find them. The seconds are of all rotations.
    """

    faces: list[FacePrediction]
    rotation: int
    detector_seconds: float
    network_seconds: float


class Predictor:
    """A network and a detector, ready to use; safe to share between threads.

    model: a shipped checkpoint's name, a path, or a Checkpoint. detector: a name or a Detector.
    threshold: the detector's, in its own unit. margin: the crop's side in box sides, instead of the network's own.
    tta: number of crops a face is predicted from (test-time augmentation), 1 to 8.
    Raises CheckpointError for an unknown or damaged checkpoint, ConfigError for other invalid arguments.

        >>> from kp import Predictor
        >>> from kp.synthetic.dataset import SyntheticFaces
        >>> image = SyntheticFaces(1).image(0)
        >>> faces = Predictor("heatmap_net_minute", detector="whole-image").predict(image)
        >>> [face.keypoints.shape for face in faces]
        [(68, 2)]
    """

    def __init__(
        self,
        model: str | Checkpoint = "heatmap_net",
        detector: str | Detector = "yunet",
        *,
        threshold: float | None = None,
        margin: float | None = None,
        tta: int = 1,
    ) -> None:
        if tta not in range(1, len(AUGMENTATIONS) + 1):
            raise ConfigError(f"Test-time augmentation takes 1 to {len(AUGMENTATIONS)} crops, not {tta!r}.")
        self.checkpoint = model if isinstance(model, Checkpoint) else load_checkpoint(model)
        network = self.checkpoint.create_model().folded()
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # annotations lack it
        preprocessing = self.checkpoint.preprocessing
        self.preprocessing = preprocessing if margin is None else replace(preprocessing, margin=margin)
        self.detector = detector if isinstance(detector, Detector) else create_detector(detector, threshold=threshold)
        self.tta = tta
        self.confidence_threshold = self.checkpoint.confidence_threshold(tta)

    def predict(
        self,
        image: np.ndarray,
        boxes: Sequence[Box] | None = None,
        *,
        roll: float = 0.0,
        box_style: BoxStyle = "exact",
    ) -> list[FacePrediction]:
        """The faces in uint8 (H, W, 3) RGB, best first; no face is an empty list.

        boxes: face boxes in place of the detector, image pixels. roll: degrees clockwise by which the faces in them are
        tilted. box_style: how well they fit, as in `predict_boxes`.
        Raises ImageError for any other kind of array, ConfigError for an empty box.
        """
        if boxes is None:
            return self.search(image).faces
        check_image(image)
        for box in boxes:
            if box.width <= 0 or box.height <= 0:
                sides = f"{box.left:g}, {box.top:g}, {box.right:g}, {box.bottom:g}"
                raise ConfigError(f"A face box needs left < right and top < bottom, not {sides}.")
        upright, predicted = self.predict_boxes([(image, box) for box in boxes], roll=roll, box_style=box_style)
        return self._faces(upright, [None] * len(boxes), predicted)

    def search(self, image: np.ndarray, *, rotations: Sequence[int] = ROTATIONS) -> SearchResult:
        """The detector's faces with their keypoints, and how they were found. Raises ImageError as `predict`.

        Where no face is found, or none that is upright and confident, the image is also searched in these rotations
        (degrees, multiples of 90). A face of low confidence is kept where nothing else is found.
        """
        check_image(image)
        best = self.search_rotated(image, 0)
        if _is_upright(best):
            return best
        searched = [best]
        for rotation in rotations:
            result = self.search_rotated(image, rotation)
            searched.append(result)
            if (_is_upright(result) or not best.faces) and _rank(result) > _rank(best):
                best = result
        return replace(
            best,
            detector_seconds=sum(result.detector_seconds for result in searched),
            network_seconds=sum(result.network_seconds for result in searched),
        )

    def search_rotated(self, image: np.ndarray, rotation: int) -> SearchResult:
        """The faces found in the image rotated counter-clockwise by `rotation` degrees, in pixels of `image`."""
        start = perf_counter()
        boxes, scores = self.detect(image, rotation)
        detected = perf_counter()
        upright, predicted = self.predict_boxes(
            [(image, box) for box in boxes], roll=rotation, box_style=self.detector.box_style
        )
        faces = self._faces(upright, scores, predicted)
        return SearchResult(faces, rotation, detected - start, perf_counter() - detected)

    def detect(self, image: np.ndarray, rotation: int = 0) -> tuple[list[Box], list[float | None]]:
        """Tight boxes in image pixels, and scores, of the faces that the detector finds in the rotated image."""
        to_tight = self.detector.box_map.to_tight
        if rotation == 0:
            detections = self.detector.detect(image)
            boxes = [to_tight(face.box) for face in detections]
        else:
            rotated, to_image = rotated_copy(image, rotation // 90)
            detections = self.detector.detect(rotated)
            boxes = [move_box(to_image, to_tight(face.box)) for face in detections]
        return boxes, [face.score for face in detections]

    def predict_boxes(
        self, faces: Sequence[tuple[np.ndarray, Box]], *, roll: float = 0.0, box_style: BoxStyle = "tight"
    ) -> tuple[list[UprightBox], CropPredictions]:
        """Predictions for n pairs of an image and a face box, and the boxes of the crops they were predicted from.

        Where the eyes are more than TILTED degrees from the horizontal, they are those of a second pass
        (`refine_upright`). box_style: "exact" boxes are kept in it, "tight" ones are replaced by those about the first
        pass's points; with "loose" ones every face gets a second pass. On heads tilted by 30 or 45 degrees it lowers
        the NME by 6 and 30 % (`heatmap_net`, YuNet, rotated test frames).
        """
        boxes = [UprightBox(box, roll) for _, box in faces]
        predicted = self.predict_crops(self._crops(faces, boxes))
        return self.refine_upright(faces, boxes, predicted, box_style=box_style)

    def predict_crops(self, crops: Sequence[Crop]) -> CropPredictions:
        """The network's predictions for n crops, averaged over the test-time augmentations of each."""
        augmentations, at_once = AUGMENTATIONS[: self.tta], max(1, BATCH // self.tta)
        keypoints = np.empty((len(crops), len(augmentations), 68, 2), np.float32)
        expected_error = np.empty((len(crops), len(augmentations), 68), np.float32)
        for start in range(0, len(crops), at_once):
            chunk = slice(start, start + at_once)
            batch = [(image, augment.apply_to(crop)) for image, crop in crops[chunk] for augment in augmentations]
            points, errors = self.forward(batch)  # all augmentations of the first crop, of the second, ...
            for number, augment in enumerate(augmentations):
                keypoints[chunk, number] = augment.in_order(points[number :: self.tta])
                expected_error[chunk, number] = augment.in_order(errors[number :: self.tta])
        return CropPredictions.average(keypoints, expected_error)

    @torch.inference_mode()
    def forward(self, crops: Sequence[Crop]) -> tuple[np.ndarray, np.ndarray]:
        """One forward pass: keypoints (n, 68, 2) and expected errors (n, 68), image pixels; NaN if not predicted."""
        inputs = self.preprocessing.to_tensor([crop.warp(image) for image, crop in crops])
        inputs = inputs.contiguous(memory_format=torch.channels_last)  # (n, channels, size, size)
        stages = {name: output.numpy() for name, output in self.network.stages(inputs) if name in OUTPUTS}
        points = self.preprocessing.decode(stages["keypoints"])  # (n, 68, 2), crop pixels
        errors = stages.get("sigma", np.full(points.shape[:2], np.nan)) * 2 * self.preprocessing.scale
        keypoints = [crop.to_image(face) for (_, crop), face in zip(crops, points, strict=True)]
        return np.array(keypoints), np.array([face / crop.scale for (_, crop), face in zip(crops, errors, strict=True)])

    def refine_upright(
        self,
        faces: Sequence[tuple[np.ndarray, Box]],
        boxes: Sequence[UprightBox],
        predicted: CropPredictions,
        *,
        box_style: BoxStyle,
    ) -> tuple[list[UprightBox], CropPredictions]:
        """Boxes and predictions, with those of tilted heads and of loose boxes replaced by a second, upright pass."""
        second: dict[int, UprightBox] = {}  # by the face's index
        for index, (points, first) in enumerate(zip(predicted.keypoints, boxes, strict=True)):
            upright = upright_box(points, first.roll)
            if upright and (box_style == "loose" or abs(upright.roll - first.roll) > TILTED):
                second[index] = upright._replace(box=first.box) if box_style == "exact" else upright
        refined = self.predict_crops(self._crops([faces[index] for index in second], list(second.values())))
        return [second.get(index, box) for index, box in enumerate(boxes)], predicted.replaced(list(second), refined)

    def _crops(self, faces: Sequence[tuple[np.ndarray, Box]], boxes: Sequence[UprightBox]) -> list[Crop]:
        transforms = [self.preprocessing.crop_transform(box, roll=roll) for box, roll in boxes]
        return [(image, transform) for (image, _), transform in zip(faces, transforms, strict=True)]

    def _faces(
        self, boxes: Sequence[UprightBox], scores: Sequence[float | None], predicted: CropPredictions
    ) -> list[FacePrediction]:
        fields = zip(boxes, scores, predicted.keypoints, predicted.expected_error, predicted.covariance, strict=True)
        return [
            FacePrediction(box, score, keypoints, expected_error, covariance, roll, self.confidence_threshold)
            for (box, roll), score, keypoints, expected_error, covariance in fields
        ]


def _is_upright(result: SearchResult) -> bool:
    """Whether one of the faces is confident and not sideways in the searched rotation.

    Uses the expected share, not the calibrated confidence, so that a calibration does not change which faces are found.
    """
    return any(
        (face.expected_share is None or face.expected_share >= CONFIDENT)
        and abs(angle_between(face.roll, result.rotation)) <= SIDEWAYS
        for face in result.faces
    )


def _rank(result: SearchResult) -> tuple[bool, float, float, int]:
    """A sort key: whether a face is upright, the highest confidence, the best score, the number of faces."""
    faces = result.faces
    return (
        _is_upright(result),
        max((face.confidence or 0.0 for face in faces), default=0.0),
        max((face.score or 0.0 for face in faces), default=0.0),
        len(faces),
    )
