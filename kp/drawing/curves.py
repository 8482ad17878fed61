"""Plots of errors as SVG text: curves over a fixed range, and bars. Readable in light and dark, as in `charts`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from kp.drawing.charts import COLOURS, TEXT, Point
from kp.drawing.references import REFERENCES
from kp.metrics import ced_curve

WIDTH, HEIGHT = 480, 300  # of a curve's drawing; on the page it is as wide as its place
LEFT, RIGHT, TOP, BOTTOM = 58, 18, 34, 48
MOST_ERROR = 12.0  # percent, where the curve of cumulative errors ends
STEP = 0.1  # percent, between two of its points
BARS_LEFT, BARS_RIGHT = 132, 62
BAR, GAP, PLAIN = 14, 12, 30  # heights: of a bar, between groups, of a group at least
HALO = 'paint-order="stroke" stroke="var(--background-fill-primary)" stroke-width="4"'  # keeps text readable on lines


@dataclass(frozen=True)
class Frame:
    """Two plain axes from zero. uprights: label -> x of a dashed line. diagonal: dashed, where x and y are equal."""

    title: str
    x_label: str
    x_limit: float
    y_limit: float
    x_ticks: Sequence[float]
    y_ticks: Sequence[float]
    unit: str = " %"
    uprights: Mapping[str, float] | None = None
    diagonal: str = ""

    def svg(self, lines: Mapping[str, Sequence[Point]], describe: str, *, dots: bool = False) -> str:
        """The SVG of named lines of (x, y); a line without points keeps its colour for the others' sake."""
        parts = [self._axes(), *(self._upright(label, x) for label, x in (self.uprights or {}).items())]
        if self.diagonal:
            parts.append(self._diagonal())
        parts += [self._line(points, number, dots=dots) for number, points in enumerate(lines.values()) if points]
        return _svg(
            WIDTH,
            HEIGHT,
            f"{self.title}. {describe}",
            f'<text x="{LEFT}" y="18" {TEXT} font-weight="600">{escape(self.title)}</text>{"".join(parts)}',
        )

    def place(self, x: float, y: float) -> Point:
        """Drawing coordinates of a point."""
        return (
            LEFT + x / self.x_limit * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - y / self.y_limit * (HEIGHT - TOP - BOTTOM),
        )

    def _axes(self) -> str:
        parts = []
        for value in self.y_ticks:
            _, y = self.place(0, value)
            parts.append(
                f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="currentColor" opacity=".15"/>'
                f'<text x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end" {TEXT}>{value:g}{self.unit}</text>'
            )
        for value in self.x_ticks:
            x, _ = self.place(value, 0)
            parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle" {TEXT}>{value:g}</text>')
        parts.append(
            f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end" {TEXT}>{escape(self.x_label)}</text>'
        )
        return "".join(parts)

    def _upright(self, label: str, value: float) -> str:
        if not 0 <= value <= self.x_limit:
            return ""
        x, low = self.place(value, 0)
        return (
            f'<path d="M{x:.1f} {TOP}V{low:.1f}" stroke="currentColor" opacity=".65" stroke-dasharray="3 4"/>'
            f'<text transform="translate({x - 5:.1f} {low - 8:.1f}) rotate(-90)" fill="currentColor" '
            f'font-size="12" {HALO}>{escape(f"{label} {value:g} %")}</text>'
        )

    def _diagonal(self) -> str:
        end = min(self.x_limit, self.y_limit)
        (left, low), (right, high) = self.place(0, 0), self.place(end, end)
        return (
            f'<path d="M{left:.1f} {low:.1f}L{right:.1f} {high:.1f}" stroke="currentColor" opacity=".65" '
            f'stroke-dasharray="3 4"/><text x="{right - 8:.1f}" y="{high + 4:.1f}" text-anchor="end" '
            f'fill="currentColor" font-size="12" {HALO}>{escape(self.diagonal)}</text>'
        )

    def _line(self, points: Sequence[Point], number: int, *, dots: bool) -> str:
        places = [self.place(x, y) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        colour = colour_of(number)
        marks = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places)
        return (
            f'<polyline fill="none" stroke="{colour}" stroke-width="2"{_dash(number)} points="{path}"/>'
            f"{marks if dots else ''}"
        )


def cumulative_errors(errors: Mapping[str, Sequence[float | None]]) -> str:
    """The share of faces (0..100 %) with at most an error (0..12 %), a line a model; None is a face that was missed."""
    limits = np.arange(0, MOST_ERROR + STEP / 2, STEP)
    lines, told = {}, []
    for name, values in errors.items():
        known = np.array([np.inf if value is None else value for value in values])
        shares = (100 * ced_curve(known, limits + 1e-9)).tolist() if len(known) else []
        lines[name] = list(zip(limits.tolist(), shares, strict=False))
        if lines[name]:
            told.append(
                f"{name}: {np.mean(known <= 5):.0%} of the faces within 5 %, {np.mean(known <= 10):.0%} within 10 %"
            )
    frame = Frame(
        "Share of faces at or below an error",
        "error of a face (NME), % of the eye distance",
        MOST_ERROR,
        100,
        range(0, 13, 2),
        range(0, 101, 20),
        uprights=REFERENCES,
    )
    return frame.svg(lines, "; ".join(told) or "Nothing is measured yet")


def expected_errors(groups: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> str:
    """Measured over expected errors in percent, a line a model; on the diagonal a network knows how wrong it is."""
    lines = {name: list(zip(*both, strict=True)) for name, both in groups.items()}
    most = max((value for points in lines.values() for point in points for value in point), default=1.0)
    ticks = round_ticks(most)
    told = [
        f"{name}: from {points[0][1]:.1f} % measured where {points[0][0]:.1f} % was expected, "
        f"to {points[-1][1]:.1f} % where {points[-1][0]:.1f} % was"
        for name, points in lines.items()
        if points
    ]
    frame = Frame(
        "Measured error of a point over the expected one",
        "error that the network expects, % of the eye distance",
        ticks[-1],
        ticks[-1],
        ticks,
        ticks,
        diagonal="as expected",
    )
    return frame.svg(lines, "; ".join(told), dots=True)


def bars(title: str, groups: Sequence[tuple[str, str]], values: Mapping[str, Sequence[float | None]]) -> str:
    """Errors in percent as bars that lie: for each group (name, remark) one bar a model, its value at the end."""
    models = list(values)
    group_height = max(PLAIN, BAR * len(models)) + GAP
    height = TOP + group_height * len(groups)
    longest = max((value for column in values.values() for value in column if value is not None), default=0.0) or 1.0
    scale = (WIDTH - BARS_LEFT - BARS_RIGHT) / longest
    parts = [f'<text x="0" y="18" {TEXT} font-weight="600">{escape(title)}</text>']
    for place, (name, remark) in enumerate(groups):
        middle = TOP + group_height * place + (group_height - GAP) / 2
        up = 3 if remark else -4
        parts.append(
            f'<text x="{BARS_LEFT - 8}" y="{middle - up:.1f}" text-anchor="end" {TEXT}>{escape(name)}</text>'
            f'<text x="{BARS_LEFT - 8}" y="{middle + 12:.1f}" text-anchor="end" fill="currentColor" '
            f'opacity=".75" font-size="11.5">{escape(remark)}</text>'
        )
        parts += [
            _bar(values[model][place], middle + (number - len(models) / 2) * BAR, number, scale)
            for number, model in enumerate(models)
        ]
    told = [
        f"{model}: " + ", ".join(f"{name} {_percent(value)}" for (name, _), value in zip(groups, column, strict=True))
        for model, column in values.items()
    ]
    return _svg(WIDTH, height, f"{title}. {'; '.join(told)}", "".join(parts))


def round_ticks(most: float, count: int = 6) -> list[float]:
    """Round numbers from 0 to the first that is not below `most`; at most `count` + 1 of them."""
    power = 10.0 ** math.floor(math.log10(most / count))
    step = next(step * power for step in (1, 2, 5, 10, 20) if step * power * count >= most)
    return [index * step for index in range(math.ceil(most / step - 1e-9) + 1)]


def colour_of(number: int) -> str:
    """The colour of the model with this number, from 0."""
    return COLOURS[number % len(COLOURS)]


def _bar(value: float | None, top: float, number: int, scale: float) -> str:
    width = 0.0 if value is None else value * scale
    return (
        f'<rect x="{BARS_LEFT}" y="{top + 1:.1f}" width="{width:.1f}" height="{BAR - 2}" rx="2" '
        f'fill="{colour_of(number)}"/><text x="{BARS_LEFT + width + 6:.1f}" y="{top + BAR - 3:.1f}" '
        f'fill="currentColor" font-size="12">{_percent(value)}</text>'
    )


def _percent(value: float | None) -> str:
    return "not known" if value is None else f"{value:.1f} %"


def _dash(number: int) -> str:
    return ' stroke-dasharray="7 4"' if number % 2 else ""


def _svg(width: int, height: float, describe: str, content: str) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height:g}" role="img" aria-label="{escape(describe)}" '
        f'style="width:100%;height:auto;color:var(--body-text-color);font-family:var(--font)">{content}</svg>'
    )
