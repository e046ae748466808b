"""CalDAV against real servers: what was changed by hand arrives, once, and nothing else does."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from leat.demo.seed.calendar import GUEST, LEAVERS, OWNER, PEOPLE, seed_calendars
from leat.demo.servers.process import Process, running, stop
from leat.demo.servers.radicale import start_radicale, storage_folder
from leat.sources.calendar.caldav import driver as caldav
from leat.sources.errors import NotFound, Unauthenticated, Unavailable
from leat.sources.events import Cursor, Delete, Rows
from leat.sources.http.request import Limits
from tests.servers.xandikos import start_xandikos
from tests.sources.calendar_tables import NOW, Tables, ics, simple

PASSWORD = "planted-Passw0rd-7261"


@dataclass
class Server:
    """A running server, one calendar of it, and what it can do."""

    name: str
    process: Process
    url: str
    calendar: str
    files: Path
    auth: tuple[str, str] | None
    serves_broken: bool

    def request(self, method: str, name: str, body: bytes | None = None) -> int:
        headers = {"Content-Type": "text/calendar; charset=utf-8"}
        url = f"{self.url.rstrip('/')}{self.calendar}{quote(name)}"
        return requests.request(method, url, data=body, auth=self.auth, headers=headers, timeout=30).status_code

    def put(self, name: str, body: bytes) -> None:
        assert self.request("PUT", name, body) in (200, 201, 204)

    def delete(self, name: str) -> None:
        assert self.request("DELETE", name) in (200, 204)

    def plant(self, files: dict[str, bytes]) -> None:
        """Put files into the storage, past the server's own checks."""
        for name, content in files.items():
            (self.files / name).write_bytes(content)
        if self.name == "xandikos":
            git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
            subprocess.run([*git, "add", "-A"], cwd=self.files, check=True)
            subprocess.run([*git, "commit", "-qm", "planted"], cwd=self.files, check=True)

    def tables(self, folder: Path, **more: object) -> Tables:
        account = {"username": self.auth[0], "password": {"env": "CALENDAR_TEST_PASSWORD"}} if self.auth else {}
        return Tables(caldav.Connection.model_validate({"url": self.url, **account, **more}), folder)


@pytest.fixture(params=["radicale", "xandikos"])
def server(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("CALENDAR_TEST_PASSWORD", PASSWORD)
    folder = tmp_path / "server"
    if request.param == "radicale":
        with running(start_radicale(folder, {"office": PASSWORD})) as process:
            files = storage_folder(folder, "office", "work")
            url, auth = f"http://127.0.0.1:{process.port}/", ("office", PASSWORD)
            made = Server("radicale", process, url, "/office/work/", files, auth, False)
            assert made.request("MKCALENDAR", "") == 201
            yield made
    else:
        with running(start_xandikos(folder)) as process:
            calendar = "/user/calendars/calendar/"
            files = folder / "collections" / calendar.strip("/")
            url = f"http://127.0.0.1:{process.port}/"
            yield Server("xandikos", process, url, calendar, files, None, True)


def file_name(key: str) -> str:
    """Return the name of the file that a quarantined record's key speaks of."""
    return key.rpartition("/")[2].partition('"')[0]


@pytest.fixture
def tables(server: Server, tmp_path: Path) -> Tables:
    folder = tmp_path / "sync"
    folder.mkdir()
    return server.tables(folder)


def test_added_changed_and_deleted_by_hand_arrive_exactly(server: Server, tables: Tables) -> None:
    for number in range(5):
        server.put(f"{number}.ics", simple(f"event-{number}"))
    tables.run()
    assert tables.uids() == {f"event-{number}" for number in range(5)}
    server.put("0.ics", simple("event-0", "Changed"))
    server.put("new one #1%.ics", simple("event-new"))
    server.delete("1.ics")
    tables.run()
    assert tables.uids() == {"event-0", "event-2", "event-3", "event-4", "event-new"}
    touched = {
        row["uid"] for e in tables.events if isinstance(e, Rows) and e.stream == "events" for row in e.table.to_pylist()
    }
    assert touched == {"event-0", "event-new"}
    assert {row["uid"]: row["summary"] for row in tables.table("events")}["event-0"] == "Changed"
    assert {row["uid"] for row in tables.table("occurrences")} == tables.uids()


def test_second_run_yields_nothing(server: Server, tables: Tables) -> None:
    server.put("a.ics", ics("UID:a", "DTSTART:20260301T100000Z", "RRULE:FREQ=DAILY", "ATTENDEE:mailto:x@example.org"))
    assert any(isinstance(event, Cursor) for event in tables.run())
    assert tables.run() == []
    assert tables.run(NOW + timedelta(hours=11)) == []


def test_added_and_deleted_between_two_runs_never_shows(server: Server, tables: Tables) -> None:
    server.put("keep.ics", simple("keep"))
    tables.run()
    server.put("brief.ics", simple("brief"))
    server.delete("brief.ics")
    tables.run()
    assert tables.uids() == {"keep"}
    assert not [event for event in tables.events if isinstance(event, Delete)]


def test_window_moves_with_the_date(server: Server, tables: Tables) -> None:
    server.put("daily.ics", ics("UID:d", "DTSTART:20250101T100000Z", "DTEND:20250101T110000Z", "RRULE:FREQ=DAILY"))
    server.put("once.ics", simple("once"))
    tables.run()
    days = {row["starts_at"].date() for row in tables.table("occurrences") if row["uid"] == "d"}
    assert (min(days), max(days)) == ((NOW - timedelta(90)).date(), (NOW + timedelta(365)).date())
    tables.run(NOW + timedelta(days=1))
    moved = {row["starts_at"].date() for row in tables.table("occurrences") if row["uid"] == "d"}
    assert (min(moved), max(moved)) == ((NOW - timedelta(89)).date(), (NOW + timedelta(366)).date())
    assert {e.stream for e in tables.events if isinstance(e, Rows | Delete)} == {"occurrences", "free_busy"}
    assert tables.run(NOW + timedelta(days=1, hours=3)) == []


def test_invalid_token_loses_nothing(server: Server, tables: Tables) -> None:
    for name in ("kept", "changed", "deleted"):
        server.put(f"{name}.ics", simple(name))
    tables.run()
    tables.cursor["calendars"][server.calendar]["token"] = "http://radicale.org/ns/sync/" + "0" * 64
    server.put("changed.ics", simple("changed", "New title"))
    server.put("added.ics", simple("added"))
    server.delete("deleted.ics")
    tables.run()
    assert tables.uids() == {"kept", "changed", "added"}
    assert {row["uid"]: row["summary"] for row in tables.table("events")}["changed"] == "New title"
    logged = tables.logged()
    assert [entry.event_type for entry in logged] == ["sync_token_expired"]
    assert logged[0].data["status"] == (403 if server.name == "radicale" else 412)
    assert tables.run() == []


def test_without_sync_collection_etags_are_compared(server: Server, tables: Tables) -> None:
    """The same answers as a server without RFC 6578 gives: no token, a ctag, a listing."""
    for name in ("kept", "changed", "deleted"):
        server.put(f"{name}.ics", simple(name))
    tables.run()
    from leat.sources.calendar.caldav.changes import changes_since
    from leat.sources.calendar.caldav.client import open_account
    from leat.sources.calendar.caldav.discovery import Calendar, find_roots, list_calendars

    account = server.auth or (None, None)
    with open_account(tables.sync(), server.url, account[0], account[1], Limits(timeout=30, attempts=1)) as client:
        state = {**tables.cursor["calendars"][server.calendar], "token": None}
        server.put("changed.ics", simple("changed", "New title"))
        server.delete("deleted.ics")
        seen = next(c for c in list_calendars(client, find_roots(client)) if c.path == server.calendar)
        changes = changes_since(client, Calendar(seen.path, seen.row, None, seen.ctag, seen.resource), state)
        assert (changes.changed, changes.gone) == (["changed.ics"], ["deleted.ics"])
        same = changes_since(
            client, Calendar(seen.path, seen.row, None, seen.ctag, seen.resource), {"ctag": seen.ctag, "items": {}}
        )
        assert (same.changed, same.gone) == ([], [])


def test_broken_and_odd_files_load_what_is_valid_and_quarantine_the_rest(server: Server, tables: Tables) -> None:
    event = ("BEGIN:VEVENT", "DTSTAMP:20260101T000000Z", "DTSTART:20260312T100000Z")
    server.plant(
        {
            "good.ics": simple("good"),
            "odd name #1%.ics": simple("odd-name"),
            "ends-first.ics": ics("UID:e", "DTSTART:20260312T100000Z", "DTEND:20260312T090000Z"),
            "nowhere.ics": ics("UID:n", "DTSTART;TZID=Mars/Olympus:20260312T100000"),
            "huge.ics": ics("UID:huge", "DTSTART:20260312T100000Z", "DESCRIPTION:" + "x" * 1_200_000),
            "nul.ics": ics("UID:nul", "DTSTART:20260312T100000Z", "SUMMARY:a\x00b"),
            "todo.ics": ics("BEGIN:VTODO", "UID:t", "DTSTAMP:20260101T000000Z", "END:VTODO"),
            "no-uid.ics": ics("DTSTART:20260312T100000Z"),
            "no-start.ics": ics("UID:no-start"),
            "latin-1.ics": ics("UID:l", "DTSTART:20260312T100000Z").replace(b"UID:l", b"UID:l\xe9"),
            "two.ics": ics(*event, "UID:two-a", "END:VEVENT", *event, "UID:two-b", "END:VEVENT"),
            "rule.ics": ics("UID:rule", "DTSTART:20260312T100000Z", "RRULE:FREQ=SOMETIMES"),
            "cut.ics": simple("cut")[:-40],
            "empty.ics": b"",
            "page.ics": b"<html></html>",
        }
    )
    tables.run()
    broken = {item.key.rpartition("/")[2].partition(".ics")[0] for item in tables.quarantined()}
    assert all(item.reason for item in tables.quarantined())
    loads = {"good", "odd-name", "huge", "nul"}
    if server.serves_broken:
        assert tables.uids() == loads | {"two-a", "two-b"}
        assert broken == {"ends-first", "nowhere", "no-uid", "no-start", "latin-1", "rule", "cut", "empty", "page"}
    else:  # Radicale shows no file that it can't parse itself, by no request
        assert tables.uids() == loads
        assert broken == {"ends-first", "nowhere"}
    assert {"VTODO"} <= {kind for entry in tables.logged() for kind in entry.data}
    assert tables.run() == []


def test_files_that_radicale_hides_are_quarantined_where_its_storage_can_be_looked_at(
    server: Server, tables: Tables, tmp_path: Path
) -> None:
    server.plant(
        {
            "good.ics": simple("good"),
            "no-uid.ics": ics("DTSTART:20260312T100000Z"),
            "no-start.ics": ics("UID:no-start"),
            "rule.ics": ics("UID:rule", "DTSTART:20260312T100000Z", "RRULE:FREQ=SOMETIMES"),
            "cut.ics": simple("cut")[:-40],
            "empty.ics": b"",
            "page.ics": b"<html></html>",
            "latin-1.ics": b"\xe9",
        }
    )
    parts = len(server.calendar.strip("/").split("/"))
    looking = server.tables(tmp_path, storage=str(server.files.parents[parts - 1]))
    looking.run()
    assert looking.uids() == {"good"}
    hidden = looking.cursor["calendars"][server.calendar]["hidden"]
    assert bool(hidden) is not server.serves_broken
    reasons = {file_name(item.key): item.reason for item in looking.quarantined()}
    assert reasons.keys() == {f"{n}.ics" for n in ("no-uid", "no-start", "rule", "cut", "empty", "page", "latin-1")}
    assert all("the server hides the file" in reason for name, reason in reasons.items() if name in hidden)
    assert looking.run() == []
    server.plant({"page.ics": simple("page")})
    looking.run()
    assert looking.uids() == {"good", "page"}
    assert looking.quarantined() == []


def test_file_that_breaks_leaves_its_last_good_rows(server: Server, tables: Tables) -> None:
    if not server.serves_broken:
        server.put("a.ics", ics("UID:a", "DTSTART:20260312T100000Z", "DTEND:20260312T110000Z"))
        tables.run()
        server.put("a.ics", ics("UID:a", "DTSTART:20260312T100000Z", "DTEND:20260312T090000Z"))
    else:
        server.put("a.ics", simple("a"))
        tables.run()
        server.plant({"a.ics": b"\xff\xfe"})
    tables.run()
    assert tables.uids() == {"a"}
    assert len(tables.quarantined()) == 1
    repair = server.plant if server.serves_broken else lambda files: server.put("a.ics", files["a.ics"])
    repair({"a.ics": simple("a", "Mended")})
    tables.run()
    assert tables.quarantined() == []
    assert tables.table("events")[0]["summary"] == "Mended"


def test_calendar_that_goes_takes_its_rows_along(server: Server, tables: Tables) -> None:
    server.put("a.ics", simple("a"))
    other = server.calendar.rstrip("/") + "-2/"
    url = server.url.rstrip("/") + other
    assert requests.request("MKCALENDAR", url, auth=server.auth, timeout=30).status_code == 201
    headers = {"Content-Type": "text/calendar"}
    assert requests.put(url + "b.ics", simple("b"), auth=server.auth, headers=headers, timeout=30).ok
    tables.run()
    assert tables.uids() == {"a", "b"}
    assert requests.delete(url, auth=server.auth, timeout=30).ok
    tables.run()
    assert tables.uids() == {"a"}
    assert [row["calendar"] for row in tables.table("calendars")] == [server.calendar]
    assert tables.run() == []


def test_address_may_be_one_calendar(server: Server, tables: Tables, tmp_path: Path) -> None:
    server.put("a.ics", simple("a"))
    direct = server.tables(tmp_path, url=server.url.rstrip("/") + server.calendar)
    direct.run()
    assert direct.uids() == {"a"}
    assert direct.run() == []


def test_calendars_can_be_restricted(server: Server, tables: Tables, tmp_path: Path) -> None:
    server.put("a.ics", simple("a"))
    named = server.tables(tmp_path, calendars=[server.calendar.strip("/").rpartition("/")[2]])
    named.run()
    assert named.uids() == {"a"}
    with pytest.raises(NotFound, match="none of them is there"):
        server.tables(tmp_path, calendars=["nonesuch"]).run()


def test_stopped_server_is_unavailable_and_claims_nothing(server: Server, tables: Tables) -> None:
    server.put("a.ics", simple("a"))
    tables.run()
    stop(server.process.pid)
    seen = []
    with pytest.raises(Unavailable) as raised:
        seen.extend(caldav.extract(tables.connection, tables.sync()))
    assert seen == []
    assert "start the server" in str(raised.value)
    assert [test.ok for test in caldav.setup_tests(tables.connection, tables.sync())] == [False]


def test_setup_tests(server: Server, tables: Tables) -> None:
    actual = list(caldav.setup_tests(tables.connection, tables.sync()))
    assert [(test.name, test.ok) for test in actual] == [
        ("reachable", True),
        ("authenticated", True),
        ("may list calendars", True),
        ("supports sync-collection", True),
    ]


@pytest.fixture
def company(tmp_path: Path) -> Iterator[tuple[Process, Path, dict[str, str]]]:
    passwords = {login: f"{PASSWORD}-{login}" for login in (OWNER, *PEOPLE, *LEAVERS)}
    with running(start_radicale(tmp_path / "server", passwords)) as process:
        yield process, tmp_path / "server", passwords


def test_wrong_password_is_refused_after_one_request_and_stays_secret(
    company: tuple[Process, Path, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, _, _ = company
    monkeypatch.setenv("CALENDAR_TEST_PASSWORD", "wrong-" + PASSWORD)
    connection = {"url": f"http://127.0.0.1:{process.port}/", "username": OWNER}
    tables = Tables(
        caldav.Connection.model_validate({**connection, "password": {"env": "CALENDAR_TEST_PASSWORD"}}),
        tmp_path / "sync",
    )
    with pytest.raises(Unauthenticated) as raised:
        tables.run()
    assert PASSWORD not in str(raised.value) + repr(raised.value.__cause__) + repr(raised.value.__context__)
    assert "connection.password" in str(raised.value)
    assert [(t.name, t.ok) for t in caldav.setup_tests(tables.connection, tables.sync())][1:] == [
        ("authenticated", False)
    ]


def test_seed_is_idempotent_and_complete(
    company: tuple[Process, Path, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, folder, passwords = company
    url = f"http://127.0.0.1:{process.port}/"
    now = datetime(2026, 11, 21, 9, tzinfo=UTC)
    assert seed_calendars(url, folder, passwords, now) == [*PEOPLE, "team"]
    monkeypatch.setenv("CALENDAR_TEST_PASSWORD", passwords[OWNER])
    sync_folder = tmp_path / "sync"
    sync_folder.mkdir()
    connection = {"url": url, "username": OWNER, "password": {"env": "CALENDAR_TEST_PASSWORD"}}
    tables = Tables(caldav.Connection.model_validate(connection), sync_folder)
    tables.run(now)
    assert seed_calendars(url, folder, passwords, now + timedelta(days=9)) == []
    assert tables.run(now) == []
    assert len(tables.table("calendars")) == len(PEOPLE) + 1
    assert GUEST in {row["organizer_email"] for row in tables.table("events")}
    shared = [row for row in tables.table("shares") if row["origin"] == "radicale"]
    assert len(shared) == 2 * len(PEOPLE) + len(LEAVERS)
    statuses = [row["status"] for row in tables.table("occurrences") if row["uid"] == "stand-up"]
    assert statuses.count("CANCELLED") == 1
    starts = {row["starts_at"].hour for row in tables.table("occurrences") if row["uid"] == "stand-up"}
    assert starts == {7, 8, 10}  # 9:30 in Paris is 7:30 or 8:30 UTC, and one instance was moved
    everything = repr(tables.events) + repr(tables.cursor)
    everything += "".join(path.read_text() for path in sync_folder.rglob("*") if path.is_file())
    assert PASSWORD not in everything


def test_a_person_sees_what_was_shared_with_them(
    company: tuple[Process, Path, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, folder, passwords = company
    url = f"http://127.0.0.1:{process.port}/"
    seed_calendars(url, folder, passwords, NOW)
    monkeypatch.setenv("CALENDAR_TEST_PASSWORD", passwords["bob.okafor"])
    connection = {"url": url, "username": "bob.okafor", "password": {"env": "CALENDAR_TEST_PASSWORD"}}
    tables = Tables(caldav.Connection.model_validate(connection), tmp_path)
    tables.run()
    assert {row["calendar"] for row in tables.table("calendars")} == {"/bob.okafor/bob.okafor/", "/bob.okafor/team/"}
    assert tables.run() == []
