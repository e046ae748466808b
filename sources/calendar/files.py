"""One file of a calendar to rows: every event, alarm or zone in it stands or falls alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sources.batch import Batch, to_json
from sources.calendar.ical import Event, Node, decode, know_zones, parse_event, split
from sources.calendar.occurrences import expand, recurs, span_of
from sources.calendar.parts import alarm_row, attachment_rows, attendee_rows
from sources.calendar.rows import busy_row, event_key, event_row, occurrence_row
from sources.calendar.rules import Window
from sources.calendar.streams import OF_A_FILE, STREAMS
from sources.calendar.times import identity
from sources.events import Quarantined

MAX_RECORD = 10_000
"""Characters of a broken record that the quarantine keeps."""
_STREAMS = {stream.name: stream for stream in STREAMS}


@dataclass(slots=True)
class Parsed:
    """What one file holds.

    Attributes:
        rows: rows by stream.
        quarantined: parts that could not be understood.
        skipped: how many components of other kinds it holds, by name.
        recurring: whether its occurrences depend on the window.
        bounded: UIDs of series that were cut short.
    """

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in OF_A_FILE})
    quarantined: list[Quarantined] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    recurring: bool = False
    bounded: list[str] = field(default_factory=list)


def parse_file(calendar: str, href: str, content: str | bytes, etag: str | None, window: Window) -> Parsed:
    """Return the rows of a file, and what of it had to be quarantined; never raises for what is in the file."""
    parsed = Parsed()
    try:
        root = split(decode(content))
    except ValueError as error:
        text = content if isinstance(content, str) else content.decode("utf-8", "backslashreplace")
        parsed.quarantined.append(Quarantined("events", href, str(error), text[:MAX_RECORD]))
        return parsed
    zones = [f"zone {name} can't be read: {reason}" for name, reason in know_zones(root)]
    events: dict[str, dict[str, Event]] = {}
    for node in (child for calendar_node in root.children for child in calendar_node.children):
        if node.name == "VEVENT":
            _take(parsed, href, node, events, zones)
        elif node.name != "VTIMEZONE":
            parsed.skipped[node.name] += 1
    for series in events.values():
        _add_series(parsed, calendar, href, etag, list(series.values()), window)
    return parsed


def _take(parsed: Parsed, href: str, node: Node, events: dict[str, dict[str, Event]], zones: Sequence[str]) -> None:
    """Parse one VEVENT; of two that claim the same identity the one with the higher SEQUENCE is kept."""
    try:
        event = parse_event(node)
        span_of(event)
    except Exception as error:
        reason = "; ".join((str(error) or type(error).__name__, *zones))
        parsed.quarantined.append(_quarantined("events", href, node, reason))
        return
    original = event.when("RECURRENCE-ID")
    series = events.setdefault(str(event.component["UID"]), {})
    key = "" if original is None else identity(original)
    other = series.get(key)
    if other is not None:
        older, event = sorted((other, event), key=lambda e: int(e.component.get("SEQUENCE", 0)))
        reason = "another event in the file has the same UID and RECURRENCE-ID, and no lower SEQUENCE"
        parsed.quarantined.append(_quarantined("events", href, older.node, reason))
    series[key] = event


def _add_series(
    parsed: Parsed, calendar: str, href: str, etag: str | None, events: list[Event], window: Window
) -> None:
    kept = []
    for event in events:
        try:
            rows = _rows_of(parsed, calendar, href, etag, event)
        except Exception as error:
            parsed.quarantined.append(_quarantined("events", href, event.node, str(error) or type(error).__name__))
            continue
        kept.append(event)
        for name, found in rows.items():
            parsed.rows[name] += found
    parsed.recurring = parsed.recurring or any(recurs(event) for event in kept)
    try:
        occurrences, cut = expand(kept, window)
    except ValueError as error:
        parsed.quarantined.append(_quarantined("occurrences", href, kept[0].node, str(error)))
        return
    if cut:
        parsed.bounded.append(str(kept[0].component["UID"]))
    for occurrence in occurrences:
        row = occurrence_row(event_key(calendar, href, occurrence.event), occurrence)
        parsed.rows["occurrences"].append(row)
        busy = busy_row(row)
        if busy is not None:
            parsed.rows["free_busy"].append(busy)


def _rows_of(
    parsed: Parsed, calendar: str, href: str, etag: str | None, event: Event
) -> dict[str, list[dict[str, Any]]]:
    key = event_key(calendar, href, event)
    rows = {
        "events": [event_row(key, event, etag)],
        "attendees": list(attendee_rows(key, event)),
        "attachments": list(attachment_rows(key, event)),
        "alarms": [],
    }
    for position, alarm in enumerate(event.alarms):
        try:
            if isinstance(alarm, str):
                raise ValueError(alarm)  # noqa: TRY301 - it is reported as any other broken alarm
            rows["alarms"].append(alarm_row(key, position, alarm))
        except Exception as error:
            alarm_node = [child for child in event.node.children if child.name == "VALARM"][position]
            parsed.quarantined.append(_quarantined("alarms", href, alarm_node, f"alarm {position}: {error}"))
    for name, found in rows.items():
        checked = Batch(_STREAMS[name])
        for row in found:
            list(checked.add(row))  # raises when a value doesn't fit its column
    return rows


def _quarantined(stream: str, href: str, node: Node, reason: str) -> Quarantined:
    uid = next((line.partition(":")[2] for line in node.originals("UID")), "")
    key = to_json({"href": href, "uid": uid, "recurrence_id": next(iter(node.originals("RECURRENCE-ID")), "")})
    return Quarantined(stream, key, reason[:500], node.text()[:MAX_RECORD])
