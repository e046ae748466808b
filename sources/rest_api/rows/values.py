"""One JSON value to what Arrow takes for a column: a value that doesn't fit says why, and never holds the value.

A value has to be of its column's type as JSON has it: ``"5"`` is no integer, ``5`` no string, unless ``convert`` is
declared. ``5.0`` is an integer. A decimal may be text.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from leat.limits import FIELD_BYTES as MAX_FIELD_BYTES
from leat.limits import JSON_DEPTH as MAX_JSON_DEPTH
from leat.sources.domain import arrow_value
from leat.sources.rest_api.rows.times import time_of
from leat.sources.stream import decimal_of

if TYPE_CHECKING:
    from leat.sources.rest_api.declaration.column import ColumnOptions

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_KINDS = {'"': "text", "[": "a list", "{": "an object", "t": "true or false", "f": "true or false"}
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\(?:u[0-9a-fA-F]{4}|.)|[\x00-\x1f]", re.DOTALL
)
_LONE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2})")
_PAIR = 12


def sound(text: bytes) -> bytes:
    """Return JSON that every warehouse takes: without NUL and halves of surrogate pairs, and without blanks.

    Raises:
        ValueError: it is no JSON, or too large; the text follows the name of a field.
    """
    import msgspec

    if len(text) > MAX_FIELD_BYTES:
        msg = f"is larger than {MAX_FIELD_BYTES // 2**20} MiB"
        raise ValueError(msg)
    try:
        text.decode()
    except UnicodeDecodeError:
        msg = "is not UTF-8"
        raise ValueError(msg) from None
    try:
        return msgspec.json.format(_TEXT.sub(_sound_text, text), indent=-1)
    except RecursionError:
        msg = f"is JSON that is nested deeper than {MAX_JSON_DEPTH} levels"
    except msgspec.DecodeError:
        msg = "is NaN or an infinity" if text in (b"NaN", b"Infinity", b"-Infinity") else "is no valid JSON"
    raise ValueError(msg)


def _sound_text(match: re.Match[bytes]) -> bytes:
    return _ESCAPE.sub(_sound_escape, match[0])


def _sound_escape(match: re.Match[bytes]) -> bytes:
    text = match[0]
    if text[:1] != b"\\":
        return rb"\ufffd" if text == b"\0" else b"\\u%04x" % text[0]
    return rb"\ufffd" if len(text) < _PAIR and _LONE.fullmatch(text) else text


def value_of(text: str, options: ColumnOptions) -> Any:
    """Return a value, sound JSON, in the form that Arrow takes for its column.

    Raises:
        ValueError: it doesn't fit; the text follows the column's name.
    """
    is_text = text[0] == '"'
    plain = json.loads(text) if is_text else text
    kind = options.type
    if options.convert and is_text and kind != "string":
        plain = plain.strip()
        if not plain:
            return None
    if kind == "json":
        return sound(plain.encode()).decode() if options.convert and is_text else text
    if kind in ("timestamp", "datetime", "date"):
        takes_number = options.unix is not None or options.format is not None
        if is_text or (takes_number and _NUMBER.fullmatch(plain)):
            moment = time_of(plain, options)
            return moment if kind == "date" else arrow_value(kind, moment)
    elif kind == "string":
        if is_text or (options.convert and text[0] not in "[{"):
            return arrow_value(kind, plain)
    elif kind == "boolean":
        if text in ("true", "false") or (options.convert and plain.lower() in _TRUTH):
            return _TRUTH[plain.lower()]
    elif not is_text or options.convert or decimal_of(kind):
        number = _number(plain, kind) if _NUMBER.fullmatch(plain) else None
        if number is not None:
            return number
    raise ValueError(_expected(text, options))


def _number(text: str, kind: str) -> Any:
    if kind == "float":
        return arrow_value(kind, float(text))
    try:
        number = Decimal(text)
        if kind != "integer":
            return arrow_value(kind, number)
        small = not number or number.adjusted() < len(str(2**63))
        whole = number == number.to_integral_value() if small else None
    except ArithmeticError:  # its exponent has too many digits
        whole = None
    if whole is None:
        msg = "is an integer of more than 64 bits" if kind == "integer" else "has too many digits"
        raise ValueError(msg)
    if not whole:
        msg = "takes integer, not a number with a fraction"
        raise ValueError(msg)
    return arrow_value(kind, int(number))


def _expected(text: str, options: ColumnOptions) -> str:
    got = _KINDS.get(text[0], "a number")
    needs = f"takes {options.type}, not {got}"
    if decimal_of(options.type) and got == "text":
        return f"takes {options.type}, not a text that is no number"
    if options.convert or got in ("a list", "an object") or options.type in ("timestamp", "datetime", "date"):
        return needs
    return f"{needs}; where the API writes it so, declare convert: true"
