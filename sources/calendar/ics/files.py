"""One file of a calendar to rows: each event, alarm or zone in it can fail without the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from leat.limits import ICS_FILE_WORK
from leat.sources.batch import Batch, to_json
from leat.sources.calendar.ics.components import Node, decode, split
from leat.sources.calendar.ics.ical import Event, parse_event, zones_of
from leat.sources.calendar.ics.occurrences import expand, recurs
from leat.sources.calendar.ics.parts import alarm_rows, attachment_rows, attendee_rows
from leat.sources.calendar.ics.reasons import Unreadable, reason_of
from leat.sources.calendar.ics.rows import busy_row, event_key, event_row, occurrence_row
from leat.sources.calendar.ics.rules import Window
from leat.sources.calendar.ics.spans import span_of
from leat.sources.calendar.ics.stepping import Work
from leat.sources.calendar.ics.times import identity
from leat.sources.calendar.ics.zones import Zones
from leat.sources.calendar.streams import OF_A_FILE, STREAMS
from leat.sources.events import Quarantined

MAX_RECORD = 10_000
"""How many characters of a broken record the quarantine stores."""
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
        has_broken: whether an event can't be read: what it was before is not to be taken away.
    """

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in OF_A_FILE})
    quarantined: list[Quarantined] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    recurring: bool = False
    bounded: list[str] = field(default_factory=list)
    has_broken: bool = False


def parse_file(
    calendar: str, href: str, content: str | bytes, etag: str | None, window: Window, charset: str | None = None
) -> Parsed:
    """Return the rows of a file, and what of it had to be quarantined; never raises for what is in the file."""
    parsed = Parsed()
    try:
        root = split(decode(content, charset))
    except Exception as error:
        text = content if isinstance(content, str) else content.decode("utf-8", "backslashreplace")
        parsed.quarantined.append(Quarantined("events", href, reason_of(error, "the file"), text[:MAX_RECORD]))
        return parsed
    events: dict[str, dict[str, Event]] = {}
    for node in root.children:
        zones = zones_of(node)
        for child in node.children:
            if child.name == "VEVENT":
                _take(parsed, href, child, events, zones)
            elif child.name != "VTIMEZONE":
                parsed.skipped[child.name] += 1
    work = Work(ICS_FILE_WORK)
    for series in events.values():
        _add_series(parsed, calendar, href, etag, list(series.values()), (window, work))
    return parsed


def _take(parsed: Parsed, href: str, node: Node, events: dict[str, dict[str, Event]], zones: Zones) -> None:
    """Parse one VEVENT; of two with the same identity, the one with the higher SEQUENCE wins."""
    try:
        event = parse_event(node, zones)
        span_of(event)
        original = event.when("RECURRENCE-ID")
        key = "" if original is None else identity(original)
    except Exception as error:
        parsed.quarantined.append(_quarantined("events", href, node, reason_of(error, "the event")))
        parsed.has_broken = True
        return
    series = events.setdefault(event.uid, {})
    other = series.get(key)
    if other is not None:
        older, event = sorted((other, event), key=lambda event: event.sequence)
        reason = "another event in the file has the same UID and RECURRENCE-ID, and no lower SEQUENCE"
        parsed.quarantined.append(_quarantined("events", href, older.node, reason))
    series[key] = event


def _add_series(
    parsed: Parsed, calendar: str, href: str, etag: str | None, events: list[Event], wanted: tuple[Window, Work]
) -> None:
    usable = []
    for event in events:
        try:
            rows = _rows_of(parsed, calendar, href, etag, event)
        except Exception as error:
            parsed.quarantined.append(_quarantined("events", href, event.node, reason_of(error, "the event")))
            parsed.has_broken = True
            continue
        usable.append(event)
        for name, group in rows.items():
            parsed.rows[name] += group
    parsed.recurring = parsed.recurring or any(recurs(event) for event in usable)
    if not usable:
        return
    try:
        rows, cut = _times_of(calendar, href, usable, *wanted)
    except Exception as error:
        reason = reason_of(error, "RRULE, RDATE or EXDATE")
        parsed.quarantined.append(_quarantined("occurrences", href, usable[0].node, reason))
        return
    if cut:
        parsed.bounded.append(usable[0].uid)
    for name, group in rows.items():
        parsed.rows[name] += group


def _times_of(
    calendar: str, href: str, events: list[Event], window: Window, work: Work
) -> tuple[dict[str, list[dict[str, Any]]], bool]:
    """Return the rows of ``occurrences`` and ``free_busy`` of a series, and whether a bound has cut them short."""
    occurrences, cut = expand(events, window, work)
    rows = [occurrence_row(event_key(calendar, href, each.event), each) for each in occurrences]
    by_table = {"occurrences": rows, "free_busy": [busy for busy in map(busy_row, rows) if busy is not None]}
    _check(by_table)
    return by_table, cut


def _rows_of(
    parsed: Parsed, calendar: str, href: str, etag: str | None, event: Event
) -> dict[str, list[dict[str, Any]]]:
    key = event_key(calendar, href, event)
    rows = {"events": [event_row(key, event, etag)], "attendees": [], "attachments": [], "alarms": []}
    _check(rows)
    for name, make_rows in {"attendees": attendee_rows, "attachments": attachment_rows, "alarms": alarm_rows}.items():
        for position, row in enumerate(make_rows(key, event)):
            try:
                if isinstance(row, Exception):
                    raise row  # noqa: TRY301 - it is reported as one that doesn't fit its columns
                _check({name: [row]})
            except Exception as error:
                what = f"{name[:-1]} {position}"
                reason = f"{what}: {reason_of(error, what)}"
                alarms = [child for child in event.node.children if child.name == "VALARM"]
                node = alarms[position] if name == "alarms" else event.node
                parsed.quarantined.append(_quarantined(name, href, node, reason))
            else:
                rows[name].append(row)
    return rows


def _check(rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
    """Raise Unreadable when a value doesn't fit its column."""
    for name, group in rows.items():
        checked = Batch(_STREAMS[name])
        try:
            for row in group:
                checked.put(row)
        except ValueError as error:
            raise Unreadable(str(error)) from None


def _quarantined(stream: str, href: str, node: Node, reason: str) -> Quarantined:
    uid = next((line.partition(":")[2] for line in node.originals("UID")), "")
    key = to_json({"href": href, "uid": uid[:500], "recurrence_id": next(iter(node.originals("RECURRENCE-ID")), "")})
    return Quarantined(stream, key, reason[:500], node.text()[:MAX_RECORD])
