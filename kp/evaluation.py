"""The error of a network on labelled faces."""

import logging
from collections.abc import Callable, Sequence

import numpy as np

from kp.checkpoint import Checkpoint
from kp.data import FacialKeypointsDataset
from kp.data.splits import NEEDED, SPLITS, describe_people
from kp.errors import DataError, choose
from kp.evaluation_report import EvaluationReport
from kp.geometry import Box
from kp.landmarks import EYE_CORNERS
from kp.metrics import eye_distance, point_errors
from kp.model_card import ModelCard
from kp.prediction.predictor import Predictor
from kp.prediction.tta import CropPredictions
from kp.synthetic.dataset import is_synthetic

log = logging.getLogger(__name__)

SETTINGS = {
    "true-box": "the crop is made from the labels' box",
    "detected-box": "end to end: the detector finds the face; a missed face counts as a failure",
    "whole-frame": "the middle of the frame without a box, as in the reference recipe",
}
CHUNK = 64  # faces between two progress calls


def metrics_key(split: str, setting: str, detector: str, *, part: str = "test") -> str:
    """The key of a record in a checkpoint's metrics: "people, true-box" or "people, detected-box, yunet"."""
    names = [split, setting, *([detector] if setting == "detected-box" else []), *([part] if part != "test" else [])]
    return ", ".join(names)


def frames_learnt(
    trained: Checkpoint | ModelCard, dataset: FacialKeypointsDataset, faces: FacialKeypointsDataset
) -> int | None:
    """How many of `faces`, a part of `dataset`, a network was trained on.

    None where its record lacks that, or where it was trained on another dataset: their numbers of images differ.
    """
    config, split = trained.config, trained.data.get("split")
    if split not in SPLITS:
        return None
    if dataset.synthetic != is_synthetic(trained.data.get("name")):
        return 0
    train_set = dataset.learning(
        split, **{name: config[name] for name in ("validate_on", "max_train_images", "seed") if name in config}
    )
    return len(np.intersect1d(train_set.rows, faces.rows)) if len(train_set) == trained.data.get("images") else None


def measurable(faces: FacialKeypointsDataset) -> FacialKeypointsDataset:
    """Those whose outer eye corners are labelled, as the errors are fractions of their distance."""
    known = np.isfinite(faces.keypoints[:, EYE_CORNERS]).all(axis=(1, 2))
    if known.all():
        return faces
    log.warning(
        "%d of %d faces have no label at an outer eye corner, and are not measured.", (~known).sum(), len(known)
    )
    return faces.subset(np.flatnonzero(known))


def predict_faces(
    predictor: Predictor, faces: FacialKeypointsDataset, indices: Sequence[int], setting: str
) -> tuple[list[int], CropPredictions]:
    """The indices of the faces that are found in this setting, and the predictions for them."""
    if setting == "detected-box":
        boxes = {index: found_box(predictor, faces, index) for index in indices}
        found = {index: box for index, box in boxes.items() if box is not None}
        _, predictions = predictor.predict_boxes(
            [(faces.image(index), box) for index, box in found.items()], box_style=predictor.detector.box_style
        )
        return list(found), predictions
    crops = []
    for index in indices:
        image = faces.image(index)
        crop = (
            predictor.preprocessing.frame_transform(*image.shape[:2])
            if setting == "whole-frame"
            else predictor.preprocessing.crop_transform(Box.from_points(faces.keypoints[index]))
        )
        crops.append((image, crop))
    return list(indices), predictor.predict_crops(crops)


def found_box(predictor: Predictor, faces: FacialKeypointsDataset, index: int) -> Box | None:
    """The detector's box of a labelled face, mapped to a tight box; None where it misses the face."""
    truth = Box.from_points(faces.keypoints[index])
    boxes = [predictor.detector.box_map.to_tight(face.box) for face in predictor.detector.detect(faces.image(index))]
    best = max(boxes, key=truth.iou, default=None)  # a frame may show other faces, too
    return best if best is not None and truth.iou(best) > 0.1 else None


def evaluate(
    predictor: Predictor,
    dataset: FacialKeypointsDataset,
    *,
    split: str = "people",
    part: str = "test",
    setting: str = "true-box",
    name: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> EvaluationReport:
    """The report on a part of a split; `progress(done, total)` is called after each chunk.

    Raises DataError where the part is empty.

        >>> from kp import Predictor, evaluate
        >>> from kp.synthetic.dataset import SyntheticFaces
        >>> predictor = Predictor("heatmap_net_minute", detector="whole-image")
        >>> report = evaluate(predictor, SyntheticFaces(2))
        >>> report.errors.shape, report.summary()["missed"]
        ((12, 68), 0)
    """
    choose("setting", setting, SETTINGS)
    faces = measurable(dataset.part(split, part))
    if not len(faces):
        raise DataError(
            f"The {part} part of the split {split!r} is empty in {dataset.root}, which holds "
            f"{describe_people([frame.person for frame in dataset.frames])}. {NEEDED}"
        )
    predicted = np.full((len(faces), 68, 2), np.nan, np.float32)
    expected_error = np.full((len(faces), 68), np.nan, np.float32)
    for start in range(0, len(faces), CHUNK):
        chunk = range(start, min(start + CHUNK, len(faces)))
        found, predictions = predict_faces(predictor, faces, chunk, setting)
        predicted[found], expected_error[found] = predictions.keypoints, predictions.expected_error
        if progress:
            progress(chunk.stop, len(faces))
    errors = point_errors(predicted, faces.keypoints)
    errors[np.isnan(predicted).any(axis=2)] = np.inf
    return EvaluationReport(
        name or predictor.checkpoint.title or predictor.checkpoint.architecture,
        split,
        setting,
        [info.name for info in faces.frames],
        errors,
        predicted,
        expected_error / eye_distance(predicted)[:, None],
        faces.keypoints,
        frames_learnt(predictor.checkpoint, dataset, faces),
    )
