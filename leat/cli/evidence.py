"""The evidence of a violation: what each system says, next to each other where the terminal is wide enough."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import zip_longest
from typing import Any

from rich.cells import cell_len

from leat.cli import output
from leat.cli.output import Part, say
from leat.cli.tables import field_text, print_fields
from leat.runs.printable import in_one_line

_INDENT = "  "
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?\+00:00")
_GAP = 4  # blanks between two sides


def print_evidence(evidence: Mapping[str, Any], sides: Mapping[str, Sequence[str]]) -> None:
    """Print evidence to stdout.

    Args:
        evidence: a value by column. What is null is left out, but on a side: there it says that the system has nothing.
        sides: the columns of each system; all others come first.
    """
    evidence = {column: _as_time(value) for column, value in evidence.items()}
    of_a_side = {column for columns in sides.values() for column in columns}
    shared = {in_one_line(c): value for c, value in evidence.items() if c not in of_a_side and value is not None}
    print_fields(list(shared), list(shared.values()), _INDENT)
    blocks = {side: {c: evidence[c] for c in columns if c in evidence} for side, columns in sides.items()}
    blocks = {side: fields for side, fields in blocks.items() if fields}
    lines = {side: _lines(fields) for side, fields in blocks.items()}
    widths = {s: max(cell_len(s), *(cell_len(a + b) for a, b in listed)) for s, listed in lines.items()}
    if len(_INDENT) + sum(widths.values()) + _GAP * (len(widths) - 1) <= output.out.width:
        _print_columns(lines, widths)
        return
    for side, fields in blocks.items():
        say((f"{_INDENT}{side}", "bold"))
        print_fields(list(fields), list(fields.values()), _INDENT * 2)


def _as_time(value: Any) -> Any:
    """Return the time that a text of the ledger means, so that it is shown like every other."""
    return datetime.fromisoformat(value) if isinstance(value, str) and _TIME.fullmatch(value) else value


def _lines(fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    widest = max(map(cell_len, fields), default=0)
    return [(f"{name}{' ' * (widest - cell_len(name))}  ", field_text(value)) for name, value in fields.items()]


def _print_columns(lines: Mapping[str, Sequence[tuple[str, str]]], widths: Mapping[str, int]) -> None:
    rows: list[Sequence[tuple[Part, ...]]] = [[((side, "bold"),) for side in lines]]
    rows += zip_longest(*([((name, "dim"), text) for name, text in listed] for listed in lines.values()), fillvalue=())
    for row in rows if lines else ():
        parts: list[Part] = [_INDENT]
        blanks = 0
        for cell, width in zip(row, widths.values(), strict=True):
            if cell:
                parts += [" " * blanks, *cell]
                blanks = 0
            used = sum(cell_len(part if isinstance(part, str) else part[0]) for part in cell)
            blanks += width - used + _GAP
        say(*parts, whole=True)
