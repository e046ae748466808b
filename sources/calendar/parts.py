"""The parts of an event to rows: its attendees, alarms and attachments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

from sources.calendar.ical import Event
from sources.calendar.times import instant
from sources.calendar.values import email_of, instant_of, parameter, text_of


def attendee_rows(key: Mapping[str, Any], event: Event) -> Iterator[dict[str, Any]]:
    """Yield the rows of the stream ``attendees``; one that is named twice counts once, as named last."""
    values = event.component.get("ATTENDEE", [])
    found = {}
    for value in values if isinstance(values, list) else [values]:
        email = email_of(value)
        address = email or str(value).strip().lower()
        if not address:
            continue
        found[address] = {
            **key,
            "address": address,
            "email": email,
            "name": parameter(value, "CN"),
            "role": (parameter(value, "ROLE") or "REQ-PARTICIPANT").upper(),
            "response_status": (parameter(value, "PARTSTAT") or "NEEDS-ACTION").upper(),
            "rsvp": (parameter(value, "RSVP") or "").upper() == "TRUE",
            "kind": (parameter(value, "CUTYPE") or "INDIVIDUAL").upper(),
            "delegated_to": parameter(value, "DELEGATED-TO"),
            "delegated_from": parameter(value, "DELEGATED-FROM"),
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
        "alarm_uid": text_of(alarm, "UID") or text_of(alarm, "X-WR-ALARMUID"),
        "action": (text_of(alarm, "ACTION") or "").upper() or None,
        "trigger": trigger.to_ical().decode() if isinstance(trigger.to_ical(), bytes) else str(trigger.to_ical()),
        "related": (parameter(trigger, "RELATED") or "START").upper() if relative else None,
        "offset_seconds": int(trigger.dt.total_seconds()) if relative else None,
        "triggers_at": instant(trigger.dt) if isinstance(trigger.dt, date) else None,
        "repeat": int(alarm["REPEAT"]) if alarm.get("REPEAT") is not None else None,
        "interval_seconds": int(interval.total_seconds()) if isinstance(interval, timedelta) else None,
        "summary": text_of(alarm, "SUMMARY"),
        "description": text_of(alarm, "DESCRIPTION"),
        "acknowledged": instant_of(alarm.get("ACKNOWLEDGED")),
    }


def attachment_rows(key: Mapping[str, Any], event: Event) -> Iterator[dict[str, Any]]:
    """Yield the rows of the stream ``attachments``."""
    values = event.component.get("ATTACH", [])
    for position, value in enumerate(values if isinstance(values, list) else [values]):
        inline = (parameter(value, "ENCODING") or "").upper() == "BASE64" or hasattr(value, "bytes")
        content = _decoded(value) if inline else None
        size = parameter(value, "SIZE")
        yield {
            **key,
            "position": position,
            "uri": None if inline else str(value),
            "name": parameter(value, "FILENAME") or parameter(value, "X-FILENAME"),
            "media_type": parameter(value, "FMTTYPE"),
            "inline": inline,
            "size": len(content) if content is not None else int(size) if size and size.isdigit() else None,
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
