"""One event to its row of ``events``, one occurrence to its rows of ``occurrences`` and ``free_busy``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from leat.sources.calendar.ics.ical import Event
from leat.sources.calendar.ics.occurrences import Occurrence, recurs
from leat.sources.calendar.ics.reasons import unreadable
from leat.sources.calendar.ics.spans import span_of
from leat.sources.calendar.ics.times import identity, instant, plain, zone_of
from leat.sources.calendar.ics.values import email_of, first, instant_of, parameter, text_of, whole_number

_TEXT = {
    "STATUS": "status",
    "SUMMARY": "summary",
    "DESCRIPTION": "description",
    "LOCATION": "location",
    "TRANSP": "transparency",
    "CLASS": "visibility",
    "URL": "url",
}
_UPPER = frozenset({"STATUS", "TRANSP", "CLASS"})
_NUMBERS = {"SEQUENCE": "sequence", "PRIORITY": "priority"}
_INSTANTS = {"CREATED": "created", "LAST-MODIFIED": "last_modified"}
_DATES = {"RRULE": "rrule", "RDATE": "rdate", "EXDATE": "exdate"}
_ELSEWHERE = frozenset(
    {"UID", "RECURRENCE-ID", "DTSTART", "DTEND", "DURATION", "ORGANIZER", "CATEGORIES", "GEO", "ATTENDEE", "ATTACH"}
)


def event_key(calendar: str, href: str, event: Event) -> dict[str, Any]:
    """Return the key columns of an event."""
    original = event.when("RECURRENCE-ID")
    return {
        "calendar": calendar,
        "href": href,
        "uid": event.uid,
        "recurrence_id": "" if original is None else identity(original),
    }


def when(start: date, end: date, zone: str | None) -> dict[str, Any]:
    """Return the columns that say when, for an event or an occurrence; ``zone`` is what the event calls its zone."""
    timed, own = isinstance(start, datetime), zone_of(start)
    return {
        "starts_at": instant(start),
        "ends_at": instant(end),
        "starts_local": plain(start).replace(tzinfo=None),
        "ends_local": plain(end).replace(tzinfo=None),
        "timezone": None if own is None else "UTC" if own is UTC else zone or str(own),
        "all_day": not timed,
        "floating": timed and plain(start).tzinfo is None,
    }


def event_row(key: Mapping[str, Any], event: Event, etag: str | None) -> dict[str, Any]:
    """Return the row of the stream ``events``."""
    span, component = span_of(event), event.component
    organizer = first(component.get("ORGANIZER"))
    row = {
        **key,
        **when(span.start, span.end, event.zone),
        "etag": etag,
        "duration_seconds": int((instant(span.end) - instant(span.start)).total_seconds()),
        "recurs": recurs(event),
        "range": "THISANDFUTURE" if event.later else None,
        "organizer_email": email_of(organizer),
        "organizer_name": parameter(organizer, "CN"),
        "categories": _categories(component) or None,
        "geo": None if component.get("GEO") is None or "GEO" in event.unreadable else component["GEO"].to_ical(),
    }
    row |= {column: "\n".join(_written(event, name)) or None for name, column in _DATES.items()}
    row["rrule"] = "\n".join(line.partition(":")[2] for line in _written(event, "RRULE")) or None
    wrong = dict(event.unreadable)
    for name, value in component.items():
        column, read = _column(name)
        if column is None:
            continue
        row[column] = None
        if name in wrong:
            continue
        try:
            row[column] = read(first(value))
        except (ValueError, TypeError, AttributeError, ArithmeticError):
            wrong[name] = unreadable(name)
    return row | {"extra": _extra(event, wrong)}


def _written(event: Event, name: str) -> list[str]:
    """Return the lines of a property as written, without those that say nothing."""
    return [line for line in event.node.originals(name) if line.rpartition(":")[2].strip(" ;,")]


def _column(name: str) -> tuple[str | None, Any]:
    if name in _TEXT:
        return _TEXT[name], (lambda value: str(value).upper()) if name in _UPPER else str
    if name in _NUMBERS:
        return _NUMBERS[name], whole_number
    return _INSTANTS.get(name), instant_of


def _extra(event: Event, wrong: Mapping[str, str]) -> dict[str, Any]:
    """Return the properties that no column holds, and those that can't be read."""
    mapped = _TEXT.keys() | _NUMBERS.keys() | _INSTANTS.keys() | _DATES.keys() | _ELSEWHERE
    extra: dict[str, Any] = {}
    for name, value in event.component.items():
        if name not in mapped and name not in wrong:
            values = [_raw(item) for item in (value if isinstance(value, list) else [value])]
            extra[name.lower()] = values[0] if len(values) == 1 else values
    if event.exclusions:
        extra["exrule"] = [line.partition(":")[2] for line in _written(event, "EXRULE")]
    if wrong:
        extra["unreadable"] = dict(wrong)
    return extra


def _raw(value: Any) -> Any:
    text = value.to_ical() if hasattr(value, "to_ical") else str(value)
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    parameters = dict(getattr(value, "params", {}))
    return {"value": text, "parameters": parameters} if parameters else text


def _categories(component: Any) -> list[str]:
    values = component.get("CATEGORIES", [])
    categories = []
    for value in values if isinstance(values, list) else [values]:
        categories += [str(item) for item in getattr(value, "cats", [value])]
    return categories


def occurrence_row(key: Mapping[str, Any], occurrence: Occurrence) -> dict[str, Any]:
    """Return the row of the stream ``occurrences``."""
    component = occurrence.event.component
    return {
        **key,
        **when(occurrence.start, occurrence.end, occurrence.event.zone),
        "occurrence_id": occurrence.id,
        "status": (text_of(component, "STATUS") or "").upper() or None,
        "summary": text_of(component, "SUMMARY"),
        "transparency": (text_of(component, "TRANSP") or "").upper() or None,
    }


def busy_row(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the row of the stream ``free_busy`` for an occurrence; None when it blocks no time."""
    blocks_nothing = row["status"] == "CANCELLED" or row["transparency"] == "TRANSPARENT"
    if blocks_nothing or row["starts_at"].astimezone(UTC) >= row["ends_at"]:
        return None
    names = ("calendar", "href", "uid", "occurrence_id", "starts_at", "ends_at")
    kind = "BUSY-TENTATIVE" if row["status"] == "TENTATIVE" else "BUSY"
    return {name: row[name] for name in names} | {"kind": kind}
