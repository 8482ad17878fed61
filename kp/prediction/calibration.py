"""Calibration of the confidence: the threshold of low confidence is fitted to degraded frames of training people.

A network predicts its expected error as on its training frames, and so is overconfident on harder ones. Its ranking of
faces holds all the same; the threshold for it is measured here and stored in the checkpoint.
"""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kp.data.dataset import FacialKeypointsDataset
from kp.errors import DataError
from kp.geometry import Box
from kp.metrics import nme
from kp.prediction.predictor import Predictor
from kp.transforms.degradations import degraded
from kp.transforms.head_shape import fit_head

logger = logging.getLogger(__name__)
GOOD, BAD = 0.08, 0.10  # NME in eye distances: a face below is good, one above bad; others are not counted
GOOD_SHARE = 0.04  # of the good faces that are flagged; the limit is 0.05, and people not trained on have more
FOUND = 0.1  # IoU with the true box above which a detected face is the labelled one
LEAST = 20  # faces that a share needs in each group


@dataclass(frozen=True)
class FlagShares:
    """Shares (0..1) of bad and good faces that are flagged as low confidence, and the numbers of these faces.

    missed: frames in which the detector did not find the face, so that it cannot be flagged. frames: all frames.
    """

    bad_flagged: float
    good_flagged: float
    bad: int
    good: int
    missed: int
    frames: int

    def record(self) -> dict[str, float | int]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Measured:
    """Predictions on degraded frames: NME and `expected_share` of n faces, both (n,), and how many were missed."""

    errors: np.ndarray
    expected: np.ndarray
    missed: int

    def shares(self, threshold: float) -> FlagShares:
        """The shares flagged where `expected_share` is below the threshold. Raises DataError for too few faces."""
        bad, good = self.expected[self.errors > BAD], self.expected[self.errors < GOOD]
        if min(len(bad), len(good)) < LEAST:
            raise DataError(
                f"The degraded frames gave {len(bad)} faces with an error over {BAD:.0%} and {len(good)} "
                f"below {GOOD:.0%}; at least {LEAST} of each are needed. Take more --frames."
            )
        return FlagShares(
            float((bad < threshold).mean()),
            float((good < threshold).mean()),
            len(bad),
            len(good),
            self.missed,
            len(self.errors) + self.missed,
        )

    def threshold(self) -> float:
        """The `expected_share` below which GOOD_SHARE of the good faces lie. Raises DataError for too few faces."""
        self.shares(0.0)  # raises it
        return float(np.clip(np.quantile(self.expected[self.errors < GOOD], GOOD_SHARE), 0.01, 0.99))


def measure(
    predictor: Predictor,
    faces: FacialKeypointsDataset,
    *,
    frames: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Measured:
    """Predictions on up to `frames` degraded frames, drawn with `seed`; each is searched as any image is."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(faces))[:frames])
    head, errors, expected = fit_head(faces.keypoints), [], []
    for done, row in enumerate(rows.tolist(), start=1):
        _, sample = degraded(faces.sample(row), head, (seed, row))
        image, keypoints = sample.pixels(), sample.points()
        truth = Box.from_points(keypoints)
        face = max(predictor.predict(image), key=lambda face: truth.iou(Box.from_points(face.keypoints)), default=None)
        if face is not None and truth.iou(Box.from_points(face.keypoints)) > FOUND and face.expected_share is not None:
            errors.append(float(nme(face.keypoints, keypoints)))
            expected.append(face.expected_share)
        if progress:
            progress(done, len(rows))
    return Measured(np.array(errors), np.array(expected), len(rows) - len(errors))


def entry(threshold: float, shares: FlagShares, **settings: Any) -> dict[str, Any]:
    """The calibration as stored in a checkpoint: the threshold, the settings it was measured with, and the shares."""
    return {"threshold": round(threshold, 4), **settings, "train": shares.record()}
