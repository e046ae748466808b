"""Whether whole columns hold what their types may hold: :mod:`leat.sources.domain` for many values at once."""

from __future__ import annotations

from typing import Any

from leat.limits import FIELD_BYTES as MAX_FIELD_BYTES
from leat.limits import JSON_DEPTH as MAX_JSON_DEPTH
from leat.sources.domain import (
    FIRST_MOMENT,
    LAST_MOMENT,
    NO_TEXT,
    NO_TIME,
    NOT_FINITE,
    TOO_LONG,
    json_problem,
    text_problem,
)

Array = Any
"""A pyarrow array; the stubs of its functions take no more exact type."""

_ODD = r"(?i)[0-9]{200}|[0-9]e[+-]?[0-9]{3}|(^|[\[:,\s-])(nan|inf|infinity)\s*($|[,\]}])|,\s*[\]}]|\\u(0000|d[89a-f])"
"""Matches every JSON text that only a parser can judge, and few others; valid JSON without it is in the domain."""

_OPENING = r"[\[{]"


def outside(kind: str, column: Array, *, valid_json: bool = False) -> dict[int, str]:
    """Return the rows of an Arrow column of a kind whose values are outside of its domain, and why.

    Whole columns are checked at once; a single value only if that can't decide.

    Args:
        kind: the leat type.
        column: an array or a chunked array of that kind's Arrow type.
        valid_json: whether the texts of ``json`` were read by a JSON parser already; whether a warehouse can hold the
            numbers and strings in them is judged all the same.
    """
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if column.null_count == len(column):
        return {}
    if kind in ("string", "json"):
        return _outside_text(kind, column, valid_json)
    if kind == "float":
        return _where(_compute().invert(_compute().is_finite(column)), NOT_FINITE)
    if kind in ("timestamp", "datetime", "date"):
        return _outside_time(kind, column)
    return {}


def _compute() -> Any:
    """Return pyarrow's compute functions, without their stubs."""
    import pyarrow.compute

    return pyarrow.compute


def _where(mask: Array, reason: str) -> dict[int, str]:
    return dict.fromkeys(_compute().indices_nonzero(mask.fill_null(False)).to_pylist(), reason)


def _outside_time(kind: str, column: Array) -> dict[int, str]:
    import pyarrow as pa

    pc = _compute()
    first, last = FIRST_MOMENT, LAST_MOMENT
    if kind == "date":
        numbers, bounds = column.cast(pa.int32()), pa.array([first.date(), last.date()], column.type).cast(pa.int32())
    else:
        both = [first, last] if kind == "timestamp" else [first.replace(tzinfo=None), last.replace(tzinfo=None)]
        numbers, bounds = column.cast(pa.int64()), pa.array(both, column.type).cast(pa.int64())
    return _where(pc.or_(pc.less(numbers, bounds[0]), pc.greater(numbers, bounds[1])), NO_TIME)


def _outside_text(kind: str, column: Array, valid_json: bool) -> dict[int, str]:
    import pyarrow as pa

    pc = _compute()
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return _one_by_one(kind, column)
    bad = _where(pc.greater(pc.binary_length(column), MAX_FIELD_BYTES), TOO_LONG)
    if kind == "string":
        return {**_where(pc.match_substring(column, "\x00"), NO_TEXT), **bad}
    odd = pc.match_substring_regex(column, _ODD)
    if pc.max(pc.binary_length(column)).as_py() > MAX_JSON_DEPTH * 2:
        odd = pc.or_(odd, pc.greater(pc.count_substring_regex(column, _OPENING), MAX_JSON_DEPTH))
    doubtful = {*_where(odd, ""), *([] if valid_json else _invalid_json(column))} - bad.keys()
    problems = {row: json_problem(column[row].as_py()) for row in doubtful}
    return bad | {row: reason for row, reason in problems.items() if reason is not None}


def _invalid_json(column: Array) -> list[int]:
    """Return the rows whose text may be no JSON; msgspec reads a gigabyte in a second, Python a tenth of that."""
    import msgspec
    import pyarrow as pa

    texts = column.drop_null()
    lines = _compute().binary_join(pa.ListArray.from_arrays([0, len(texts)], texts), "\n")[0].as_py().encode()
    if lines.count(b"\n") == len(texts) - 1:  # no text has a line of its own
        try:
            if len(msgspec.json.Decoder(msgspec.Raw).decode_lines(lines)) == len(texts):
                return []
        except (msgspec.DecodeError, RecursionError):
            pass
    return [row for row, text in enumerate(column.to_pylist()) if text is not None and not _is_json(text)]


def _is_json(text: str) -> bool:
    import msgspec

    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _one_by_one(kind: str, column: Array) -> dict[int, str]:
    """Return the same for a column that isn't all text, value by value."""
    import pyarrow as pa

    bad = {}
    for row, raw in enumerate(column.view(pa.binary()).to_pylist()):
        try:
            text = None if raw is None else raw.decode()
        except UnicodeDecodeError:
            bad[row] = NO_TEXT
            continue
        problem = None if text is None else text_problem(kind, text)
        if problem is not None:
            bad[row] = problem
    return bad
