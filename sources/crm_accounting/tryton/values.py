"""Values as Tryton's JSON has them (``trytond/protocols/jsonrpc.py``), turned into those of columns."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from leat.sources.money import to_minor

_LARGEST = 100
"""Digits of a number; one such as 1e999999999 would fill the memory when it is written out."""
_PARTS = ("year", "month", "day", "hour", "minute", "second", "microsecond")


def stamp(value: Any) -> int | None:
    """Return a time as microseconds since 1970; Tryton's times are UTC."""
    moment = moment_of(value)
    return None if moment is None else (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def from_stamp(microseconds: int) -> dict[str, Any]:
    """Return a time, given as microseconds since 1970, as Tryton's JSON has it."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    return {"__class__": "datetime", **{part: getattr(at, part) for part in _PARTS}}


def moment_of(value: Any) -> datetime | None:
    """Return a time.

    Raises:
        ValueError: it is none.
    """
    if value is None:
        return None
    return datetime(*_numbers(value, "datetime", _PARTS)).replace(tzinfo=UTC)  # noqa: DTZ001 - it gets its zone


def day_of(value: Any) -> date | None:
    """Return a date.

    Raises:
        ValueError: it is none.
    """
    return None if value is None else date(*_numbers(value, "date", ("year", "month", "day")))


def _numbers(value: Any, kind: str, parts: tuple[str, ...]) -> Any:
    if not isinstance(value, dict) or value.get("__class__") != kind:
        msg = f"it is no {kind}"
        raise ValueError(msg)
    return [value[part] for part in parts]


def decimal_of(value: Any) -> Decimal | None:
    """Return a decimal number.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, dict) and value.get("__class__") == "Decimal":
        value = value.get("decimal")
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return None if value is None else Decimal(value)
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number.adjusted()) > _LARGEST:
        msg = "it is no number"
        raise ValueError(msg)
    return number


def money(value: Any, currency: str | None) -> int | None:
    """Return an amount in minor units.

    Raises:
        ValueError: it is no amount of that currency.
    """
    amount = decimal_of(value)
    if amount is None:
        return None
    if currency is None:
        msg = "it is an amount without a currency"
        raise ValueError(msg)
    return to_minor(amount, currency)


def exact(value: Any) -> str | None:
    """Return a decimal number as text, without zeros at its end."""
    amount = decimal_of(value)
    return None if amount is None else f"{amount.normalize():f}"


def key(value: Any) -> str | None:
    """Return an id as the key of a row; a record that was read with it gives its id."""
    number = value.get("id") if isinstance(value, dict) else value
    return None if number is None else str(number)


def follow(record: Any, path: str) -> Any:
    """Return what a path of names leads to, for example ``currency.code``; None where a step leads nowhere."""
    for name in path.split("."):
        record = record.get(name) if isinstance(record, dict) else None
    return record


def reference(value: str | None) -> tuple[str | None, str | None]:
    """Return model and id of a reference such as ``sale.opportunity,3``."""
    model, _, number = (value or "").partition(",")
    return model or None, number if number and number != "-1" else None


def times(record: dict[str, Any]) -> dict[str, datetime | None]:
    """Return when a record was made and last changed."""
    created = moment_of(record.get("create_date"))
    return {"created_at": created, "updated_at": moment_of(record.get("write_date")) or created}


def lower(text: str | None) -> str | None:
    """Return an address in lower case, without space around it."""
    return (text or "").strip().lower() or None
