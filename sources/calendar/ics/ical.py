"""One VEVENT as text to a parsed event (RFC 5545): its times and rules are parsed here, the rest by ``icalendar``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from leat.sources.calendar.ics.components import Node
from leat.sources.calendar.ics.lines import TIMES, cleaned, name_of, zone_named
from leat.sources.calendar.ics.reasons import Unreadable, reason_of, unreadable
from leat.sources.calendar.ics.rules import Rule, parse_rule
from leat.sources.calendar.ics.values import parse_duration, parse_period, parse_time
from leat.sources.calendar.ics.zones import Zones

if TYPE_CHECKING:
    from icalendar import Component

_OWN = frozenset({*TIMES, "DURATION", "RRULE", "EXRULE"})
"""Properties that are parsed here; one that can't be read quarantines its event, which can't be placed in time."""


@dataclass(frozen=True, slots=True)
class Event:
    """A parsed VEVENT.

    Attributes:
        component: the component of ``icalendar``, without times and rules.
        node: the event as text.
        uid: its UID.
        times: DTSTART, DTEND, RECURRENCE-ID and DURATION, as far as it has them.
        rules: its RRULEs; empty ones aren't among them.
        exclusions: its EXRULEs (RFC 2445).
        dates: its RDATEs; periods as pairs.
        exceptions: its EXDATEs.
        zone: name of the zone of DTSTART as the event writes it.
        later: whether it is a change that holds for all later instances too.
        alarms: its alarms; one that can't be read as the reason.
        unreadable: why each property that can't be read, and isn't essential, can't.
    """

    component: Component
    node: Node
    uid: str
    times: dict[str, Any]
    rules: tuple[Rule, ...]
    exclusions: tuple[Rule, ...]
    dates: tuple[Any, ...]
    exceptions: tuple[date, ...]
    zone: str | None
    later: bool
    alarms: tuple[Component | str, ...]
    unreadable: dict[str, str]

    @property
    def sequence(self) -> int:
        """How often it was revised; 0 when it doesn't say."""
        value = self.component.get("SEQUENCE", 0)
        return int(value) if isinstance(value, int) else 0

    def when(self, name: str) -> Any:
        """Return the date, datetime or duration of a property; None when it is absent."""
        return self.times.get(name)


def zones_of(calendar: Node) -> Zones:
    """Return the zones of one VCALENDAR."""
    zones = Zones()
    for node in calendar.children:
        if node.name == "VTIMEZONE":
            zones.add(node.lines, [(part.name, part.lines) for part in node.children])
    return zones


def parse_event(node: Node, zones: Zones) -> Event:
    """Parse one VEVENT of a file with those zones.

    Raises:
        Unreadable: something essential is missing or can't be read; the text says what.
    """
    if not node.closed:
        msg = "another END is in the place of END:VEVENT" if node.wrong_end else "its END:VEVENT is missing"
        raise Unreadable(msg)
    lines = list(cleaned(node.lines))
    own: dict[str, list[str]] = {}
    for line in lines:
        own.setdefault(name_of(line), []).append(line)
    component, broken = _parse(lines), list(_missing(own))
    read = _Reader(own, zones, broken)
    times = {name: read.only(name, read.time) for name in ("DTSTART", "DTEND", "RECURRENCE-ID")}
    times["DURATION"] = read.only("DURATION", lambda line: parse_duration(line.partition(":")[2].strip()))
    dates, exceptions = read.all("RDATE", read.times), read.all("EXDATE", read.times)
    rules, exclusions = (tuple(read.all(name, _rule(name))) for name in ("RRULE", "EXRULE"))
    if broken:
        raise Unreadable("; ".join(dict.fromkeys(broken)))
    return Event(
        component=component,
        node=node,
        uid=own["UID"][0].partition(":")[2] if "UID" not in component else str(component["UID"]),
        times={name: value for name, value in times.items() if value is not None},
        rules=rules,
        exclusions=exclusions,
        dates=tuple(dates),
        exceptions=tuple(value[0] if isinstance(value, tuple) else value for value in exceptions),
        zone=zone_named(node.lines, "DTSTART"),
        later=any("RANGE=THISANDFUTURE" in line.upper() for line in own.get("RECURRENCE-ID", ())),
        alarms=tuple(_alarms(node)),
        unreadable={str(name or "line"): unreadable(str(name or "line")) for name, _ in component.errors},
    )


def _missing(own: dict[str, list[str]]) -> Iterator[str]:
    """Yield what an event must have, or have once, and hasn't."""
    if len(own.get("UID", ())) != 1 or not own["UID"][0].partition(":")[2].strip():
        yield "it has no UID, or several"
    if "DTSTART" not in own:
        yield "it has no DTSTART"
    yield from (
        f"it has several {name}"
        for name in ("DTSTART", "DTEND", "DURATION", "RECURRENCE-ID")
        if len({line.partition(":")[2] for line in own.get(name, ())}) > 1
    )


class _Reader:
    """Reads the times of an event; what can't be read is noted, and the rest is read all the same."""

    def __init__(self, own: dict[str, list[str]], zones: Zones, broken: list[str]) -> None:
        self._own, self._zones, self._broken = own, zones, broken

    def only(self, name: str, parse: Callable[[str], Any]) -> Any:
        """Return what the one line of a property gives; None when there is none."""
        values = self.all(name, lambda line: [parse(line)])
        return values[0] if values else None

    def all(self, name: str, parse: Callable[[str], Sequence[Any]]) -> list[Any]:
        """Return what all lines of a property give."""
        values: list[Any] = []
        for line in self._own.get(name, ()):
            try:
                values += parse(line)
            except Exception as error:
                self._broken.append(reason_of(error, name))
        return values

    def time(self, line: str) -> date:
        """Return the date or time in a line."""
        head, _, value = line.rpartition(":")
        return parse_time(value, self._zone(head))

    def times(self, line: str) -> list[Any]:
        """Return the dates, times and periods in a line."""
        head, _, value = line.rpartition(":")
        zone = self._zone(head)
        return [parse_period(v, zone) if "/" in v else parse_time(v, zone) for v in value.split(",")]

    def _zone(self, head: str) -> Any:
        name = zone_named([head + ":"], name_of(head))
        zone = None if name is None else self._zones.named(name)
        if name is not None and zone is None:
            why = "; ".join(("that neither the file nor the time zone database defines", *self._zones.unreadable))
            msg = f"{name_of(head)} is in a zone (TZID) {why}"
            raise Unreadable(msg)
        return zone


def _rule(name: str) -> Callable[[str], list[Rule]]:
    def parse(line: str) -> list[Rule]:
        rule = parse_rule(line.partition(":")[2], name)
        return [] if rule is None else [rule]

    return parse


def _parse(lines: Sequence[str]) -> Component:
    """Return what ``icalendar`` makes of the properties that aren't parsed here."""
    import icalendar

    text = "\r\n".join(("BEGIN:VEVENT", *(line for line in lines if name_of(line) not in _OWN), "END:VEVENT", ""))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return icalendar.Event.from_ical(text)
        except Exception as error:
            raise Unreadable(reason_of(error, "the event")) from None


def _alarms(node: Node) -> Iterator[Component | str]:
    """Yield the alarms; one that can't be read as the reason."""
    import icalendar

    for child in node.children:
        if child.name != "VALARM":
            continue
        if not child.closed:
            yield "its END:VALARM is missing"
            continue
        text = "\r\n".join(("BEGIN:VALARM", *cleaned(child.lines), "END:VALARM", ""))
        try:
            alarm: Any = icalendar.Alarm.from_ical(text)
            if not isinstance(alarm["TRIGGER"].dt, datetime | timedelta):
                yield unreadable("TRIGGER")
                continue
            yield alarm
        except KeyError:
            yield "it has no TRIGGER"
        except Exception as error:
            yield reason_of(error, "TRIGGER")
