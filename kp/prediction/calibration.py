"""Confidence that holds beyond the training frames: its threshold is fitted to degraded frames of training people.

A network learns how sure it is from frames that it knows well, and so is too sure of hard ones. It ranks faces well all
the same; where the line lies between sure and low_confidence is measured here and kept in the checkpoint.
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
GOOD, BAD = 0.08, 0.10  # NME, of the eye distance: a face below is good, one above bad; those between are not counted
GOOD_SHARE = 0.04  # of the good faces that are flagged; 0.05 are allowed, and other people have some more
FOUND = 0.1  # the overlap with the true box from which on a detected face is the labelled one
LEAST = 20  # faces of each group that a share needs


@dataclass(frozen=True)
class FlagShares:
    """Shares (0..1) of bad and good faces that are flagged as low_confidence, and the numbers that they are of.

    missed: frames in which the detector did not find the face, which nothing can flag. frames: all of them.
    """

    bad_flagged: float
    good_flagged: float
    bad: int
    good: int
    missed: int
    frames: int

    def record(self) -> dict[str, float | int]:
        return asdict(self)


@dataclass(frozen=True)
class Measured:
    """Degraded faces as predicted: errors (NME) and expected shares within 8 %, both (n,), and how many were missed."""

    errors: np.ndarray
    expected: np.ndarray
    missed: int

    def shares(self, threshold: float) -> FlagShares:
        """What flagging the faces below a threshold of the expected share does. Raises DataError for too few faces."""
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
        """The expected share below which GOOD_SHARE of the good faces lie, so that most of the bad ones are flagged."""
        self.shares(0.0)  # enough faces
        return float(np.clip(np.quantile(self.expected[self.errors < GOOD], GOOD_SHARE), 0.01, 0.99))


def measure(
    predictor: Predictor,
    faces: FacialKeypointsDataset,
    *,
    frames: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Measured:
    """Degrade up to `frames` frames of a part, drawn with `seed`, and predict them as any picture."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(faces))[:frames])
    head, errors, expected = fit_head(faces.keypoints), [], []
    for done, row in enumerate(rows.tolist(), start=1):
        _, sample = degraded(faces.sample(row), head, (seed, row))
        truth = Box.from_points(sample.points())
        face = max(
            predictor.predict(sample.pixels()),
            key=lambda face: truth.iou(Box.from_points(face.keypoints)),
            default=None,
        )
        if face is not None and truth.iou(Box.from_points(face.keypoints)) > FOUND and face.expected_share is not None:
            errors.append(float(nme(face.keypoints, sample.points())))
            expected.append(face.expected_share)
        if progress:
            progress(done, len(rows))
    return Measured(np.array(errors), np.array(expected), len(rows) - len(errors))


def entry(threshold: float, shares: FlagShares, **settings: Any) -> dict[str, Any]:
    """What a checkpoint keeps of a calibration: the threshold, how it was made and both shares."""
    return {"threshold": round(threshold, 4), **settings, "train": shares.record()}
