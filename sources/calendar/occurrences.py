"""When a series really happens: recurrences expanded in the event's own zone, over a window, with bounds.

The recurrence set (rules, additional and excluded dates, changed instances, THISANDFUTURE) is computed by
``recurring-ical-events``; ends follow RFC 5545, 3.8.5.3: DTEND keeps the elapsed length, DURATION the nominal one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sources.calendar.ical import Event
from sources.calendar.rules import MAX_OCCURRENCES, Window, bound
from sources.calendar.times import identity, instant, plain


@dataclass(frozen=True, slots=True)
class Span:
    """Start and end as the event gives them: both dates, or both datetimes of the same kind."""

    start: date
    end: date
    nominal: timedelta | None

    def moved_to(self, start: date) -> date:
        """Return the end of the same span that begins at another time."""
        if not isinstance(start, datetime) or start.tzinfo is None:
            return start + (plain(self.end) - plain(self.start))
        if self.nominal is not None:
            days = timedelta(days=self.nominal.days)
            return ((start + days).astimezone(UTC) + (self.nominal - days)).astimezone(start.tzinfo)
        return (start.astimezone(UTC) + (instant(self.end) - instant(self.start))).astimezone(start.tzinfo)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One occurrence: its identity, the event it takes its fields from, start and end."""

    id: str
    event: Event
    start: date
    end: date


def span_of(event: Event) -> Span:
    """Return start and end of an event; without DTEND and DURATION a day for a date, nothing for a time.

    Raises:
        ValueError: the end is before the start, or they are of different kinds.
    """
    start, end, nominal = event.when("DTSTART"), event.when("DTEND"), event.when("DURATION")
    whole_days = not isinstance(start, datetime)
    if end is None and nominal is None:
        return Span(start, start + timedelta(days=1) if whole_days else start, None)
    if end is None:
        span = Span(start, start, nominal)
        end = span.moved_to(start) if not whole_days and start.tzinfo else start + nominal
        nominal = event.when("DURATION")
    else:
        nominal = None
    if whole_days is isinstance(end, datetime) or (not whole_days and (start.tzinfo is None) != (end.tzinfo is None)):
        msg = "DTSTART and DTEND are of different kinds (date, time, time without a zone)"
        raise ValueError(msg)
    if instant(end) < instant(start):
        msg = f"it ends before it starts: {start} to {end}"
        raise ValueError(msg)
    return Span(start, end, nominal)


def recurs(event: Event) -> bool:
    """Return whether an event has a rule or additional dates."""
    return "RRULE" in event.component or "RDATE" in event.component


def expand(events: Sequence[Event], window: Window) -> tuple[list[Occurrence], bool]:
    """Return the occurrences of one series, given as its VEVENTs of one UID, and whether a bound cut them short.

    Raises:
        ValueError: the rule can't be expanded.
    """
    if not any(recurs(event) for event in events):
        return [_alone(event) for event in events], False
    import icalendar
    import recurring_ical_events  # type: ignore[import-untyped]

    calendar = icalendar.Calendar()
    cut = False
    for event in events:
        component = event.component.copy()
        cut = bound(component, window) or cut
        calendar.add_component(component)
    try:
        found = recurring_ical_events.of(calendar).between(window.start, window.end)
        occurrences = _identified(events, found)
    except Exception as error:
        msg = f"its recurrence can't be expanded: {type(error).__name__}: {error}"
        raise ValueError(msg[:300]) from None
    return occurrences[:MAX_OCCURRENCES], cut or len(occurrences) > MAX_OCCURRENCES


def _alone(event: Event) -> Occurrence:
    original = event.when("RECURRENCE-ID")
    span = span_of(event)
    return Occurrence("" if original is None else identity(original), event, span.start, span.end)


def _identified(events: Sequence[Event], found: Sequence[Any]) -> list[Occurrence]:
    """Tell for each expanded component which event it comes from, and give it its identity and its end."""
    master = next((event for event in events if event.when("RECURRENCE-ID") is None), None)
    changed = {identity(e.when("RECURRENCE-ID")): e for e in events if e.when("RECURRENCE-ID") is not None}
    spans = {id(event): span_of(event) for event in events}
    periods = dict(_periods(master)) if master is not None else {}
    occurrences: dict[str, Occurrence] = {}
    for component in found:
        start, original = component["DTSTART"].dt, component["RECURRENCE-ID"].dt
        event = changed.get(identity(original)) or master
        if event is None:
            continue
        span, key = spans[id(event)], identity(original)
        if event is not master and instant(start) != instant(span.start):
            # A later instance of a change with THISANDFUTURE: its original start is as far back as the change moved it.
            moved = plain(span.start) - plain(_like(original, span.start))
            key = identity(_like(start - moved, original))
        end = periods.get(key) or (span.end if instant(start) == instant(span.start) else span.moved_to(start))
        occurrences[key] = Occurrence(key, event, start, end)
    return sorted(occurrences.values(), key=lambda occurrence: instant(occurrence.start))


def _like(value: Any, other: date) -> Any:
    """Return a time in the zone of another, so that both can be compared on one wall clock."""
    zone = other.tzinfo if isinstance(other, datetime) else None
    return value.astimezone(zone) if zone is not None and isinstance(value, datetime) and value.tzinfo else value


def _periods(event: Event) -> Iterator[tuple[str, date]]:
    """Yield identity and end of the additional dates that are periods."""
    values = event.component.get("RDATE", [])
    for value in values if isinstance(values, list) else [values]:
        for item in value.dts:
            if isinstance(item.dt, tuple):
                start, end = item.dt
                yield identity(start), Span(start, start, end).moved_to(start) if isinstance(end, timedelta) else end
