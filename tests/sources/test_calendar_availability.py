"""Slots in which several people are free: over zones, clock changes, nights, holidays; as counted by the minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leat.sources.calendar.availability import Availability, find_slots, intersect, merge, subtract, working

START = datetime(2026, 3, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_two_zones_and_a_clock_change() -> None:
    people = [Availability("Europe/Berlin"), Availability("America/New_York")]
    slots = find_slots(people, START, START + timedelta(days=8), HOUR, step=HOUR, limit=100)
    by_day: dict[date, list[int]] = {}
    for start, _ in slots:
        by_day.setdefault(start.date(), []).append(start.hour)
    assert by_day[date(2026, 3, 27)] == [13, 14, 15]  # Berlin is on winter time, New York already on summer time
    assert by_day[date(2026, 3, 30)] == [13, 14]
    assert date(2026, 3, 28) not in by_day


def test_busy_holidays_and_nights() -> None:
    busy = [(START + timedelta(hours=8), START + timedelta(hours=15))]
    [first] = find_slots([Availability("Europe/Berlin", busy)], START, START + timedelta(days=1), HOUR, limit=1)
    assert first == (START + timedelta(hours=15), START + timedelta(hours=16))
    away = Availability("Europe/Berlin", holidays=frozenset({START.date()}))
    assert find_slots([away], START, START + timedelta(days=1), HOUR) == []
    night = Availability("UTC", opens=time(22), closes=time(6))
    assert working(night, START, START + timedelta(hours=1))[-1] == (
        START + timedelta(hours=22),
        START + timedelta(hours=30),
    )
    with pytest.raises(ValueError, match="give people"):
        find_slots([], START, START + HOUR, HOUR)


PERIODS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted), max_size=8)


@given(PERIODS, PERIODS)
def test_sets_of_minutes(some: list[list[int]], others: list[list[int]]) -> None:
    def periods(given: list[list[int]]) -> list[tuple[datetime, datetime]]:
        return merge((START + timedelta(minutes=a), START + timedelta(minutes=b)) for a, b in given)

    def minutes(given: list[tuple[datetime, datetime]]) -> set[int]:
        return {m for a, b in given for m in range(int((a - START).seconds / 60), int((b - START).seconds / 60))}

    left, right = periods(some), periods(others)
    assert minutes(left) == {m for a, b in some for m in range(a, b)}
    assert minutes(intersect(left, right)) == minutes(left) & minutes(right)
    assert minutes(subtract(left, right)) == minutes(left) - minutes(right)
    for result in (left, intersect(left, right), subtract(left, right)):
        assert merge(result) == result


def test_every_slot_is_inside_working_hours() -> None:
    zone = ZoneInfo("Asia/Kolkata")
    for start, end in find_slots([Availability(zone.key)], START, START + timedelta(days=5), HOUR, limit=500):
        assert time(9) <= start.astimezone(zone).time() < end.astimezone(zone).time() <= time(17)
