"""Which way a head is turned: known turns are found, and turned sample faces say so with the right sign."""

import math

import cv2
import numpy as np
import pytest
from builders import face_shape

from kp.geometry import apply, rotation
from kp.landmarks import CONTOURS, MIRROR
from kp.pose import HEAD, POINTS, HeadPose, head_pose
from kp.synthetic.appearance import load_appearance
from kp.synthetic.dataset import MOST_TURNED, SyntheticFaces


def difference(one: float, other: float) -> float:
    """Between two angles, degrees, 0..180."""
    return abs((one - other + 180) % 360 - 180)


def seen_from_afar(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Keypoints (68, 2) of the generic head, of which only six are there, turned by these degrees."""
    nod, shake, tilt = (
        cv2.Rodrigues(np.array(axis) * math.radians(degrees))[0]
        for axis, degrees in (([1.0, 0, 0], pitch), ([0, -1.0, 0], yaw), ([0, 0, 1.0], roll))
    )
    points = np.zeros((68, 2))
    points[POINTS] = (HEAD @ (shake @ nod @ tilt).T)[:, :2] * 2 + 300
    return points


@pytest.mark.parametrize("yaw", [-50, -20, 0, 35])
@pytest.mark.parametrize("pitch", [-25, 0, 20])
@pytest.mark.parametrize("roll", [-30, 0, 15])
def test_the_generic_head_s_turn_is_found(yaw: int, pitch: int, roll: int) -> None:
    """What is left is the camera's nearness."""
    pose = head_pose(seen_from_afar(yaw, pitch, roll))
    assert difference(pose.yaw, yaw) < 4 and difference(pose.pitch, pitch) < 6
    if yaw == pitch == 0:
        assert difference(pose.roll, roll) < 1


def nose_aside(points: np.ndarray) -> float:
    """How far the nose's tip lies right of the jaw's middle, in widths: what turning the head does to a picture."""
    jaw = points[CONTOURS["jaw"]]
    return float((points[30, 0] - (jaw[0, 0] + jaw[-1, 0]) / 2) / np.ptp(points[:, 0]))


def test_a_sample_face_that_turns_has_the_right_sign_and_turns_more() -> None:
    model = load_appearance()
    turns = np.linspace(-MOST_TURNED, MOST_TURNED, 13)
    faces = [model.shape(model.statistics.mean(float(turn))) * 100 + 200 for turn in turns]
    yaws, aside = [head_pose(face).yaw for face in faces], [nose_aside(face) for face in faces]
    direction = np.sign(aside[-1])
    assert (np.diff(yaws) * direction > 0).all() and (np.diff(aside) * direction > 0).all()
    assert all(np.sign(yaw) == np.sign(away) for yaw, away in zip(yaws, aside, strict=True) if abs(away) > 0.02)
    assert abs(yaws[6]) < 2 and 40 < abs(yaws[-1]) < 75


def test_sample_people_s_heads() -> None:
    """Yaw goes with where the nose is, and pitch with how low it is between eyes and mouth."""
    faces = SyntheticFaces(60).keypoints
    poses = [head_pose(face) for face in faces]
    aside = [nose_aside(face) for face in faces]
    assert np.corrcoef([pose.yaw for pose in poses], aside)[0, 1] > 0.85
    ahead = [index for index, pose in enumerate(poses) if abs(pose.yaw) < 20]
    eyes, mouth = faces[:, 36:48, 1].mean(axis=1), faces[:, 48:68, 1].mean(axis=1)
    low = (faces[:, 30, 1] - eyes) / (mouth - eyes)
    assert np.corrcoef([poses[index].pitch for index in ahead], low[ahead])[0, 1] > 0.7


@pytest.mark.parametrize("degrees", [-180, -120, -45, 0, 10, 90, 179])
def test_a_picture_that_is_turned_turns_the_roll_alone(degrees: int) -> None:
    upright = head_pose(face_shape() * 200)
    turned = head_pose(apply(rotation(-degrees, (100, 100)), face_shape() * 200))
    assert difference(turned.roll, upright.roll + degrees) < 0.5
    ahead = math.hypot(upright.yaw, upright.pitch)
    assert math.hypot(turned.yaw, turned.pitch) == pytest.approx(ahead, abs=1)  # the nose points elsewhere in the image


def test_a_mirrored_face_looks_the_other_way() -> None:
    for face in SyntheticFaces(5).keypoints:
        pose, mirrored = head_pose(face), head_pose((face * (-1, 1) + (500, 0))[MIRROR])
        assert mirrored.yaw == pytest.approx(-pose.yaw, abs=0.1) and mirrored.roll == pytest.approx(-pose.roll, abs=0.1)
        assert mirrored.pitch == pytest.approx(pose.pitch, abs=0.1)


def test_size_and_place_do_not_matter() -> None:
    face = SyntheticFaces(1).keypoints[0]
    assert vars(head_pose(face * 7 + 1000)) == pytest.approx(vars(head_pose(face)), abs=0.1)


def test_points_in_one_place_have_no_pose() -> None:
    assert np.isnan(list(vars(head_pose(np.full((68, 2), 3.0))).values())).all()
    assert isinstance(head_pose(np.full((68, 2), 3.0)), HeadPose)
