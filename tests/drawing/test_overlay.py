"""Marks are where the points are, and a transform's stages show what it did."""

import base64

import cv2
import numpy as np
import pytest
from builders import drawn_face

from kp.data import Sample
from kp.drawing.overlay import (
    REGION_COLOURS,
    data_uri,
    draw_box,
    draw_errors,
    draw_face,
    enlarge,
    mark_radius,
    scale_points,
)
from kp.drawing.stages import CHAINS, describe_stages, to_picture
from kp.errors import TransformError
from kp.geometry import Box
from kp.landmarks import REGION_OF_POINT
from kp.transforms.geometric import Normalize, RandomCrop, RandomHorizontalFlip, Rescale, ToTensor

GREY = 120


@pytest.fixture
def face() -> tuple[np.ndarray, np.ndarray]:
    """Nothing but grey, and a face's keypoints far enough apart to look at each mark."""
    image, points = drawn_face(3, height=900, width=900)
    return np.full_like(image, GREY), points


def pixel(image: np.ndarray, point: np.ndarray) -> tuple[int, ...]:
    x, y = np.round(point).astype(int)
    return tuple(int(value) for value in image[y, x])


def test_a_filled_dot_has_its_region_colour_at_the_point(face: tuple[np.ndarray, np.ndarray]) -> None:
    image, points = face
    drawn = draw_face(image, points)
    for index in (8, 19, 30, 36, 54):
        assert pixel(drawn, points[index]) == REGION_COLOURS[REGION_OF_POINT[index]]


def test_truth_is_hollow(face: tuple[np.ndarray, np.ndarray]) -> None:
    image, points = face
    drawn, point = draw_face(image, points, truth=True), points[8]
    assert pixel(drawn, point) == (GREY,) * 3
    ring = point + (mark_radius(image, points) * 1.35, 0)
    assert pixel(drawn, ring) == REGION_COLOURS["jaw"]


def test_contours_join_the_points(face: tuple[np.ndarray, np.ndarray]) -> None:
    image, points = face
    middle = (points[7] + points[8]) / 2
    assert pixel(draw_face(image, points, points=False), middle) == (GREY,) * 3
    assert pixel(draw_face(image, points, points=False, contours=True), middle) == REGION_COLOURS["jaw"]


def test_numbers_come_on_request(face: tuple[np.ndarray, np.ndarray]) -> None:
    image, points = face
    assert (draw_face(image, points, points=False) == image).all()
    assert (draw_face(image, points, points=False, numbers=True) != image).any()


def test_drawing_leaves_the_picture_alone(face: tuple[np.ndarray, np.ndarray]) -> None:
    image, points = face
    image.setflags(write=False)
    draw_face(image, points, contours=True, numbers=True)
    draw_errors(image, points, points + 3)
    draw_box(image, Box.from_points(points), label="face 1")
    assert (image == GREY).all()


def test_a_dashed_box_shows_half_of_its_sides(face: tuple[np.ndarray, np.ndarray]) -> None:
    image, box = face[0], Box(100, 100, 740, 740)
    whole, dashed = (draw_box(image, box, dashed=dashed)[100, 110:730, 0] == 255 for dashed in (False, True))
    assert whole.all()
    assert 0.4 < dashed.mean() < 0.65
    assert np.count_nonzero(np.diff(dashed.astype(int)) == 1) == 6  # seven dashes, the first of which starts before


def test_a_point_that_is_missing_is_left_out_and_the_others_stay(face: tuple[np.ndarray, np.ndarray]) -> None:
    image, points = face
    whole = draw_face(image, points)
    points[3] = np.nan
    for drawn in (draw_face(image, points, contours=True, numbers=True), draw_errors(image, points, points + (0, 40))):
        assert pixel(drawn, points[8]) != (GREY,) * 3
    drawn, changed = draw_face(image, points), np.zeros(image.shape[:2], bool)
    gone = drawn_face(3, height=900, width=900)[1][3].round().astype(int)
    changed[gone[1] - 25 : gone[1] + 25, gone[0] - 25 : gone[0] + 25] = True
    assert (drawn == whole)[~changed].all() and pixel(drawn, gone) == (GREY,) * 3
    assert mark_radius(image, np.full((68, 2), np.nan)) > 0


def test_points_outside_the_picture_are_no_error(face: tuple[np.ndarray, np.ndarray]) -> None:
    image, points = face
    points[0], points[1] = (-23, 200), (300, 950)
    assert pixel(draw_face(image, points), points[8]) == REGION_COLOURS["jaw"]


def test_errors_join_label_and_prediction(face: tuple[np.ndarray, np.ndarray]) -> None:
    image, points = face
    drawn = draw_errors(image, points, points + (0, 40))
    assert pixel(drawn, points[8] + (0, 20)) == (255, 255, 255)
    assert pixel(drawn, points[8] + (0, 40)) == REGION_COLOURS["jaw"]


def test_enlarging_moves_points_as_it_moves_pixels() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[13, 21] = 255
    large, factor = enlarge(image, 320)
    assert large.shape == (320, 480, 3)
    weights = large[..., 0].astype(float) * (large[..., 0] > 100)
    y, x = (float((weights * axis).sum() / weights.sum()) for axis in np.mgrid[0:320, 0:480])
    assert scale_points(np.array([21.0, 13.0]), factor) == pytest.approx([x, y], abs=0.05)


def test_a_large_picture_is_not_enlarged() -> None:
    image = np.zeros((600, 700, 3), np.uint8)
    assert enlarge(image) == (image, 1.0)


@pytest.mark.parametrize(("quality", "kind"), [(0, "png"), (85, "jpeg")])
def test_a_data_address_holds_the_picture(quality: int, kind: str) -> None:
    image = np.full((20, 30, 3), (200, 30, 60), np.uint8)
    head, _, text = data_uri(image, quality=quality).partition(",")
    assert head == f"data:image/{kind};base64"
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(decoded.astype(int) - image).max() <= (6 if quality else 0)


def sample(seed: int = 5) -> Sample:
    return Sample(*drawn_face(seed), name="a.jpg")


def test_the_reference_recipe_stage_by_stage() -> None:
    stages = describe_stages(sample(), CHAINS["reference recipe"](0), code="dataset.sample(5)")
    assert [stage.title for stage in stages] == ["Original", "Rescale", "RandomCrop", "Normalize", "ToTensor"]
    assert [stage.code for stage in stages[:2]] == ["dataset.sample(5)", "Rescale(size=250)"]
    assert [stage.shape for stage in stages] == [(150, 140, 3), (268, 250, 3), (224, 224, 3), (224, 224), (1, 224, 224)]
    assert [stage.dtype for stage in stages] == ["uint8", "uint8", "uint8", "float32", "torch.float32"]
    assert stages[2].high > 1 >= stages[3].high
    assert stages[3].points_low == pytest.approx((stages[2].points_low - 100) / 50, abs=1e-5)
    assert [stage.unit for stage in stages] == ["pixels"] * 3 + ["network units"] * 2


def test_keypoints_stay_in_place_after_normalize() -> None:
    """The marks' outlines are the darkest pixels: they cover the same ones before and after."""
    start = sample()
    bright = Sample(np.full_like(start.image, 200), start.keypoints)
    crop, normalised, tensor = describe_stages(bright, CHAINS["reference recipe"](0))[2:]
    assert ((crop.picture.min(2) < 60) == (normalised.picture.min(2) < 60)).all()
    assert (normalised.picture == tensor.picture).all()


def test_points_that_a_crop_cuts_off_are_counted() -> None:
    start = sample()
    _, cut = describe_stages(start, [RandomCrop((75, 140), rng=0)])
    moved = RandomCrop((75, 140), rng=0)(start).keypoints
    assert cut.outside == ((moved[:, 1] < -0.5) | (moved[:, 1] >= 74.5)).sum() > 0


@pytest.mark.parametrize("name", CHAINS)
def test_a_seed_decides_what_is_drawn(name: str) -> None:
    def pictures(seed: int) -> list[np.ndarray]:
        return [stage.picture for stage in describe_stages(sample(), CHAINS[name](seed))]

    assert all((first == again).all() for first, again in zip(pictures(1), pictures(1), strict=True))
    assert any((first != other).any() for first, other in zip(pictures(1)[2:], pictures(2)[2:], strict=True))


def test_a_step_that_did_nothing_is_told_apart() -> None:
    _, never, always = describe_stages(sample(), [RandomHorizontalFlip(0.0), RandomHorizontalFlip(1.0)])
    assert (never.changed, always.changed) == (False, True)


def test_an_impossible_order_is_the_library_s_error() -> None:
    with pytest.raises(TransformError, match="Put it before Normalize"):
        describe_stages(sample(), [Normalize(), Rescale(250)])


def test_colour_survives_the_way_to_a_tensor() -> None:
    start = sample()
    tensor = ToTensor()(Normalize(grey=False)(start))
    assert (to_picture(tensor.image) == start.image).all()


def test_points_that_may_be_far_off_are_hollow(face: tuple[np.ndarray, np.ndarray]) -> None:
    image, points = face
    uncertain = np.arange(68) == 8
    drawn = draw_face(image, points, hollow=uncertain)
    assert pixel(drawn, points[8]) == (GREY,) * 3
    assert pixel(drawn, points[7]) == REGION_COLOURS["jaw"]


def test_an_ellipse_has_the_covariance_s_shape() -> None:
    image, points = np.full((600, 600, 3), GREY, np.uint8), np.full((68, 2), np.nan, np.float32)
    points[8] = 300, 300
    covariance = np.tile(np.array([[40.0**2, 0], [0, 10.0**2]], np.float32), (68, 1, 1))
    drawn = draw_face(image, points, points=False, covariance=covariance)
    changed = np.argwhere((drawn != image).any(axis=2))
    assert np.abs(changed.min(axis=0) - (300 - 20, 300 - 80)).max() <= 3
    assert np.abs(changed.max(axis=0) - (300 + 20, 300 + 80)).max() <= 3
    unknown = draw_face(image, points, points=False, covariance=np.full((68, 2, 2), np.nan))
    assert (unknown == image).all()


def test_one_colour_for_all_regions(face: tuple[np.ndarray, np.ndarray]) -> None:
    image, points = face
    drawn = draw_face(image, points, contours=True, colour=(250, 240, 60))
    assert pixel(drawn, points[8]) == pixel(drawn, points[36]) == (250, 240, 60)
