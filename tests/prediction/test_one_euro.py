"""The One Euro filter against its paper's formulas, and faces followed from frame to frame."""

import copy
import math
import pickle

import numpy as np
import pytest
from builders import face_shape

from kp.errors import ConfigError
from kp.geometry import Box
from kp.prediction.face import FacePrediction
from kp.prediction.one_euro import OneEuro, OneEuroFilter
from kp.prediction.tracking import FaceTracker, match


def as_published(values: list[float], rate: float, mincutoff: float, beta: float, dcutoff: float) -> list[float]:
    """The paper's Algorithms 1 to 3 for one number at a steady rate, written out."""

    def alpha(cutoff: float) -> float:
        tau, te = 1 / (2 * math.pi * cutoff), 1 / rate
        return 1 / (1 + tau / te)

    hatxprev, dhatxprev, filtered = values[0], 0.0, [values[0]]
    for x in values[1:]:
        dx = (x - hatxprev) * rate
        edx = alpha(dcutoff) * dx + (1 - alpha(dcutoff)) * dhatxprev
        cutoff = mincutoff + beta * abs(edx)
        hatxprev, dhatxprev = alpha(cutoff) * x + (1 - alpha(cutoff)) * hatxprev, edx
        filtered.append(hatxprev)
    return filtered


@pytest.mark.parametrize("settings", [(1.0, 0.0, 1.0), (1.0, 0.007, 1.0), (0.3, 2.0, 3.0)])
def test_the_paper_s_formula(settings: tuple[float, float, float]) -> None:
    values = (np.cumsum(np.random.default_rng(0).normal(size=200)) + 5).tolist()
    smooth = OneEuroFilter(OneEuro(*settings))
    ours = [float(smooth(value, index / 30)) for index, value in enumerate(values)]
    assert np.allclose(ours, as_published(values, 30, *settings), rtol=1e-9)


def test_an_array_is_filtered_each_number_for_itself() -> None:
    values = np.random.default_rng(1).normal(size=(40, 68, 2))
    whole, alone = OneEuroFilter(), OneEuroFilter()
    for index, value in enumerate(values):
        both = whole(value, index / 25), alone(value[3, 1], index / 25)
        assert both[0].shape == (68, 2) and both[0][3, 1] == pytest.approx(float(both[1]))


def test_size_makes_the_same_of_large_and_small_faces() -> None:
    values = np.random.default_rng(2).normal(size=(50, 4))
    small, large = OneEuroFilter(), OneEuroFilter()
    for index, value in enumerate(values):
        assert np.allclose(small(value, index / 25, size=1) * 300, large(value * 300, index / 25, size=300))


def test_what_stands_still_trembles_less_and_what_moves_is_followed() -> None:
    """The figures that the docstring gives, with some room."""
    time, rng = np.arange(200) / 25, np.random.default_rng(3)
    noise, path = rng.normal(0, 0.003, (200, 20)), np.clip(time - 4, 0, 2)[:, None] * 0.6
    still, moving = OneEuroFilter(), OneEuroFilter()
    held = np.array([still(row, now) for row, now in zip(noise, time, strict=True)])
    moved = np.array([moving(row, now) for row, now in zip(noise + path, time, strict=True)])
    assert np.diff(held[25:], axis=0).std() < 0.4 * np.diff(noise[25:], axis=0).std()
    assert np.abs((moved - path).mean(axis=1)).max() < 0.012


def test_time_that_does_not_pass_starts_anew() -> None:
    smooth = OneEuroFilter()
    assert smooth(1.0, 5.0) == 1 and smooth(3.0, 5.0) == 3 and smooth(9.0, 0.0) == 9
    assert 1 < smooth(1.0, 0.04) < 9


@pytest.mark.parametrize("wrong", [{"min_cutoff": 0}, {"beta": -1}, {"d_cutoff": 0}, {"min_cutoff": float("nan")}])
def test_settings_without_sense_are_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError, match="min_cutoff"):
        OneEuro(**wrong)


def face(x: float, y: float = 50.0, side: float = 100.0) -> FacePrediction:
    points = face_shape() * side + (x, y)
    return FacePrediction(Box.from_points(points), 0.9, points.astype(np.float32))


def numbers(tracker: FaceTracker, *faces: FacePrediction, at: float) -> list[int]:
    return [tracked.number for tracked in tracker.update(faces, at)]


def test_a_face_keeps_its_number_whatever_order_it_comes_in() -> None:
    tracker = FaceTracker()
    assert numbers(tracker, face(0), face(300), at=0.0) == [1, 2]
    assert numbers(tracker, face(310), face(10), at=0.04) == [2, 1]
    assert numbers(tracker, face(320), at=0.08) == [2]
    assert numbers(tracker, face(20), face(600), face(330), at=0.12) == [1, 3, 2]


def test_a_face_that_was_gone_is_known_for_half_a_second() -> None:
    tracker = FaceTracker()
    assert numbers(tracker, face(0), at=0.0) == [1]
    assert numbers(tracker, at=0.2) == []
    assert numbers(tracker, face(0), at=0.45) == [1]
    assert numbers(tracker, face(0), at=1.5) == [2]


def test_points_are_smoothed_only_where_that_is_asked_for() -> None:
    rng = np.random.default_rng(0)
    shaking = [face(*(50 + rng.normal(0, 1, 2))) for _ in range(60)]

    def shake(tracker: FaceTracker) -> float:
        tracked = [tracker.update([item], index / 25)[0].face for index, item in enumerate(shaking)]
        assert all(item.score == 0.9 and item.keypoints.dtype == np.float32 for item in tracked)
        return trembling(tracked)

    def trembling(faces: list[FacePrediction]) -> float:
        return float(np.diff([item.keypoints[30] for item in faces[20:]], axis=0).std())

    assert shake(FaceTracker(None)) == trembling(shaking)
    assert shake(FaceTracker()) < 0.5 * shake(FaceTracker(None))


def test_a_tracker_can_be_copied_and_sent() -> None:
    tracker = FaceTracker()
    tracker.update([face(0)], 0.0)
    for twin in (copy.deepcopy(tracker), pickle.loads(pickle.dumps(tracker))):
        assert numbers(twin, face(5), at=0.04) == [1]


def test_the_largest_overlap_wins() -> None:
    before = [Box(0, 0, 10, 10), Box(4, 0, 14, 10)]
    assert match(before, [Box(3, 0, 13, 10)]) == {0: 1}
    assert match(before, [Box(3, 0, 13, 10), Box(0, 0, 10, 10)]) == {0: 1, 1: 0}
    assert match(before, [Box(50, 0, 60, 10)]) == {}
