"""Values of iCalendar properties, as ``icalendar`` parses them, in plain types."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sources.calendar.times import instant


def first(value: Any) -> Any:
    """Return the first of several values of a property, or the only one."""
    return value[0] if isinstance(value, list) else value


def instant_of(value: Any) -> datetime | None:
    """Return the instant of a property; None when it is absent or no time."""
    return instant(value.dt) if isinstance(getattr(value, "dt", None), date) else None


def email_of(value: Any) -> str | None:
    """Return the mail address of a calendar address, lower case; None when it is none."""
    if value is None:
        return None
    text = str(value).strip()
    if text[:7].lower() == "mailto:":
        return text[7:].strip().lower() or None
    return (parameter(value, "EMAIL") or (text if "@" in text and ":" not in text else "")).lower() or None


def parameter(value: Any, name: str) -> str | None:
    """Return a parameter of a property as text."""
    found = None if value is None else getattr(value, "params", {}).get(name)
    if isinstance(found, list | tuple):
        return ", ".join(str(item) for item in found)
    return None if found is None else str(found)


def text_of(component: Any, name: str) -> str | None:
    """Return a property of a component as text."""
    value = first(component.get(name))
    return None if value is None else str(value)
