"""Errors by hand, and by numeric integration."""

import numpy as np
import pytest

from kp.landmarks import REGIONS
from kp.metrics import auc, ced_curve, eye_distance, failure_rate, nme, point_errors, region_means

ERRORS = np.random.default_rng(3).gamma(4, 0.012, 300)


def truth() -> np.ndarray:
    """Keypoints float32 (68, 2) whose outer eye corners are 50 px apart (a 3-4-5 triangle)."""
    points = np.zeros((68, 2), np.float32)
    points[36], points[45] = (10, 10), (50, 40)
    return points


def test_the_unit_is_the_distance_of_the_outer_eye_corners() -> None:
    assert eye_distance(truth()) == 50
    assert eye_distance(np.stack([truth(), truth() * 2])).tolist() == [50, 100]


def test_nme_by_hand() -> None:
    predicted = truth()
    predicted[0] += (3, 4)  # off by 5 px: 0.1 of the eye distance
    predicted[60] += (0, 10)  # 0.2
    assert nme(predicted, truth()) == pytest.approx((0.1 + 0.2) / 68)
    assert point_errors(predicted, truth())[[0, 1, 60]] == pytest.approx([0.1, 0, 0.2])


def test_nme_takes_the_label_s_eye_distance_not_the_answer_s() -> None:
    predicted = truth() + (5, 0)
    predicted[45] = truth()[45]
    assert nme(predicted, truth()) == pytest.approx(0.1 * 67 / 68)


def test_nme_does_not_depend_on_size_and_place() -> None:
    predicted = truth() + np.random.default_rng(0).normal(0, 3, (68, 2))
    assert nme(predicted * 3 + 7, truth() * 3 + 7) == pytest.approx(nme(predicted, truth()))


def test_nme_of_many_faces_is_each_one_s() -> None:
    faces = np.stack([truth() * factor for factor in (1, 2, 3)])
    assert nme(faces + (5, 0), faces) == pytest.approx([0.1, 0.05, 0.1 / 3])


def test_failure_rate_counts_what_is_above() -> None:
    assert failure_rate(np.array([0.05, 0.08, 0.09, np.inf]), 0.08) == 0.5
    assert failure_rate(np.array([0.01]), 0.08) == 0.0
    assert failure_rate(np.array([np.inf]), 1e9) == 1.0


def test_the_cumulative_curve_is_a_share() -> None:
    curve = ced_curve(np.array([0.02, 0.04, 0.04, np.inf]), np.array([0.0, 0.02, 0.03, 0.04, 10.0]))
    assert curve.tolist() == [0, 0.25, 0.25, 0.75, 0.75]


@pytest.mark.parametrize("limit", [0.03, 0.08, 0.1])
def test_auc_is_the_area_under_the_cumulative_curve(limit: float) -> None:
    thresholds = np.linspace(0, limit, 200_001)
    area = ced_curve(ERRORS, thresholds).mean()
    assert auc(ERRORS, limit) == pytest.approx(area, abs=1e-4)


def test_auc_of_perfect_and_of_missed_faces() -> None:
    assert auc(np.zeros(3), 0.08) == 1.0
    assert auc(np.full(3, np.inf), 0.08) == 0.0
    assert auc(np.array([0.0, np.inf]), 0.08) == 0.5


def test_region_means_weigh_points_alike() -> None:
    errors = np.zeros((2, 68))
    errors[:, list(REGIONS["nose"])] = 0.3
    errors[1, 0] = 0.17
    means = region_means(errors)
    assert means == pytest.approx({"jaw": 0.17 / 34, "brows": 0, "nose": 0.3, "eyes": 0, "mouth": 0})
