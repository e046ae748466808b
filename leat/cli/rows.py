"""The result of a query as people read it, or exactly as it is for programs; rows are written as they come."""

from __future__ import annotations

import itertools
import json
import math
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

from leat.cli.output import SHAPE, plain_text, say
from leat.cli.tables import print_records, print_table

SHOWN = 1000
"""So many rows are shown to people; programs get all."""
_IN_MEMORY = 16_000_000  # bytes


class Form(StrEnum):
    """How rows are printed."""

    table = "table"
    records = "records"
    csv = "csv"
    json = "json"


def print_rows(columns: Sequence[str], rows: Iterator[tuple[Any, ...]], form: Form) -> None:
    """Print the result of a query. A table that is wider than the terminal is printed as records, a line per value."""
    if form is Form.csv:
        _print_csv(columns, rows)
    elif form is Form.json:
        _print_json(columns, rows)
    else:
        listed = list(itertools.islice(rows, SHOWN))
        if form is Form.records:
            print_records(columns, listed)
        else:
            print_table(columns, listed)
        if next(rows, None) is not None:
            say(f"These are the first {SHOWN:,} rows; `--format csv` prints all of them.", style="dim")


def _print_csv(columns: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> None:
    """Write RFC 4180, with Postgres' difference between nothing for null and "" for a text without characters."""
    for row in itertools.chain([columns], rows):
        sys.stdout.write(",".join(map(_csv_field, row)) + "\r\n")


def _csv_field(value: Any) -> str:
    if value is None:
        return ""
    text = plain_text(value)
    quoted = not text or text != text.strip() or any(c in text for c in ',"\r\n')
    return '"' + text.replace('"', '""') + '"' if quoted else text


def _print_json(columns: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> None:
    """Write one object once the last row has come, so that a query that fails midway writes none."""
    head = json.dumps({"leat": SHAPE, "command": "query", "columns": list(columns)}, ensure_ascii=False)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8", errors="surrogatepass") as file:
        file.write(head[:-1] + ', "rows": [')
        for number, row in enumerate(rows):
            record = {name: _finite(value) for name, value in zip(columns, row, strict=True)}
            file.write((", " if number else "") + json.dumps(record, ensure_ascii=False, default=_json))
        file.write("]}\n")
        file.seek(0)
        shutil.copyfileobj(file, sys.stdout)


def _finite(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _json(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else plain_text(value)
