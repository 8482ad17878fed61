"""Line charts as SVG text: fast enough for several updates a second, readable in light and dark.

Text and axes take the page's colours from CSS variables; lines have those of Okabe and Ito's palette.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MOST_POINTS = 400  # of one line; more are not visible
WIDTH, HEIGHT = 480, 270  # of the drawing, in its own units; on the page it fills its container
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 34, 44
MOST_TICKS = 8  # on the y axis
TEXT = 'fill="currentColor" font-size="13"'

Point = tuple[float, float]


@dataclass(frozen=True)
class Chart:
    """Settings of a chart. references: label -> y of a dashed horizontal line. log: logarithmic y axis. marker: x of a
    vertical line. x_limit: least end of the x axis."""

    title: str
    x_label: str
    unit: str = ""
    log: bool = False
    references: Mapping[str, float] | None = None
    x_limit: float | None = None
    marker: float | None = None
    y_from_zero: bool = False

    def svg(self, series: Mapping[str, Sequence[Point]]) -> str:
        """The SVG of named lines of (x, y); points that are not finite (or not positive, for log) are left out."""
        lines = {name: self._kept(points) for name, points in series.items()}
        axes = _Axes.around(self, [point for points in lines.values() for point in points])
        parts = [axes.grid(), *(axes.reference(label, y) for label, y in (self.references or {}).items())]
        parts += [axes.upright(self.marker)] if self.marker is not None else []
        parts += [axes.line(points, number) for number, points in enumerate(lines.values())]
        parts += [_legend(list(lines)), f'<text x="{LEFT}" y="18" {TEXT} font-weight="600">{escape(self.title)}</text>']
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self.describe(lines))}" '
            f'style="width:100%;height:auto;color:var(--body-text-color);font-family:var(--font)">'
            f"{''.join(parts)}</svg>"
        )

    def describe(self, lines: Mapping[str, Sequence[Point]]) -> str:
        """The chart in a sentence, for screen readers."""
        ends = [
            f"{name} {points[-1][1]:.3g}{self.unit} at {points[-1][0]:.3g}" for name, points in lines.items() if points
        ]
        return f"{self.title}: {'; '.join(ends) or 'nothing yet'} ({self.x_label})"

    def _kept(self, points: Sequence[Point]) -> list[Point]:
        kept = [(x, y) for x, y in points if y is not None and math.isfinite(y) and (y > 0 or not self.log)]
        step = math.ceil(len(kept) / MOST_POINTS) or 1
        return kept if step == 1 else [*kept[::step], kept[-1]]


@dataclass(frozen=True)
class _Axes:
    """The visible range, in the chart's own units (y as its logarithm, for log)."""

    chart: Chart
    x: Point
    y: Point

    @classmethod
    def around(cls, chart: Chart, points: Sequence[Point]) -> "_Axes":
        xs = [x for x, _ in points] or [0.0, 1.0]
        references = [y for y in (chart.references or {}).values() if y > 0 or not chart.log]  # always visible
        ys = [*(y for _, y in points), *references] or ([0.1, 1.0] if chart.log else [0.0, 1.0])
        low, high = min(ys), max(ys)
        if chart.log:
            low, high = math.log10(low), math.log10(high)
        elif chart.y_from_zero:
            low = 0.0
        pad = 0.08 * (high - low) or 0.5
        left, right = min(0.0, min(xs)), max(xs, default=1.0)
        right = max(right, chart.x_limit or right)
        return cls(
            chart,
            (left, right if right > left else left + 1),
            (low if chart.y_from_zero and not chart.log else low - pad, high + pad),
        )

    def place(self, x: float, y: float) -> Point:
        """SVG coordinates of a point."""
        y = math.log10(y) if self.chart.log else y
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    def grid(self) -> str:
        parts = []
        values = _log_ticks(*self.y) if self.chart.log else _ticks(*self.y)
        for value in values:
            _, y = self.place(self.x[0], value)
            label = escape(f"{value:g}{self.chart.unit}")
            parts.append(
                f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="currentColor" opacity=".15"/>'
                f'<text x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end" {TEXT}>{label}</text>'
            )
        for value in _ticks(*self.x):
            x = self.place(value, 10 ** self.y[0] if self.chart.log else self.y[0])[0]
            parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle" {TEXT}>{value:g}</text>')
        parts.append(
            f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end" {TEXT}>{escape(self.chart.x_label)}</text>'
        )
        return "".join(parts)

    def reference(self, label: str, value: float) -> str:
        if self.chart.log and value <= 0:
            return ""
        _, y = self.place(self.x[0], value)
        across = f"M{LEFT} {y:.1f}H{WIDTH - RIGHT}"
        return (
            f'<path d="{across}" stroke="currentColor" opacity=".65" stroke-dasharray="3 4"/>'
            f'<text x="{WIDTH - RIGHT}" y="{y - 5:.1f}" text-anchor="end" fill="currentColor" font-size="12">'
            f"{escape(f'{label} {value:.3g}{self.chart.unit}')}</text>"
        )

    def upright(self, value: float) -> str:
        x, _ = self.place(value, 10 ** self.y[0] if self.chart.log else self.y[0])
        return f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="currentColor" opacity=".8"/>'

    def line(self, points: Sequence[Point], number: int) -> str:
        if not points:
            return ""
        colour, dash = COLOURS[number % len(COLOURS)], ' stroke-dasharray="7 4"' if number % 2 else ""
        places = [self.place(x, y) for x, y in points]
        if len(places) == 1:
            return f'<circle cx="{places[0][0]:.1f}" cy="{places[0][1]:.1f}" r="4" fill="{colour}"/>'
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        x, y = places[-1]
        return (
            f'<polyline fill="none" stroke="{colour}" stroke-width="2"{dash} points="{path}"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'
        )


def _legend(names: Sequence[str]) -> str:
    parts, x = [], float(LEFT)
    for number, name in enumerate(names):
        colour, dash = COLOURS[number % len(COLOURS)], ' stroke-dasharray="7 4"' if number % 2 else ""
        parts.append(
            f'<path d="M{x} {HEIGHT - 12}h24" stroke="{colour}" stroke-width="3"{dash}/>'
            f'<text x="{x + 30}" y="{HEIGHT - 8}" {TEXT}>{escape(name)}</text>'
        )
        x += 48 + 7.2 * len(name)
    return "".join(parts)


def _ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers between low and high, about `count` of them."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)  # 0.3 / 0.1 is a little below 3
    return [index * step for index in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Round numbers between 10**low and 10**high: 1 to 9, 1 2 5, or 1 times powers of ten, as many as fit."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    for digits in (range(1, 10), (1, 2, 5), (1,)):
        values = [digit * 10.0**power for power in powers for digit in digits]
        inside = [value for value in values if low <= math.log10(value) <= high]
        if len(inside) < 2:
            return _ticks(10**low, 10**high)
        if len(inside) <= MOST_TICKS:
            break
    return inside[:: math.ceil(len(inside) / MOST_TICKS)]
