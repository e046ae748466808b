"""Start and end of an event (RFC 5545, 3.8.5.3): DTEND preserves the elapsed length, DURATION the nominal one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from leat.sources.calendar.ics.ical import Event
from leat.sources.calendar.ics.reasons import Unreadable
from leat.sources.calendar.ics.times import instant, plain


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


def span_of(event: Event) -> Span:
    """Return start and end of an event; without DTEND and DURATION a day for a date, nothing for a time.

    Raises:
        Unreadable: the end is before the start, they are of different kinds, or not in the years 1 to 9999.
    """
    try:
        return _span_of(event)
    except OverflowError:
        msg = "DTSTART, DTEND or DURATION leads outside of the years 1 to 9999"
        raise Unreadable(msg) from None


def _span_of(event: Event) -> Span:
    start, end, nominal = event.when("DTSTART"), event.when("DTEND"), event.when("DURATION")
    instant(start)
    whole_days = not isinstance(start, datetime)
    if end is None and nominal is None:
        return Span(start, start + timedelta(days=1) if whole_days else start, None)
    if end is None:
        span = Span(start, start, nominal)
        days = timedelta(days=-(-nominal // timedelta(days=1)))  # a date lasts whole days
        end = start + days if whole_days else span.moved_to(start) if start.tzinfo else start + nominal
    else:
        nominal = None
    if whole_days is isinstance(end, datetime) or (not whole_days and (start.tzinfo is None) != (end.tzinfo is None)):
        msg = "DTSTART and DTEND are of different kinds (date, time, time without a zone)"
        raise Unreadable(msg)
    if instant(end) < instant(start):
        msg = f"it ends before it starts: {'DTEND' if nominal is None else 'DURATION'} leads to before DTSTART"
        raise Unreadable(msg)
    return Span(start, end, nominal)


def length_of(event: Event) -> timedelta:
    """Return the elapsed length of an event."""
    span = span_of(event)
    return instant(span.end) - instant(span.start)


def end_of(span: Span, start: date) -> date | None:
    """Return the end of an occurrence; None when that is after the year 9999."""
    try:
        return span.moved_to(start)
    except OverflowError:
        return None
