"""Recurrence: what programs write and mean, sets of dates and exceptions, and a bound on the work of any rule."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from leat.limits import ICS_OCCURRENCES as MAX_OCCURRENCES
from leat.sources.calendar.ics.files import parse_file
from leat.sources.calendar.ics.rules import Window
from leat.sources.calendar.ics.times import instant
from tests.sources.calendar_tables import ics

WINDOW = Window(datetime(2026, 8, 31, tzinfo=UTC), datetime(2027, 11, 30, tzinfo=UTC))
HOUR = ("DTSTART:20261005T100000Z", "DTEND:20261005T110000Z")  # a Monday
FINE = ("HOURLY", "MINUTELY", "SECONDLY")
BERLIN = ("DTSTART;TZID=Europe/Berlin:20261001T100000", "DTEND;TZID=Europe/Berlin:20261001T110000")


def parse(*lines: str, window: Window = WINDOW) -> Any:
    return parse_file("/c/", "/c/a.ics", ics("UID:a", *lines), None, window)


def starts(*lines: str, window: Window = WINDOW) -> list[str]:
    parsed = parse(*lines, window=window)
    assert parsed.quarantined == []
    return [f"{row['starts_at']:%Y-%m-%d %H:%M}" for row in parsed.rows["occurrences"]]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=MONTHLY;INTERVAL=6", ["2026-10-05 10:00", "2027-04-05 10:00", "2027-10-05 10:00"]),
        ("FREQ=MONTHLY;INTERVAL=7;BYMONTHDAY=5", ["2026-10-05 10:00", "2027-05-05 10:00"]),
        ("FREQ=YEARLY;INTERVAL=1", ["2026-10-05 10:00", "2027-10-05 10:00"]),
        ("FREQ=YEARLY;INTERVAL=40", ["2026-10-05 10:00"]),
        ("FREQ=WEEKLY;INTERVAL=52", ["2026-10-05 10:00", "2027-10-04 10:00"]),
        ("FREQ=DAILY;INTERVAL=400", ["2026-10-05 10:00", "2027-11-09 10:00"]),
        ("FREQ=HOURLY;INTERVAL=9000", ["2026-10-05 10:00", "2027-10-15 10:00"]),
        ("FREQ=MINUTELY;INTERVAL=525600", ["2026-10-05 10:00", "2027-10-05 10:00"]),
        ("FREQ=SECONDLY;INTERVAL=31536000", ["2026-10-05 10:00", "2027-10-05 10:00"]),
        ("FREQ=YEARLY;INTERVAL=999999999", ["2026-10-05 10:00"]),
        ("FREQ=SECONDLY;INTERVAL=999999999999999999", ["2026-10-05 10:00"]),
        ("FREQ=DAILY;COUNT=2;UNTIL=99991231T235959Z", ["2026-10-05 10:00", "2026-10-06 10:00"]),
        ("freq=daily; count=2;", ["2026-10-05 10:00", "2026-10-06 10:00"]),
        ("FREQ=DAILY;COUNT=2;BYDAY=;X-NOTE=a,b", ["2026-10-05 10:00", "2026-10-06 10:00"]),
        ("FREQ=MONTHLY;COUNT=2;BYDAY=MO,-1FR", ["2026-10-05 10:00", "2026-10-12 10:00"]),
        ("FREQ=YEARLY;BYWEEKNO=53;BYDAY=FR", ["2026-10-05 10:00", "2027-01-01 10:00"]),
        ("FREQ=MONTHLY;BYDAY=TH,FR;BYSETPOS=-1;COUNT=1", ["2026-10-05 10:00", "2026-10-30 10:00"]),
        ("", ["2026-10-05 10:00"]),
    ],
)  # fmt: skip
def test_a_rule_of_any_interval_is_expanded(rule: str, expected: list[str]) -> None:
    assert starts(*HOUR, f"RRULE:{rule}") == expected


@pytest.mark.parametrize("count", ["-1", "0", "-99"])
@pytest.mark.parametrize("first", [HOUR, ("DTSTART;VALUE=DATE:20261005",), ("DTSTART:20261005T100000",)])
@pytest.mark.parametrize("rule", ["FREQ=WEEKLY;COUNT={}", "COUNT={};FREQ=WEEKLY", "FREQ=WEEKLY;COUNT={};BYDAY=MO"])
def test_a_count_below_one_is_no_limit(count: str, first: tuple[str, ...], rule: str) -> None:
    assert len(starts(*first, f"RRULE:{rule.format(count)}")) == 61


@pytest.mark.parametrize("interval", ["0", "-1", "-999999999999"])
@pytest.mark.parametrize("frequency", ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"])
def test_an_interval_below_one_is_one(frequency: str, interval: str) -> None:
    limits = [";COUNT=2", ";UNTIL=20261005T100001Z", ";BYDAY=MO;COUNT=3"]
    for more in ["", *limits] if frequency not in FINE else limits:
        expected = starts(*HOUR, f"RRULE:FREQ={frequency}{more}")
        assert starts(*HOUR, f"RRULE:FREQ={frequency};INTERVAL={interval}{more}") == expected


@pytest.mark.parametrize("empty", ["RRULE:", "RRULE:;", "EXDATE:", "EXDATE;VALUE=DATE:", "RDATE:", "RDATE;TZID=X:,"])
def test_an_empty_property_says_nothing(empty: str) -> None:
    assert starts(*HOUR, "RRULE:FREQ=DAILY;COUNT=3", empty) == [f"2026-10-0{day} 10:00" for day in (5, 6, 7)]
    parsed = parse("DTSTART;VALUE=DATE:20270106", "DTEND:", "DURATION:", "RECURRENCE-ID:", "SEQUENCE:", empty)
    (event,) = parsed.rows["events"]
    assert parsed.quarantined == []
    assert (event["recurs"], event["rrule"], event["rdate"], event["exdate"]) == (False, None, None, None)
    assert [f"{row['ends_local']:%d}" for row in parsed.rows["occurrences"]] == ["07"]


@pytest.mark.parametrize(
    ("first", "until", "days"),
    [
        (BERLIN, "20261015", [1, 8, 15]),
        (BERLIN, "20261015T100000", [1, 8, 15]),
        (BERLIN, "20261015T095959", [1, 8]),
        (BERLIN, "20261015T080000Z", [1, 8, 15]),
        (BERLIN, "20261015T075959Z", [1, 8]),
        (("DTSTART;TZID=America/New_York:20261001T200000",), "20261015T200000", [2, 9, 16]),
        (("DTSTART;TZID=America/New_York:20261001T200000",), "20261015", [2, 9, 16]),
        (("DTSTART;TZID=Pacific/Auckland:20261001T080000",), "20261015", [30, 7, 14]),
        (("DTSTART;VALUE=DATE:20261001",), "20261015", [1, 8, 15]),
        (("DTSTART;VALUE=DATE:20261001",), "20261015T000000Z", [1, 8, 15]),
        (("DTSTART;VALUE=DATE:20261001",), "20261015T230000", [1, 8, 15]),
        (("DTSTART:20261001T100000",), "20261015", [1, 8, 15]),
        (("DTSTART:20261001T100000",), "20261015T100000Z", [1, 8, 15]),
        (("DTSTART:20261001T100000Z",), "20261015T100000", [1, 8, 15]),
        (("DTSTART:20261001T100000Z",), "20260930", []),  # called off
    ],
)
def test_until_is_read_in_the_zone_of_the_start(first: tuple[str, ...], until: str, days: list[int]) -> None:
    assert [int(moment[8:10]) for moment in starts(*first, f"RRULE:FREQ=WEEKLY;UNTIL={until}")] == days


@pytest.mark.parametrize(
    ("first", "more", "days"),
    [
        (BERLIN, "EXDATE;VALUE=DATE:20261002", [1, 3]),
        (BERLIN, "EXDATE:20261002T080000Z", [1, 3]),
        (BERLIN, "EXDATE;TZID=America/New_York:20261002T040000", [1, 3]),
        (BERLIN, "EXDATE:20261002T100000", [1, 3]),
        (BERLIN, "EXDATE:20261002T100000Z", [1, 2, 3]),  # another moment
        (("DTSTART;VALUE=DATE:20261001",), "EXDATE:20261002T000000", [1, 3]),
        (("DTSTART;VALUE=DATE:20261001",), "EXDATE;TZID=Europe/Berlin:20261002T090000", [1, 3]),
        (("DTSTART:20261001T100000",), "EXDATE:20261002T100000Z", [1, 3]),
        (BERLIN, "EXRULE:FREQ=DAILY;INTERVAL=2", [2]),
        (BERLIN, "RDATE;VALUE=DATE:20261009", [1, 2, 3, 9]),
        (BERLIN, "RDATE:20261009T080000Z", [1, 2, 3, 9]),
        (BERLIN, "RDATE;TZID=Asia/Tokyo:20261009T170000", [1, 2, 3, 9]),
        (("DTSTART;VALUE=DATE:20261001",), "RDATE:20261009T150000Z", [1, 2, 3, 9]),
    ],
)
def test_dates_and_exceptions_in_another_form(first: tuple[str, ...], more: str, days: list[int]) -> None:
    actual = starts(*first, "RRULE:FREQ=DAILY;COUNT=3", more)
    assert [int(moment[8:10]) for moment in actual] == days
    assert len({moment[10:] for moment in actual}) == 1


@pytest.mark.parametrize(
    ("first", "original"),
    [
        (BERLIN, ";VALUE=DATE:20261002"),
        (BERLIN, ":20261002T080000Z"),
        (BERLIN, ";TZID=Asia/Tokyo:20261002T170000"),
        (BERLIN, ":20261002T100000"),
        (("DTSTART;VALUE=DATE:20261001",), ":20261002T000000Z"),
        (("DTSTART;VALUE=DATE:20261001",), ";TZID=Europe/Berlin:20261002T090000"),
        (("DTSTART:20261001T100000",), ":20261002T100000Z"),
    ],
)
def test_a_changed_instance_takes_the_place_of_the_one_it_means(first: tuple[str, ...], original: str) -> None:
    changed = (
        "END:VEVENT",
        "BEGIN:VEVENT",
        "UID:a",
        f"RECURRENCE-ID{original}",
        "DTSTART:20261020T120000Z",
        "SUMMARY:Moved",
    )
    rows = parse(*first, "RRULE:FREQ=DAILY;COUNT=3", *changed).rows["occurrences"]
    assert [(int(f"{row['starts_at']:%d}"), row["summary"]) for row in rows] == [(1, None), (3, None), (20, "Moved")]
    assert len({row["occurrence_id"] for row in rows}) == 3


def test_a_changed_instance_without_its_series_is_there() -> None:
    rows = parse("RECURRENCE-ID:20261002T100000Z", "DTSTART:20261020T120000Z", "RRULE:FREQ=DAILY").rows
    assert [row["occurrence_id"] for row in rows["occurrences"]] == ["20261002T100000Z"]
    assert [row["occurrence_id"] for row in parse("RECURRENCE-ID:20261002T100000Z", *HOUR).rows["occurrences"]] == [
        "20261002T100000Z"
    ]


def test_a_series_that_is_older_than_the_window_is_expanded_in_it() -> None:
    old = Window(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 2, tzinfo=UTC))
    for rule, number in {
        "FREQ=HOURLY": 24,
        "FREQ=MINUTELY;INTERVAL=10": 144,
        "FREQ=SECONDLY;INTERVAL=60": 1440,
        "FREQ=HOURLY;COUNT=9999999": 24,
        "FREQ=MINUTELY;INTERVAL=60;COUNT=237121": 1,  # the last one
    }.items():
        parsed = parse("DTSTART:19990913T000000Z", f"RRULE:{rule}", window=old)
        assert (rule, len(parsed.rows["occurrences"]), parsed.bounded) == (rule, number, [])


_PARTS = {
    "dense": "FREQ=SECONDLY;BYSECOND=" + ",".join(map(str, range(60))),
    "dense in a day": ";".join(
        f"{name}=" + ",".join(map(str, range(top))) for name, top in (("FREQ=YEARLY;BYHOUR", 24), ("BYMINUTE", 60))
    )
    + ";BYSECOND="
    + ",".join(map(str, range(60)))
    + ";BYDAY=MO,TU,WE,TH,FR,SA,SU",
}
HARD = [
    *_PARTS.values(),
    *(value + ";BYSETPOS=1,-1,366" for value in _PARTS.values()),
    "FREQ=SECONDLY;COUNT=999999999999",
    "FREQ=SECONDLY;INTERVAL=7;BYHOUR=3;BYMINUTE=59;BYSECOND=58",
    "FREQ=SECONDLY;INTERVAL=86399;BYMINUTE=1",
    "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=31",
    "FREQ=SECONDLY;BYYEARDAY=366;BYWEEKNO=1;COUNT=5",
    "FREQ=MINUTELY;INTERVAL=1441;BYHOUR=23;BYMINUTE=59;BYMONTHDAY=-31;COUNT=5",
    "FREQ=HOURLY;BYDAY=MO;BYMONTHDAY=13;BYHOUR=5;BYMONTH=2;BYYEARDAY=200",
    "FREQ=DAILY;BYMONTHDAY=31;BYMONTH=2;COUNT=3",
    "FREQ=WEEKLY;BYMONTHDAY=31;BYMONTH=2;COUNT=3;INTERVAL=53",
    "FREQ=MONTHLY;BYDAY=5MO,-5MO;BYSETPOS=366;COUNT=3",
    "FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO;BYMONTH=6;COUNT=9",
    "FREQ=YEARLY;BYWEEKNO=53;UNTIL=99991231T235959Z",
    "FREQ=YEARLY;BYDAY=53MO,-53SU;COUNT=400",
    "FREQ=YEARLY;BYMONTHDAY=30;BYMONTH=2;INTERVAL=3;UNTIL=99991231",
]


@pytest.mark.parametrize("rule", HARD)
@pytest.mark.parametrize("first", ["00010101T000000", "20260901T000000"])
def test_no_rule_takes_long(rule: str, first: str) -> None:
    began = time.process_time()
    parsed = parse(f"DTSTART:{first}", f"RRULE:{rule}")
    assert time.process_time() - began < 10  # about a second; a machine under load counts more
    assert parsed.quarantined == []
    assert len(parsed.rows["occurrences"]) <= MAX_OCCURRENCES


_NUMBERS = {
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (1, 53),
}


@st.composite
def rules(draw: st.DrawFn) -> str:
    frequency = draw(st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY"]))
    parts = [f"FREQ={frequency}", f"INTERVAL={draw(st.sampled_from([1, 1, 2, 3, 5, 13, 25]))}"]
    for name, (low, high) in _NUMBERS.items():
        if draw(st.integers(0, 4)) == 0:
            numbers = draw(st.sets(st.integers(low, high), min_size=1, max_size=4)) - {0}
            parts += [f"{name}=" + ",".join(map(str, sorted(numbers)))] if numbers else []
    if draw(st.booleans()):
        places = ["1", "2", "-1", "5"] if frequency in ("YEARLY", "MONTHLY") and draw(st.booleans()) else [""]
        days = draw(st.sets(st.sampled_from(["MO", "TU", "WE", "FR", "SU"]), min_size=1, max_size=3))
        parts.append("BYDAY=" + ",".join(draw(st.sampled_from(places)) + day for day in sorted(days)))
    if draw(st.booleans()):
        parts.append(f"COUNT={draw(st.integers(1, 60))}")
    return ";".join(parts)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(
    rule=rules(),
    day=st.integers(0, 800),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Tokyo"]),
    hour=st.integers(5, 23),
    gone=st.integers(0, 3),
)
def test_the_set_equals_that_of_another_implementation(rule: str, day: int, zone: str, hour: int, gone: int) -> None:
    import icalendar
    import recurring_ical_events

    first = datetime(2025, 1, 1, hour) + timedelta(days=day)  # noqa: DTZ001 - a wall clock
    window = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC))
    line = f"DTSTART;TZID={zone}:{first:%Y%m%dT%H%M%S}"
    plain = [line, "DURATION:PT1H", f"RRULE:{rule}"]
    exceptions = [f"EXDATE;TZID={zone}:{first + timedelta(days=each):%Y%m%dT%H%M%S}" for each in range(gone)]
    actual = {row["starts_at"] for row in parse(*plain, *exceptions, window=window).rows["occurrences"]}
    assume(len(actual) > 1)  # the other one looks for a rule that never matches until the year 9999
    calendar = icalendar.Calendar.from_ical(ics("UID:a", *plain, *exceptions))
    theirs = recurring_ical_events.of(calendar).between(window.start, window.end)
    assert actual == {instant(event["DTSTART"].dt) for event in theirs}
