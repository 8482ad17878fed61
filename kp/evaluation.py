"""How well a network does on labelled faces that it has not learnt from."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kp.data import FacialKeypointsDataset
from kp.errors import DataError, choose
from kp.geometry import Box, CropMap
from kp.metrics import auc, failure_rate, point_errors, region_means
from kp.predict import Predictor

SETTINGS = {
    "true-box": "the crop is made from the labels' own box",
    "detected-box": "end to end: the detector finds the face; one that it misses counts as a failure",
    "whole-frame": "the middle of the frame, as the reference recipe trains; no box at all",
}
CHUNK = 64  # faces between two progress calls


@dataclass(frozen=True)
class EvaluationReport:
    """Errors of one model on one part of a dataset, as fractions of the eye distance.

    errors: float32 (n, 68), a missed face is infinite. predicted: float32 (n, 68, 2), image pixels, a missed
    face is NaN. names: the n file names.
    """

    model: str
    split: str
    setting: str
    names: list[str]
    errors: np.ndarray = field(repr=False)
    predicted: np.ndarray = field(repr=False)

    @property
    def nme(self) -> np.ndarray:
        """Each face's NME, (n,); infinite where it was missed."""
        return self.errors.mean(axis=1)

    def summary(self) -> dict[str, Any]:
        """The figures, in percent (auc8 in 0..1). Means are over the faces found; rates count the missed as failed."""
        found = np.isfinite(self.nme)
        nme = self.nme[found]
        means = {f"nme_{name}": float(value * 100) for name, value in
                 (("mean", nme.mean()), ("median", np.median(nme)), ("p95", np.percentile(nme, 95)))} \
            if len(nme) else dict.fromkeys(("nme_mean", "nme_median", "nme_p95"))
        return {
            "model": self.model, "split": self.split, "setting": self.setting,
            "images": len(self.names), "missed": int((~found).sum()), **means,
            "fr8": failure_rate(self.nme, 0.08) * 100, "fr10": failure_rate(self.nme, 0.10) * 100,
            "auc8": auc(self.nme, 0.08),
            "regions": {name: value * 100 for name, value in region_means(self.errors[found]).items()}
            if len(nme) else {},
        }


def crop_of(predictor: Predictor, dataset: FacialKeypointsDataset, index: int, setting: str) -> CropMap | None:
    """Where one face's crop lies in this setting; None where the detector misses it."""
    preprocessing, truth = predictor.preprocessing, Box.around(dataset.keypoints[index])
    if setting == "true-box":
        return preprocessing.crop_map(truth)
    image = dataset.image(index)
    if setting == "whole-frame":
        return preprocessing.frame_map(*image.shape[:2])
    boxes = [predictor.detector.box_map.to_tight(face.box) for face in predictor.detector.detect(image)]
    best = max(boxes, key=truth.overlap, default=None)  # a frame may show other people's faces too
    return preprocessing.crop_map(best) if best and truth.overlap(best) > 0.1 else None


def evaluate(predictor: Predictor, dataset: FacialKeypointsDataset, *, split: str = "people", part: str = "test",
             setting: str = "true-box", name: str = "",
             progress: Callable[[int, int], None] | None = None) -> EvaluationReport:
    """The report on a part of a split. `progress(done, total)` is called along the way."""
    choose("setting", setting, SETTINGS)
    faces = dataset.part(split, part)
    if not len(faces):
        raise DataError(f"The {part} part of the split {split!r} is empty in {dataset.root}. Choose another split.")
    predicted = np.full((len(faces), 68, 2), np.nan, np.float32)
    for start in range(0, len(faces), CHUNK):
        maps = {index: crop_of(predictor, faces, index, setting)
                for index in range(start, min(start + CHUNK, len(faces)))}
        found = {index: crop for index, crop in maps.items() if crop is not None}
        predicted[list(found)] = predictor.keypoints([(faces.image(index), crop) for index, crop in found.items()])
        if progress:
            progress(start + len(maps), len(faces))
    errors = point_errors(predicted, faces.keypoints)
    errors[np.isnan(errors)] = np.inf
    return EvaluationReport(name or predictor.checkpoint.title or predictor.checkpoint.architecture, split, setting,
                            [info.name for info in faces.frames], errors, predicted)
