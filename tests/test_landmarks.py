"""The numbering of the 68 points."""

import numpy as np
import pytest
from builders import face_shape

from kp.landmarks import CONTOURS, EYE_CORNERS, MIRROR, POINT_NAMES, REGION_OF_POINT, REGIONS

# Written down from the published table, not computed.
PUBLISHED_MIRROR = [
    16,
    15,
    14,
    13,
    12,
    11,
    10,
    9,
    8,
    7,
    6,
    5,
    4,
    3,
    2,
    1,
    0,
    26,
    25,
    24,
    23,
    22,
    21,
    20,
    19,
    18,
    17,
    27,
    28,
    29,
    30,
    35,
    34,
    33,
    32,
    31,
    45,
    44,
    43,
    42,
    47,
    46,
    39,
    38,
    37,
    36,
    41,
    40,
    54,
    53,
    52,
    51,
    50,
    49,
    48,
    59,
    58,
    57,
    56,
    55,
    64,
    63,
    62,
    61,
    60,
    67,
    66,
    65,
]


def test_mirror_is_the_published_permutation() -> None:
    assert MIRROR.tolist() == PUBLISHED_MIRROR


def test_mirror_is_its_own_inverse() -> None:
    assert MIRROR[MIRROR].tolist() == list(range(68))


@pytest.mark.parametrize("region", REGIONS)
def test_mirror_maps_a_region_onto_itself(region: str) -> None:
    points = list(REGIONS[region])
    assert sorted(MIRROR[points]) == points


def test_mirroring_a_symmetric_face_gives_the_same_face() -> None:
    shape = face_shape()
    assert np.allclose((shape * (-1, 1) + (1, 0))[MIRROR], shape, atol=1e-6)


def test_regions_divide_the_points() -> None:
    assert sorted(point for points in REGIONS.values() for point in points) == list(range(68))
    assert [REGION_OF_POINT[point] for point in (0, 17, 27, 36, 48)] == list(REGIONS)


def test_every_point_has_its_own_name() -> None:
    assert len(set(POINT_NAMES)) == 68
    assert all(POINT_NAMES)
    assert POINT_NAMES[0] == "jaw 1"
    assert POINT_NAMES[67] == "inner lip 8"


def test_contours_use_every_point() -> None:
    assert {point for indices in CONTOURS.values() for point in indices} == set(range(68))


def test_left_is_left_in_the_image() -> None:
    shape = face_shape()
    left, right = EYE_CORNERS
    assert shape[left, 0] < shape[right, 0]
    for part in ("brow", "eye"):
        assert shape[CONTOURS[f"left {part}"], 0].mean() < shape[CONTOURS[f"right {part}"], 0].mean()


@pytest.mark.real_data
def test_left_is_left_in_the_labels(real_dataset) -> None:
    left, right = EYE_CORNERS
    assert (real_dataset.keypoints[:, left, 0] < real_dataset.keypoints[:, right, 0]).mean() > 0.99
