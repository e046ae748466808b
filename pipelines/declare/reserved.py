"""What a table of an integration can't be called or hold, on either engine: refused when the declaration is checked.

leat's own helper tables need no names of a user's: those that outlive a statement begin with an underscore, as no
declared name does, and the others are temporary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from leat.pipelines.declare.declaration import NAME, Declaration
from leat.pipelines.declare.system_columns import HISTORY_COLUMNS, SYSTEM_COLUMNS
from leat.pipelines.declare.yaml_file import Loc
from leat.sources.driver import load_streams
from leat.sources.stream import Column, Stream

Diagnostics = Iterator[tuple[Loc, str]]

MAX_NAME = 63
"""How many bytes of a name Postgres uses."""

MAX_COLUMNS = 1000
_PAGE = 8160  # what a row of Postgres may take, without what is stored elsewhere
_ROW_HEADER = 24
_SYSTEM = 96  # _load_id, two timestamps, their alignment
_BYTES = {"integer": 8, "float": 8, "timestamp": 8, "datetime": 8, "date": 8, "boolean": 8}
_TEXT = 24  # what is longer is stored elsewhere

_OF_POSTGRES = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
_OF_ENGINE = frozenset({*SYSTEM_COLUMNS, "_seq"})


def reserved_diagnostics(declaration: Declaration) -> Diagnostics:
    """Yield the streams and columns whose names or number no table can have."""
    versioned = {s.name for s in declaration.selected() if declaration.options(s.name).history}
    for stream in declaration.selected():
        where = _where(declaration, stream.name)
        for suffix in ("_history", "_as_of"):
            if stream.name.removesuffix(suffix) in versioned - {stream.name}:
                yield where, f"{stream.name} is what the history of {stream.name.removesuffix(suffix)} is called"
        if len(f"{stream.name}_history".encode()) > MAX_NAME or not NAME.fullmatch(stream.name):
            yield (
                where,
                f"{stream.name!r}: a stream becomes a table; give it a lower-case name of at most 41 characters",
            )
        columns = declaration.columns(stream)
        for column in columns:
            text = _column_diagnostic(column.name)
            if text is not None:
                yield _where(declaration, stream.name, column.name), text
        if stream.name in versioned:
            yield from _of_history(stream, columns, bool(load_streams(declaration.source)))
        yield from ((where, text) for text in _size_diagnostics(columns))


def _where(declaration: Declaration, stream: str, column: str | None = None) -> Loc:
    """Return where a stream is declared: in the connection, or by its source and named below ``streams``."""
    if load_streams(declaration.source):
        return ("streams", stream)
    return ("connection", "endpoints", stream, *([] if column is None else ["columns", column]))


def _column_diagnostic(name: str) -> str | None:
    if name in _OF_POSTGRES:
        return f"{name} is a name that Postgres has for itself; write another one, and {name} as its field"
    if name in _OF_ENGINE:
        return f"{name} is a column that leat adds itself; write another name"
    if len(name.encode()) > MAX_NAME:
        return f"{name[:MAX_NAME]}…: a name has at most {MAX_NAME} bytes"
    return None


def _of_history(stream: Stream, columns: Sequence[Column], canonical: bool) -> Diagnostics:
    for name in HISTORY_COLUMNS:
        if name in {column.name for column in columns} and name not in _OF_ENGINE:
            text = f"a history has a column {name} of its own, and so has {stream.name}"
            rename = "" if canonical else f"call that own_{name}, with {name} as its field, or "
            yield ("streams", stream.name, "history"), f"{text}; {rename}leave it out by exclude: [{name}]"


def _size_diagnostics(columns: Sequence[Column]) -> Iterator[str]:
    if len(columns) > MAX_COLUMNS:
        yield f"it has {len(columns)} columns, and a table has at most {MAX_COLUMNS}; leave some out"
        return
    size = _ROW_HEADER + len(columns) // 8 + _SYSTEM + sum(_BYTES.get(c.type, _TEXT) for c in columns)
    if size > _PAGE:
        yield (
            f"its {len(columns)} columns can take {size:,} bytes per row, and Postgres allows {_PAGE:,}; leave some "
            "out, or declare an object with many fields as one json column"
        )
