"""Creates an event: a file named after the action, whose UID is the id of the action."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from leat.sources.actions import Plan
from leat.sources.calendar.caldav.actions.account import Account
from leat.sources.calendar.caldav.actions.times import new_times, shown
from leat.sources.calendar.caldav.actions.writing import NO_MAIL, Draft, plan_of
from leat.sources.calendar.ics.editing import MARK
from leat.sources.calendar.parameters import CreateEvent

_YEAR = timedelta(days=366)


def plan(account: Account, action: str, wanted: CreateEvent) -> Plan:
    """Plan a new event.

    Raises:
        Refused: the calendar isn't there, or the clock leaves the time out.
    """
    calendar = account.calendar(wanted.calendar)
    start, end = new_times(wanted)
    name = calendar.row["name"] or calendar.path
    return plan_of(
        Draft(
            title=f"create event {wanted.summary!r} in calendar {name}, {shown(start)} to {shown(end)}",
            calendar=calendar.path,
            uid=action,
            path=f"{calendar.path}{action}.ics",
            text=written(action, wanted, start, end),
            people=wanted.attendees,
            warnings=(NO_MAIL,) if wanted.attendees else (),
        )
    )


def written(action: str, wanted: CreateEvent, start: date, end: date) -> str:
    """Return the file of a new event (RFC 5545, 3.6.1), with the zone that it names."""
    import icalendar

    now = datetime.now(UTC).replace(microsecond=0)
    event = icalendar.Event()
    for name, value in (("UID", action), ("DTSTAMP", now), ("CREATED", now), ("LAST-MODIFIED", now)):
        event.add(name, value)
    event.add("DTSTART", start)
    event.add("DTEND", end)
    for name, text in (("SUMMARY", wanted.summary), ("DESCRIPTION", wanted.description), ("LOCATION", wanted.location)):
        if text:
            event.add(name, text)
    if wanted.organizer is not None:
        event.add("ORGANIZER", f"mailto:{wanted.organizer}")
    for address in dict.fromkeys(wanted.attendees):
        asked = {"ROLE": "REQ-PARTICIPANT", "PARTSTAT": "NEEDS-ACTION", "RSVP": "TRUE"}
        event.add("ATTENDEE", f"mailto:{address}", parameters=asked)
    event.add("TRANSP", "OPAQUE" if wanted.busy else "TRANSPARENT")
    event.add("SEQUENCE", 0)
    event.add(MARK, action)
    for minutes in dict.fromkeys(wanted.reminder):
        alarm = icalendar.Alarm()
        alarm.add("ACTION", "DISPLAY")
        alarm.add("DESCRIPTION", wanted.summary)
        alarm.add("TRIGGER", -timedelta(minutes=minutes))
        event.add_component(alarm)
    calendar = icalendar.Calendar()
    calendar.add("PRODID", "-//leat//EN")
    calendar.add("VERSION", "2.0")
    calendar.add_component(event)
    first = start.date() if isinstance(start, datetime) else start
    calendar.add_missing_timezones(first - _YEAR, first + _YEAR)
    content: bytes = calendar.to_ical()
    return content.decode()
