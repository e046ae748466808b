"""Values and labels of figures as people read them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Any

from leat.assets.report import Unit

_NAMES = ("API", "CRM", "CSV", "CalDAV", "HTTP", "IMAP", "PDF", "S3", "SCIM", "SQL", "SSO", "URL")
_ACRONYMS = {name.lower(): name for name in _NAMES}
_BYTES = ("bytes", "kB", "MB", "GB", "TB", "PB")


def words(name: object) -> str:
    """Return the name of a column, table or system as words: ``crm_accounting`` is CRM accounting."""
    return re.sub(r"[^\W_]+", lambda word: _ACRONYMS.get(word[0], word[0]), str(name)).replace("_", " ")


def value_text(value: float, unit: Unit, currency: tuple[str, int] | None = None) -> str:
    """Return a value with its unit.

    Args:
        value: the value; money in minor units.
        unit: what it is.
        currency: of money: its name, and how many decimals it has.
    """
    if unit == "percent":
        return f"{value * 100:,.1f} %"
    if unit == "money":
        name, decimals = currency or ("", 2)
        return f"{value / 10**decimals:,.{decimals}f} {name}".rstrip()
    if unit == "bytes":
        return _bytes(value)
    text = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    return f"{text} h" if unit == "hours" else text


def _bytes(value: float) -> str:
    size = 0
    while abs(value) >= 1000 and size < len(_BYTES) - 1:
        value, size = value / 1000, size + 1
    return f"{value:,.1f} {_BYTES[size]}" if size else f"{value:,.0f} bytes"


def label_texts(labels: Sequence[Any]) -> list[str]:
    """Return labels as text: days as months where each is the first of one."""
    days = [label for label in labels if isinstance(label, date)]
    monthly = bool(days) and all(day.day == 1 for day in days)
    return [_label(label, monthly=monthly) for label in labels]


def _label(label: Any, *, monthly: bool) -> str:
    if label is None:
        return "nothing"
    if isinstance(label, bool):
        return "yes" if label else "no"
    if isinstance(label, datetime):
        label = label.date()
    if isinstance(label, date):
        return f"{label:%b %Y}" if monthly else f"{label.day} {label:%b %Y}"
    return str(label) or "(empty)"


def slots(labels: Sequence[Any]) -> list[int]:
    """Return the place of each label on an axis, from 0: gaps between months, weeks or days stay free."""
    if labels and all(isinstance(label, int) and not isinstance(label, bool) for label in labels):
        return [label - min(labels) for label in labels]
    if not labels or not all(isinstance(label, date) for label in labels):
        return list(range(len(labels)))
    if all(label.day == 1 for label in labels):
        places = [label.year * 12 + label.month for label in labels]
    else:
        places = [label.toordinal() for label in labels]
    steps = {later - earlier for earlier, later in pairwise(places) if later > earlier}
    step = min(steps, default=1)
    return [(place - places[0]) // step for place in places]
