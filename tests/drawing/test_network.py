"""Pictures of a network's numbers: what the colours mean, and that they can be read."""

import re

import numpy as np
import pytest

from kp.drawing.network import (
    diverging,
    hex_colour,
    kernel_svg,
    luminance,
    number,
    over_face,
    scale_svg,
    sequential,
    sequential_range,
    strip,
    symmetric_limit,
    text_colour,
)


def test_zero_is_neutral_and_the_signs_are_red_and_blue() -> None:
    zero, positive, negative = diverging(np.array([0.0, 1.0, -1.0]), 1.0).astype(int)
    assert np.ptp(zero) <= 2 and zero.min() > 230
    assert positive[0] > positive[2] + 50 and negative[2] > negative[0] + 50


def test_a_kernel_of_zeros_is_neutral_everywhere() -> None:
    kernel = np.zeros((7, 7))
    picture = diverging(kernel, symmetric_limit(kernel))
    assert picture.shape == (7, 7, 3) and picture.dtype == np.uint8 and np.ptp(picture) <= 2


def test_opposite_numbers_are_equally_dark() -> None:
    values = np.linspace(0, 1, 20)
    for one, other in zip(diverging(values, 1.0), diverging(-values, 1.0), strict=True):
        assert abs(luminance(one) - luminance(other)) < 0.15


def test_more_is_brighter_and_beyond_the_ends_nothing_changes() -> None:
    colours = sequential(np.linspace(-1, 2, 64), -1, 2)
    assert np.all(np.diff([luminance(colour) for colour in colours]) >= -1e-9)
    assert np.array_equal(sequential(np.array([-9.0, 9.0]), -1, 2), colours[[0, -1]])


@pytest.mark.parametrize("values", [np.zeros(5), np.full(5, 3.0), np.array([-2.0, -1.0])])
def test_ends_of_a_scale_are_never_the_same(values: np.ndarray) -> None:
    low, high = sequential_range(values)
    assert low < high and low <= 0


def test_an_outlier_does_not_make_the_rest_pale() -> None:
    values = np.random.default_rng(0).normal(size=10_000)
    values[0] = 1000
    assert symmetric_limit(values) < 10 and sequential_range(values)[1] < 10


def test_text_on_every_colour_has_the_contrast_that_wcag_asks_for() -> None:
    for colours in (diverging(np.linspace(-1, 1, 101), 1.0), sequential(np.linspace(0, 1, 101), 0, 1)):
        for colour in colours:
            text = np.array([int(text_colour(colour)[at : at + 2], 16) for at in (1, 3, 5)])
            light, dark = sorted((luminance(colour), luminance(text)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, hex_colour(colour)


def test_a_map_lies_where_its_matrix_says() -> None:
    face, map_colours = np.zeros((40, 40, 3), np.uint8), np.full((2, 2, 3), 200, np.uint8)
    map_colours[1, 0] = (200, 0, 0)
    matrix = np.array([[10.0, 0, 15], [0, 10.0, 15]])  # pixel (0, 0) covers 10 .. 20
    laid = over_face(face, map_colours, matrix, alpha=0.5)
    assert not laid[:9].any() and not laid[:, 31:].any()
    assert (laid[12:18, 12:28] == 100).all()
    assert (laid[22:28, 12:18] == (100, 0, 0)).all()


def test_a_kernels_svg_has_every_number_in_its_place() -> None:
    kernel = np.array([[0.5, -0.25], [0.0, 1.0]])
    svg = kernel_svg(kernel, 1.0, label="a test")
    assert re.findall(r">([^<>]+)</text>", svg) == ["0.50", "\N{MINUS SIGN}0.25", "0.00", "1.00"]
    assert 'aria-label="a test"' in svg and svg.count("<rect") == 4


@pytest.mark.parametrize(
    "value, limit, text",
    [
        (-0.001, 5, "0.00"),
        (0.0314, 0.05, "0.031"),
        (-12.34, 20, "\N{MINUS SIGN}12.3"),
        (1234.4, 2000, "1234"),
    ],
)
def test_numbers_have_the_digits_that_matter(value: float, limit: float, text: str) -> None:
    assert number(value, limit) == text


def test_a_scale_says_its_ends_and_zero() -> None:
    def colours(values: np.ndarray) -> np.ndarray:
        return diverging(values, 0.5)

    assert re.findall(r">([^<>]+)</text>", scale_svg(-0.5, 0.5, colours)) == ["\N{MINUS SIGN}0.50", "0.50", "0.00"]
    assert scale_svg(0.0, 0.0, colours) == ""


def test_a_strip_keeps_the_numbers_in_order() -> None:
    rows = strip(np.arange(10), width=4)
    assert rows.shape == (3, 4) and np.isnan(rows[2, 2:]).all()
    assert np.array_equal(rows.ravel()[:10], np.arange(10))
