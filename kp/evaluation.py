"""The error of a network on labelled faces."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from kp.checkpoint import Checkpoint
from kp.data import FacialKeypointsDataset
from kp.data.splits import NEEDED, SPLITS, describe_people
from kp.errors import DataError, choose
from kp.geometry import Box
from kp.landmarks import EYE_CORNERS
from kp.metrics import auc, eye_distance, failure_rate, mean_of_known, point_errors, rank_correlation, region_means
from kp.model_card import ModelCard
from kp.pose import head_pose
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
YAWS = (0, 15, 30, 45)  # lower bounds of groups of faces, degrees away from the camera
SIZES = (0, 30, 40, 50, 60)  # likewise, pixels between the outer eye corners
ERROR_GROUPS = 20


@dataclass(frozen=True)
class EvaluationReport:
    """Errors of one model on one part of a dataset, as fractions of the eye distance.

    errors: float32 (n, 68), a missed face is infinite. predicted: float32 (n, 68, 2), image pixels, a missed
    face is NaN. expected_error: float32 (n, 68), as fractions of the predicted eye distance; NaN where the network
    predicts none. truth: the labels. names: the n file names. learnt: see `frames_learnt`.

        >>> import numpy as np
        >>> from kp import EvaluationReport
        >>> points = np.zeros((1, 68, 2), np.float32)
        >>> errors = np.full((1, 68), 0.05, np.float32)
        >>> report = EvaluationReport("net", "people", "true-box", ["a.jpg"], errors, points, errors, points)
        >>> round(report.summary()["nme_mean"], 2)
        5.0
    """

    model: str
    split: str
    setting: str
    names: list[str]
    errors: np.ndarray = field(repr=False)
    predicted: np.ndarray = field(repr=False)
    expected_error: np.ndarray = field(repr=False)
    truth: np.ndarray = field(repr=False)
    learnt: int | None = None

    @property
    def nme(self) -> np.ndarray:
        """Each face's NME, (n,); infinite where it was missed."""
        return mean_of_known(self.errors)

    def summary(self) -> dict[str, Any]:
        """The metrics, in percent (auc8 in 0..1). Means are over the faces found; rates count the missed as failed."""
        found = np.isfinite(self.nme)
        nme = self.nme[found]
        means = (
            {
                f"nme_{name}": float(value * 100)
                for name, value in (("mean", nme.mean()), ("median", np.median(nme)), ("p95", np.percentile(nme, 95)))
            }
            if len(nme)
            else dict.fromkeys(("nme_mean", "nme_median", "nme_p95"))
        )
        return {
            "model": self.model,
            "split": self.split,
            "setting": self.setting,
            "images": len(self.names),
            "missed": int((~found).sum()),
            **means,
            "fr8": failure_rate(self.nme, 0.08) * 100,
            "fr10": failure_rate(self.nme, 0.10) * 100,
            "auc8": auc(self.nme, 0.08),
            "regions": {name: value * 100 for name, value in region_means(self.errors[found]).items()}
            if len(nme)
            else {},
        }

    def record(self) -> dict[str, Any]:
        """The summary, and the plain values of curves and tables; errors in percent.

        errors: each face's NME in the dataset's order, None where it was missed. by_yaw, by_size: groups of faces.
        spread: expected against true errors, or None. learnt: how many of the images are in the training set.
        """
        nme = [round(float(value) * 100, 2) if np.isfinite(value) else None for value in self.nme]
        yaw = np.abs([head_pose(face).yaw for face in self.truth])
        return self.summary() | {
            "errors": nme,
            "by_yaw": self._groups(yaw, YAWS, "degrees"),
            "by_size": self._groups(eye_distance(self.truth), SIZES, "px"),
            "spread": self._expected_errors(),
            "learnt": self.learnt,
        }

    def _groups(self, values: np.ndarray, edges: Sequence[float], unit: str) -> list[dict[str, Any]]:
        """The mean NME of faces whose value lies between two edges."""
        groups = []
        for low, high in pairwise((*edges, np.inf)):
            nme = self.nme[(values >= low) & (values < high) & np.isfinite(self.nme)]
            label = f"{low:g} to {high:g} {unit}" if np.isfinite(high) else f"over {low:g} {unit}"
            groups.append({"label": label, "images": len(nme), "nme": float(nme.mean() * 100) if len(nme) else None})
        return groups

    def _expected_errors(self) -> dict[str, Any] | None:
        """Rank correlations over all points, and means of expected and true error in groups of equal size, percent.

        rank_correlation: of both as fractions of the eye distance; in_pixels: of both in pixels of the image;
        by_size: of the face's size alone with the error in pixels, the baseline of in_pixels.
        """
        known = np.isfinite(self.errors) & np.isfinite(self.expected_error)
        if known.sum() < ERROR_GROUPS:
            return None
        expected, errors = self.expected_error[known], self.errors[known]
        size = np.broadcast_to(eye_distance(self.predicted)[:, None], known.shape)[known]
        pixels = np.broadcast_to(eye_distance(self.truth)[:, None], known.shape)[known] * errors
        groups = np.array_split(np.argsort(expected), ERROR_GROUPS)
        return {
            "rank_correlation": rank_correlation(expected, errors),
            "in_pixels": rank_correlation(expected * size, pixels),
            "by_size": rank_correlation(size, pixels),
            "expected": [float(expected[group].mean() * 100) for group in groups],
            "measured": [float(errors[group].mean() * 100) for group in groups],
        }


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
