"""Times of events: zones, clock changes, changed instances, bounds; and files that are broken in one place."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leat.limits import ICS_OCCURRENCES as MAX_OCCURRENCES
from leat.sources.calendar.ics.files import Parsed, parse_file
from leat.sources.calendar.ics.rules import Window
from tests.sources.calendar_tables import ics

WINDOW = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def parse(content: bytes, window: Window = WINDOW) -> Parsed:
    return parse_file("/c/", "/c/a.ics", content, '"1"', window)


def occurrences(content: bytes, window: Window = WINDOW) -> list[dict[str, Any]]:
    parsed = parse(content, window)
    assert parsed.quarantined == []
    return sorted(parsed.rows["occurrences"], key=lambda row: row["starts_at"])


def starts(content: bytes) -> list[str]:
    return [row["starts_at"].strftime("%m-%d %H:%M") for row in occurrences(content)]


def reasons(content: bytes) -> list[str]:
    return [item.reason for item in parse(content).quarantined]


@pytest.mark.parametrize(
    ("zone", "first", "expected"),
    [
        ("Europe/Berlin", "20260326T090000", ["03-26 08:00", "04-02 07:00"]),
        ("Europe/Berlin", "20261022T090000", ["10-22 07:00", "10-29 08:00"]),
        ("America/New_York", "20260305T090000", ["03-05 14:00", "03-12 13:00"]),
        ("America/New_York", "20261029T090000", ["10-29 13:00", "11-05 14:00"]),
        ("Australia/Lord_Howe", "20260402T090000", ["04-01 22:00", "04-08 22:30"]),  # half an hour
        ("Asia/Kathmandu", "20260326T090000", ["03-26 03:15", "04-02 03:15"]),
    ],
)
def test_series_stays_at_its_wall_clock_across_clock_changes_both_ways(
    zone: str, first: str, expected: list[str]
) -> None:
    assert starts(ics("UID:a", f"DTSTART;TZID={zone}:{first}", "RRULE:FREQ=WEEKLY;COUNT=2")) == expected


def test_times_that_do_not_exist_or_exist_twice() -> None:
    gap = ics("UID:a", "DTSTART;TZID=America/New_York:20260307T023000", "RRULE:FREQ=DAILY;COUNT=3")
    assert starts(gap) == ["03-07 07:30", "03-08 07:30", "03-09 06:30"]  # RFC 5545, 3.3.5: the offset before the gap
    fold = ics("UID:a", "DTSTART;TZID=America/New_York:20261031T013000", "RRULE:FREQ=DAILY;COUNT=3")
    assert starts(fold) == ["10-31 05:30", "11-01 05:30", "11-02 06:30"]  # the first of both


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(
        ["Europe/Paris", "America/New_York", "Australia/Sydney", "Africa/Casablanca", "America/Santiago", "Asia/Tokyo"]
    ),
    day=st.integers(0, 364),
    hour=st.integers(5, 23),  # no zone here changes its clock then
    interval=st.integers(1, 9),
)
def test_expansion_equals_stepping_the_wall_clock(zone: str, day: int, hour: int, interval: int) -> None:
    first = datetime(2026, 1, 1, hour, 15) + timedelta(days=day)  # noqa: DTZ001 - a wall clock
    text = ics("UID:a", f"DTSTART;TZID={zone}:{first:%Y%m%dT%H%M%S}", f"RRULE:FREQ=DAILY;INTERVAL={interval}")
    expected = []
    for step in range(366):
        moment = (first + timedelta(days=step * interval)).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        if WINDOW.start <= moment < WINDOW.end:
            expected.append(moment)
    assert [row["starts_at"] for row in occurrences(text) if row["starts_at"] < WINDOW.end] == expected


def test_zone_of_the_file_and_of_windows() -> None:
    windows = ics("UID:a", "DTSTART;TZID=W. Europe Standard Time:20260326T090000", "RRULE:FREQ=WEEKLY;COUNT=2")
    assert starts(windows) == ["03-26 08:00", "04-02 07:00"]


def custom_zone(standard: str, daylight: str) -> tuple[str, ...]:
    return (
        "BEGIN:VTIMEZONE", "TZID:Customized Time Zone",
        "BEGIN:STANDARD", "DTSTART:16010101T030000", f"TZOFFSETFROM:{daylight}", f"TZOFFSETTO:{standard}",
        "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU", "END:STANDARD",
        "BEGIN:DAYLIGHT", "DTSTART:16010101T020000", f"TZOFFSETFROM:{standard}", f"TZOFFSETTO:{daylight}",
        "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "END:DAYLIGHT",
        "END:VTIMEZONE",
    )  # fmt: skip


def test_custom_zones_of_one_name_differ_from_file_to_file() -> None:
    event = ("UID:a", "DTSTART;TZID=Customized Time Zone:20260326T090000", "RRULE:FREQ=WEEKLY;COUNT=2")
    assert starts(ics(*event, zones=custom_zone("+0100", "+0200"))) == ["03-26 08:00", "04-02 07:00"]
    assert starts(ics(*event, zones=custom_zone("+0300", "+0400"))) == ["03-26 06:00", "04-02 05:00"]
    assert "time zone database" in reasons(ics(*event))[0]  # nothing is left of the other files


def test_changed_and_cancelled_instances() -> None:
    day = "DTSTART;TZID=Europe/Paris:202603{}T090000"
    text = ics(
        "BEGIN:VEVENT", "UID:a", day.format(27), "DTEND;TZID=Europe/Paris:20260327T100000", "SUMMARY:Daily",
        "RRULE:FREQ=DAILY;COUNT=5", "EXDATE;TZID=Europe/Paris:20260328T090000", "END:VEVENT",
        "BEGIN:VEVENT", "UID:a", "RECURRENCE-ID;TZID=Europe/Paris:20260329T090000",
        "DTSTART;TZID=Europe/Paris:20260401T150000", "DURATION:PT30M", "SUMMARY:Moved", "END:VEVENT",
        "BEGIN:VEVENT", "UID:a", "RECURRENCE-ID:20260330T070000Z", day.format(30), "STATUS:CANCELLED", "END:VEVENT",
    )  # fmt: skip
    rows = [
        (r["occurrence_id"], r["recurrence_id"], f"{r['starts_at']:%d %H:%M}", r["status"]) for r in occurrences(text)
    ]
    assert rows == [
        ("20260327T080000Z", "", "27 08:00", None),
        ("20260330T070000Z", "20260330T070000Z", "30 07:00", "CANCELLED"),
        ("20260331T070000Z", "", "31 07:00", None),
        ("20260329T070000Z", "20260329T070000Z", "01 13:00", None),
    ]
    parsed = parse(text)
    assert {row["recurrence_id"] for row in parsed.rows["events"]} == {"", "20260329T070000Z", "20260330T070000Z"}
    assert len(parsed.rows["free_busy"]) == 3
    assert parsed.rows["events"][0]["exdate"] == "EXDATE;TZID=Europe/Paris:20260328T090000"


def test_this_and_future_moves_all_later_instances_each_with_its_own_identity() -> None:
    text = ics(
        "BEGIN:VEVENT", "UID:a", "DTSTART:20260301T090000Z", "DTEND:20260301T100000Z", "RRULE:FREQ=DAILY;COUNT=5",
        "END:VEVENT", "BEGIN:VEVENT", "UID:a", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260303T090000Z",
        "DTSTART:20260303T110000Z", "DTEND:20260303T113000Z", "SUMMARY:Later", "END:VEVENT",
    )  # fmt: skip
    rows = occurrences(text)
    assert [f"{row['starts_at']:%d %H:%M}-{row['ends_at']:%H:%M}" for row in rows] == [
        "01 09:00-10:00", "02 09:00-10:00", "03 11:00-11:30", "04 11:00-11:30", "05 11:00-11:30"
    ]  # fmt: skip
    assert [row["occurrence_id"] for row in rows] == [f"2026030{day}T090000Z" for day in range(1, 6)]
    assert parse(text).rows["events"][1]["range"] == "THISANDFUTURE"


def test_end_preserves_the_elapsed_length_and_duration_the_nominal_one() -> None:
    night = (
        "DTSTART;TZID=Europe/Paris:20260327T220000",
        "RRULE:FREQ=DAILY;COUNT=2",
    )  # the clock goes forward on the 29th
    ends = ics("UID:a", *night, "DTEND;TZID=Europe/Paris:20260328T060000")
    assert [f"{row['ends_local']:%d %H:%M}" for row in occurrences(ends)] == ["28 06:00", "29 07:00"]
    lasts = ics("UID:a", *night, "DURATION:P1D")
    assert [f"{row['ends_local']:%d %H:%M}" for row in occurrences(lasts)] == ["28 22:00", "29 22:00"]
    hours = ics("UID:a", *night, "DURATION:PT8H")
    assert [f"{row['ends_local']:%d %H:%M}" for row in occurrences(hours)] == ["28 06:00", "29 07:00"]


def test_floating_and_all_day_times_stay_on_the_wall_clock() -> None:
    floating = occurrences(ics("UID:a", "DTSTART:20260328T090000", "RRULE:FREQ=DAILY;COUNT=2;UNTIL=20260329T090000"))
    assert [(r["floating"], r["all_day"], r["timezone"], f"{r['starts_local']:%d %H}") for r in floating] == [
        (True, False, None, "28 09"),
        (True, False, None, "29 09"),
    ]
    days = ics("UID:a", "DTSTART;VALUE=DATE:20260327", "RRULE:FREQ=DAILY;COUNT=4", "EXDATE;VALUE=DATE:20260329")
    actual = [
        (r["all_day"], f"{r['starts_local']:%d}", f"{r['ends_local']:%d}", r["occurrence_id"])
        for r in occurrences(days)
    ]
    assert actual == [(True, "27", "28", "20260327"), (True, "28", "29", "20260328"), (True, "30", "31", "20260330")]


def test_additional_dates_and_periods() -> None:
    text = ics(
        "UID:a", "DTSTART:20260301T090000Z", "DTEND:20260301T100000Z",
        "RDATE;VALUE=PERIOD:20260305T090000Z/20260305T120000Z,20260306T090000Z/PT30M", "RDATE:20260307T090000Z",
    )  # fmt: skip
    assert [f"{row['starts_at']:%d %H:%M}-{row['ends_at']:%H:%M}" for row in occurrences(text)] == [
        "01 09:00-10:00", "05 09:00-12:00", "06 09:00-09:30", "07 09:00-10:00"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "bounded"),
    [
        ("FREQ=SECONDLY", True),
        ("FREQ=MINUTELY;BYSECOND=0,10,20,30,40,50", True),
        ("FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24))) + ";BYMINUTE=" + ",".join(map(str, range(60))), True),
        ("FREQ=SECONDLY;COUNT=10000", False),
        ("FREQ=HOURLY", False),
        ("FREQ=HOURLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=9,10,11", False),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", False),
    ],
)
def test_dense_rules_are_bounded(rule: str, bounded: bool) -> None:
    began = time.process_time()
    parsed = parse(ics("UID:a", "DTSTART:20260101T000000Z", f"RRULE:{rule}"))
    assert time.process_time() - began < 20
    assert parsed.quarantined == []
    assert len(parsed.rows["occurrences"]) <= MAX_OCCURRENCES
    assert parsed.bounded == (["a"] if bounded else [])


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=MINUTELY;BYSETPOS=7;BYSECOND=0",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    ],
)
def test_rules_that_never_match_do_not_hang(rule: str) -> None:
    """DTSTART is in the set whatever the rule is (RFC 5545, 3.8.5.3)."""
    assert starts(ics("UID:a", "DTSTART:20260101T000000Z", f"RRULE:{rule}")) == ["01-01 00:00"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n\x00", "not UTF-8"),
        (ics("UID:a", "DTSTART:99991231T230000Z", "DURATION:PT2H"), "outside of the years 1 to 9999"),
        (ics("UID:a", "DTSTART;TZID=Europe/Berlin:00010101T000000"), "outside of the years 1 to 9999"),
        (ics("UID:a", "DTSTART:00000101T000000Z"), "DTSTART can't be read: no date and no time"),
        (ics("UID:a", "DTSTART:20260312T100000Z", "DURATION:P999999999W"), "DURATION can't be read: it leads outside"),
        (ics("UID:a", "DTSTART:20260312T100000Z", "DURATION:20260312"), "DURATION can't be read: no duration"),
        (ics("UID:a", "DTSTART:PT1H"), "DTSTART can't be read"),
        (ics("UID:a", "DTSTART:20260312T100000Z", "EXDATE:20260313T100000Z,soon"), "EXDATE can't be read"),
        (ics("UID:a", "DTSTART:20260312T100000Z", "RRULE:COUNT=3"), "RRULE can't be read: it has no FREQ"),
        (ics("UID:a", "DTSTART:20260312T100000Z", "RRULE:FREQ=DAILY;INTERVAL=two"), "INTERVAL is no number"),
        (ics("UID:a", "DTSTART:20260312T100000Z", "RRULE:FREQ=DAILY;BYHOUR=24"), "BYHOUR takes 0 to 23"),
        (ics("UID:a", "DTSTART:20260312T100000Z", "RRULE:FREQ=DAILY;UNTIL=20261301"), "UNTIL is no date"),
        (b"<html>", "not iCalendar"),
        (ics("DTSTART:20260312T100000Z"), "no UID"),
        (ics("UID:a"), "no DTSTART"),
        (ics("UID:a", "DTSTART:2026-03-12 10:00"), "DTSTART can't be read"),
        (ics("UID:a", "DTSTART:20260312T100000Z", "DTEND:20260312T090000Z"), "ends before it starts"),
        (ics("UID:a", "DTSTART;VALUE=DATE:20260312", "DTEND:20260313T090000Z"), "different kinds"),
        (ics("UID:a", "DTSTART:20260312T100000Z", "RRULE:FREQ=SOMETIMES"), "RRULE can't be read"),
        (ics("UID:a", "DTSTART;TZID=Mars/Olympus:20260312T100000"), "time zone database"),
        (ics("UID:a", "DTSTART:20260312T100000Z")[:-30], "END:VEVENT is missing"),
        (ics("UID:a", "DTSTART:20260312T100000Z", "END:VTODO"), "in the place of END:VEVENT"),
        (ics("UID:caf\u00e9", "DTSTART:20260312T100000Z").decode().encode("latin-1"), "not UTF-8"),
        (ics(*["BEGIN:X-BOX"] * 900, *["END:X-BOX"] * 900), "deep"),
    ],
)
def test_broken_file_is_quarantined_with_its_reason(content: bytes, reason: str) -> None:
    parsed = parse(content)
    assert [reason in item.reason for item in parsed.quarantined] == [True]
    assert not any(parsed.rows.values())


def test_one_broken_part_costs_only_itself() -> None:
    good = ("BEGIN:VEVENT", "UID:good", "DTSTART:20260312T100000Z")
    text = ics(
        *good, "DURATION:PT45M", "CREATED:yesterday", "this is no line", "X-COLOUR;A=b:red",
        "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:soon", "END:VALARM",
        "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT15M", "END:VALARM", "END:VEVENT",
        "BEGIN:VEVENT", "UID:bad", "DTSTART:nonsense", "END:VEVENT",
        "BEGIN:VEVENT", "UID:open", "DTSTART:20260312T100000Z",
        "BEGIN:VEVENT", "UID:good", "DTSTART:20260312T110000Z", "SEQUENCE:1", "SUMMARY:Twin", "END:VEVENT",
        "BEGIN:VJOURNAL", "UID:j", "END:VJOURNAL",
    )  # fmt: skip
    parsed = parse(text)
    assert [item.stream for item in parsed.quarantined] == ["events", "events", "events"]
    assert [row["summary"] for row in parsed.rows["events"]] == ["Twin"]
    assert parsed.skipped == {"VJOURNAL": 1}
    alone = parse(text.replace(b"UID:good\r\nDTSTART:20260312T11", b"UID:twin\r\nDTSTART:20260312T11"))
    event = next(row for row in alone.rows["events"] if row["uid"] == "good")
    assert event["created"] is None
    assert event["duration_seconds"] == 2700
    assert event["extra"]["x-colour"] == {"value": "red", "parameters": {"A": "b"}}
    assert set(event["extra"]["unreadable"]) == {"CREATED", "line"}
    assert [(row["position"], row["offset_seconds"]) for row in alone.rows["alarms"]] == [(1, -900)]
    assert [item.stream for item in alone.quarantined] == ["events", "events", "alarms"]
    assert alone.quarantined[-1].reason == "alarm 0: TRIGGER can't be read: no duration like -PT15M and no time"


def test_people_and_documents() -> None:
    text = ics(
        "UID:a", "DTSTART:20260312T100000Z", "ORGANIZER;CN=Erin:MAILTO:Erin@Example.org",
        "ATTENDEE;CN=Bob;ROLE=CHAIR;PARTSTAT=accepted;RSVP=TRUE:mailto:bob@example.org",
        "ATTENDEE;CUTYPE=ROOM:urn:uuid:1234", "ATTENDEE:mailto:BOB@example.org",
        "ATTACH;FMTTYPE=text/plain;ENCODING=BASE64;VALUE=BINARY:aGVsbG8=", "ATTACH:https://example.org/plan.pdf",
        "CATEGORIES:one,two", "CATEGORIES:three", "GEO:48.85;2.35", "CLASS:private",
    )  # fmt: skip
    rows = parse(text).rows
    assert rows["events"][0]["organizer_email"] == "erin@example.org"
    assert rows["events"][0]["categories"] == ["one", "two", "three"]
    assert rows["events"][0]["visibility"] == "PRIVATE"
    assert [(row["address"], row["email"], row["kind"]) for row in rows["attendees"]] == [
        ("bob@example.org", "bob@example.org", "INDIVIDUAL"),
        ("urn:uuid:1234", None, "ROOM"),
    ]
    assert [(row["inline"], row["size"], row["uri"]) for row in rows["attachments"]] == [
        (True, 5, None),
        (False, None, "https://example.org/plan.pdf"),
    ]


@pytest.mark.parametrize(
    ("address", "email", "key"),
    [
        (":mailto:ann%40example.org", "ann@example.org", None),
        (":MAILTO:Ann%2Bcal@Example.org", "ann+cal@example.org", None),
        (":mailto:ann+cal@example.org?subject=Re%3A%20lunch&body=x", "ann+cal@example.org", None),
        (":mailto: ann@example.org ", "ann@example.org", None),
        (":mailto:<ann@example.org>", "ann@example.org", None),
        (":mailto:Ann%20M%20%3Cann@example.org%3E", "ann@example.org", None),
        (":mailto:ann@example.org,bob@example.org", "ann@example.org", None),
        (":mailto:j%C3%BCrgen@example.org", "jürgen@example.org", None),
        (":ann@example.org", "ann@example.org", None),
        (';EMAIL="ann@example.org":mailto:', "ann@example.org", None),
        (';EMAIL="mailto:ann%40example.org":urn:uuid:1', "ann@example.org", None),
        (";EMAIL=ann@example.org:invalid:nomail", "ann@example.org", None),
        (":urn:uuid:AB-1", None, "urn:uuid:ab-1"),
        (";CN=Ann:mailto:", None, "Ann"),
    ],
)
def test_addresses_are_those_that_mail_uses(address: str, email: str | None, key: str | None) -> None:
    text = ics("UID:a", "DTSTART:20260312T100000Z", "ORGANIZER" + address, "ATTENDEE" + address, "ATTENDEE:mailto:")
    rows = parse(text).rows
    assert rows["events"][0]["organizer_email"] == email
    assert [(row["address"], row["email"]) for row in rows["attendees"]] == [(key or email, email)]


def test_one_person_is_one_attendee() -> None:
    text = ics(
        "UID:a", "DTSTART:20260312T100000Z", "ATTENDEE:mailto:bob%2Bcal@example.org",
        'ATTENDEE;DELEGATED-TO="mailto:ann%40example.org","mailto:Eve@example.org":mailto:Bob+Cal@example.org?subject=re',
    )  # fmt: skip
    (bob,) = parse(text).rows["attendees"]
    assert (bob["address"], bob["delegated_to"]) == ("bob+cal@example.org", "ann@example.org, eve@example.org")


_AMSTERDAM = custom_zone("+0100", "+0200")


@pytest.mark.parametrize(
    ("written", "defined", "named", "hour"),
    [
        ('"(UTC+01:00) Amsterdam, Berlin, Bern"', r"(UTC+01:00) Amsterdam\, Berlin\, Bern", None, 8),
        (r"(UTC+01:00) Amsterdam\, Berlin\, Bern", r"(UTC+01:00) Amsterdam\, Berlin\, Bern", None, 8),
        ("(UTC+01:00) Amsterdam, Berlin", "(UTC+01:00) Amsterdam, Berlin", None, 8),
        ("Mitteleurop\u00e4ische Zeit", "Mitteleurop\u00e4ische Zeit", None, 8),
        ("\"A^^B ^'C^'\"", "A^B 'C'", None, 8),
        ("W. Europe Standard Time", None, None, 8),
        ('"Eastern Standard Time"', None, None, 14),
        ("/example.org/20260101_1/Europe/Berlin", None, None, 8),
        ("/Europe/Berlin", None, None, 8),
        ("europe/berlin", None, None, 8),
        ("Europe/Berlin", "Europe/Berlin", None, 8),
        ("Etc/UTC", None, None, 10),
        (" Europe/Berlin ", None, None, 8),
    ],
)
def test_the_zone_is_called_what_the_event_calls_it(
    written: str, defined: str | None, named: str | None, hour: int
) -> None:
    zones = (
        tuple(line.replace("TZID:Customized Time Zone", f"TZID:{defined}") for line in _AMSTERDAM) if defined else ()
    )
    text = ics("UID:a", f"DTSTART;TZID={written}:20260715T100000", "RRULE:FREQ=YEARLY;COUNT=1", zones=zones)
    (event,), (occurrence,) = (parse(text).rows[name] for name in ("events", "occurrences"))
    expected = named or written.strip().strip('"').replace("\\", "").replace("^^", "^").replace("^'", "'")
    assert (event["timezone"], occurrence["timezone"]) == (expected, expected)
    assert (event["starts_at"].hour, occurrence["starts_at"].hour) == (hour, hour)


def test_the_clock_of_a_zone_of_the_file_changes_as_it_says() -> None:
    def at(local: str, fold: int = 0) -> str:
        text = ics("UID:a", f"DTSTART;TZID=Customized Time Zone:{local}", zones=_AMSTERDAM)
        return f"{parse(text).rows['events'][0]['starts_at']:%m-%d %H:%M}"

    assert [at("20260329T015959"), at("20260329T023000"), at("20260329T030000")] == [
        "03-29 00:59",
        "03-29 01:30",
        "03-29 01:00",
    ]
    assert [at("20261025T015900"), at("20261025T023000"), at("20261025T030000")] == [
        "10-24 23:59",
        "10-25 00:30",
        "10-25 02:00",
    ]


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=300), cut=st.integers(0, 200), flip=st.integers(0, 199))
def test_no_bytes_raise(content: bytes, cut: int, flip: int) -> None:
    parse(content)
    text = bytearray(ics("UID:a", "DTSTART;TZID=Europe/Paris:20260312T100000", "RRULE:FREQ=DAILY;COUNT=3"))
    text[flip % len(text)] ^= 1 + flip % 255
    parse(bytes(text))
    parse(bytes(text[: len(text) - cut]) + content)
