"""Boxes, affine maps, and pixels seen through them."""

import math

import cv2
import numpy as np
import pytest

from kp.geometry import Box, CropTransform, apply, compose, horizontal_flip, invert, rotation, scaling, warp

POINTS = np.random.default_rng(5).uniform(-50, 400, (200, 2)).astype(np.float32)


def photo(height: int = 90, width: int = 120) -> np.ndarray:
    """A smooth picture with detail everywhere, uint8 (height, width, 3)."""
    noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


@pytest.mark.parametrize("side", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("place", range(4))
def test_a_box_has_finite_sides(side: float, place: int) -> None:
    sides = [0.0, 0.0, 10.0, 10.0]
    sides[place] = side
    with pytest.raises(ValueError, match="finite"):
        Box(*sides)


def test_a_box_around_points_is_tight() -> None:
    box = Box.from_points(np.array([[3, 8], [10, 2], [5, 5]], np.float32))
    assert (box.left, box.top, box.right, box.bottom) == (3, 2, 10, 8)
    assert (box.width, box.height, box.side, box.centre) == (7, 6, 7, (6.5, 5))


def test_the_box_of_an_image_holds_whole_pixels() -> None:
    box = Box.of_image(np.zeros((20, 30, 3), np.uint8))
    assert (box.width, box.height) == (30, 20)
    assert box.centre == (14.5, 9.5)  # between the middle pixels


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Box(0, 0, 10, 10), 1.0),
        (Box(5, 0, 15, 10), 1 / 3),
        (Box(0, 0, 5, 5), 0.25),
        (Box(10, 0, 20, 10), 0.0),
        (Box(50, 50, 60, 60), 0.0),
        (Box(3, 3, 3, 3), 0.0),
    ],
)
def test_overlap(other: Box, expected: float) -> None:
    box = Box(0, 0, 10, 10)
    assert box.iou(other) == pytest.approx(expected)
    assert other.iou(box) == pytest.approx(expected)


def test_the_overlap_of_two_empty_boxes_is_nothing() -> None:
    assert Box(1, 1, 1, 1).iou(Box(1, 1, 1, 1)) == 0.0


@pytest.mark.parametrize("turn", [0.0, 17.0, -90.0, 180.0])
@pytest.mark.parametrize("size", [16, 96, 224])
@pytest.mark.parametrize("box", [Box(10, 20, 60, 90), Box(-80, -5, 3, 20), Box(100.3, 50.2, 103.1, 51.7)])
def test_a_crop_map_leads_there_and_back(box: Box, size: int, turn: float) -> None:
    crop = CropTransform.from_box(box, size, roll=turn)
    points = POINTS / 400 * box.side + box.centre  # near the box
    assert np.abs(crop.to_image(crop.to_crop(points)) - points).max() < 0.01


def test_a_crop_map_puts_the_box_into_the_middle() -> None:
    crop = CropTransform.from_box(Box(10, 20, 50, 40), 100)
    assert crop.to_crop(np.array([[30, 30]])) == pytest.approx(np.array([[49.5, 49.5]]))
    left, right = crop.to_crop(np.array([[10, 30], [50, 30]]))
    assert (left[0], right[0]) == pytest.approx((-0.5, 99.5))  # the outer borders of the outermost pixels


def test_a_crop_map_of_a_point_is_finite() -> None:
    crop = CropTransform.from_box(Box(5, 5, 5, 5), 32)
    assert np.isfinite(crop.to_crop(POINTS)).all()


def test_compose_is_one_after_the_other() -> None:
    first, second = rotation(30, (10, 20)), scaling(0.5, 2)
    assert np.allclose(apply(compose(second, first), POINTS), apply(second, apply(first, POINTS)), atol=1e-3)
    assert np.allclose(apply(compose(invert(first), first), POINTS), POINTS, atol=1e-3)


def test_rotation_turns_counter_clockwise_on_the_screen() -> None:
    assert apply(rotation(90, (0, 0)), np.array([[1.0, 0.0]])) == pytest.approx(np.array([[0.0, -1.0]]), abs=1e-6)


def test_mirroring_swaps_the_outer_columns() -> None:
    assert apply(horizontal_flip(50), np.array([[0, 3], [49, 3]])).tolist() == [[49, 3], [0, 3]]
    assert (warp(photo(), horizontal_flip(120), (90, 120)) == photo()[:, ::-1]).all()


def test_warping_with_nothing_to_do_changes_nothing() -> None:
    assert (warp(photo(), np.eye(2, 3), (90, 120)) == photo()).all()


def test_warping_by_whole_pixels_is_slicing() -> None:
    piece = warp(photo(), np.array([[1.0, 0, -30], [0, 1, -12]]), (40, 50))
    assert (piece == photo()[12:52, 30:80]).all()


@pytest.mark.parametrize("factor", [2.0, 3.0, 1.5])
def test_enlarging_agrees_with_resize(factor: float) -> None:
    size = int(90 * factor), int(120 * factor)
    ours = warp(photo(), scaling(factor, factor), size)
    theirs = cv2.resize(photo(), size[::-1], interpolation=cv2.INTER_LINEAR)
    assert np.abs(ours.astype(int) - theirs).max() <= 2


@pytest.mark.parametrize("parts", [2, 3, 4, 5, 6, 10])
def test_shrinking_agrees_with_averaging(parts: int) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (120, 180, 3), dtype=np.uint8)
    ours = warp(noise, scaling(1 / parts, 1 / parts), (120 // parts, 180 // parts))
    means = noise.reshape(120 // parts, parts, 180 // parts, parts, 3).mean(axis=(1, 3))
    assert np.abs(ours - means).max() < 3


@pytest.mark.parametrize("parts", [4, 6, 8])
@pytest.mark.parametrize("shift", [0.0, 0.5, 0.8])
def test_a_shrunk_checkerboard_is_grey(parts: int, shift: float) -> None:
    """Skipping pixels would hit black or white ones alone, at some shift."""
    board = (np.indices((240, 240)).sum(axis=0) % 2 * 255).astype(np.uint8)
    shrunk = warp(board, compose(scaling(1 / parts, 1 / parts), np.array([[1, 0, shift], [0, 1, shift]])), (20, 20))
    assert np.abs(shrunk.astype(int) - 127).max() <= 3


def test_shrinking_does_not_move_the_picture() -> None:
    image = np.zeros((400, 400), np.uint8)
    image[180:220, 280:320] = 255  # a square with its centre at (299.5, 199.5)
    crop = CropTransform.from_box(Box(-0.5, -0.5, 399.5, 399.5), 50)
    shrunk = crop.warp(image).astype(float)
    ys, xs = np.indices(shrunk.shape)
    centre = np.array([[(xs * shrunk).sum(), (ys * shrunk).sum()]]) / shrunk.sum()
    assert np.abs(crop.to_image(centre) - (299.5, 199.5)).max() < 0.5


def test_outside_the_image_its_edge_goes_on() -> None:
    image = photo()
    crop = CropTransform.from_box(Box(-40.5, 19.5, 39.5, 59.5), 80)  # the left half lies outside
    cut = crop.warp(image)
    assert cut.shape == (80, 80, 3)
    assert (cut[20:60, :40] == image[20:60, :1]).all()
    assert (cut[20:60, 40:] == image[20:60, :40]).all()


def test_a_crop_wholly_outside_is_black_and_has_its_size() -> None:
    cut = CropTransform.from_box(Box(1000, 1000, 1100, 1100), 32).warp(photo())
    assert cut.shape == (32, 32, 3)
    assert not cut.any()


def test_a_grey_picture_stays_grey() -> None:
    assert CropTransform.from_box(Box(0, 0, 50, 50), 20, roll=10).warp(photo()[..., 0]).shape == (20, 20)


def test_a_turned_crop_moves_pixels_and_points_together() -> None:
    image = np.zeros((200, 200), np.uint8)
    cv2.circle(image, (130, 80), 4, 255, -1)
    crop = CropTransform.from_box(Box(40, 40, 160, 160), 120, roll=25)
    ys, xs = np.nonzero(crop.warp(image) > 128)
    assert math.dist((xs.mean(), ys.mean()), crop.to_crop(np.array([130, 80]))) < 0.3
