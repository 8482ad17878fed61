"""Two axes from zero with lines on them, as SVG text; readable in light and dark, as in `charts`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from kp.drawing.charts import COLOURS, TEXT, Point

WIDTH, HEIGHT = 480, 300  # of the drawing, in its own units; on the page it fills its container
LEFT, RIGHT, TOP, BOTTOM = 58, 18, 34, 48  # margins
HALO = 'paint-order="stroke" stroke="var(--background-fill-primary)" stroke-width="4"'  # keeps text readable on lines


@dataclass(frozen=True)
class Frame:
    """Two linear axes from zero. uprights: label -> x of a dashed vertical line. diagonal: label of the line y = x."""

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
        """The SVG of named lines of (x, y); an empty line still takes its colour. describe: text for screen readers."""
        parts = [self._axes(), *(self._upright(label, x) for label, x in (self.uprights or {}).items())]
        if self.diagonal:
            parts.append(self._diagonal())
        parts += [self._line(points, number, dots=dots) for number, points in enumerate(lines.values()) if points]
        return svg_drawing(
            WIDTH,
            HEIGHT,
            f"{self.title}. {describe}",
            f'<text x="{LEFT}" y="18" {TEXT} font-weight="600">{escape(self.title)}</text>{"".join(parts)}',
        )

    def place(self, x: float, y: float) -> Point:
        """SVG coordinates of a point."""
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
            f'<polyline fill="none" stroke="{colour}" stroke-width="2"{dash_of(number)} points="{path}"/>'
            f"{marks if dots else ''}"
        )


def colour_of(number: int) -> str:
    """The colour of the model with this number, from 0."""
    return COLOURS[number % len(COLOURS)]


def dash_of(number: int) -> str:
    """SVG attribute of the model's line style: every second one is dashed."""
    return ' stroke-dasharray="7 4"' if number % 2 else ""


def svg_drawing(width: int, height: float, describe: str, content: str) -> str:
    """An SVG element of this size. describe: text for screen readers."""
    return (
        f'<svg viewBox="0 0 {width} {height:g}" role="img" aria-label="{escape(describe)}" '
        f'style="width:100%;height:auto;color:var(--body-text-color);font-family:var(--font)">{content}</svg>'
    )
