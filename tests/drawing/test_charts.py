"""Charts: what is drawn is read back from the SVG and compared with the numbers."""

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence

import pytest

from kp.drawing.charts import BOTTOM, HEIGHT, LEFT, MOST_POINTS, MOST_TICKS, RIGHT, TOP, WIDTH, Chart

Point = tuple[float, float]
INSIDE = (LEFT - 0.1, WIDTH - RIGHT + 0.1, TOP - 0.1, HEIGHT - BOTTOM + 0.1)


def drawn(chart: Chart, **series: Sequence[Point]) -> ET.Element:
    """The parsed SVG: anything that is not well-formed fails here."""
    return ET.fromstring(chart.svg(series))


def lines(svg: ET.Element) -> list[list[Point]]:
    """Corners of each line in drawing coordinates."""
    return [
        [tuple(map(float, pair.split(","))) for pair in line.get("points").split()] for line in svg.iter("polyline")
    ]


def texts(svg: ET.Element) -> list[str]:
    return [text.text for text in svg.iter("text")]


def ticks_up(svg: ET.Element, unit: str = "") -> dict[float, float]:
    """Value -> height in the drawing, of the numbers along the upright axis."""
    return {
        float(text.text.removesuffix(unit)): float(text.get("y")) - 4
        for text in svg.iter("text")
        if text.get("text-anchor") == "end" and text.get("x") == str(LEFT - 7)
    }


def ticks_across(svg: ET.Element) -> list[float]:
    return [float(text.text) for text in svg.iter("text") if text.get("text-anchor") == "middle"]


def heights(svg: ET.Element) -> list[float]:
    """Of the dashed reference lines."""
    return [
        float(path.get("d").split()[1].partition("H")[0])
        for path in svg.iter("path")
        if path.get("stroke-dasharray") == "3 4"
    ]


def test_a_line_goes_through_its_points_on_a_plain_axis() -> None:
    svg = drawn(Chart("t", "epochs"), a=[(0, 0), (5, 10), (10, 20)])
    (a,) = lines(svg)
    ticks = ticks_up(svg)
    assert [x for x, _ in a] == pytest.approx([LEFT, (LEFT + WIDTH - RIGHT) / 2, WIDTH - RIGHT], abs=0.1)
    assert [y for _, y in a] == pytest.approx([ticks[value] for value in (0, 10, 20)], abs=0.1)


def test_a_log_axis_gives_each_factor_the_same_room() -> None:
    svg = drawn(Chart("t", "epochs", log=True), a=[(0, 1), (1, 0.1), (2, 0.01)])
    first, second, third = (y for _, y in lines(svg)[0])
    assert second - first == pytest.approx(third - second, abs=0.11)
    assert ticks_up(svg)[0.1] == pytest.approx(second, abs=0.1)


@pytest.mark.parametrize("bad", [0.0, -3.0, math.nan, math.inf, None])
def test_what_a_log_axis_cannot_show_is_left_out(bad: float | None) -> None:
    svg = drawn(Chart("t", "epochs", log=True), a=[(0, 1), (1, bad), (2, 0.1)])
    assert lines(svg) == lines(drawn(Chart("t", "epochs", log=True), a=[(0, 1), (2, 0.1)]))
    assert "nan" not in ET.tostring(svg, "unicode").lower()


def test_a_plain_axis_shows_zero_and_less() -> None:
    svg = drawn(Chart("t", "epochs"), a=[(0, 5), (1, 0), (2, -5), (3, math.nan)])
    assert len(lines(svg)[0]) == 3


def test_a_late_line_starts_late_and_keeps_its_colour() -> None:
    early = [(x, 1 / (x + 1)) for x in range(11)]
    svg = drawn(Chart("t", "epochs", log=True), training=early, validation=[(5, 0.5), (10, 0.2)])
    training, validation = lines(svg)
    assert validation[0][0] == pytest.approx(training[5][0])
    alone = drawn(Chart("t", "epochs", log=True), training=[], validation=[(5, 0.5), (10, 0.2)])
    assert [line.get("stroke") for line in alone.iter("polyline")] == [list(svg.iter("polyline"))[1].get("stroke")]
    assert {"training", "validation"} <= set(texts(alone))


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("point", [(0, 3.0), (4, 0.02), (1, 1.0)])
def test_one_point_is_a_dot_inside_the_chart(point: Point, log: bool) -> None:
    svg = drawn(Chart("t", "epochs", log=log), a=[point])
    (dot,) = svg.iter("circle")
    left, right, top, bottom = INSIDE
    assert left <= float(dot.get("cx")) <= right and top <= float(dot.get("cy")) <= bottom
    assert not lines(svg)


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("series", [{}, {"a": []}, {"a": [(1, math.nan)]}])
def test_nothing_to_show_is_an_empty_chart_that_says_so(series: dict, log: bool) -> None:
    svg = drawn(Chart("Loss", "epochs", log=log), **series)
    assert svg.get("aria-label") == "Loss: nothing yet (epochs)"
    assert len(ticks_up(svg)) > 1 and not lines(svg)


@pytest.mark.parametrize(
    ("values", "log"),
    [
        ([0.311, 0.009], True),
        ([23.4, 6.8], True),
        ([6.83, 6.81], True),
        ([7.2, 6.9], True),
        ([1e-8, 1e9], True),
        ([9.9, 9.9], True),
        ([0.3, 0.1], False),
        ([-4, 37], False),
        ([1e-6, 3e-6], False),
        ([12_345, 98_765], False),
    ],
)
def test_ticks_are_round_numbers_inside_the_range(values: list[float], log: bool) -> None:
    svg = drawn(Chart("t", "epochs", log=log), a=list(enumerate(values)))
    ticks = ticks_up(svg)
    left, right, top, bottom = INSIDE
    assert 2 <= len(ticks) <= MOST_TICKS + 1
    for value, height in ticks.items():
        digits = f"{abs(value):.5e}".partition("e")[0].replace(".", "").rstrip("0")
        assert len(digits) <= (2 if not log or max(values) > 1.3 * min(values) else 4)
        assert top <= height <= bottom
    rows = sorted(ticks.values())
    assert min(below - above for above, below in zip(rows, rows[1:], strict=False)) > 7


@pytest.mark.parametrize("last", [1, 3, 30, 343, 10_000])
def test_ticks_across_reach_the_last_epoch(last: int) -> None:
    across = ticks_across(drawn(Chart("t", "epochs"), a=[(0, 1), (last, 2)]))
    assert across[0] == 0 and len(across) >= 4
    assert last / 1.35 <= across[-1] <= last


def test_the_axis_goes_on_to_its_limit() -> None:
    (a,) = lines(drawn(Chart("t", "epochs", x_limit=10), a=[(0, 1), (5, 2)]))
    assert a[-1][0] == pytest.approx((LEFT + WIDTH - RIGHT) / 2, abs=0.1)


@pytest.mark.parametrize("log", [True, False])
def test_a_marker_stands_where_it_is_asked_for(log: bool) -> None:
    svg = drawn(Chart("t", "seconds", log=log, marker=4.0), a=[(0, 3), (4, 2), (9, 1)])
    uprights = [path.get("d").removeprefix("M").split() for path in svg.iter("path") if "V" in path.get("d")]
    assert uprights == [[f"{lines(svg)[0][1][0]:.1f}", f"{TOP}V{HEIGHT - BOTTOM}"]]


@pytest.mark.parametrize("log", [True, False])
def test_references_lie_at_their_height_with_their_name(log: bool) -> None:
    chart = Chart("NME", "epochs", unit=" %", log=log, references={"mean shape": 20.0})
    svg = drawn(chart, a=[(0, 40), (1, 10), (2, 20)])
    (height,) = heights(svg)
    assert height == pytest.approx(lines(svg)[0][2][1], abs=0.1)
    assert height == pytest.approx(ticks_up(svg, " %")[20], abs=0.1)
    (name,) = [text for text in svg.iter("text") if text.text == "mean shape 20 %"]
    assert float(name.get("y")) == pytest.approx(height - 5, abs=0.1)


@pytest.mark.parametrize("log", [False, True])
def test_references_are_in_view_wherever_the_data_is(log: bool) -> None:
    chart = Chart("NME", "epochs", log=log, references={"goal": 12.0, "rounding": 0.9})
    high, low = heights(drawn(chart, a=[(0, 4), (1, 3)]))
    assert TOP <= high < low <= HEIGHT - BOTTOM


def test_a_reference_that_a_log_axis_cannot_show_is_left_out() -> None:
    assert not heights(drawn(Chart("t", "x", log=True, references={"none": 0.0}), a=[(0, 1), (1, 2)]))


def test_the_label_says_the_last_values() -> None:
    chart = Chart("Mean error", "epochs", unit=" %")
    svg = drawn(chart, train=[(0, 50), (3, 8.1234)], test=[(2, 9.5), (4, math.nan)], late=[])
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == "Mean error: train 8.12 % at 3; test 9.5 % at 2 (epochs)"


def test_names_are_text_and_not_markup() -> None:
    bad = '</text><script>"&'
    chart = Chart(bad, bad, unit=bad, references={bad: 1.5})
    svg = drawn(chart, **{bad: [(0, 1), (1, 2)]})
    assert not list(svg.iter("script"))
    assert texts(svg).count(bad) == 3  # title, name of the axis, name of the line
    assert f"{bad} 1.5{bad}" in texts(svg) and bad in svg.get("aria-label")


def test_long_lines_are_thinned_and_keep_their_end() -> None:
    points = [(step, 1 + math.sin(step)) for step in range(10_001)]
    (thin,) = lines(drawn(Chart("t", "steps"), a=points))
    assert MOST_POINTS / 2 < len(thin) <= MOST_POINTS + 1
    (dot,) = drawn(Chart("t", "steps"), a=points).iter("circle")
    assert thin[-1] == (float(dot.get("cx")), float(dot.get("cy"))) and thin[-1][0] == WIDTH - RIGHT
