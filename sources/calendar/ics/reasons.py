"""Why something of an event can't be read, in words for a person: names the field, never holds its value."""

from __future__ import annotations


class Unreadable(ValueError):
    """Something of an event isn't as RFC 5545 says; the text is for a person."""


_EXPECTED = {
    "DTSTART": "no date and no time like 20260329T080000Z",
    "DTEND": "no date and no time like 20260329T080000Z",
    "RECURRENCE-ID": "no date and no time like 20260329T080000Z",
    "RDATE": "a value is no date, time or period",
    "EXDATE": "a value is no date and no time",
    "DURATION": "no duration like PT1H30M",
    "TRIGGER": "no duration like -PT15M and no time",
    "REPEAT": "no whole number",
    "SEQUENCE": "no whole number",
    "PRIORITY": "no whole number",
    "CREATED": "no time like 20260329T080000Z",
    "LAST-MODIFIED": "no time like 20260329T080000Z",
    "GEO": "no latitude and longitude, separated by a semicolon",
    "ATTACH": "its content isn't base64",
    "line": "a line without a name, or without a colon",
}


def unreadable(name: str) -> str:
    """Return why a property can't be read."""
    return f"{name} can't be read: {_EXPECTED.get(name, 'it is not what RFC 5545 says')}"


def reason_of(error: Exception, what: str) -> str:
    """Return the reason for an error.

    Args:
        error: what was raised.
        what: the property, component or column that was being read, for example ``DTSTART``.
    """
    if isinstance(error, Unreadable):
        return str(error)
    if isinstance(error, OverflowError):
        return f"{what} can't be read: it leads outside of the years 1 to 9999"
    if isinstance(error, RecursionError):
        return f"{what} can't be read: it is nested too deeply"
    if isinstance(error, MemoryError):
        return f"{what} can't be read: it is too large"
    return unreadable(what)
