"""Charts as SVG: they need no script, print well, and have a table with the same numbers.

Each part leads to its evidence. Where there are many, only the table's links take part in the keyboard's order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

_ROW, _WIDTH = 46, 420
_HEIGHT, _TOP, _FOOT = 190, 10, 26
"""Of lines and columns: all of it, what is above the highest point, and what the labels take."""


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a chart.

    Attributes:
        label: what it is.
        value: the number.
        text: the number as people read it.
        at: the page with the evidence.
        slot: its place on the axis of a line or of columns, from 0.
    """

    label: str
    value: float
    text: str
    at: str
    slot: int = 0


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart.

    Attributes:
        title: what it shows.
        svg: the drawing.
        points: the same as a table.
    """

    title: str
    svg: Markup
    points: Sequence[Point]


def bars(title: str, points: Sequence[Point], name: str = "chart") -> Chart | None:
    """Return horizontal bars, in the order of the points; None if there are none.

    Args:
        title: what they show.
        points: the points.
        name: of the chart, unique on the page.
    """
    if not points:
        return None
    most = max(abs(point.value) for point in points) or 1
    drawn = Markup("").join(_bar(index, point, most) for index, point in enumerate(points))
    return Chart(title, _drawing(title, points, name, len(points) * _ROW, drawn), points)


def columns(title: str, points: Sequence[Point], name: str, form: Callable[[float], str]) -> Chart | None:
    """Return columns along an axis; None if there are none. ``form`` writes the numbers of the scale."""
    if not points:
        return None
    scale = _Scale(points, form)
    width = max(2.0, min(40.0, scale.step * 0.7))
    zero = scale.y(0)
    drawn = Markup("").join(
        Markup("<rect class=bar x={:.1f} y={:.1f} width={:.1f} height={:.1f} rx=2></rect>").format(
            scale.x(point) - width / 2,
            min(zero, scale.y(point.value)),
            width,
            max(1.0, abs(zero - scale.y(point.value))),
        )
        for point in points
    )
    return Chart(title, _drawing(title, points, name, _HEIGHT, scale.grid() + drawn + scale.links()), points)


def line(title: str, points: Sequence[Point], name: str, form: Callable[[float], str]) -> Chart | None:
    """Return a line along an axis; None if there are no points. ``form`` writes the numbers of the scale."""
    if not points:
        return None
    scale = _Scale(points, form)
    places = [(scale.x(point), scale.y(point.value)) for point in points]
    path = " ".join(f"{'L' if index else 'M'}{x:.1f} {y:.1f}" for index, (x, y) in enumerate(places))
    dots = Markup("").join(
        Markup("<circle class=bar cx={:.1f} cy={:.1f} r=3></circle>").format(x, y) for x, y in places
    )
    drawn = Markup('<path class=line d="{}"></path>').format(path) + dots
    return Chart(title, _drawing(title, points, name, _HEIGHT, scale.grid() + drawn + scale.links()), points)


class _Scale:
    """Where points are in a drawing of lines or columns."""

    def __init__(self, points: Sequence[Point], form: Callable[[float], str]) -> None:
        self._points = points
        low, high = min(0.0, *(point.value for point in points)), max(0.0, *(point.value for point in points))
        tick = _nice((high - low) / 3) if low < high else 1.0
        self._low, self._high = math.floor(low / tick) * tick, math.ceil(high / tick) * tick
        count = round((self._high - self._low) / tick)
        self._ticks = [self._low + step * tick for step in range(count + 1)]
        self._texts = _shortened([form(value) for value in self._ticks])
        self._high = self._high or self._low + 1
        self._left = 8 + 6.8 * max(map(len, self._texts))
        self.step = (_WIDTH - self._left) / (points[-1].slot + 1)

    def x(self, point: Point) -> float:
        """Return where a point is, from the left."""
        return self._left + (point.slot + 0.5) * self.step

    def y(self, value: float) -> float:
        """Return where a value is, from above."""
        return _TOP + (self._high - value) / (self._high - self._low) * (_HEIGHT - _TOP - _FOOT)

    def upper(self, point: Point) -> float:
        """Return where the column of a point begins, from above."""
        return min(self.y(0), self.y(point.value))

    def height(self, point: Point) -> float:
        """Return how high the column of a point is."""
        return max(1.0, abs(self.y(0) - self.y(point.value)))

    def grid(self) -> Markup:
        """Return the lines of the scale with their numbers, and the first and the last label."""
        rule = Markup("<line class=grid x1={:.1f} x2={} y1={:.1f} y2={:.1f}></line>")
        number = Markup('<text class="tick end" x={:.1f} y={:.1f}>{}</text>')
        parts = [
            rule.format(self._left, _WIDTH, self.y(value), self.y(value))
            + number.format(self._left - 6, self.y(value) + 4, text)
            for value, text in zip(self._ticks, self._texts, strict=True)
        ]
        first, last = self._points[0], self._points[-1]
        parts.append(
            Markup("<text class=tick x={:.1f} y={}>{}</text>").format(self._left, _HEIGHT - 6, _short(first.label))
        )
        if last is not first:
            end = Markup('<text class="tick end" x={} y={}>{}</text>')
            parts.append(end.format(_WIDTH, _HEIGHT - 6, _short(last.label)))
        return Markup("").join(parts)

    def links(self) -> Markup:
        """Return what is pressed and pointed at: all of the height above each label."""
        return Markup("").join(
            Markup(
                '<a href="{}" tabindex=-1 aria-label="{}"><title>{}</title>'
                "<rect class=hit x={:.1f} y=0 width={:.1f} height={}></rect></a>"
            ).format(point.at, _said(point), _said(point), self.x(point) - self.step / 2, self.step, _HEIGHT)
            for point in self._points
        )


def _shortened(texts: Sequence[str]) -> list[str]:
    """Return the numbers of a scale without currency, and without decimals if all of these are zero."""
    bare = [re.sub(r" [A-Z]{3}$", "", text) for text in texts]
    whole = [re.sub(r"\.0+(?!\d)", "", text) for text in bare]
    return (
        whole
        if all(len(one) < len(other) or "." not in other for one, other in zip(whole, bare, strict=True))
        else bare
    )


def _nice(size: float) -> float:
    """Return the next larger 1, 2 or 5, times a power of ten."""
    power = 10.0 ** math.floor(math.log10(size))
    return next(power * each for each in (1, 2, 5, 10) if power * each >= size * 0.999)


def _drawing(title: str, points: Sequence[Point], name: str, height: int, drawn: Markup) -> Markup:
    described = "; ".join(_said(point) for point in points)
    return Markup(
        '<svg class=chart role=group viewBox="0 0 {width} {height}" aria-labelledby="{name}-title {name}-desc">'
        '<title id="{name}-title">{title}</title><desc id="{name}-desc">{desc}</desc>{drawn}</svg>'
    ).format(width=_WIDTH, height=height, name=name, title=title, desc=described, drawn=drawn)


def _bar(index: int, point: Point, most: float) -> Markup:
    top, length = index * _ROW, max(3, round((_WIDTH - 130) * abs(point.value) / most))
    return Markup(
        '<a href="{}"><rect class=hit x=0 y={} width={} height={}></rect><text x=0 y={}>{}</text>'
        "<rect class={} x=0 y={} width={} height=12 rx=3></rect><text class=number x={} y={}>{}</text></a>"
    ).format(point.at, top, _WIDTH, _ROW, top + 16, _short(point.label), "bar" if point.value >= 0 else '"bar minus"',
             top + 23, length, length + 8, top + 34, point.text)  # fmt: skip


def _said(point: Point) -> str:
    return f"{point.label}: {point.text}"


def _short(label: str) -> str:
    return label if len(label) <= 56 else f"{label[:54].rstrip()}…"
