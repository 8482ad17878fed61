"""Plots of errors as SVG text: cumulative and expected errors, and bars; readable in light and dark."""

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from kp.drawing.axes import TOP, WIDTH, Frame, colour_of, svg_drawing
from kp.drawing.charts import TEXT, Point
from kp.drawing.references import REFERENCES
from kp.metrics import ced_curve

MOST_ERROR = 12.0  # percent, the end of the cumulative curve
STEP = 0.1  # percent between two of its points
BARS_LEFT, BARS_RIGHT = 132, 62
BAR, GAP, PLAIN = 14, 12, 30  # heights: of a bar, between groups, least of a group


def cumulative_errors(errors: Mapping[str, Sequence[float | None]]) -> str:
    """Cumulative error distribution: share of faces (0..100 %) by error (0..12 %), a line a model; None is a miss."""
    limits = np.arange(0, MOST_ERROR + STEP / 2, STEP)
    lines: dict[str, list[Point]] = {}
    sentences = []
    for name, values in errors.items():
        known = np.array([np.inf if value is None else value for value in values])
        shares = (100 * ced_curve(known, limits + 1e-9)).tolist() if len(known) else []
        lines[name] = list(zip(limits.tolist(), shares, strict=False))
        if lines[name]:
            sentences.append(
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
    return frame.svg(lines, "; ".join(sentences) or "Nothing is measured yet")


def expected_errors(groups: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> str:
    """Measured over expected errors in percent, a line a model; calibrated networks lie on the diagonal."""
    lines = {name: list(zip(*both, strict=True)) for name, both in groups.items()}
    most = max((value for points in lines.values() for point in points for value in point), default=1.0)
    ticks = round_ticks(most)
    sentences = [
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
    return frame.svg(lines, "; ".join(sentences), dots=True)


def bars(title: str, groups: Sequence[tuple[str, str]], values: Mapping[str, Sequence[float | None]]) -> str:
    """Errors in percent as horizontal bars with values: for each group (name, remark) one bar a model."""
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
    sentences = [
        f"{model}: " + ", ".join(f"{name} {_percent(value)}" for (name, _), value in zip(groups, column, strict=True))
        for model, column in values.items()
    ]
    return svg_drawing(WIDTH, height, f"{title}. {'; '.join(sentences)}", "".join(parts))


def round_ticks(most: float, count: int = 6) -> list[float]:
    """Round numbers from 0 to the first one not below `most`; at most `count` + 1 of them."""
    power = 10.0 ** math.floor(math.log10(most / count))
    step = next(step * power for step in (1, 2, 5, 10, 20) if step * power * count >= most)
    return [index * step for index in range(math.ceil(most / step - 1e-9) + 1)]


def _bar(value: float | None, top: float, number: int, scale: float) -> str:
    width = 0.0 if value is None else value * scale
    return (
        f'<rect x="{BARS_LEFT}" y="{top + 1:.1f}" width="{width:.1f}" height="{BAR - 2}" rx="2" '
        f'fill="{colour_of(number)}"/><text x="{BARS_LEFT + width + 6:.1f}" y="{top + BAR - 3:.1f}" '
        f'fill="currentColor" font-size="12">{_percent(value)}</text>'
    )


def _percent(value: float | None) -> str:
    return "not known" if value is None else f"{value:.1f} %"
