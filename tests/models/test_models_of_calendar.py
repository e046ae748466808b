"""What the shipped models say about calendars, on both engines: zones, bookings, free time and conflicts."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from leat.assets.build import build
from leat.assets.model import Model
from tests.kit.engines import ENGINES
from tests.kit.loaded import load, utc, warehouse_of
from tests.kit.shipped import some_models

NOW = utc(2026, 10, 21, 9)
"""A Wednesday; clocks change in Europe on Sunday, 25 October, and in America a week later."""
ANN, BOB, ROOM = "ann@x.org", "bob@x.org", "room@x.org"
MODELS = ("calendar_owners", "calendar_people", "bookings", "availability", "meeting_conflicts")
Row = dict[str, Any]


class Calendars:
    """Events, attendees and occurrences as the source reports them."""

    def __init__(self) -> None:
        self.tables: dict[str, list[Row]] = {name: [] for name in ("calendars", "events", "attendees", "occurrences")}

    def put(self, uid: str, zone: str | None, *spans: str, calendar: str = "/ann/work/", **more: Any) -> None:
        """Add an event that happens at times like ``10-21 09:00 60``: day, wall clock of its zone, minutes."""
        key = {"calendar": calendar, "href": f"{calendar}{uid}.ics", "uid": uid, "recurrence_id": ""}
        organizer, people = more.pop("organizer", None), more.pop("people", {})
        kinds, gone = more.pop("kinds", {}), more.get("_deleted_at")
        self.tables["events"].append({**key, "organizer_email": organizer, "timezone": zone, "_deleted_at": gone})
        for email, answer in people.items():
            kind = kinds.get(email)
            row = {**key, "address": email, "email": email, "response_status": answer, "kind": kind}
            self.tables["attendees"].append(row)
        for span in spans:
            day, clock, minutes = span.split()
            local = datetime.fromisoformat(f"2026-{day}T{clock}")
            start = local.replace(tzinfo=ZoneInfo(zone or "UTC"))
            end = start.astimezone(ZoneInfo("UTC")) + timedelta(minutes=int(minutes))
            self.tables["occurrences"].append(
                {
                    **key,
                    "occurrence_id": span,
                    "summary": uid,
                    "starts_at": start,
                    "ends_at": end,
                    "starts_local": local,
                    "ends_local": local + timedelta(minutes=int(minutes)),
                    "all_day": False,
                    "floating": zone is None,
                    **more,
                }
            )


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, ...]:
    return some_models(tmp_path_factory.mktemp("project"), MODELS, ("calendar", "sso"))


@pytest.fixture(params=ENGINES)
def read(models: tuple[Model, ...], request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Return a function that builds the models of calendars and gives their rows by name."""

    def built(calendars: Calendars, users: list[Row] | None = None) -> dict[str, list[Row]]:
        result = {}
        with warehouse_of(request.param, tmp_path, request).transaction() as session:
            load(session, "calendar", "001", calendars.tables, NOW)
            if users:
                load(session, "sso", "001", {"users": users}, NOW)
            build(session, models, NOW)
            for name in MODELS:
                columns = list(session.columns("analytics", name))
                rows = session.execute(f"SELECT * FROM analytics.{name}")
                result[name] = [dict(zip(columns, row, strict=True)) for row in sorted(rows, key=str)]
        return result

    return built


def busy(tables: dict[str, list[Row]], email: str) -> dict[date, float]:
    return {row["day"]: row["busy_hours"] for row in tables["availability"] if row["email"] == email if row["bookings"]}


def test_days_are_those_of_each_persons_own_zone(read: Any) -> None:
    """A meeting at 16:30 in Paris is at 10:30 in New York, but at 11:30 while only Europe has changed its clocks."""
    made = Calendars()
    made.put("sync", "Europe/Paris", "10-23 16:30 60", "10-30 16:30 60", organizer=ANN, people={BOB: "ACCEPTED"})
    made.put("own", "America/New_York", "10-21 02:00 30", "10-21 08:30 60", "10-22 16:30 60", organizer=BOB)
    actual = read(made)
    zones = {row["email"]: (row["timezone"], row["timezone_from"]) for row in actual["calendar_people"]}
    assert zones == {ANN: ("Europe/Paris", "organized"), BOB: ("America/New_York", "organized")}
    local = {(row["email"], row["occurrence_id"][:5]): row["starts_local"].hour for row in actual["bookings"]}
    assert [local[BOB, "10-23"], local[BOB, "10-30"], local[ANN, "10-30"]] == [10, 11, 16]
    assert busy(actual, ANN) == {date(2026, 10, 23): 0.5, date(2026, 10, 30): 0.5}
    half, whole = 0.5, 1.0
    wanted = {(10, 21): half, (10, 22): half, (10, 23): whole, (10, 30): whole}
    assert busy(actual, BOB) == {date(2026, *day): hours for day, hours in wanted.items()}


def test_a_time_on_the_day_that_clocks_change_is_exact(read: Any) -> None:
    made = Calendars()
    made.put("night", "UTC", "10-25 00:30 60", "10-25 01:30 60", "10-24 23:30 180", organizer=ANN)
    users = [{"id": "1", "user_name": "ann", "email": "Ann@x.org", "active": True, "timezone": "Europe/Paris"}]
    actual = read(made, users)
    local = {
        row["occurrence_id"]: f"{row['starts_local']:%H:%M}-{row['ends_local']:%H:%M}" for row in actual["bookings"]
    }
    assert local == {
        "10-25 00:30 60": "02:30-02:30",
        "10-25 01:30 60": "02:30-03:30",
        "10-24 23:30 180": "01:30-03:30",
    }
    assert [row["employed"] for row in actual["calendar_people"]] == [True]


def test_unknown_zones_and_owners(read: Any) -> None:
    """A zone that databases don't know is passed over; whose a calendar is comes from its owner."""
    made = Calendars()
    listed = (
        ("/cy/a/", "/principals/cy%40x.org/", "Nowhere/Land"),
        ("/dee/a/", "/dee/", "Asia/Tokyo"),
        ("/eve/a/", "/eve", None),
        ("/no/", None, None),
    )
    for calendar, owner, zone in listed:
        made.tables["calendars"].append({"calendar": calendar, "owner": owner, "timezone": zone})
    made.put("dentist", None, "10-21 09:00 60", calendar="/cy/a/")
    made.put("lunch", None, "10-21 12:00 60", calendar="/dee/a/")
    made.put("party", None, "10-21 12:00 60", calendar="/eve/a/")
    users = [{"id": "1", "user_name": "Dee", "email": "dee@x.org", "active": True, "timezone": None}]
    actual = read(made, users)
    assert {row["calendar"]: row["email"] for row in actual["calendar_owners"]} == {
        "/cy/a/": "cy@x.org",
        "/dee/a/": "dee@x.org",
        "/eve/a/": None,
        "/no/": None,
    }
    seen = {row["email"]: (row["timezone"], row["employed"]) for row in actual["calendar_people"]}
    assert seen == {"cy@x.org": ("UTC", False), "dee@x.org": ("Asia/Tokyo", True)}
    starts = {row["email"]: row["starts_at"] for row in actual["bookings"]}
    assert starts == {"cy@x.org": utc(2026, 10, 21, 9), "dee@x.org": utc(2026, 10, 21, 3)}
    assert {row["email"] for row in actual["availability"]} == {"dee@x.org"}


def test_what_overlaps_counts_once_in_availability_and_each_pair_once_in_conflicts(read: Any) -> None:
    made = Calendars()
    days = ("10-21", "10-28")
    for calendar in ("/ann/work/", "/bob/copy/"):  # the same meetings in two calendars
        made.put("a", "UTC", *[f"{day} 10:00 60" for day in days], calendar=calendar, organizer=ANN)
        made.put("b", "UTC", *[f"{day} 10:30 60" for day in days], calendar=calendar, organizer=ANN)
    made.put("inside", "UTC", "10-21 10:15 5", organizer=ANN)
    made.put("next", "UTC", "10-21 11:30 30", organizer=ANN)  # begins when b ends
    made.put("off", "UTC", "10-21 10:00 60", organizer=ANN, status="CANCELLED")
    made.put("free", "UTC", "10-21 10:00 60", organizer=ANN, transparency="TRANSPARENT")
    made.put("gone", "UTC", "10-21 10:00 60", organizer=ANN, _deleted_at=NOW)
    made.put("no", "UTC", "10-21 10:00 60", organizer=ANN, people={ANN: "DECLINED"})
    made.put("nothing", "UTC", "10-21 10:00 0", organizer=ANN)
    made.put("long ago", "UTC", "03-02 10:00 60", "03-02 10:00 90", organizer=ANN)
    actual = read(made)
    pairs = [(row["first_uid"], row["second_uid"], row["minutes"]) for row in actual["meeting_conflicts"]]
    assert sorted(pairs) == [("a", "b", 30.0), ("a", "b", 30.0), ("a", "inside", 5.0)]
    assert busy(actual, ANN) == {date(2026, 10, 21): 2.0, date(2026, 10, 28): 1.5}
    share = {row["day"]: row["free_share"] for row in actual["availability"]}
    assert share[date(2026, 10, 21)] == 0.75
    assert len(share) == 13 * 5
    assert min(share) == date(2026, 9, 21)


def test_days_and_nights_and_rooms(read: Any) -> None:
    """What lasts over midnight overlaps with what begins on a later day; whole days are those of one's own zone."""
    made = Calendars()
    room: dict[str, Any] = {"kinds": {ROOM: "ROOM"}, "people": {ROOM: "ACCEPTED"}}
    made.put("fair", "UTC", "10-19 16:00 4320", organizer=ANN, **room)
    made.put("talk", "UTC", "10-21 10:00 60", organizer=BOB, **room)
    made.put("maybe", "UTC", "10-22 15:30 60", organizer=BOB, people={ANN: "NEEDS-ACTION"})
    made.put("leave", None, "10-26 00:00 2880", organizer=ANN, all_day=True)
    actual = read(made)
    pairs = {(row["email"], row["first_uid"], row["second_uid"]): row for row in actual["meeting_conflicts"]}
    assert pairs.keys() == {(ROOM, "fair", "talk"), (ANN, "fair", "maybe")}
    assert (pairs[ROOM, "fair", "talk"]["kind"], pairs[ROOM, "fair", "talk"]["minutes"]) == ("ROOM", 60.0)
    assert [pairs[ROOM, "fair", "talk"]["tentative"], pairs[ANN, "fair", "maybe"]["tentative"]] == [False, True]
    wanted = {19: 1.0, 20: 8.0, 21: 8.0, 22: 7.5, 26: 8.0, 27: 8.0}
    assert busy(actual, ANN) == {date(2026, 10, day): hours for day, hours in wanted.items()}
    assert ROOM not in {row["email"] for row in actual["availability"]}
