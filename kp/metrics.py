"""Errors of keypoints, as fractions of the eye distance.

Points that are NaN are not labelled, and do not count in a mean.
"""

import numpy as np
import pandas as pd

from kp.landmarks import EYE_CORNERS, REGIONS


def eye_distance(keypoints: np.ndarray) -> np.ndarray:
    """Distance between the outer eye corners, pixels, of keypoints (..., 68, 2)."""
    left, right = EYE_CORNERS
    return np.linalg.norm(keypoints[..., left, :] - keypoints[..., right, :], axis=-1)


def point_errors(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Each point's distance to its label over the label's eye distance: (..., 68) from (..., 68, 2)."""
    return np.linalg.norm(predicted - truth, axis=-1) / eye_distance(truth)[..., None]


def nme(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Normalised mean error of each face (300-W, Sagonas et al., 2013): (...) from (..., 68, 2)."""
    return mean_of_known(point_errors(predicted, truth))


def mean_of_known(errors: np.ndarray) -> np.ndarray:
    """Means over the last axis without NaN; NaN where there is nothing else."""
    known = ~np.isnan(errors)
    if known.all():
        return errors.mean(axis=-1)
    count = known.sum(axis=-1)
    total = np.where(known, errors, 0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(errors.dtype)


def failure_rate(errors: np.ndarray, threshold: float) -> float:
    """The fraction of faces whose error is above `threshold`; a missed face has an infinite error."""
    return float(np.mean(np.asarray(errors) > threshold))


def ced_curve(errors: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Cumulative error distribution: for each threshold the fraction of faces at or below it."""
    return np.searchsorted(np.sort(errors), thresholds, side="right") / len(errors)


def auc(errors: np.ndarray, limit: float) -> float:
    """Area under the cumulative error curve from 0 to `limit`, over `limit`: 0..1, exact.

    The curve is a step function, so each face at error e < limit adds (limit - e) / limit.
    """
    return float(np.mean(np.clip(limit - np.asarray(errors, np.float64), 0, None)) / limit)


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Rank correlation of two arrays (n,), -1..1 (Spearman, 1904)."""
    ranks = [pd.Series(values).rank() for values in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1])


def region_means(errors: np.ndarray) -> dict[str, float]:
    """Mean error of each region, from point errors (n, 68)."""
    return {region: float(mean_of_known(errors[:, list(points)].ravel())) for region, points in REGIONS.items()}
