"""Deletes an event, and puts one back as it was."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

from leat.sources.actions import Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.calendar.caldav.actions.account import Account
from leat.sources.calendar.caldav.actions.busy import File
from leat.sources.calendar.caldav.actions.writing import NO_MAIL, Draft, facts_of, plan_of
from leat.sources.calendar.ics.editing import Book, mark, read_book
from leat.sources.calendar.ics.reasons import Unreadable
from leat.sources.calendar.ics.values import text_of
from leat.sources.calendar.parameters import DeleteEvent, RestoreEvent


def plan_delete(account: Account, _action: str, wanted: DeleteEvent) -> Plan:
    """Plan to delete an event or a whole series.

    Raises:
        Refused: it isn't there, or has another version than it must have.
    """
    calendar = account.calendar(wanted.calendar)
    file, book = account.event(calendar, wanted.event)
    _expect(file, wanted.version)
    facts = facts_of(file.text)
    return Plan(
        title=f"delete {_named(book)} from {calendar.path}",
        target=f"{calendar.path}{wanted.event}",
        changes=tuple(Change(name, value, None) for name, value in facts.items() if not name.startswith("sequence")),
        payload={"calendar": calendar.path, "event": wanted.event, "path": file.path},
        precondition={"etag": file.etag},
        people=tuple(name.split(" ")[2] for name in facts if name.startswith("answer of ")),
        warnings=(NO_MAIL,) if any(name.startswith("answer of ") for name in facts) else (),
        bodies={"before": file.text.encode()},
    )


def _expect(file: File, version: str | None) -> None:
    if version is not None and version != file.etag:
        msg = "version: the event has been changed since; look at it and plan again"
        raise Refused(msg)


def _named(book: Book) -> str:
    event = book.master.event
    return f"{'series' if event.rules or event.dates else 'event'} {text_of(event.component, 'SUMMARY') or event.uid!r}"


def send_delete(account: Account, order: Order) -> Receipt:
    """Delete the event, if it is as it was.

    Raises:
        Outdated: it isn't.
        IntegrationError: it failed.
    """
    was_there = account.delete(order.plan.payload["path"], order.plan.precondition["etag"])
    return Receipt({"event": order.plan.payload["event"], "was_there": was_there})


def probe_delete(account: Account, order: Order) -> Receipt | None:
    """Return the deletion, whoever made it: an event can be deleted only once."""
    if account.read(order.plan.payload["path"]) is not None:
        return None
    return Receipt({"event": order.plan.payload["event"], "was_there": True})


def confirm_delete(account: Account, order: Order, _receipt: Receipt) -> tuple[Change, ...]:
    """Look whether the event is gone."""
    if account.read(order.plan.payload["path"]) is None:
        return ()
    return (Change("event", None, order.plan.payload["event"]),)


def undo_delete(_account: Account, order: Order, _receipt: Receipt) -> Undo:
    """Return what puts the event back."""
    named = {name: order.plan.payload[name] for name in ("calendar", "event")}
    return Undo("restore_event", {**named, "content": order.plan.bodies["before"].decode()})


def plan_restore(account: Account, action: str, wanted: RestoreEvent) -> Plan:
    """Plan to put an event back; SEQUENCE goes on from what is there, so that calendar programs take it for newer.

    Raises:
        Refused: the content isn't of this event, or what is there isn't what must be there.
    """
    try:
        book = read_book(wanted.content)
    except Unreadable as error:
        msg = f"content: {error}"
        raise Refused(msg) from None
    if book.master.event.uid != wanted.event:
        msg = f"content: it is event {book.master.event.uid!r}, not {wanted.event!r}"
        raise Refused(msg)
    calendar = account.calendar(wanted.calendar)
    file, sequence = account.find(calendar, wanted.event), 0
    if file is not None:
        if wanted.version is None:
            msg = f"event: {calendar.path} already has event {wanted.event!r}"
            raise Refused(msg)
        file, now = account.event(calendar, wanted.event)
        _expect(file, wanted.version)
        sequence = max(event.sequence for event in now.events)
    elif wanted.version is not None:
        msg = f"event: {calendar.path} has no event {wanted.event!r} any more; leave version out to put it there"
        raise Refused(msg)
    for part in book.parts:
        mark(part, action, datetime.now(UTC), max(part.event.sequence, sequence) + 1)
    facts = facts_of(wanted.content)
    people = tuple(dict.fromkeys(name.split(" ")[2] for name in facts if name.startswith("answer of ")))
    return plan_of(
        Draft(
            title=f"put {_named(book)} back as it was in {calendar.path}",
            calendar=calendar.path,
            uid=wanted.event,
            path=f"{calendar.path}{quote(wanted.event, safe='@')}.ics" if file is None else file.path,
            text=book.text(),
            before=file,
            people=people,
            warnings=(NO_MAIL,) if people else (),
        )
    )
