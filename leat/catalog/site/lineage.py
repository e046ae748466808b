"""The picture of where a table's rows come from and where they go: two steps each way, as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leat.catalog.site.contents import Name

_STEPS = 2
_BOX, _ROW, _GAP = 216, 34, 56  # width of a box, height of a line, space between columns; pixels
_LETTERS = 29  # that fit into a box


@dataclass(frozen=True, slots=True)
class Box:
    """One table in the picture; ``x`` and ``y`` are its upper left corner."""

    name: Name
    label: str
    x: int
    y: int
    here: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes, the paths between them (SVG's ``d``), and the size in pixels."""

    boxes: Sequence[Box]
    paths: Sequence[str]
    width: int
    height: int


def picture(name: Name, reads: Mapping[Name, Sequence[Name]], read_by: Mapping[Name, Sequence[Name]]) -> Picture | None:
    """Return the picture of a table; None when it neither is made of others nor are others made of it."""
    columns = [*reversed(_steps(name, reads)), [name], *_steps(name, read_by)]
    if len(columns) == 1:
        return None
    tallest = max(map(len, columns))
    places: dict[Name, Box] = {}
    for i, names in enumerate(columns):
        top = (tallest - len(names)) * _ROW // 2
        for j, each in enumerate(names):
            label = _label(each)
            places[each] = Box(each, label, i * (_BOX + _GAP), top + j * _ROW, each == name)
    paths = [
        _path(places[source], box)
        for each, box in places.items()
        for source in reads.get(each, ())
        if source in places and places[source].x < box.x
    ]
    width = len(columns) * (_BOX + _GAP) - _GAP
    return Picture(list(places.values()), paths, width, tallest * _ROW)


def _steps(name: Name, edges: Mapping[Name, Sequence[Name]]) -> list[list[Name]]:
    """Return the tables that are one step away, then two; each only where it is nearest."""
    seen, steps, last = {name}, [], [name]
    for _ in range(_STEPS):
        last = sorted({other for each in last for other in edges.get(each, ())} - seen)
        if not last:
            break
        steps.append(last)
        seen.update(last)
    return steps


def _path(source: Box, target: Box) -> str:
    x1, y1 = source.x + _BOX, source.y + _ROW // 2 - 2
    x2, y2 = target.x, target.y + _ROW // 2 - 2
    middle = (x1 + x2) // 2
    return f"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}"


def _label(name: Name) -> str:
    text = ".".join(name)
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"
