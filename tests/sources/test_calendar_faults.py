"""What a server may do wrong: each fault is one class of error, and none makes the driver claim what it can't know."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from leat.demo.servers.process import running
from leat.sources.calendar.caldav import driver as caldav
from leat.sources.errors import (
    Forbidden,
    IntegrationError,
    NotConfigured,
    NotFound,
    RateLimited,
    Rejected,
    TimedOut,
    Unauthenticated,
    Unavailable,
    UnexpectedShape,
)
from leat.sources.events import Cursor, Delete, Event, Logged
from tests.servers.xandikos import start_xandikos
from tests.sources.calendar_faults import Faulty, Reply, faulty
from tests.sources.calendar_tables import NOW, Tables, simple

PASSWORD = "planted-Passw0rd-7261"
CALENDAR = "/user/calendars/calendar/"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Faulty]:
    with running(start_xandikos(tmp_path / "server")) as process:
        url = f"http://127.0.0.1:{process.port}"
        for number in range(3):
            headers = {"Content-Type": "text/calendar"}
            assert requests.put(f"{url}{CALENDAR}{number}.ics", simple(f"e{number}"), headers=headers, timeout=30).ok
        with faulty(url) as front:
            yield front


@pytest.fixture
def tables(server: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tables:
    return account(server.url, tmp_path, monkeypatch)


def account(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Tables:
    monkeypatch.setenv("CALENDAR_TEST_PASSWORD", PASSWORD)
    connection = {"url": url, "username": "u", "password": {"env": "CALENDAR_TEST_PASSWORD"}, **more}
    return Tables(caldav.Connection.model_validate(connection), folder)


def always(status: int, body: bytes = b"", **headers: str) -> Any:
    return lambda *_: (status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, Unauthenticated),
        (403, Forbidden),
        (404, NotFound),
        (410, NotFound),
        (405, Rejected),
        (408, TimedOut),
        (500, Unavailable),
        (502, Unavailable),
        (503, Unavailable),
        (200, UnexpectedShape),
        (204, UnexpectedShape),
    ],
)
def test_status_is_one_class_of_error_after_one_request(
    status: int, error: type[IntegrationError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faulty() as server:
        server.fault = always(status, b"" if status == 204 else b"<html>no</html>")
        tables = account(server.url, tmp_path, monkeypatch)
        with pytest.raises(error) as raised:
            tables.run()
    assert len(server.seen) == 1
    assert raised.value.next_step
    assert PASSWORD not in str(raised.value)


@pytest.mark.parametrize("after", ["7", "date", None])
def test_rate_limit_says_when_to_come_back(after: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    header = {"Retry_After": in_a_minute if after == "date" else after} if after else {}
    with faulty() as server:
        server.fault = always(429, **header)
        with pytest.raises(RateLimited) as raised:
            account(server.url, tmp_path, monkeypatch).run()
    seconds = raised.value.retry_after
    assert seconds == {"7": 7.0, None: None}.get(after, seconds)
    assert after != "date" or 50 < (seconds or 0) <= 60


def test_no_answer_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()

    def hang(*_: str) -> Reply:
        done.wait(30)
        return 500, {}, b""

    with faulty() as server:
        server.fault = hang
        with pytest.raises(TimedOut, match="timeout"):
            account(server.url, tmp_path, monkeypatch, timeout=0.2).run()
        done.set()


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><multistatus xmlns="DAV:">&a;</multistatus>',
        b"<a>" * 100_000,
        b'<multistatus xmlns="DAV:"><response><href>/</href>',
        b'<multistatus xmlns="DAV:"><response><status>HTTP/1.1 200 OK</status></response></multistatus>',
        b'{"json": true}',
        b"\xff\xfe\x00",
    ],
)
def test_xml_that_lies_or_attacks_is_refused(body: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with faulty() as server:
        server.fault = always(207, body)
        with pytest.raises(UnexpectedShape, match="no multistatus"):
            account(server.url, tmp_path, monkeypatch).run()


def test_answer_that_is_cut_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with faulty() as server:
        server.fault = always(207, b'<multistatus xmlns="DAV:"></multistatus>', Content_Length="4000")
        with pytest.raises(Unavailable):
            account(server.url, tmp_path, monkeypatch).run()


def test_credentials_never_follow_to_another_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with faulty() as elsewhere, faulty() as server:
        server.fault = always(301, Location=elsewhere.url + "dav/")
        with pytest.raises(Rejected, match="another host"):
            account(server.url, tmp_path, monkeypatch).run()
        home = f'<multistatus xmlns="DAV:"><response><href>/</href><propstat><prop><current-user-principal><href>{elsewhere.url}p/</href></current-user-principal></prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>'  # noqa: E501
        server.fault = always(207, home.encode())
        with pytest.raises(Rejected, match="another host"):
            account(server.url, tmp_path, monkeypatch).run()
        assert elsewhere.seen == []


def test_redirect_on_the_same_host_is_followed(server: Faulty, tables: Tables) -> None:
    server.fault = lambda method, path, _: (308, {"Location": "/user/"}, b"") if path == "/" else None
    tables.run()
    assert tables.uids() == {"e0", "e1", "e2"}


@pytest.mark.parametrize("url", ["ftp://localhost/", "localhost", "http://u:p@localhost/", "http://"])
def test_address_that_cannot_be_used(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotConfigured) as raised:
        account(url, tmp_path, monkeypatch).run()
    assert "connection.url" in str(raised.value)


@pytest.mark.parametrize("status", [409, 410, 412, 418, 507])
def test_every_way_to_refuse_a_token_leads_to_a_full_resync(server: Faulty, tables: Tables, status: int) -> None:
    tables.run()
    old = tables.cursor["calendars"][CALENDAR]["token"]
    tables.cursor["calendars"][CALENDAR]["items"]["gone.ics"] = "0"

    def forget(method: str, path: str, body: str) -> Reply | None:
        return (status, {}, b"") if old + "-old" in body else None

    tables.cursor["calendars"][CALENDAR]["token"] = old + "-old"
    server.fault = forget
    tables.run()
    assert tables.uids() == {"e0", "e1", "e2"}
    assert [e.data["status"] for e in tables.events if isinstance(e, Logged)] == [status]
    assert {e.where["href"] for e in tables.events if isinstance(e, Delete)} == {CALENDAR + "gone.ics"}


def test_403_that_is_about_the_calendar_is_no_expired_token(server: Faulty, tables: Tables) -> None:
    tables.run()
    tables.cursor["calendars"][CALENDAR]["token"] = "older"
    server.fault = lambda method, path, _: (403, {}, b"") if path == CALENDAR else None
    with pytest.raises(Forbidden):
        tables.run()


@pytest.mark.parametrize("report", ["calendar-multiget", "sync-collection"])
@pytest.mark.parametrize("how", [503, 502, "garbage"])
def test_server_that_dies_midway_yields_no_cursor(server: Faulty, tables: Tables, report: str, how: int | str) -> None:
    down = {"is": False}

    def die(method: str, path: str, body: str) -> Reply | None:
        down["is"] = down["is"] or report in body
        if not down["is"]:
            return None
        return (500, {}, b"<html>") if how == "garbage" else (int(how), {}, b"")

    server.fault = die
    seen: list[Event] = []
    with pytest.raises(Unavailable):
        seen.extend(caldav.extract(tables.connection, tables.sync()))
    assert not [event for event in seen if isinstance(event, Cursor)]


def test_server_that_dies_midway_deletes_nothing(server: Faulty, tables: Tables) -> None:
    tables.run()
    before = tables.uids()
    tables.cursor["calendars"][CALENDAR]["token"] = "older"
    server.fault = lambda method, path, body: (503, {}, b"") if "sync-collection" in body else None
    seen: list[Event] = []
    with pytest.raises(Unavailable):
        for event in caldav.extract(tables.connection, tables.sync()):
            seen.append(event)
    assert seen == []
    server.fault = lambda *_: None
    tables.cursor["calendars"][CALENDAR]["token"] = None
    tables.run()
    assert tables.uids() == before


def sync_page(token: str, names: list[str], more: bool) -> bytes:
    one = '<response><href>{}{}</href><propstat><prop><getetag>"1"</getetag></prop><status>HTTP/1.1 200 OK</status></propstat></response>'  # noqa: E501
    rest = f"<response><href>{CALENDAR}</href><status>HTTP/1.1 507 Insufficient Storage</status></response>"
    inner = "".join(one.format(CALENDAR, name) for name in names) + (rest if more else "")
    return f'<multistatus xmlns="DAV:">{inner}<sync-token>{token}</sync-token></multistatus>'.encode()


def test_truncated_result_is_read_to_its_end(server: Faulty, tables: Tables) -> None:
    pages = iter(
        [sync_page("t1", ["0.ics"], True), sync_page("t2", ["1.ics"], True), sync_page("t3", ["2.ics"], False)]
    )
    server.fault = lambda method, path, body: (207, {}, next(pages)) if "sync-collection" in body else None
    tables.run()
    assert tables.uids() == {"e0", "e1", "e2"}
    assert tables.cursor["calendars"][CALENDAR]["token"] == "t3"


def test_truncated_result_that_never_ends_is_refused(server: Faulty, tables: Tables) -> None:
    server.fault = lambda method, path, body: (
        (207, {}, sync_page("same", ["0.ics"], True)) if "sync-collection" in body else None
    )
    with pytest.raises(UnexpectedShape, match="never ends"):
        tables.run()


def test_one_file_the_server_fails_on_is_quarantined_and_tried_again_each_day(server: Faulty, tables: Tables) -> None:
    def fail(method: str, path: str, body: str) -> Reply | None:
        return (500, {}, b"") if "1.ics" in path or ("multiget" in body and "1.ics" in body) else None

    server.fault = fail
    tables.run()
    assert tables.uids() == {"e0", "e2"}
    assert [item.key for item in tables.quarantined()] == [CALENDAR + "1.ics"]
    assert tables.run() == []
    server.fault = lambda *_: None
    assert tables.run() == []
    tables.run(NOW + timedelta(days=1))
    assert tables.uids() == {"e0", "e1", "e2"}


def test_server_without_multiget_is_read_file_by_file(server: Faulty, tables: Tables) -> None:
    server.fault = lambda method, path, body: (501, {}, b"") if "multiget" in body else None
    tables.run()
    assert tables.uids() == {"e0", "e1", "e2"}


def test_no_change_costs_one_request(server: Faulty, tables: Tables) -> None:
    tables.run()
    server.seen.clear()
    assert tables.run() == []
    assert [method for method, _, _ in server.seen] == ["PROPFIND"]
