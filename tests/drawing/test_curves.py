"""Plots of errors: what is drawn is read back from the SVG and compared with the numbers."""

import xml.etree.ElementTree as ET

import pytest

from kp.drawing.axes import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, colour_of
from kp.drawing.curves import BARS_LEFT, MOST_ERROR, bars, cumulative_errors, expected_errors, round_ticks
from kp.drawing.references import REFERENCES

ACROSS, UP = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM


def lines(svg: ET.Element) -> list[list[tuple[float, float]]]:
    """Corners of each line, in the plot's own units of its width and height, 0..1."""
    pairs = [
        [tuple(map(float, pair.split(","))) for pair in line.get("points").split()] for line in svg.iter("polyline")
    ]
    return [[((x - LEFT) / ACROSS, (HEIGHT - BOTTOM - y) / UP) for x, y in line] for line in pairs]


def share_at(line: list[tuple[float, float]], error: float) -> float:
    """The curve's height at an error in percent."""
    return next(y for x, y in line if x * MOST_ERROR == pytest.approx(error, abs=0.01))


def texts(svg: ET.Element) -> list[str]:
    return [text.text for text in svg.iter("text")]


def test_the_curve_is_the_share_of_faces_at_or_below_an_error() -> None:
    (line,) = lines(ET.fromstring(cumulative_errors({"a": [2.0, 4.0, 4.0, 10.0]})))
    assert line[0] == (pytest.approx(0, abs=1e-3), pytest.approx(0, abs=1e-3))
    assert line[-1] == (pytest.approx(1, abs=1e-3), pytest.approx(1, abs=1e-3))
    for error, share in ((1.9, 0), (2.0, 0.25), (3.9, 0.25), (4.0, 0.75), (9.9, 0.75), (10.0, 1)):
        assert share_at(line, error) == pytest.approx(share, abs=1e-3)


def test_missed_faces_and_those_far_off_never_come_below() -> None:
    (line,) = lines(ET.fromstring(cumulative_errors({"a": [3.0, None, 40.0, None]})))
    assert line[-1][1] == pytest.approx(0.25, abs=1e-3)


def test_a_network_without_errors_leaves_its_colour_to_nobody() -> None:
    svg = ET.fromstring(cumulative_errors({"unknown": [], "a": [3.0]}))
    assert [line.get("stroke") for line in svg.iter("polyline")] == [colour_of(1)]
    assert "a: 100% of the faces within 5 %" in svg.get("aria-label")
    assert "unknown" not in svg.get("aria-label")


def test_references_in_range_are_upright_lines_with_their_name() -> None:
    svg = ET.fromstring(cumulative_errors({"a": [3.0]}))
    inside = {f"{name} {value:g} %": value for name, value in REFERENCES.items() if value <= MOST_ERROR}
    assert set(inside) == {"best published 9.74 %", "label rounding 0.9 %"}
    assert not [text for text in texts(svg) if text and ("mean shape" in text or "nearest" in text)]
    uprights = [float(path.get("d")[1:].split()[0]) for path in svg.iter("path") if path.get("stroke-dasharray")]
    assert uprights == [pytest.approx(LEFT + value / MOST_ERROR * ACROSS, abs=0.1) for value in inside.values()]
    assert set(inside) <= set(texts(svg))


def test_what_is_expected_lies_on_the_diagonal() -> None:
    svg = ET.fromstring(expected_errors({"a": ([1.0, 2.0, 8.0], [1.0, 2.0, 8.0]), "mute": ((), ())}))
    (line,) = lines(svg)
    assert [x for x, _ in line] == pytest.approx([y for _, y in line], abs=1e-3)
    assert len(list(svg.iter("circle"))) == 3
    assert "as expected" in texts(svg)
    assert "from 1.0 % measured where 1.0 % was expected, to 8.0 % where 8.0 % was" in svg.get("aria-label")


def test_a_network_that_is_too_sure_lies_above() -> None:
    (line,) = lines(ET.fromstring(expected_errors({"a": ([1.0, 2.0], [3.0, 7.0])})))
    assert all(y > x for x, y in line)
    assert max(value for point in line for value in point) <= 1


@pytest.mark.parametrize("most", [0.07, 0.9, 1.0, 3.2, 8.8, 10.0, 57.0, 102.6])
def test_ticks_are_round_and_just_cover_the_largest(most: float) -> None:
    ticks = round_ticks(most)
    step = ticks[1]
    assert ticks[0] == 0 and 3 <= len(ticks) <= 7
    assert ticks[-2] < most <= ticks[-1] + 1e-9
    assert f"{step:.0e}"[0] in "125" and ticks == pytest.approx([index * step for index in range(len(ticks))])


def test_bars_are_as_long_as_their_values() -> None:
    svg = ET.fromstring(bars("t", [("jaw", ""), ("eyes", "9 faces")], {"a": [8.0, 2.0], "b": [4.0, None]}))
    widths = [float(bar.get("width")) for bar in svg.iter("rect")]
    assert widths == [pytest.approx(widths[0]), pytest.approx(widths[0] / 2), pytest.approx(widths[0] / 4), 0]
    assert [bar.get("fill") for bar in svg.iter("rect")] == [colour_of(0), colour_of(1)] * 2
    assert {"8.0 %", "4.0 %", "2.0 %", "not known", "jaw", "eyes", "9 faces"} <= set(texts(svg))
    assert svg.get("aria-label") == "t. a: jaw 8.0 %, eyes 2.0 %; b: jaw 4.0 %, eyes not known"


@pytest.mark.parametrize("models", [1, 2, 6])
def test_bars_lie_inside_the_drawing_and_apart(models: int) -> None:
    groups = [(f"{place}", "1 face") for place in range(5)]
    svg = ET.fromstring(bars("t", groups, {f"m{number}": [70.0] * 5 for number in range(models)}))
    height = float(svg.get("viewBox").split()[3])
    boxes = [(float(bar.get("y")), float(bar.get("height"))) for bar in svg.iter("rect")]
    assert all(BARS_LEFT + float(bar.get("width")) <= WIDTH - 40 for bar in svg.iter("rect"))
    assert boxes[-1][0] + boxes[-1][1] <= height
    assert all(top + tall <= below for (top, tall), (below, _) in zip(boxes, boxes[1:], strict=False))


def test_bars_without_any_value_are_empty() -> None:
    svg = ET.fromstring(bars("t", [("jaw", "")], {"a": [None]}))
    assert float(next(svg.iter("rect")).get("width")) == 0


def test_names_are_text_and_not_markup() -> None:
    bad = '</text><script>"&'
    for svg in (
        cumulative_errors({bad: [1.0]}),
        bars(bad, [(bad, bad)], {bad: [1.0]}),
        expected_errors({bad: ([1.0], [1.0])}),
    ):
        root = ET.fromstring(svg)
        assert not list(root.iter("script"))
        assert bad in root.get("aria-label")
