"""Tables for people: aligned columns where they fit the terminal, else a line per value; a name is never broken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from rich.cells import cell_len

from leat.cli import output
from leat.cli.lines import print_indented
from leat.cli.output import Part, cell_text, say
from leat.runs.printable import in_one_line

_GAP = 2  # blanks between two columns


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "", *, below: bool = False) -> None:
    """Print rows to stdout; where the terminal is too narrow for a table, as records.

    Args:
        columns: their names.
        rows: the values; numbers are aligned right, null is a dim dash.
        title: a line above.
        below: the last column is prose. Where that makes the table fit, it is printed below each row.
    """
    listed = [list(row) for row in rows]
    if title:
        say(title)
    if _width(columns, listed) <= output.out.width:
        _print_aligned(columns, listed)
    elif below and _width(columns[:-1], [row[:-1] for row in listed]) <= output.out.width:
        _print_aligned(columns[:-1], [row[:-1] for row in listed], [row[-1] for row in listed])
    else:
        print_records(columns, listed)


def print_records(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print each row as a heading and a line per value; the terminal breaks a long value, so that it can be copied."""
    names = [in_one_line(name) for name in columns]
    number = 0
    for number, row in enumerate(rows, 1):
        say((f"row {number}", "bold"))
        print_fields(names, row)
    if not number:
        say("no rows")


def print_fields(names: Sequence[str], values: Sequence[Any], indent: str = "  ") -> None:
    """Print a line per value, with its name before it."""
    widest = max(map(cell_len, names), default=0)
    for name, value in zip(names, values, strict=True):
        say((f"{indent}{_padded(name, widest)}  ", "dim"), _part(value), whole=True)


def _width(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
    widths = _widths(columns, rows)
    return sum(widths) + _GAP * (len(widths) - 1)


def _widths(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[int]:
    return [
        max(cell_len(in_one_line(name)), *(cell_len(_part(row[i])[0]) for row in rows), 0)
        for i, name in enumerate(columns)
    ]


def _print_aligned(columns: Sequence[str], rows: Sequence[Sequence[Any]], below: Sequence[Any] = ()) -> None:
    widths = _widths(columns, rows)
    right = [any(_is_number(row[i]) for row in rows) for i in range(len(columns))]
    _print_row([(in_one_line(name), "bold") for name in columns], widths, right)
    for number, row in enumerate(rows):
        _print_row([_part(value) for value in row], widths, right)
        if below and below[number] is not None:
            print_indented("    ", cell_text(below[number]))


def _print_row(cells: Sequence[tuple[str, str]], widths: Sequence[int], right: Sequence[bool]) -> None:
    parts: list[Part] = []
    for i, (text, style) in enumerate(cells):
        is_last = i == len(cells) - 1
        padded = _padded(text, widths[i], right=right[i]) if right[i] or not is_last else text
        parts += [(padded, style), "" if is_last else " " * _GAP]
    say(*parts, whole=True)


def _padded(text: str, width: int, *, right: bool = False) -> str:
    blanks = " " * (width - cell_len(text))
    return blanks + text if right else text + blanks


def field_text(value: Any) -> str:
    """Return the text of a value; a dash means null."""
    return _part(value)[0]


def _part(value: Any) -> tuple[str, str]:
    return ("-", "dim") if value is None else (cell_text(value), "")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
