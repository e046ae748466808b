"""What a column of each type holds: the same on DuckDB, on Postgres and in Python, whichever the warehouse is.

A value outside of its type's domain is refused where a record becomes a row, and that record is quarantined. Reasons
follow the name of the column, and never hold the value::

    column amount has more than 4 digits after the point
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import Any

from leat.limits import FIELD_BYTES as MAX_FIELD_BYTES
from leat.limits import JSON_DEPTH as MAX_JSON_DEPTH
from leat.limits import JSON_DIGITS as MAX_JSON_DIGITS
from leat.sources.stream import decimal_of

FIRST_MOMENT = datetime(1, 1, 1, tzinfo=UTC)
LAST_MOMENT = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
"""What Python holds. Both engines hold more, but couldn't give it to a program."""

TOO_LONG = f"is larger than {MAX_FIELD_BYTES // 2**20} MiB"
_TOO_DEEP = f"is JSON that is nested deeper than {MAX_JSON_DEPTH} levels"
_NO_JSON = "is no valid JSON"
_NO_NUMBER = "is JSON with a number that no warehouse holds"
NO_TEXT = "holds a NUL or half of a surrogate pair"
_TOO_BIG = "is an integer of more than 64 bits"
NOT_FINITE = "is NaN or an infinity"
NO_TIME = "lies outside of the years 1 to 9999, UTC"

_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|([\[{])|([\]}])', re.DOTALL)
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_MANY_DIGITS = re.compile("[0-9]{200}")
_SHORT = 199


def arrow_value(kind: str, value: Any) -> Any:
    """Return a value in the form that Arrow takes for a column of a kind other than ``json``.

    Raises:
        ValueError: it is of another type, or outside of the domain; the text follows the column's name.
    """
    decimal = decimal_of(kind)
    takes, convert = _VALUES.get("decimal" if decimal else kind, (_nothing, _nothing))
    if not takes(value):
        msg = f"takes {kind}, not {type(value).__name__}"
        raise ValueError(msg)
    return convert(value) if decimal is None else _decimal(value, *decimal)


def _nothing(_value: Any) -> bool:
    return False


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _string(value: str) -> str:
    if "\x00" in value:
        raise ValueError(NO_TEXT)
    try:
        size = len(value) if value.isascii() else len(value.encode())
    except UnicodeEncodeError as error:
        raise ValueError(NO_TEXT) from error
    if size > MAX_FIELD_BYTES:
        raise ValueError(TOO_LONG)
    return value


def _integer(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise ValueError(_TOO_BIG)
    return value


def _float(value: float) -> float:
    try:
        number = float(value)
    except OverflowError:  # an integer of hundreds of digits
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(NOT_FINITE)
    return number


def _timestamp(value: datetime) -> datetime:
    try:
        return value if value.tzinfo is UTC else value.astimezone(UTC)
    except (OverflowError, ValueError) as error:
        raise ValueError(NO_TIME) from error


_VALUES: Mapping[str, tuple[Callable[[Any], bool], Callable[[Any], Any]]] = {
    "string": (lambda v: isinstance(v, str), _string),
    "integer": (_is_integer, _integer),
    "float": (lambda v: isinstance(v, float) or _is_integer(v), _float),
    "decimal": (lambda v: isinstance(v, Decimal) or _is_integer(v), Decimal),
    "boolean": (lambda v: isinstance(v, bool), bool),
    "timestamp": (lambda v: isinstance(v, datetime) and v.tzinfo is not None, _timestamp),
    "datetime": (lambda v: isinstance(v, datetime) and v.tzinfo is None, lambda v: v),
    "date": (lambda v: isinstance(v, date) and not isinstance(v, datetime), lambda v: v),
}
"""By type: whether it takes a value, and the value in the form that Arrow takes."""


def _decimal(number: Decimal | int, precision: int, scale: int) -> Decimal:
    """Return a number with exactly ``scale`` digits behind the point; nothing is rounded."""
    if isinstance(number, int) and abs(number) >= 10**precision:  # Python refuses to convert thousands of digits
        raise ValueError(_before(precision, scale))
    value = Decimal(number)
    if not value.is_finite():
        raise ValueError(NOT_FINITE)
    if not value:
        return Decimal(0)
    if value.adjusted() >= precision - scale:
        raise ValueError(_before(precision, scale))
    _, digits, exponent = value.as_tuple()
    surplus = -scale - int(exponent)  # digits behind those that the column has
    if surplus > 0 and (surplus >= len(digits) or any(digits[-surplus:])):
        msg = f"has more than {scale} digits after the point"
        raise ValueError(msg)
    return value.quantize(Decimal((0, (1,), -scale)), context=Context(prec=precision + 1))


def _before(precision: int, scale: int) -> str:
    return f"has more than {precision - scale} digits before the point"


def json_problem(text: str) -> str | None:
    """Return why a text isn't in the domain of ``json``, or None; the text follows the column's name."""
    try:
        if len(text) > MAX_FIELD_BYTES or (not text.isascii() and len(text.encode()) > MAX_FIELD_BYTES):
            return TOO_LONG
    except UnicodeEncodeError:
        return NO_TEXT
    if text.count("[") + text.count("{") > MAX_JSON_DEPTH and _depth(text) > MAX_JSON_DEPTH:
        return _TOO_DEEP
    try:
        parsed = json.loads(text, parse_float=_number, parse_int=_number, parse_constant=_constant)
        again = json.dumps(parsed, ensure_ascii=False)
        again.encode()
    except UnicodeEncodeError:
        return NO_TEXT
    except _NumberError:
        return _NO_NUMBER
    except ValueError:
        return _NO_JSON
    return NO_TEXT if _NUL.search(again) else None


def written_json_problem(text: str) -> str | None:
    """Return the same for the JSON of :func:`leat.sources.batch.to_json`, which can have few problems."""
    if len(text) <= _SHORT:
        return None
    deep = text.count("[") + text.count("{") > MAX_JSON_DEPTH and _depth(text) > MAX_JSON_DEPTH
    return json_problem(text) if deep or len(text) * 4 > MAX_FIELD_BYTES or _MANY_DIGITS.search(text) else None


class _NumberError(ValueError):
    """A number in JSON is outside of the domain."""


def _number(token: str) -> int:
    mantissa, _, exponent = token.lower().partition("e")
    behind = len(mantissa.partition(".")[2])
    shift = int(exponent[:9] or 0)
    if not math.isfinite(float(token)) or abs(shift) > MAX_JSON_DIGITS or behind - shift > MAX_JSON_DIGITS:
        raise _NumberError
    return 0


def _constant(_token: str) -> int:
    raise _NumberError


def _depth(text: str) -> int:
    depth = deepest = 0
    for match in _BRACKETS.finditer(text):
        depth += bool(match[1]) - bool(match[2])
        deepest = max(deepest, depth)
    return deepest


def text_problem(kind: str, text: str) -> str | None:
    """Return why a text isn't in the domain of ``string`` or ``json``, or None."""
    if kind == "json":
        return json_problem(text)
    try:
        _string(text)
    except ValueError as error:
        return str(error)
    return None
