"""A predicted face: its keypoints, their expected errors, and the confidence."""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from kp.geometry import Box, apply, move_box, scaling
from kp.metrics import eye_distance
from kp.prediction.tta import share_within

CONFIDENT = 0.7  # below it a face has low confidence: it may be no face, or its points may be wrong
FAR_OFF = 0.08  # of the eye distance; the failure rate FR@8 % has the same limit


@dataclass(frozen=True)
class FacePrediction:
    """One face in an image.

    box: the tight box that the crop was made from, in the image rotated by `roll` about the box's centre. score: the
    detector's, or None. keypoints: float32 (68, 2), image pixels. expected_error: float32
    (68,), mean distance to the true point, image pixels. covariance: float32 (68, 2, 2), of each point's position,
    square pixels. Both are NaN where neither the network nor test-time augmentation gives them. roll: the head's
    rotation in the image plane, degrees clockwise; the crop was rotated back by as much. threshold: the
    `expected_share` below which the confidence is low, as calibrated (kp/prediction/calibration.py).

        >>> import numpy as np
        >>> from kp import Box, FacePrediction
        >>> face = FacePrediction(Box(10, 10, 90, 90), 0.9, np.zeros((68, 2), np.float32))
        >>> face.confidence is None, face.low_confidence
        (True, False)
    """

    box: Box
    score: float | None
    keypoints: np.ndarray
    expected_error: np.ndarray = field(default_factory=lambda: np.full(68, np.nan, np.float32))
    covariance: np.ndarray = field(default_factory=lambda: np.full((68, 2, 2), np.nan, np.float32))
    roll: float = 0.0
    threshold: float = CONFIDENT

    @property
    def confidence(self) -> float | None:
        """0..1: `expected_share` to the power that maps the calibrated `threshold` to 0.7; None if unknown."""
        share = self.expected_share
        return None if share is None else share ** (math.log(CONFIDENT) / math.log(self.threshold))

    @property
    def expected_share(self) -> float | None:
        """The expected share of points with an error below 8 % of the eye distance, 0..1; None if unknown."""
        return None if np.isnan(self.expected_error).any() else float(share_within(self.relative_error, FAR_OFF))

    @property
    def low_confidence(self) -> bool:
        """Whether `confidence` is known and below 0.7."""
        return self.confidence is not None and self.confidence < CONFIDENT

    @property
    def relative_error(self) -> np.ndarray:
        """Each point's expected error (68,) as a fraction of the eye distance."""
        return self.expected_error / max(float(eye_distance(self.keypoints)), 1e-6)

    @property
    def uncertain_points(self) -> np.ndarray:
        """bool (68,): points with an expected error of more than 8 % of the eye distance; none if unknown."""
        return self.relative_error > FAR_OFF

    def scaled(self, factor_x: float, factor_y: float) -> "FacePrediction":
        """The same face in the image resized by these factors, which are nearly equal."""
        enlarging, factor = scaling(factor_x, factor_y), (factor_x * factor_y) ** 0.5
        return replace(
            self,
            box=move_box(enlarging, self.box),
            keypoints=apply(enlarging, self.keypoints).astype(np.float32),
            expected_error=self.expected_error * np.float32(factor),
            covariance=self.covariance * np.float32(factor**2),
        )
