"""Moves, updates and cancels an event, a series, or one occurrence."""

from __future__ import annotations

from datetime import date, datetime

from leat.sources.actions import Plan, Refused
from leat.sources.calendar.caldav.actions.account import Account
from leat.sources.calendar.caldav.actions.occurring import refuse_uneven_move
from leat.sources.calendar.caldav.actions.revising import named, open_chosen, plan_file, text_in
from leat.sources.calendar.caldav.actions.times import later, like, shown
from leat.sources.calendar.ics.editing import put, put_text, put_times, read_book
from leat.sources.calendar.ics.spans import Span, span_of
from leat.sources.calendar.ics.times import instant
from leat.sources.calendar.parameters import CancelEvent, MoveEvent, UpdateEvent


def plan_move(account: Account, action: str, wanted: MoveEvent) -> Plan:
    """Plan to move an event.

    Raises:
        Refused: it is there already, or can't be moved without changing more than asked for.
    """
    calendar, file, original, chosen = open_chosen(account, wanted)
    part, was = chosen.parts[0], Span(chosen.start, chosen.end, span_of(chosen.parts[0].event).nominal)
    start = like(wanted.starts, wanted.zone, was.start, "starts")
    end: date = was.moved_to(start)
    if wanted.ends is not None:
        end = like(wanted.ends, wanted.zone, was.start, "ends")
    elif wanted.minutes is not None and isinstance(start, datetime):
        end = later(start, wanted.minutes)
    elif wanted.minutes is not None:
        msg = "minutes: the event takes whole days: give ends"
        raise Refused(msg)
    if instant(end) < instant(start):
        msg = "ends: it has to be after starts"
        raise Refused(msg)
    if (instant(start), instant(end)) == (instant(was.start), instant(was.end)):
        msg = f"event {wanted.event} is already at {shown(start)}"
        raise Refused(msg)
    has_end = part.event.when("DTEND") is not None or wanted.ends is not None or wanted.minutes is not None
    put_times(part, start, end if has_end else None)
    moved = read_book(chosen.book.text())
    span = span_of(next(each.event for each in moved.parts if each.node.lines == part.node.lines))
    if (instant(span.start), instant(span.end)) != (instant(start), instant(end)):
        msg = f"event {wanted.event} writes its times in a form that can't be moved exactly: use a calendar program"
        raise Refused(msg)
    if wanted.occurrence is None:
        refuse_uneven_move(original, moved)
    title = f"move {named(chosen, wanted)} from {shown(was.start)} to {shown(start)}"
    return plan_file(account, action, (calendar, file, chosen, [part]), title)


def plan_update(account: Account, action: str, wanted: UpdateEvent) -> Plan:
    """Plan to change what an event says.

    Raises:
        Refused: it says so already.
    """
    calendar, file, _, chosen = open_chosen(account, wanted)
    part = chosen.parts[0]
    texts = {"SUMMARY": wanted.summary, "DESCRIPTION": wanted.description, "LOCATION": wanted.location}
    if wanted.status is not None:
        texts["STATUS"] = wanted.status
    if wanted.busy is not None:
        texts["TRANSP"] = "OPAQUE" if wanted.busy else "TRANSPARENT"
    changed = {name: text for name, text in texts.items() if text is not None and text != text_in(part, name)}
    if not changed:
        msg = f"event {wanted.event} already says so"
        raise Refused(msg)
    for name, text in changed.items():
        put_text(part.node, name, text)
    warnings = []
    if wanted.occurrence is None and len(chosen.parts) > 1:
        warnings.append(f"{len(chosen.parts) - 1} changed occurrences of the series stay as they are")
    title = f"change {', '.join(name.lower() for name in changed)} of {named(chosen, wanted)}"
    return plan_file(account, action, (calendar, file, chosen, [part]), title, warnings)


def plan_cancel(account: Account, action: str, wanted: CancelEvent) -> Plan:
    """Plan to cancel an event; a series with all its changed occurrences.

    Raises:
        Refused: it is cancelled already.
    """
    calendar, file, _, chosen = open_chosen(account, wanted)
    parts = [part for part in chosen.parts if text_in(part, "STATUS").upper() != "CANCELLED"]
    if not parts:
        msg = f"event {wanted.event} is already cancelled"
        raise Refused(msg)
    for part in parts:
        put(part.node, "STATUS", "STATUS:CANCELLED")
    title = f"cancel {named(chosen, wanted)}"
    return plan_file(account, action, (calendar, file, chosen, parts), title)
