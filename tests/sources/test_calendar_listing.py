"""What proves a listing, and what fails alone: nothing is deleted that the server didn't say is gone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leat.sources.calendar.caldav import driver as caldav
from leat.sources.errors import Forbidden, IntegrationError, UnexpectedShape
from leat.sources.events import Delete, Failed, FullScan, Listed
from tests.sources.calendar_faults import Faulty, Reply, faulty
from tests.sources.calendar_server import HOME, Calendars, multistatus, response
from tests.sources.calendar_tables import NOW, Tables, ics, simple

A, B = HOME + "a/", HOME + "b/"


@pytest.fixture
def calendars() -> Calendars:
    return Calendars({A: {"1.ics": simple("a1"), "2.ics": simple("a2")}, B: {"1.ics": simple("b1")}})


@pytest.fixture
def server(calendars: Calendars) -> Iterator[Faulty]:
    with faulty() as front:
        front.fault = calendars
        yield front


@pytest.fixture
def tables(server: Faulty, tmp_path: Path) -> Tables:
    return Tables(caldav.Connection.model_validate({"url": server.url}), tmp_path)


def change(calendars: Calendars) -> None:
    """Change a file of each calendar."""
    for path, name in ((A, "a1"), (B, "b1")):
        calendars.put(path, "1.ics", simple(name, "Changed"))


def failed(tables: Tables) -> dict[str, str]:
    return {event.where["calendar"]: str(event.error) for event in tables.events if isinstance(event, Failed)}


def summaries(tables: Tables) -> dict[str, str]:
    return {row["uid"]: row["summary"] for row in tables.table("events")}


def no_token(calendars: Calendars) -> Reply:
    return multistatus(*calendars.listed(A))


FAULTS = {
    "forbidden": lambda _: (403, {}, b""),
    "not found": lambda _: (404, {}, b""),
    "no XML": lambda _: (207, {}, b"<html>Sign in</html>"),
    "empty, without a token": lambda _: multistatus(),
    "without a token": no_token,
    "empty, with a token": lambda _: multistatus(token="t9"),
    "fewer files, with a token": lambda c: multistatus(c.listed(A)[0], token="t9"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_calendar_that_fails_leaves_its_rows_and_stops_no_other(
    calendars: Calendars, tables: Tables, fault: str
) -> None:
    tables.run()
    part = tables.cursor["calendars"][A]
    change(calendars)

    def lie(method: str, path: str, body: str) -> Reply | None:
        if path != A or method != "REPORT" or "sync-collection" not in body:
            return (404, {}, b"") if path == A and fault == "not found" and "resourcetype" not in body else None
        if "<D:sync-token>t" in body:
            return 410, {}, b""  # the token has expired: the calendar is listed anew
        return FAULTS[fault](calendars)

    calendars.lie = lie
    tables.run()
    assert list(failed(tables)) == [A]
    assert summaries(tables) == {"a1": "Meeting", "a2": "Meeting", "b1": "Changed"}
    assert not [e for e in tables.events if isinstance(e, Delete) and A in e.where.values()]
    assert tables.cursor["calendars"][A] == {**part, "window": tables.cursor["window"]}
    calendars.lie = lambda *_: None
    tables.run(NOW + timedelta(hours=1))
    assert failed(tables) == {}
    assert summaries(tables) == {"a1": "Changed", "a2": "Meeting", "b1": "Changed"}
    assert tables.run() == []


def test_when_every_calendar_fails_the_run_does(calendars: Calendars, tables: Tables) -> None:
    calendars.lie = lambda method, path, _: (403, {}, b"") if method == "REPORT" else None
    with pytest.raises(Forbidden):
        tables.run()


def test_a_calendar_that_fails_in_the_middle_leaves_nothing_behind(calendars: Calendars, tables: Tables) -> None:
    calendars.files[A] |= {f"more{number}.ics": simple(f"more{number}") for number in range(150)}

    def lie(method: str, path: str, body: str) -> Reply | None:
        return (405, {}, b"") if path == A and "multiget" in body and "more99.ics" in body else None

    calendars.lie = lie
    tables.run()
    assert list(failed(tables)) == [A]
    assert summaries(tables) == {"b1": "Meeting"}
    calendars.lie = lambda *_: None
    tables.run()
    assert len(summaries(tables)) == 153


@pytest.mark.parametrize("syncs", [True, False])
def test_a_calendar_read_after_it_failed_is_expanded_over_its_new_window(
    calendars: Calendars, tables: Tables, syncs: bool
) -> None:
    calendars.syncs = syncs
    calendars.files[A]["1.ics"] = ics("UID:a1", "DTSTART:20250101T100000Z", "RRULE:FREQ=DAILY")
    tables.run()
    before = tables.table("occurrences")
    calendars.lie = lambda _, path, body: (403, {}, b"") if path.startswith(A) and body.count("prop") < 40 else None
    tables.run(NOW + timedelta(days=1))
    assert list(failed(tables)) == [A]
    assert [row for row in tables.table("occurrences") if row["calendar"] == A] == [
        r for r in before if r["calendar"] == A
    ]
    calendars.lie = lambda *_: None
    tables.run(NOW + timedelta(days=1))
    last = max(row["starts_at"] for row in tables.table("occurrences"))
    assert last.date() == (NOW + timedelta(days=366)).date()


@pytest.mark.parametrize(
    "answer",
    [
        multistatus(),
        multistatus(response(HOME, status="HTTP/1.1 507 Insufficient Storage")),
        multistatus(response(A, "<resourcetype><collection/></resourcetype>")),
    ],
)
def test_a_listing_of_calendars_that_proves_nothing_deletes_nothing(
    calendars: Calendars, tables: Tables, answer: Reply
) -> None:
    tables.run()
    calendars.lie = lambda _, path, __: answer if path == HOME else None
    with pytest.raises(UnexpectedShape, match=r"not the one that was asked for|cuts the listing short"):
        tables.run()


@pytest.mark.parametrize("status", ["403 Forbidden", "500 Internal Server Error"])
def test_a_calendar_that_the_listing_fails_on_stays(calendars: Calendars, tables: Tables, status: str) -> None:
    tables.run()
    change(calendars)
    rows = tables.table("calendars")
    home = response(HOME, "<resourcetype><collection/></resourcetype>")
    unknown = response(A, "<displayname>a</displayname>")  # it doesn't say what it is
    for broken in (response(A, status=f"HTTP/1.1 {status}"), unknown):
        calendars.lie = lambda _, path, __, b=broken: (
            multistatus(home, b, calendars.calendar(B)) if path == HOME else None
        )
        tables.run()
        assert list(failed(tables)) == [A]
        assert tables.table("calendars") == rows
        assert summaries(tables) == {"a1": "Meeting", "a2": "Meeting", "b1": "Changed"}
        assert not [event for event in tables.events if isinstance(event, FullScan)]
    calendars.lie = lambda _, path, __: multistatus(home, calendars.calendar(B)) if path == HOME else None
    tables.run()
    assert summaries(tables) == {"b1": "Changed"}
    assert [row["calendar"] for row in tables.table("calendars")] == [B]


@pytest.mark.parametrize("status", [400, 403, 405, 415, 423, 500])
def test_a_file_that_the_server_refuses_is_quarantined_alone(calendars: Calendars, tables: Tables, status: int) -> None:
    def lie(method: str, path: str, body: str) -> Reply | None:
        if method == "GET":
            return (status, {}, b"") if path == A + "1.ics" else None
        if "multiget" in body and path == A:
            return multistatus(response(A + "1.ics", status=f"HTTP/1.1 {status} No"))  # and 2.ics isn't named at all
        return None

    calendars.lie = lie
    tables.run()
    assert summaries(tables) == {"a2": "Meeting", "b1": "Meeting"}
    assert [(item.key, f"HTTP {status}" in item.reason) for item in tables.quarantined()] == [(A + "1.ics", True)]
    calendars.lie = lambda *_: None
    tables.run(NOW + timedelta(days=1))
    assert set(summaries(tables)) == {"a1", "a2", "b1"}


def test_a_file_that_the_server_no_longer_delivers_leaves_its_rows(calendars: Calendars, tables: Tables) -> None:
    tables.run()
    change(calendars)
    calendars.lie = lambda method, path, body: (
        (403, {}, b"") if path == A + "1.ics" else multistatus() if "multiget" in body else None
    )
    tables.run()
    assert summaries(tables) == {"a1": "Meeting", "a2": "Meeting", "b1": "Changed"}
    assert [item.key for item in tables.quarantined()] == [A + "1.ics"]


@pytest.mark.parametrize("syncs", [True, False])
def test_what_proves_a_listing_is_said(calendars: Calendars, tables: Tables, syncs: bool) -> None:
    calendars.syncs = syncs
    tables.run()
    proofs = {event.stream: event.because for event in tables.events if isinstance(event, Listed | FullScan)}
    assert proofs.keys() == {"calendars", "events"}
    assert ("sync-collection" if syncs else "etags") in proofs["events"]
    del calendars.files[A]["1.ics"]
    calendars.version += 1
    tables.run()
    assert set(summaries(tables)) == ({"a1", "a2", "b1"} if syncs else {"a2", "b1"})


Lie = Callable[[str, str, str], Reply | None]


def _drops(calendars: Calendars, read: Mapping[str, Mapping[str, str]]) -> Lie:
    """Return a server that leaves one of the files that were read out of every whole listing."""

    def lie(method: str, path: str, body: str) -> Reply | None:
        if path not in calendars.files or "getetag" not in body or "<D:sync-token>t" in body or "multiget" in body:
            return None
        left_out = next((name for name in calendars.files[path] if name in read[path]), "")
        some = [calendars.file(path, name) for name in calendars.files[path] if name != left_out]
        is_sync = "sync-collection" in body
        token = f"t{calendars.version}" if is_sync else None
        return multistatus(*([] if is_sync else [calendars.calendar(path)]), *some, token=token)

    return lie


LIES: dict[str, Callable[[Calendars, Mapping[str, Mapping[str, str]]], Lie]] = {
    "none": lambda _, __: lambda *_: None,
    "expired tokens": lambda _, __: lambda method, path, body: (410, {}, b"") if "<D:sync-token>t" in body else None,
    "a file left out of a whole listing": _drops,
    "an empty multiget": lambda _, __: lambda method, path, body: multistatus() if "multiget" in body else None,
    "no multiget": lambda _, __: lambda method, path, body: (501, {}, b"") if "multiget" in body else None,
    "one calendar forbidden": lambda _, __: lambda method, path, body: (403, {}, b"") if path.startswith(A) else None,
    "an empty home": lambda _, __: lambda method, path, body: multistatus() if path == HOME else None,
    "one calendar broken in the home": lambda c, _: (
        lambda method, path, body: (
            multistatus(response(HOME, "<resourcetype/>"), response(A, status="HTTP/1.1 500 No"), c.calendar(B))
            if path == HOME
            else None
        )
    ),
    "files forbidden": lambda _, __: (
        lambda method, path, body: (403, {}, b"") if "multiget" in body or method == "GET" else None
    ),
}
_STEP = st.tuples(st.sampled_from([A, B]), st.integers(0, 4), st.integers(0, 3))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    runs=st.lists(
        st.tuples(st.lists(_STEP, max_size=6), st.sampled_from(sorted(LIES)), st.booleans(), st.integers(1, 4)),
        max_size=6,
    )
)
def test_whatever_a_server_does_rows_are_its_own_or_as_they_were(server: Faulty, tmp_path: Path, runs: Any) -> None:
    calendars = server.fault = Calendars({A: {}, B: {}})
    tables = Tables(caldav.Connection.model_validate({"url": server.url}), tmp_path)
    for number, (steps, lie, syncs, page) in enumerate(runs):
        for path, name, content in steps:
            if content:
                calendars.put(path, f"{name}.ics", simple(f"{path}{name}", f"{number}-{content}"))
            elif f"{name}.ics" in calendars.files[path]:
                calendars.delete(path, f"{name}.ics")
        before = {path: rows(tables, path) for path in (A, B)}
        calendars.lie, calendars.syncs, calendars.page = LIES[lie](calendars, before), syncs, page
        failures: set[str] = {A, B}
        with suppress(IntegrationError):
            tables.run(NOW + timedelta(days=number))
            failures = set(failed(tables))
        for path in (A, B):
            expected = {n: summary(content) for n, content in calendars.files[path].items()}
            if path in failures:
                assert rows(tables, path) == before[path]
            elif lie == "files forbidden":
                assert set(rows(tables, path).items()) <= {*expected.items(), *before[path].items()}
                assert before[path].keys() & expected.keys() <= rows(tables, path).keys()
            else:
                assert rows(tables, path) == expected
    calendars.lie = lambda *_: None
    tables.run(NOW + timedelta(days=len(runs)))
    for path in (A, B):
        assert rows(tables, path) == {name: summary(content) for name, content in calendars.files[path].items()}


def rows(tables: Tables, path: str) -> dict[str, str]:
    return {row["href"].rpartition("/")[2]: row["summary"] for row in tables.table("events") if row["calendar"] == path}


def summary(content: bytes) -> str:
    return content.decode().partition("SUMMARY:")[2].partition("\r\n")[0]


_MAY_SHARE = "<current-user-privilege-set><privilege><share-map/></privilege></current-user-privilege-set>"
_SHARE = {"ShareType": "map", "PathMapped": A, "PathOrToken": "/u/a/", "User": "u", "Permissions": "r"}


@pytest.mark.parametrize(
    ("answer", "loaded", "quarantined"),
    [
        ((500, {}, b""), None, 0),
        ((200, {}, b"<html>"), None, 0),
        ((200, {}, b'{"Content": ' + b"[" * 100_000), None, 0),
        ((200, {}, b'{"Content": [{}]}'), None, 0),
        ((200, {}, json.dumps({"Content": [_SHARE | {"EnabledByOwner": "yes", "EnabledByUser": 1}]}).encode()), 0, 1),
        ((200, {}, json.dumps({"Content": [_SHARE | {"EnabledByOwner": True, "EnabledByUser": True}]}).encode()), 1, 0),
    ],
)
def test_shares_fail_alone(
    calendars: Calendars, tables: Tables, answer: Reply, loaded: int | None, quarantined: int
) -> None:
    home = response(HOME, "<resourcetype/>")
    mine = calendars.calendar(A).replace("</prop>", _MAY_SHARE + "</prop>")
    calendars.lie = lambda method, path, _: (
        answer if method == "POST" else multistatus(home, mine, calendars.calendar(B)) if path == HOME else None
    )
    tables.run()
    assert summaries(tables) == {"a1": "Meeting", "a2": "Meeting", "b1": "Meeting"}
    assert len(tables.table("calendars")) == 2
    assert [event.stream for event in tables.events if isinstance(event, Failed)] == (
        ["shares"] if loaded is None else []
    )
    assert len([row for row in tables.table("shares") if row["origin"] == "radicale"]) == (loaded or 0)
    assert len(tables.quarantined()) == quarantined


def test_an_event_that_breaks_leaves_its_rows_in_a_file_of_several(calendars: Calendars, tables: Tables) -> None:
    def event(uid: str, start: str) -> tuple[str, ...]:
        return "BEGIN:VEVENT", f"UID:{uid}", f"DTSTART:{start}", "RRULE:FREQ=DAILY;COUNT=2", "END:VEVENT"

    def two(first: str, second: str) -> bytes:
        return ics(*event("x", first), *event("y", second))

    def rows_now() -> list[tuple[str, int]]:
        return [(row["uid"], row["starts_at"].day) for row in tables.table("occurrences") if row["uid"] in "xy"]

    calendars.put(A, "both.ics", two("20260312T100000Z", "20260312T100000Z"))
    tables.run()
    assert rows_now() == [("x", 12), ("x", 13), ("y", 12), ("y", 13)]
    calendars.put(A, "both.ics", two("20260320T100000Z", "soon"))
    tables.run()
    assert rows_now() == [("x", 20), ("x", 21), ("y", 12), ("y", 13)]
    tables.run(NOW + timedelta(days=1))
    assert rows_now() == [("x", 20), ("x", 21), ("y", 12), ("y", 13)]
    calendars.put(A, "both.ics", ics("UID:x", "DTSTART:20260322T100000Z"))
    tables.run(NOW + timedelta(days=1))
    assert rows_now() == [("x", 22)]


def test_the_zone_of_a_calendar_is_called_what_it_calls_itself(calendars: Calendars, tables: Tables) -> None:
    text = "BEGIN:VTIMEZONE\nTZID:(UTC+01:00) Amsterdam\\, Berlin\\, Bern\nEND:VTIMEZONE"
    zone = f'<C:calendar-timezone xmlns:C="urn:ietf:params:xml:ns:caldav">{text}</C:calendar-timezone>'
    mine = calendars.calendar(A).replace("</prop>", zone + "</prop>")
    home = response(HOME, "<resourcetype/>")
    calendars.lie = lambda _, path, __: multistatus(home, mine, calendars.calendar(B)) if path == HOME else None
    tables.run()
    assert [row["timezone"] for row in tables.table("calendars")] == ["(UTC+01:00) Amsterdam, Berlin, Bern", None]


def test_a_file_that_is_listed_and_missing_is_logged_and_tried_again(calendars: Calendars, tables: Tables) -> None:
    tables.run()
    change(calendars)
    missing = response(A + "1.ics", status="HTTP/1.1 404 Not Found")
    calendars.lie = lambda _, path, body: multistatus(missing) if "multiget" in body and path == A else None
    tables.run()
    assert summaries(tables) == {"a1": "Meeting", "a2": "Meeting", "b1": "Changed"}
    assert [event.data["href"] for event in tables.logged()] == [A + "1.ics"]
    calendars.lie = lambda *_: None
    tables.run(NOW + timedelta(days=1))
    assert summaries(tables)["a1"] == "Changed"
    calendars.delete(A, "1.ics")
    tables.run(NOW + timedelta(days=1))
    assert set(summaries(tables)) == {"a2", "b1"}


def test_an_address_that_is_none_stops_nothing(calendars: Calendars, tables: Tables) -> None:
    mine = calendars.calendar(A).replace("</prop>", "<owner><href>http://[bad</href></owner></prop>")
    home = response(HOME, "<resourcetype/>")
    calendars.lie = lambda _, path, __: multistatus(home, mine) if path == HOME else None
    tables.run()
    assert set(summaries(tables)) == {"a1", "a2"}


def test_an_empty_calendar_is_empty(calendars: Calendars, tables: Tables) -> None:
    tables.run()
    calendars.files[A].clear()
    calendars.syncs = False
    tables.run()
    assert summaries(tables) == {"b1": "Meeting"}


def test_errors_of_the_account_are_of_the_run(calendars: Calendars, tables: Tables) -> None:
    tables.run()
    change(calendars)
    for status in (401, 429, 503):
        calendars.lie = lambda _, path, __, s=status: (s, {}, b"") if path == A else None
        with pytest.raises(IntegrationError):
            tables.run()
