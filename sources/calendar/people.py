"""When people work: what a declaration says about them, and their working hours and public holidays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, time
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from leat.sources.calendar.availability import Availability, Period
from leat.sources.calendar.parameter_values import Zone
from leat.sources.driver import ConnectionModel

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def read_hours(text: str) -> tuple[time, time]:
    """Return from when until when somebody works; ``22:00-06:00`` ends on the next day.

    Raises:
        ValueError: it isn't written like 09:00-17:00.
    """
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", text.strip())
    if match is None:
        msg = "write working hours like 09:00-17:00"
        raise ValueError(msg)
    return time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))


def _hours(text: str) -> str:
    read_hours(text)
    return text


class Person(ConnectionModel):
    """When a person works."""

    calendars: tuple[str, ...] = Field(
        default=(), description="Names or paths of the person's calendars; the one of the person's name where none is."
    )
    zone: Zone = Field(default="UTC", description="Time zone, for example Europe/Berlin.")
    hours: Annotated[str, AfterValidator(_hours)] = Field(
        default="09:00-17:00", description="Working hours on the clock of the zone."
    )
    days: tuple[Weekday, ...] = Field(default=WEEKDAYS[:5], min_length=1, description="Days of work.")
    holidays: str | None = Field(
        default=None, description="Country whose public holidays are free, with its part if need be: DE or DE-BY."
    )
    days_off: tuple[date, ...] = Field(default=(), description="Further days without work.")


def holidays_of(place: str, years: Sequence[int]) -> dict[date, str]:
    """Return the public holidays of a country, or of a part of it, by date (package ``holidays``).

    Args:
        place: ISO 3166 code of the country, and of a part of it after a hyphen: ``DE``, ``DE-BY``.
        years: the years that are wanted.

    Raises:
        ValueError: the package has no such place.
    """
    import holidays

    country, _, part = place.strip().upper().partition("-")
    try:
        return dict(holidays.country_holidays(country, subdiv=part or None, years=years))
    except (NotImplementedError, AttributeError) as error:
        msg = f"no public holidays are available for {place!r}: write a country like DE, or a part of one like DE-BY"
        raise ValueError(msg) from error


def availability_of(person: Person, busy: Sequence[Period], start: date, end: date) -> Availability:
    """Return when a person may be free.

    Args:
        person: when they work.
        busy: when they are busy.
        start: first day of the search.
        end: last day of the search.

    Raises:
        ValueError: nobody knows the public holidays of the person's place.
    """
    years = range(start.year - 1, end.year + 2)  # in the person's zone it may be the day before or after
    free = frozenset(holidays_of(person.holidays, years)) if person.holidays else frozenset()
    opens, closes = read_hours(person.hours)
    weekdays = frozenset(WEEKDAYS.index(each) for each in person.days)
    return Availability(person.zone, busy, opens, closes, weekdays, free | frozenset(person.days_off))
