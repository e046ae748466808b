"""Columns of JSON values to Arrow: a whole column at once where every value fits, value by value where one doesn't."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from leat.sources import column_domain
from leat.sources.rest_api.rows.values import value_of
from leat.sources.stream import Column, arrow_schema, decimal_of

if TYPE_CHECKING:
    from leat.sources.rest_api.declaration.column import ColumnOptions

Array = Any
"""A pyarrow array; the stubs of its functions take no more exact type."""

_BOUNDED = frozenset({"float", "timestamp", "datetime", "date"})
"""Types whose values are judged better one by one: the reason names what is there."""
_NUMBERS = r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_FEW_DIGITS = r"^[-.0-9]{1,38}$"


@dataclass(frozen=True, slots=True)
class Fitted:
    """A column in its type, null where a value doesn't fit; ``bad`` says why, by row."""

    values: Array
    bad: dict[int, str] = field(default_factory=dict)


def compute() -> Any:
    """Return pyarrow's compute functions, without their stubs."""
    import pyarrow.compute

    return pyarrow.compute


def fit(name: str, options: ColumnOptions, texts: Array) -> Fitted:
    """Return a column in its type.

    Args:
        name: of the column, for reasons.
        options: its declaration.
        texts: sound JSON of each row, null where there is none.
    """
    import pyarrow as pa

    pc = compute()

    texts = pc.if_else(pc.equal(texts, "null"), pa.scalar(None, pa.string()), texts)
    if texts.null_count == len(texts):
        return Fitted(pa.nulls(len(texts), _arrow_type(options.type)))
    try:
        fast = _FAST["decimal" if decimal_of(options.type) else options.type](texts, options)
        if fast is not None:
            outside = column_domain.outside(options.type, fast, valid_json=True)
            if not outside:
                return Fitted(fast)
            if options.type not in _BOUNDED:
                good = pa.array([row not in outside for row in range(len(fast))])
                bad = {row: f"column {name} {reason}" for row, reason in outside.items()}
                return Fitted(pc.if_else(good, fast, pa.scalar(None, fast.type)), bad)
    except pa.ArrowInvalid:  # a value doesn't fit, or is written in a way that Arrow doesn't read
        pass
    return _one_by_one(name, options, texts)


def _arrow_type(kind: str) -> Any:
    return arrow_schema((Column("x", kind, ""),)).field(0).type


def _json(texts: Array, options: ColumnOptions) -> Any:
    return None if options.convert else texts


def _string(texts: Array, options: ColumnOptions) -> Any:
    pc = compute()

    plain = _unquoted(texts)
    if plain is not None or not options.convert:
        return plain
    quoted = pc.starts_with(texts, '"')
    if pc.any(pc.or_(pc.match_substring_regex(texts, r"^[\[{]"), pc.match_substring(texts, "\\"))).as_py():
        return None
    return pc.if_else(quoted, pc.utf8_slice_codeunits(texts, 1, -1), texts)


def _unquoted(texts: Array) -> Any:
    """Return texts without their quotes, when all are strings; those with escapes are read by a JSON parser."""
    import pyarrow as pa

    pc = compute()

    if not pc.all(pc.starts_with(texts, '"')).as_py():
        return None
    plain = pc.utf8_slice_codeunits(texts, 1, -1)
    escaped = pc.match_substring(texts, "\\")
    if pc.any(escaped).as_py():
        read = json.loads(f"[{','.join(texts.filter(escaped).to_pylist())}]")
        plain = pc.replace_with_mask(plain, escaped, pa.array(read, pa.string()))
    return plain


def _number(texts: Array, options: ColumnOptions) -> Any:
    pc = compute()

    if options.convert or decimal_of(options.type):
        texts = pc.replace_substring(texts, '"', "")
    if not pc.all(pc.match_substring_regex(texts, _NUMBERS)).as_py():
        return None
    if decimal_of(options.type) and not pc.all(pc.match_substring_regex(texts, _FEW_DIGITS)).as_py():
        return None  # Arrow takes thousands of digits for another number, without an error
    if options.type == "integer":
        texts = pc.replace_substring_regex(texts, r"\.0+$", "")
    return texts.cast(_arrow_type(options.type))


def _boolean(texts: Array, _options: ColumnOptions) -> Any:
    import pyarrow as pa

    pc = compute()

    usual = pc.is_in(texts, pa.array(["true", "false", None]))
    return pc.equal(texts, "true") if pc.all(usual).as_py() else None


def _time(texts: Array, options: ColumnOptions) -> Any:
    import pyarrow as pa

    pc = compute()

    if options.unix is not None:
        numbers = pc.replace_substring(texts, '"', "").cast(pa.int64())
        return numbers.cast(pa.timestamp(options.unix, "UTC")).cast(_arrow_type(options.type))
    plain = None if options.format or options.zone else _unquoted(texts)
    if plain is None:
        return None
    return pc.replace_substring_regex(plain, r"(\.\d{6})\d+", r"\1").cast(_arrow_type(options.type))


_FAST: dict[str, Callable[[Any, ColumnOptions], Any]] = {
    "json": _json,
    "string": _string,
    "integer": _number,
    "float": _number,
    "decimal": _number,
    "boolean": _boolean,
    "timestamp": _time,
    "datetime": _time,
    "date": _time,
}


def _one_by_one(name: str, options: ColumnOptions, texts: Array) -> Fitted:
    """Return the column value by value; one that is there several times is read once."""
    import pyarrow as pa

    encoded = texts.dictionary_encode()
    values: list[Any] = []
    wrong: dict[int, str] = {}
    for i, text in enumerate(encoded.dictionary.to_pylist()):
        try:
            values.append(value_of(text, options))
        except (ValueError, ArithmeticError, RecursionError) as error:
            values.append(None)
            wrong[i] = str(error) if type(error) is ValueError else "can't be read"
    array = pa.array(values, _arrow_type(options.type))
    wrong |= column_domain.outside(options.type, array, valid_json=True)
    bad = {}
    if wrong:
        bad = {row: f"column {name} {wrong[i]}" for row, i in enumerate(encoded.indices.to_pylist()) if i in wrong}
    return Fitted(array.take(encoded.indices), bad)
