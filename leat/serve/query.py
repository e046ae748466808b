"""Runs one query for the API and writes its rows to standard output; a process of its own, so that it can be killed.

The first line is JSON: ``{}``, or ``{"error": …}`` and nothing else.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import resource
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from leat.runs.decryption import Permitted
from leat.runs.reveal import Reveal
from leat.runs.workspace import open_workspace
from leat.sources.settings import redact
from leat.warehouse.answer import Answer, Limits
from leat.warehouse.session import WarehouseError

_MEMORY = 4 * 2**30
"""Bytes of address space; DuckDB itself may use a quarter of it."""
_BATCH = 1000
_Rows = Iterator[tuple[Any, ...]]


def main() -> None:
    """Run the query that standard input describes."""
    asked = json.loads(sys.stdin.read())
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    out = sys.stdout.buffer
    workspace = open_workspace(Path(asked["project"]), may_be_empty=True)
    try:
        limits = Limits(seconds=asked["seconds"])
        with workspace.warehouse.query(asked["sql"], limits, asked["role"]) as encrypted:
            answer = Reveal(workspace, (), permitted=Permitted.of_json(asked["decrypt"])).answer(encrypted)
            rows = itertools.islice(answer.rows, asked["rows"])
            first = list(itertools.islice(rows, _BATCH))  # what is wrong with a row often shows here
            out.write(b"{}\n")
            _FORMS[asked["form"]](out, Answer(answer.columns, itertools.chain(first, rows)))
    except WarehouseError as error:
        out.write(json.dumps({"error": redact(str(error))}).encode() + b"\n")
    out.flush()


def _json(out: BinaryIO, answer: Answer) -> None:
    out.write(b'{"columns": ' + _dumped(answer.columns) + b', "rows": [')
    for number, row in enumerate(answer.rows):
        out.write((b"," if number else b"") + b"\n" + _dumped(dict(zip(answer.columns, row, strict=True))))
    out.write(b"\n]}\n")


def _ndjson(out: BinaryIO, answer: Answer) -> None:
    for row in answer.rows:
        out.write(_dumped(dict(zip(answer.columns, row, strict=True))) + b"\n")


def _table(out: BinaryIO, answer: Answer) -> None:
    """Write lists: names of columns may come twice."""
    out.write(_dumped(answer.columns) + b"\n")
    for row in answer.rows:
        out.write(_dumped(row) + b"\n")


def _csv(out: BinaryIO, answer: Answer) -> None:
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(answer.columns)
    writer.writerows([cell(value) for value in row] for row in answer.rows)
    text.detach()


def _arrow(out: BinaryIO, answer: Answer) -> None:
    import pyarrow as pa

    rows = list(answer.rows)
    values: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * len(answer.columns)
    arrays = [_array(pa, column) for column in values]
    table = pa.Table.from_arrays(arrays, names=answer.columns)
    with pa.ipc.new_stream(pa.PythonFile(cast("io.IOBase", out), mode="w"), table.schema) as writer:
        writer.write_table(table)


def _array(pa: Any, values: Sequence[Any]) -> Any:
    try:
        return pa.array(list(values))
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # values of several types in one column
        return pa.array([None if value is None else str(value) for value in values])


_FORMS: Mapping[str, Callable[[BinaryIO, Answer], None]] = {
    "json": _json,
    "ndjson": _ndjson,
    "table": _table,
    "csv": _csv,
    "arrow": _arrow,
}


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, default=_plain).encode()


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value.hex() if isinstance(value, bytes) else str(value)


def cell(value: Any) -> Any:
    """Return a value as a cell of CSV."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"  # a spreadsheet would run it as a formula
    return value if value is None or isinstance(value, str | int | float) else _plain(value)


if __name__ == "__main__":
    main()
