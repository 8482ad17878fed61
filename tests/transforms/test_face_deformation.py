"""Faces that are turned in depth and mouths that are opened: picture and points go together."""

import math

import numpy as np
import pytest
from builders import drawn_face

from kp.data import FacialKeypointsDataset, Sample
from kp.errors import ConfigError
from kp.landmarks import MIRROR
from kp.pose import head_pose
from kp.synthetic.dataset import SyntheticFaces
from kp.transforms.face_deformation import Deformation, RandomHeadTurn, RandomMouth, warp_face
from kp.transforms.head_shape import Head, fit_head

UPPER_LIP, LOWER_LIP, CHIN = 62, 66, 8


def solid() -> np.ndarray:
    """A head (68, 3) with a depth that we know: the farther from its middle, the farther away."""
    points = drawn_face(4)[1].astype(np.float64)
    points = (points + (points * [-1, 1])[MIRROR] + [2 * points[27, 0], 0]) / 2 - points[30]
    points /= points[45, 0] - points[36, 0]
    return np.column_stack([points, 0.8 * (points**2).sum(axis=1)])


def views(head: np.ndarray, count: int = 60, *, most: float = 40.0) -> np.ndarray:
    """The head seen from so many sides, (count, 68, 2) pixels."""
    rng, seen = np.random.default_rng(1), []
    for yaw, pitch in np.radians(rng.uniform(-most, most, (count, 2)) * [1, 0.5]):
        turn = np.array([[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]])
        nod = np.array([[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]])
        seen.append((head @ (nod @ turn).T)[:, :2] * rng.uniform(20, 80) + rng.uniform(50, 150, 2))
    return np.array(seen, np.float32)


@pytest.fixture(scope="module")
def head() -> Head:
    return Head(solid() - solid().mean(axis=0))


def test_a_head_is_found_from_its_views() -> None:
    found, true = fit_head(views(solid())).points, solid()
    between = [np.linalg.norm(points[:, None] - points, axis=2) for points in (found, true)]
    assert np.abs(between[0] - between[1]).max() < 0.02


@pytest.mark.parametrize("frames", [views(solid(), 1), views(solid(), 40, most=0.0)], ids=["one", "all alike"])
def test_frames_from_one_side_do_not_tell_how_deep_it_is(frames: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="more frames, or choose the augmentation 'full'"):
        fit_head(frames)


def test_the_head_of_sample_faces_looks_like_one(few_faces: SyntheticFaces) -> None:
    points = fit_head(few_faces.keypoints).points
    assert points == pytest.approx(points[MIRROR] * [-1, 1, 1])
    nose, eyes, ears = points[30, 2], points[[36, 45], 2].mean(), points[[0, 16], 2].mean()
    assert nose + 0.1 < eyes < ears - 0.1


def test_a_turned_head_is_turned_the_way_it_looks(few_faces: SyntheticFaces) -> None:
    head = fit_head(few_faces.keypoints)
    transform, further = RandomHeadTurn(head, 1.0, turn=30, nod=0, rng=0), []
    for row in range(0, 144, 5):
        before = few_faces.keypoints[row].astype(np.float64)
        yaw = head_pose(before).yaw
        if 15 < abs(yaw) < 40:
            further.append((head_pose(transform.move(before)).yaw - yaw) * np.sign(yaw))
    assert len(further) > 10
    assert min(further) > -1
    assert 8 < np.mean(further) < 25


def test_a_turn_is_a_turn(head: Head) -> None:
    frontal = (solid()[:, :2] * 60 + 100).astype(np.float64)
    for moved in (RandomHeadTurn(head, 1.0, turn=30, nod=10, rng=seed).move(frontal) for seed in range(10)):
        axes, scale = head.camera(moved)
        assert scale == pytest.approx(60, rel=0.02)
        assert abs(math.degrees(math.atan2(axes[0, 2], axes[2, 2]))) < 31
        assert abs(math.degrees(math.atan2(axes[1, 2], axes[2, 2]))) < 13


def test_a_mouth_opens_and_the_rest_stays(head: Head) -> None:
    frontal = (solid()[:, :2] * 60 + 100).astype(np.float64)
    for moved in (RandomMouth(head, 1.0, rng=seed).move(frontal) for seed in range(10)):
        opened = np.linalg.norm(moved - frontal, axis=1)
        assert 0.04 * 60 < opened[CHIN] < 0.46 * 60
        assert opened[LOWER_LIP] == pytest.approx(opened[CHIN])
        assert opened[UPPER_LIP] == 0
        assert (opened[17:48] == 0).all()


@pytest.mark.parametrize("make", [RandomHeadTurn, RandomMouth])
@pytest.mark.parametrize("grey", [False, True])
def test_the_picture_goes_with_the_points(make: type[Deformation], grey: bool, few_faces: SyntheticFaces) -> None:
    """Dots painted at a face's points lie where its moved points are."""
    head = fit_head(few_faces.keypoints)
    source = few_faces.sample(7)
    points = source.keypoints[[19, 24, 30, 36, 45, 54, 8]]
    image = np.zeros(source.image.shape, np.uint8)
    for x, y in np.round(points).astype(int):
        image[y - 1 : y + 2, x - 1 : x + 2] = 255
    sample = Sample(image[..., 0] if grey else image, source.keypoints)
    for seed in range(8):
        moved = make(head, 1.0, rng=seed)(sample)
        assert moved.image.shape == sample.image.shape
        assert moved.image.dtype == np.uint8
        assert moved.keypoints.dtype == np.float32
        for x, y in np.round(moved.keypoints[[19, 24, 30, 36, 45, 54, 8]]).astype(int):
            assert moved.image[y - 2 : y + 3, x - 2 : x + 3].max() > 100


def test_what_would_fold_over_is_not_bent(few_faces: SyntheticFaces) -> None:
    image, points = few_faces.image(0), few_faces.keypoints[0].astype(np.float64)
    assert warp_face(image, points, points[MIRROR]) is None
    same = warp_face(image, points, points)
    assert np.abs(same.astype(int) - image).max() <= 2


@pytest.mark.parametrize("make", [RandomHeadTurn, RandomMouth])
def test_as_often_as_asked_and_the_same_for_a_seed(make: type[Deformation], few_faces: SyntheticFaces) -> None:
    head, sample = fit_head(few_faces.keypoints), few_faces.sample(3)
    assert make(head, 0.0, rng=0)(sample) is sample
    transform = make(head, 0.25, rng=0)
    assert 2 < sum(transform(sample) is not sample for _ in range(40)) < 20
    first, second = (make(head, 1.0, rng=5)(sample) for _ in range(2))
    assert (first.image == second.image).all()
    assert (first.keypoints == second.keypoints).all()


def test_the_real_people_have_a_head(real_dataset: FacialKeypointsDataset) -> None:
    points = fit_head(real_dataset.part("people", "train").keypoints).points
    assert points[30, 2] < points[36, 2] - 0.25 < points[0, 2] - 0.25
