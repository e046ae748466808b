"""Evidence of violations as people read it: money and sizes with their unit, and the few values that name it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from leat.serve.pages.units import value_text, words
from leat.sources.money import exponent

_AMOUNT = re.compile(r"(.*_)?amount|difference|residual")
_SIZE = re.compile(r"(.*_)?bytes")
_NUMBER = re.compile(r"(.*_)?(number|ticket)")
_NO_NAME = re.compile(r".*_(id|key|uid|session|commit)|(.*_)?(currency|status)|identity_provider|diagnostic|permission")
_TIME = re.compile(r"\d{4}-\d\d-\d\d.*")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_NAMES = 3


def readable(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Return evidence with money as ``79.00 EUR``, sizes as ``150.0 kB`` and days as ``21 Oct 2026``.

    A key that another column repeats, such as the number of the order, is left out.
    """
    twice = {name for name, value in evidence.items() if name.endswith("_key")
             and any(other == value for column, other in evidence.items() if column != name)}  # fmt: skip
    return {name: _readable(name, value, evidence) for name, value in evidence.items() if name not in twice}


def summary(evidence: Mapping[str, Any]) -> str:
    """Return up to three values that name what a violation is about: numbers first, then names, then amounts."""
    texts = readable(evidence)
    ranked = sorted((rank, name) for name in texts if (rank := _rank(name, evidence[name])) is not None)
    named: dict[str, str] = {}
    for _, name in ranked or [((0, False), name) for name in texts]:
        named.setdefault(str(evidence[name]), f"{words(name)} {texts[name]}")
    return " · ".join(list(named.values())[:_NAMES])


def _rank(name: str, value: Any) -> tuple[int, bool] | None:
    """Return how well a value names something; None for what only programs read."""
    if not value or isinstance(value, bool) or _NO_NAME.fullmatch(name):
        return None
    if _NUMBER.fullmatch(name):
        return 0, name != "order_number"
    if isinstance(value, str):
        return None if _TIME.fullmatch(value) else (1, False)
    return (2, False) if _AMOUNT.fullmatch(name) or _SIZE.fullmatch(name) else None


def _readable(name: str, value: Any, evidence: Mapping[str, Any]) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        currency = _currency(name, evidence) if _AMOUNT.fullmatch(name) else None
        if currency:
            return value_text(value, "money", currency)
        return value_text(value, "bytes") if _SIZE.fullmatch(name) else value
    if isinstance(value, str) and _DAY.fullmatch(value):
        day = date.fromisoformat(value)
        return f"{day.day} {day:%b %Y}"
    return value


def _currency(name: str, evidence: Mapping[str, Any]) -> tuple[str, int] | None:
    """Return the currency of an amount and its decimals: ``invoice_currency`` is that of ``invoiced_amount``."""
    own = (
        column for column in evidence if column.endswith("_currency") and name.startswith(column[: -len("_currency")])
    )
    code = str(evidence.get(next(own, "currency")) or "")
    try:
        return (code, exponent(code)) if code else None
    except ValueError:
        return None
