"""Adds and removes reminders of an event (VALARM, RFC 5545, 3.6.6)."""

from __future__ import annotations

from collections.abc import Iterator

from leat.sources.actions import Plan, Refused
from leat.sources.calendar.caldav.actions.account import Account
from leat.sources.calendar.caldav.actions.revising import named, open_chosen, plan_file, text_in
from leat.sources.calendar.ics.components import Node
from leat.sources.calendar.ics.editing import Part, line_of
from leat.sources.calendar.ics.parts import alarm_rows
from leat.sources.calendar.parameters import Remind

_SHOWN = ("DISPLAY", "AUDIO")


def plan(account: Account, action: str, wanted: Remind) -> Plan:
    """Plan to change the reminders; SEQUENCE stays, for the attendees' events don't change.

    Raises:
        Refused: the event has all of the reminders, or one that is to go isn't there.
    """
    calendar, file, _, chosen = open_chosen(account, wanted)
    part = chosen.parts[0]
    there = dict(_reminders(part))
    missing = [each for each in wanted.remove if each not in there.values()]
    if missing:
        msg = f"remove: event {wanted.event} has no reminder {missing[0]} minutes before"
        raise Refused(msg)
    new = [each for each in dict.fromkeys(wanted.minutes) if each not in there.values()]
    if not new and not wanted.remove:
        msg = f"minutes: event {wanted.event} already has these reminders"
        raise Refused(msg)
    gone = [part.node.children[at] for at, minutes in there.items() if minutes in wanted.remove]
    part.node.children[:] = [each for each in part.node.children if not any(each is other for other in gone)]
    part.node.children.extend(reminder(text_in(part, "SUMMARY") or "Reminder", minutes) for minutes in new)
    said = [f"remind {minutes} minutes before" for minutes in new]
    said += [f"remind no more {minutes} minutes before" for minutes in wanted.remove]
    warnings = []
    if wanted.occurrence is None and len(chosen.parts) > 1:
        warnings.append(f"{len(chosen.parts) - 1} changed occurrences of the series stay as they are")
    title = f"{', '.join(said)} {named(chosen, wanted)}"
    return plan_file(account, action, (calendar, file, chosen, [part]), title, warnings, revises=False)


def reminder(text: str, minutes: int) -> Node:
    """Return a reminder that is shown some minutes before the start."""
    lines = ["ACTION:DISPLAY", line_of("DESCRIPTION", text), f"TRIGGER:-PT{minutes}M" if minutes else "TRIGGER:PT0S"]
    return Node("VALARM", lines, closed=True)


def _reminders(part: Part) -> Iterator[tuple[int, int]]:
    """Yield the position of each reminder among the children of the event, and its minutes before the start."""
    places = [at for at, child in enumerate(part.node.children) if child.name == "VALARM"]
    for at, row in zip(places, alarm_rows({}, part.event), strict=True):
        if isinstance(row, Exception) or row["action"] not in _SHOWN or row["related"] != "START":
            continue
        if row["offset_seconds"] <= 0 and row["offset_seconds"] % 60 == 0:
            yield at, -row["offset_seconds"] // 60
