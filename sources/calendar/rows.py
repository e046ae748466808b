"""One event to the rows of its streams: ``events``, ``attendees``, ``alarms``, ``attachments``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

from sources.calendar.ical import Event
from sources.calendar.occurrences import Occurrence, recurs, span_of
from sources.calendar.times import identity, instant, plain, zone_name

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
        "uid": str(event.component["UID"]),
        "recurrence_id": "" if original is None else identity(original),
    }


def when(start: date, end: date) -> dict[str, Any]:
    """Return the columns that say when, for an event or an occurrence."""
    timed = isinstance(start, datetime)
    return {
        "starts_at": instant(start),
        "ends_at": instant(end),
        "starts_local": plain(start).replace(tzinfo=None),
        "ends_local": plain(end).replace(tzinfo=None),
        "timezone": zone_name(start),
        "all_day": not timed,
        "floating": timed and plain(start).tzinfo is None,
    }


def event_row(key: Mapping[str, Any], event: Event, etag: str | None) -> dict[str, Any]:
    """Return the row of the stream ``events``."""
    span, component = span_of(event), event.component
    original = component.get("RECURRENCE-ID")
    organizer = _first(component.get("ORGANIZER"))
    row = {
        **key,
        **when(span.start, span.end),
        "etag": etag,
        "duration_seconds": int((instant(span.end) - instant(span.start)).total_seconds()),
        "recurs": recurs(event),
        "range": None if original is None else original.params.get("RANGE"),
        "organizer_email": _email(organizer),
        "organizer_name": _parameter(organizer, "CN"),
        "categories": _categories(component) or None,
        "geo": None if component.get("GEO") is None else component["GEO"].to_ical(),
    }
    row |= {column: "\n".join(event.node.originals(name)) or None for name, column in _DATES.items()}
    row["rrule"] = "\n".join(line.partition(":")[2] for line in event.node.originals("RRULE")) or None
    for name, value in component.items():
        column, read = _column(name)
        if column is not None:
            row[column] = None if name in event.unreadable else read(_first(value))
    return row | {"extra": _extra(event)}


def _column(name: str) -> tuple[str | None, Any]:
    if name in _TEXT:
        return _TEXT[name], (lambda value: str(value).upper()) if name in _UPPER else str
    if name in _NUMBERS:
        return _NUMBERS[name], int
    return _INSTANTS.get(name), _instant


def _extra(event: Event) -> dict[str, Any]:
    """Return the properties that no column holds, and those that can't be read."""
    known = _TEXT.keys() | _NUMBERS.keys() | _INSTANTS.keys() | _DATES.keys() | _ELSEWHERE
    extra: dict[str, Any] = {}
    for name, value in event.component.items():
        if name not in known:
            values = [_raw(item) for item in (value if isinstance(value, list) else [value])]
            extra[name.lower()] = values[0] if len(values) == 1 else values
    if event.unreadable:
        extra["unreadable"] = event.unreadable
    return extra


def _raw(value: Any) -> Any:
    text = value.to_ical() if hasattr(value, "to_ical") else str(value)
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    parameters = dict(getattr(value, "params", {}))
    return {"value": text, "parameters": parameters} if parameters else text


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def _instant(value: Any) -> datetime | None:
    return instant(value.dt) if isinstance(getattr(value, "dt", None), date) else None


def _categories(component: Any) -> list[str]:
    values = component.get("CATEGORIES", [])
    found = []
    for value in values if isinstance(values, list) else [values]:
        found += [str(item) for item in getattr(value, "cats", [value])]
    return found


def _email(value: Any) -> str | None:
    if value is None:
        return None
    text = str(value).strip()
    if text[:7].lower() == "mailto:":
        return text[7:].strip().lower() or None
    return (_parameter(value, "EMAIL") or (text if "@" in text and ":" not in text else "")).lower() or None


def _parameter(value: Any, name: str) -> str | None:
    found = None if value is None else getattr(value, "params", {}).get(name)
    if isinstance(found, list | tuple):
        return ", ".join(str(item) for item in found)
    return None if found is None else str(found)


def attendee_rows(key: Mapping[str, Any], event: Event) -> Iterator[dict[str, Any]]:
    """Yield the rows of the stream ``attendees``; one that is named twice counts once, as named last."""
    values = event.component.get("ATTENDEE", [])
    found = {}
    for value in values if isinstance(values, list) else [values]:
        email = _email(value)
        address = email or str(value).strip().lower()
        if not address:
            continue
        found[address] = {
            **key,
            "address": address,
            "email": email,
            "name": _parameter(value, "CN"),
            "role": (_parameter(value, "ROLE") or "REQ-PARTICIPANT").upper(),
            "response_status": (_parameter(value, "PARTSTAT") or "NEEDS-ACTION").upper(),
            "rsvp": (_parameter(value, "RSVP") or "").upper() == "TRUE",
            "kind": (_parameter(value, "CUTYPE") or "INDIVIDUAL").upper(),
            "delegated_to": _parameter(value, "DELEGATED-TO"),
            "delegated_from": _parameter(value, "DELEGATED-FROM"),
        }
    yield from found.values()


def alarm_row(key: Mapping[str, Any], position: int, alarm: Any) -> dict[str, Any]:
    """Return a row of the stream ``alarms``.

    Raises:
        ValueError: a property isn't what RFC 5545 says.
    """
    trigger = alarm["TRIGGER"]
    interval = getattr(alarm.get("DURATION"), "dt", None)
    relative = isinstance(trigger.dt, timedelta)
    return {
        **key,
        "position": position,
        "alarm_uid": _text(alarm, "UID") or _text(alarm, "X-WR-ALARMUID"),
        "action": (_text(alarm, "ACTION") or "").upper() or None,
        "trigger": trigger.to_ical().decode() if isinstance(trigger.to_ical(), bytes) else str(trigger.to_ical()),
        "related": (_parameter(trigger, "RELATED") or "START").upper() if relative else None,
        "offset_seconds": int(trigger.dt.total_seconds()) if relative else None,
        "triggers_at": instant(trigger.dt) if isinstance(trigger.dt, date) else None,
        "repeat": int(alarm["REPEAT"]) if alarm.get("REPEAT") is not None else None,
        "interval_seconds": int(interval.total_seconds()) if isinstance(interval, timedelta) else None,
        "summary": _text(alarm, "SUMMARY"),
        "description": _text(alarm, "DESCRIPTION"),
        "acknowledged": _instant(alarm.get("ACKNOWLEDGED")),
    }


def _text(component: Any, name: str) -> str | None:
    value = _first(component.get(name))
    return None if value is None else str(value)


def attachment_rows(key: Mapping[str, Any], event: Event) -> Iterator[dict[str, Any]]:
    """Yield the rows of the stream ``attachments``."""
    values = event.component.get("ATTACH", [])
    for position, value in enumerate(values if isinstance(values, list) else [values]):
        inline = (_parameter(value, "ENCODING") or "").upper() == "BASE64" or hasattr(value, "bytes")
        content = _decoded(value) if inline else None
        size = _parameter(value, "SIZE")
        yield {
            **key,
            "position": position,
            "uri": None if inline else str(value),
            "name": _parameter(value, "FILENAME") or _parameter(value, "X-FILENAME"),
            "media_type": _parameter(value, "FMTTYPE"),
            "inline": inline,
            "size": len(content) if content is not None else int(size) if size and size.isdigit() else None,
            "sha256": sha256(content).hexdigest() if content is not None else None,
            "managed_id": _parameter(value, "MANAGED-ID"),
        }


def _decoded(value: Any) -> bytes | None:
    import base64

    if isinstance(getattr(value, "bytes", None), bytes):
        return bytes(value.bytes)
    with suppress(ValueError):
        return base64.b64decode(str(value))
    return None


def occurrence_row(key: Mapping[str, Any], occurrence: Occurrence) -> dict[str, Any]:
    """Return the row of the stream ``occurrences``."""
    component = occurrence.event.component
    return {
        **key,
        **when(occurrence.start, occurrence.end),
        "occurrence_id": occurrence.id,
        "status": (_text(component, "STATUS") or "").upper() or None,
        "summary": _text(component, "SUMMARY"),
        "transparency": (_text(component, "TRANSP") or "").upper() or None,
    }


def busy_row(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the row of the stream ``free_busy`` for an occurrence; None when it blocks no time."""
    blocks_nothing = row["status"] == "CANCELLED" or row["transparency"] == "TRANSPARENT"
    if blocks_nothing or row["starts_at"].astimezone(UTC) >= row["ends_at"]:
        return None
    names = ("calendar", "href", "uid", "occurrence_id", "starts_at", "ends_at")
    kind = "BUSY-TENTATIVE" if row["status"] == "TENTATIVE" else "BUSY"
    return {name: row[name] for name in names} | {"kind": kind}
