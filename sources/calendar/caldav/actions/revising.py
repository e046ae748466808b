"""Opens what of a file is to be changed, and plans the file with the change: what all changes of events share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from leat.sources.actions import Plan, Refused
from leat.sources.calendar.caldav.actions.account import Account
from leat.sources.calendar.caldav.actions.busy import File
from leat.sources.calendar.caldav.actions.occurring import Chosen, choose
from leat.sources.calendar.caldav.actions.times import shown
from leat.sources.calendar.caldav.actions.writing import NO_MAIL, Draft, plan_of
from leat.sources.calendar.ics.editing import Book, Part, mark, read_book
from leat.sources.calendar.ics.values import address_of, text_of
from leat.sources.calendar.parameters import OfOccurrence

Opened = tuple[str, File, Chosen, Sequence[Part]]


def open_chosen(account: Account, wanted: OfOccurrence, *, to_write: bool = True) -> tuple[str, File, Book, Chosen]:
    """Return path of the calendar, file, what it holds as it was, and what of it to change."""
    calendar = account.calendar(wanted.calendar, to_write=to_write)
    file, book = account.event(calendar, wanted.event)
    return calendar.path, file, read_book(file.text), choose(book, wanted.occurrence)


def named(chosen: Chosen, wanted: OfOccurrence) -> str:
    """Return what is changed, as people read it."""
    summary = text_of(chosen.parts[0].event.component, "SUMMARY") or wanted.event
    if wanted.occurrence is not None:
        return f"occurrence {shown(chosen.start)} of {summary!r}"
    series = bool(chosen.parts[0].event.rules or chosen.parts[0].event.dates)
    return f"{'series' if series else 'event'} {summary!r}"


def plan_file(
    account: Account,
    action: str,
    opened: Opened,
    title: str,
    warnings: Sequence[str] = (),
    *,
    revises: bool = True,
) -> Plan:
    """Return the plan for a file whose parts have been changed."""
    calendar, file, chosen, parts = opened
    now = datetime.now(UTC)
    for part in parts:
        mark(part, action, now, part.event.sequence + 1 if revises else None)
    people = sorted({address for part in parts for address in attendees_in(part)})
    if revises and people:
        warnings = [*warnings, NO_MAIL]
    draft = Draft(
        title=f"{title} in {calendar}",
        calendar=calendar,
        uid=chosen.book.master.event.uid,
        path=file.path,
        text=chosen.book.text(),
        before=file,
        shown_before=chosen.before,
        people=people,
        warnings=warnings,
    )
    try:
        read_book(draft.text)
    except ValueError as error:
        msg = f"the event can't be changed: {error}; change it in a calendar program"
        raise Refused(msg) from None
    return plan_of(draft)


def text_in(part: Part, name: str) -> str:
    """Return what an event says, and what it means where it says nothing."""
    means = {"TRANSP": "OPAQUE"}.get(name, "")
    return text_of(part.event.component, name) or means


def attendees_in(part: Part) -> list[str]:
    """Return the addresses of the attendees of an event."""
    given = part.event.component.get("ATTENDEE", [])
    return [address_of(str(each)) for each in (given if isinstance(given, list) else [given])]
