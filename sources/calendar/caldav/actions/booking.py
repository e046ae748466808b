"""Books a time that has to be free: of two who book it at once, one wins, and the other takes its own booking back.

A CalDAV server accepts events that overlap, and a booking can't be one request. So it goes in two steps, each on a
condition that the server judges. First a hold, a tentative event. Then, with all holds in sight, it becomes definite::

    look ── taken ──> nothing is written
      │ free
    PUT the hold (If-None-Match: *) ── look again ── taken ──> DELETE the hold, lost
                                            │ free, or a hold of a later id, which is deleted (If-Match)
                                       PUT it definite (If-Match) ── 412 ──> somebody else has deleted the hold: lost

Whoever writes their hold second sees the first one, and who deletes a hold knows that it can't become definite any
more. So never both win, whatever the order, and one of them does. A crash leaves a hold at worst; the action goes on
with it, and another booking may delete it once it is old.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from leat.sources.actions import Order, Plan, Receipt, Refused
from leat.sources.calendar.caldav.actions import writing
from leat.sources.calendar.caldav.actions.account import Account
from leat.sources.calendar.caldav.actions.busy import Busy, File, busy_in
from leat.sources.calendar.caldav.actions.creating import written
from leat.sources.calendar.caldav.actions.times import new_times, shown
from leat.sources.calendar.ics.editing import put, read_book
from leat.sources.calendar.ics.reasons import Unreadable
from leat.sources.calendar.ics.times import instant
from leat.sources.calendar.parameters import BookSlot

HOLD = "X-LEAT-HOLD"
"""Property of an event that isn't definite yet: when it was written, UTC."""
OLD = timedelta(minutes=10)
"""After which time another booking may delete a hold."""


def plan(account: Account, action: str, wanted: BookSlot) -> Plan:
    """Plan a booking.

    Raises:
        Refused: the time is taken, or a calendar isn't there.
    """
    calendar = account.calendar(wanted.calendar)
    others = [account.calendar(name, to_write=False) for name in wanted.also_free]
    start, end = new_times(wanted)
    path = f"{calendar.path}{action}.ics"
    paths = list(dict.fromkeys(each.path for each in (calendar, *others)))
    for each in _conflicts(account, paths, start, end, path):
        where = each.file.path.rpartition("/")[0] + "/"
        msg = f"starts: {where} is already taken from {shown(each.start)} to {shown(each.end)}; choose another time"
        raise Refused(msg)
    name = calendar.row["name"] or calendar.path
    made = writing.plan_of(
        writing.Draft(
            title=f"book {wanted.summary!r} in calendar {name}, {shown(start)} to {shown(end)}",
            calendar=calendar.path,
            uid=action,
            path=path,
            text=written(action, wanted, start, end),
            people=wanted.attendees,
            warnings=(writing.NO_MAIL,) if wanted.attendees else (),
        )
    )
    during = {"calendars": paths, "starts": instant(start).isoformat(), "ends": instant(end).isoformat()}
    return replace(made, payload={**made.payload, **during})


def _conflicts(account: Account, calendars: Sequence[str], start: date, end: date, own: str) -> Iterator[Busy]:
    for calendar in calendars:
        for each in busy_in(account.client, calendar, instant(start), instant(end)):
            if each.file.path != own:
                yield each


def send(account: Account, order: Order) -> Receipt:
    """Book the time, if it is free.

    Raises:
        Outdated: somebody else has it; nothing of this booking is left.
        IntegrationError: it failed.
    """
    planned = order.plan.payload
    path, start, end = planned["path"], *(datetime.fromisoformat(planned[name]) for name in ("starts", "ends"))
    mine = account.read(path)
    if mine is None:
        for each in _conflicts(account, planned["calendars"], start, end, path):
            if not _gives_way(each, order.id):
                account.outdated("booking", f"it is taken from {shown(each.start)} to {shown(each.end)}")
        account.write(path, _hold(order), None)
        mine = account.read(path)
    if mine is None or mine.etag is None:
        account.outdated("booking", "somebody else has booked it at the same moment")
    if _held_since(mine.text) is None:
        there = probe(account, order)
        if there is None:
            account.outdated("booking", "another event has its place")
        return there
    for each in _conflicts(account, planned["calendars"], start, end, path):
        if not (_gives_way(each, order.id) and _deleted(account, each.file)):
            account.delete(path, mine.etag)
            account.outdated("booking", f"somebody else has booked {shown(each.start)} to {shown(each.end)}")
    etag = account.write(path, order.plan.bodies["after"], mine.etag)
    return Receipt({"event": planned["event"], "path": path, "etag": etag})


def _gives_way(busy: Busy, action: str) -> bool:
    """Return whether what takes the time is a hold that this action may delete."""
    since = _held_since(busy.file.text)
    return since is not None and (action < busy.uid or datetime.now(UTC) - since > OLD)


def _deleted(account: Account, hold: File) -> bool:
    """Delete the hold of another booking; returns whether it can't become definite any more."""
    from leat.sources.errors import Outdated

    try:
        account.delete(hold.path, hold.etag or "")
    except Outdated:
        return account.read(hold.path) is None
    return True


def _hold(order: Order) -> bytes:
    book = read_book(order.plan.bodies["after"].decode())
    put(book.master.node, "STATUS", "STATUS:TENTATIVE")
    put(book.master.node, HOLD, f"{HOLD}:{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    return book.text().encode()


def _held_since(text: str) -> datetime | None:
    """Return since when an event is a hold; None when it isn't one."""
    try:
        lines = read_book(text).master.node.originals(HOLD)
        return datetime.strptime(lines[0].rpartition(":")[2].strip(), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except (Unreadable, IndexError, ValueError):
        return None


def probe(account: Account, order: Order) -> Receipt | None:
    """Return the booking when it is definite."""
    file = account.read(order.plan.payload["path"])
    if file is None or _held_since(file.text) is not None:
        return None
    return writing.probe(account, order)
