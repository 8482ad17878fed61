"""The errors of a network on a set of faces, their means and groups."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from kp.metrics import auc, eye_distance, failure_rate, mean_of_known, rank_correlation, region_means
from kp.pose import head_pose

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
