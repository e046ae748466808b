"""Scheduling messages that a mail carries (iMIP, RFC 6047; iTIP, RFC 5546) to rows of ``invitations``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from leat.sources.email.mime.parts import CalendarPart, Content

_MOST = 100
_LONGEST = 100_000
_TIMES = frozenset({"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "EXRULE"})


def invitations_of(content: Content, key: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row for each event of the message's calendar parts that have a METHOD; notes what can't be read.

    A mail mostly has the same calendar as a part and as an attached file; the first that has an event counts.
    """
    seen: set[tuple[str, str]] = set()
    for part in content.calendars:
        try:
            for row in islice(_rows(part), _MOST):
                identity = (row["event_uid"], row["recurrence_id"])
                if identity not in seen:
                    seen.add(identity)
                    yield {**key, "part": part.path, **row}
        except Exception as error:  # whatever is wrong with it, the mail is read
            content.defects.append(f"part {part.path}: its calendar can't be read ({type(error).__name__})")


def _rows(part: CalendarPart) -> Iterator[dict[str, Any]]:
    from leat.sources.calendar.ics.components import decode, split
    from leat.sources.calendar.ics.ical import zones_of

    text = decode(part.content, part.charset)
    for calendar in split(text).children:
        method = next((line.partition(":")[2].strip().upper() for line in calendar.originals("METHOD")), "")
        if not method:
            continue
        zones = zones_of(calendar)
        for node in calendar.children:
            if node.name == "VEVENT":
                row = _row(*_event(node, zones), method)
                yield {**row, "content": text if len(text) <= _LONGEST else None}


def _event(node: Any, zones: Any) -> tuple[Any, bool]:
    """Return an event, and whether its times can be read: a reply needn't have any (RFC 5546, 3.2.3)."""
    from leat.sources.calendar.ics.components import Node
    from leat.sources.calendar.ics.ical import parse_event
    from leat.sources.calendar.ics.lines import name_of
    from leat.sources.calendar.ics.reasons import Unreadable

    try:
        return parse_event(node, zones), True
    except Unreadable:
        lines = [line for line in node.lines if name_of(line) not in _TIMES]
        return parse_event(Node(node.name, [*lines, "DTSTART:19700101"], closed=node.closed), zones), False


def _row(event: Any, has_times: bool, method: str) -> dict[str, Any]:
    from leat.sources.calendar.ics.parts import attendee_rows
    from leat.sources.calendar.ics.spans import span_of
    from leat.sources.calendar.ics.times import identity, instant
    from leat.sources.calendar.ics.values import email_of, first, instant_of, text_of

    component, original = event.component, event.when("RECURRENCE-ID")
    span = span_of(event) if has_times else None
    attendees = [each for each in attendee_rows({}, event) if isinstance(each, dict)]
    answers = [each for each in attendees if each["email"]] if method == "REPLY" else []
    answered = answers[0] if len(answers) == 1 else {}  # a reply is of one attendee (RFC 5546, 3.2.3)
    return {
        "event_uid": event.uid,
        "recurrence_id": "" if original is None else identity(original),
        "method": method,
        "sequence": event.sequence,
        "stamped_at": instant_of(first(component.get("DTSTAMP"))),
        "summary": text_of(component, "SUMMARY"),
        "starts_at": instant(span.start) if span else None,
        "ends_at": instant(span.end) if span else None,
        "organizer_email": email_of(first(component.get("ORGANIZER"))),
        "attendees": [each["address"] for each in attendees] or None,
        "attendee_email": answered.get("email"),
        "response_status": answered.get("response_status"),
        "comment": text_of(component, "COMMENT"),
    }
