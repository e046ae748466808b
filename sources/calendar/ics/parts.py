"""The parts of an event to rows: its attendees, alarms and attachments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

from leat.sources.calendar.ics.ical import Event
from leat.sources.calendar.ics.reasons import Unreadable, reason_of
from leat.sources.calendar.ics.times import instant
from leat.sources.calendar.ics.values import (
    address_of,
    addresses,
    email_of,
    instant_of,
    parameter,
    text_of,
    whole_number,
)

Part = dict[str, Any] | Exception
"""A row, or why there is none."""


def _each(name: str, values: Iterable[Any], row_of: Callable[[int, Any], dict[str, Any] | None]) -> Iterator[Part]:
    """Yield the row of each value, or what went wrong with it; none where it says nothing."""
    for position, value in enumerate(values):
        try:
            row = row_of(position, value)
        except Exception as error:
            yield Unreadable(reason_of(error, name))
        else:
            if row is not None:
                yield row


def _values(event: Event, name: str) -> list[Any]:
    values = event.component.get(name, [])
    return values if isinstance(values, list) else [values]


def attendee_rows(key: Mapping[str, Any], event: Event) -> Iterator[Part]:
    """Yield the rows of the stream ``attendees``; one that is named twice counts once, as named last."""
    result: dict[str, Part] = {}
    for row in _each("ATTENDEE", _values(event, "ATTENDEE"), lambda _, value: _attendee(key, value)):
        result[row["address"] if isinstance(row, dict) else f"{len(result)}"] = row
    yield from result.values()


def _attendee(key: Mapping[str, Any], value: Any) -> dict[str, Any] | None:
    email = email_of(value)
    address = email or address_of(str(value)).lower() or parameter(value, "CN")
    if not address:
        return None  # it names nobody
    return {
        **key,
        "address": address,
        "email": email,
        "name": parameter(value, "CN"),
        "role": (parameter(value, "ROLE") or "REQ-PARTICIPANT").upper(),
        "response_status": (parameter(value, "PARTSTAT") or "NEEDS-ACTION").upper(),
        "rsvp": (parameter(value, "RSVP") or "").upper() == "TRUE",
        "kind": (parameter(value, "CUTYPE") or "INDIVIDUAL").upper(),
        "delegated_to": addresses(value, "DELEGATED-TO"),
        "delegated_from": addresses(value, "DELEGATED-FROM"),
    }


def alarm_rows(key: Mapping[str, Any], event: Event) -> Iterator[Part]:
    """Yield the rows of the stream ``alarms``."""
    yield from _each("the alarm", event.alarms, lambda position, alarm: _alarm(key, position, alarm))


def _alarm(key: Mapping[str, Any], position: int, alarm: Any) -> dict[str, Any]:
    if isinstance(alarm, str):
        raise Unreadable(alarm)
    trigger = alarm["TRIGGER"]
    interval = None if "DURATION" not in alarm else alarm["DURATION"].dt
    relative = isinstance(trigger.dt, timedelta)
    return {
        **key,
        "position": position,
        "alarm_uid": text_of(alarm, "UID") or text_of(alarm, "X-WR-ALARMUID"),
        "action": (text_of(alarm, "ACTION") or "").upper() or None,
        "trigger": trigger.to_ical().decode() if isinstance(trigger.to_ical(), bytes) else str(trigger.to_ical()),
        "related": (parameter(trigger, "RELATED") or "START").upper() if relative else None,
        "offset_seconds": int(trigger.dt.total_seconds()) if relative else None,
        "triggers_at": instant(trigger.dt) if isinstance(trigger.dt, date) else None,
        "repeat": whole_number(alarm["REPEAT"]) if alarm.get("REPEAT") is not None else None,
        "interval_seconds": int(interval.total_seconds()) if isinstance(interval, timedelta) else None,
        "summary": text_of(alarm, "SUMMARY"),
        "description": text_of(alarm, "DESCRIPTION"),
        "acknowledged": instant_of(alarm.get("ACKNOWLEDGED")),
    }


def attachment_rows(key: Mapping[str, Any], event: Event) -> Iterator[Part]:
    """Yield the rows of the stream ``attachments``."""
    yield from _each("ATTACH", _values(event, "ATTACH"), lambda position, value: _attachment(key, position, value))


def _attachment(key: Mapping[str, Any], position: int, value: Any) -> dict[str, Any]:
    inline = (parameter(value, "ENCODING") or "").upper() == "BASE64" or hasattr(value, "bytes")
    content = _decoded(value) if inline else None
    size = parameter(value, "SIZE")
    return {
        **key,
        "position": position,
        "uri": None if inline else str(value),
        "name": parameter(value, "FILENAME") or parameter(value, "X-FILENAME"),
        "media_type": parameter(value, "FMTTYPE"),
        "inline": inline,
        "size": len(content) if content is not None else int(size) if size and size.isdecimal() else None,
        "sha256": sha256(content).hexdigest() if content is not None else None,
        "managed_id": parameter(value, "MANAGED-ID"),
    }


def _decoded(value: Any) -> bytes | None:
    import base64

    if isinstance(getattr(value, "bytes", None), bytes):
        return bytes(value.bytes)
    with suppress(ValueError):
        return base64.b64decode(str(value))
    return None
