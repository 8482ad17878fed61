"""How well a network does on labelled faces that it has not learnt from."""

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
    "true-box": "the crop is made from the labels' own box",
    "detected-box": "end to end: the detector finds the face; one that it misses counts as a failure",
    "whole-frame": "the middle of the frame, as the reference recipe trains; no box at all",
}
CHUNK = 64  # faces between two progress calls
YAWS = (0, 15, 30, 45)  # degrees away from the camera, where groups of faces begin
SIZES = (0, 30, 40, 50, 60)  # pixels between the outer eye corners
SPREAD_GROUPS = 20


@dataclass(frozen=True)
class EvaluationReport:
    """Errors of one model on one part of a dataset, as fractions of the eye distance.

    errors: float32 (n, 68), a missed face is infinite. predicted: float32 (n, 68, 2), image pixels, a missed
    face is NaN. spread: float32 (n, 68), the errors that the network expects, as fractions of its own eye distance;
    NaN where it does not say. truth: the labels. names: the n file names. learnt: see `frames_learnt`.

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
        """The figures, in percent (auc8 in 0..1). Means are over the faces found; rates count the missed as failed."""
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
        """The summary, and in plain values what curves and tables are drawn from; errors in percent.

        errors: each face's NME in the dataset's order, None where it was missed. by_yaw, by_size: groups of faces.
        spread: what the network expects against what is, or None. learnt: how many of the images it learnt from.
        """
        nme = [round(float(value) * 100, 2) if np.isfinite(value) else None for value in self.nme]
        yaw = np.abs([head_pose(face).yaw for face in self.truth])
        return self.summary() | {
            "errors": nme,
            "by_yaw": self._groups(yaw, YAWS, "degrees"),
            "by_size": self._groups(eye_distance(self.truth), SIZES, "px"),
            "spread": self._spread(),
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

    def _spread(self) -> dict[str, Any] | None:
        """Rank correlations over all points, and means of expected and true error in groups of equal size, percent.

        rank_correlation: of both as shares of the eye distance; in_pixels: of both in pixels of the image;
        by_size: of the face's size alone with the error in pixels, what the former is to be compared with.
        """
        told = np.isfinite(self.errors) & np.isfinite(self.expected_error)
        if told.sum() < SPREAD_GROUPS:
            return None
        expected, errors = self.expected_error[told], self.errors[told]
        size = np.broadcast_to(eye_distance(self.predicted)[:, None], told.shape)[told]
        pixels = np.broadcast_to(eye_distance(self.truth)[:, None], told.shape)[told] * errors
        groups = np.array_split(np.argsort(expected), SPREAD_GROUPS)
        return {
            "rank_correlation": rank_correlation(expected, errors),
            "in_pixels": rank_correlation(expected * size, pixels),
            "by_size": rank_correlation(size, pixels),
            "expected": [float(expected[group].mean() * 100) for group in groups],
            "measured": [float(errors[group].mean() * 100) for group in groups],
        }


def metrics_key(split: str, setting: str, detector: str, *, part: str = "test") -> str:
    """How a checkpoint's metrics name a record: "people, true-box" or "people, detected-box, yunet"."""
    names = [split, setting, *([detector] if setting == "detected-box" else []), *([part] if part != "test" else [])]
    return ", ".join(names)


def frames_learnt(
    trained: Checkpoint | ModelCard, dataset: FacialKeypointsDataset, faces: FacialKeypointsDataset
) -> int | None:
    """How many of `faces`, a part of `dataset`, a network has learnt from.

    None where its record does not tell, or where it learnt from another dataset: its number of images is another.
    """
    config, split = trained.config, trained.data.get("split")
    if split not in SPLITS:
        return None
    if dataset.synthetic != is_synthetic(trained.data.get("name")):
        return 0
    learning = dataset.learning(
        split, **{name: config[name] for name in ("validate_on", "max_train_images", "seed") if name in config}
    )
    return len(np.intersect1d(learning.rows, faces.rows)) if len(learning) == trained.data.get("images") else None


def measurable(faces: FacialKeypointsDataset) -> FacialKeypointsDataset:
    """Those whose outer eye corners are labelled: without them there is no distance to measure errors in."""
    known = np.isfinite(faces.keypoints[:, EYE_CORNERS]).all(axis=(1, 2))
    if known.all():
        return faces
    log.warning(
        "%d of %d faces have no label at an outer eye corner, and are not measured.", (~known).sum(), len(known)
    )
    return faces.subset(np.flatnonzero(known))


def answers_of(
    predictor: Predictor, faces: FacialKeypointsDataset, indices: Sequence[int], setting: str
) -> tuple[list[int], CropPredictions]:
    """Which of these faces are found in this setting, and the network's answers for them."""
    if setting == "detected-box":
        boxes = {index: found_box(predictor, faces, index) for index in indices}
        found = {index: box for index, box in boxes.items() if box is not None}
        _, answers = predictor.predict_boxes(
            [(faces.image(index), box) for index, box in found.items()], box_style=predictor.detector.box_style
        )
        return list(found), answers
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
    """The box that the detector finds about a labelled face, tight as far as it tells; None where it misses it."""
    truth = Box.from_points(faces.keypoints[index])
    boxes = [predictor.detector.box_map.to_tight(face.box) for face in predictor.detector.detect(faces.image(index))]
    best = max(boxes, key=truth.iou, default=None)  # a frame may show other people's faces too
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
    """The report on a part of a split. `progress(done, total)` is called along the way.

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
    spread = np.full((len(faces), 68), np.nan, np.float32)
    for start in range(0, len(faces), CHUNK):
        chunk = range(start, min(start + CHUNK, len(faces)))
        found, answers = answers_of(predictor, faces, chunk, setting)
        predicted[found], spread[found] = answers.keypoints, answers.expected_error
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
        spread / eye_distance(predicted)[:, None],
        faces.keypoints,
        frames_learnt(predictor.checkpoint, dataset, faces),
    )
