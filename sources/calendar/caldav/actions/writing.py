"""Plans, sends, confirms and takes back the writing of one file: what all changes of events have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from leat.sources.actions import Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.calendar.caldav.actions.account import Account
from leat.sources.calendar.caldav.actions.busy import File
from leat.sources.calendar.ics.editing import marks_of, read_book
from leat.sources.calendar.ics.files import parse_file
from leat.sources.calendar.ics.reasons import Unreadable
from leat.sources.calendar.ics.rules import Window

NO_MAIL = "nobody is sent a mail about it: inform the attendees, by `invite`, `send_update` or `send_cancellation`"
_SHOWN = (
    *("summary", "description", "location", "status", "starts_local", "ends_local", "timezone", "all_day", "floating"),
    *("transparency", "rrule", "rdate", "exdate", "organizer_email"),
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A file that is to be written.

    Attributes:
        title: what happens, for the person who approves.
        calendar: path of the calendar.
        uid: of the event.
        path: of the file.
        text: its new content.
        before: the file as it is; None where it isn't there.
        shown_before: what the change is shown against, where that isn't the file as it is.
        people: who notices it.
        warnings: what the person who approves should know.
    """

    title: str
    calendar: str
    uid: str
    path: str
    text: str
    before: File | None = None
    shown_before: str | None = None
    people: Sequence[str] = ()
    warnings: Sequence[str] = ()


def plan_of(draft: Draft) -> Plan:
    """Return the plan that writes a file."""
    before = None if draft.before is None else draft.before.text
    bodies = {"after": draft.text.encode()}
    if before is not None:
        bodies["before"] = before.encode()
    facts = facts_of(draft.shown_before or before or "")
    after = facts_of(draft.text)
    return Plan(
        title=draft.title,
        target=f"{draft.calendar}{draft.uid}",
        changes=tuple(
            Change(name, facts.get(name), after.get(name))
            for name in dict.fromkeys((*facts, *after))
            if facts.get(name) != after.get(name) and not name.startswith("sequence")
        ),
        payload={"calendar": draft.calendar, "event": draft.uid, "path": draft.path},
        precondition={"etag": None if draft.before is None else draft.before.etag},
        people=tuple(draft.people),
        warnings=tuple(draft.warnings),
        bodies=bodies,
    )


def facts_of(text: str) -> dict[str, Any]:
    """Return what an event says, by name, in JSON values; the names of a changed occurrence begin with when it was."""
    if not text:
        return {}
    today = datetime.now(UTC)
    rows = parse_file("", "", text, None, Window(today, today + timedelta(days=1))).rows
    facts: dict[str, Any] = {}
    for row in rows["events"]:
        of = _of(row)
        facts |= {f"{name}{of}": _value(row.get(name)) for name in _SHOWN if row.get(name) is not None}
        facts[f"sequence{of}"] = row.get("sequence") or 0
    for row in rows["attendees"]:
        facts[f"answer of {row['address']}{_of(row)}"] = row.get("response_status") or "NEEDS-ACTION"
    for row in rows["alarms"]:
        facts[f"reminder {row['position'] + 1}{_of(row)}"] = row.get("trigger")
    return facts


def _of(row: dict[str, Any]) -> str:
    return f" of {row['recurrence_id']}" if row["recurrence_id"] else ""


def _value(value: Any) -> Any:
    return value if isinstance(value, bool | int) else str(value)


def send(account: Account, order: Order) -> Receipt:
    """Write the file, if it is as it was.

    Raises:
        Outdated: it isn't.
        IntegrationError: it failed.
    """
    path = order.plan.payload["path"]
    etag = account.write(path, order.plan.bodies["after"], order.plan.precondition["etag"])
    return _receipt(order, etag) if etag else probe(account, order) or _receipt(order, None)


def _receipt(order: Order, etag: str | None) -> Receipt:
    payload = order.plan.payload
    return Receipt({"event": payload["event"], "path": payload["path"], "etag": etag})


def probe(account: Account, order: Order) -> Receipt | None:
    """Return the change, when the event carries the id of the action."""
    file = account.read(order.plan.payload["path"])
    if file is None or order.id not in _marks(file.text):
        return None
    as_planned = facts_of(file.text) == facts_of(order.plan.bodies["after"].decode())
    return _receipt(order, file.etag if as_planned else None)


def _marks(text: str) -> list[str]:
    try:
        return [each for part in read_book(text).parts for each in marks_of(part.node)]
    except Unreadable:
        return []


def confirm(account: Account, order: Order, _receipt: Receipt) -> tuple[Change, ...]:
    """Compare the event with the plan."""
    file = account.read(order.plan.payload["path"])
    if file is None:
        return (Change("event", order.plan.payload["event"], None),)
    planned, actual = facts_of(order.plan.bodies["after"].decode()), facts_of(file.text)
    names = dict.fromkeys((*planned, *actual))
    return tuple(
        Change(name, planned.get(name), actual.get(name)) for name in names if planned.get(name) != actual.get(name)
    )


def undo(account: Account, order: Order, receipt: Receipt) -> Undo:
    """Return what puts the event back as it was, or deletes it where it wasn't there.

    Raises:
        Refused: somebody has changed it since.
    """
    payload = order.plan.payload
    file = account.read(payload["path"])
    if file is None:
        msg = f"event {payload['event']} isn't there any more"
        raise Refused(msg)
    if file.etag != receipt.data["etag"]:
        msg = f"somebody has changed event {payload['event']} since; change it back by hand, or plan another action"
        raise Refused(msg)
    named = {"calendar": payload["calendar"], "event": payload["event"], "version": file.etag}
    if "before" not in order.plan.bodies:
        return Undo("delete_event", named)
    return Undo("restore_event", {**named, "content": order.plan.bodies["before"].decode()})
