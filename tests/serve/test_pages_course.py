"""The course of somebody new: two systems added and read, and a violation acknowledged, by the pages alone."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from leat.demo.servers.datasette_server import start_datasette
from leat.demo.servers.process import stop
from leat.demo.servers.radicale import start_radicale
from leat.runs.signing_in import link
from leat.runs.workspace import open_workspace
from tests.kit.child import wait_until
from tests.kit.command import Leat
from tests.kit.serving import Served, served

PASSWORD = "of-the-calendar"
RULE = """/* ---
title: No order is below zero
description: An order of less than nothing.
next_step: Correct the order.
owner: shop
key: [id]
--- */
SELECT id, total FROM shop.orders WHERE total < 0 AND _deleted_at IS NULL
"""
EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//course//EN\r\nBEGIN:VEVENT\r\nUID:one\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART:20260102T090000Z\r\nDTEND:20260102T100000Z\r\nSUMMARY:Budget\r\nATTENDEE;CN=Bea:mailto:bea@example.com\r\n"
    "END:VEVENT\r\nEND:VCALENDAR\r\n"
)


class Browser:
    """A browser without scripts."""

    def __init__(self, server: Served) -> None:
        self.server, self.session = server, requests.Session()
        self.session.headers.update({"accept": "text/html", "origin": server.url})

    def open(self, path: str) -> str:
        answer = self.session.get(self.server.url + path, timeout=60)
        assert answer.ok, (path, answer.status_code, answer.text)
        return answer.text

    def send(self, path: str, **form: str) -> str:
        """Send a form, and return where it leads."""
        answer = self.session.post(self.server.url + path, data=form, timeout=60, allow_redirects=False)
        assert answer.status_code == 303, (path, answer.status_code, answer.text)
        return answer.headers["location"]

    def until(self, path: str, *texts: str) -> str:
        wait_until(lambda: any(text in self.open(path) for text in texts), 60)
        return self.open(path)

    def sign_in(self, address: str) -> None:
        self.send("/sign-in/link", secret=address.rpartition("secret=")[2])


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[str]:
    database = tmp_path / "shop.db"
    with closing(sqlite3.connect(database)) as made:
        made.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, mail TEXT, total REAL)")
        made.executemany("INSERT INTO orders VALUES (?, ?, ?)", [(n, f"c{n}@x.example", n - 3) for n in range(1, 121)])
        made.commit()
    process = start_datasette(tmp_path / "datasette", database)
    yield f"http://127.0.0.1:{process.port}/shop/orders.json?_shape=objects"
    stop(process.pid)


@pytest.fixture
def calendar(tmp_path: Path) -> Iterator[str]:
    process = start_radicale(tmp_path / "radicale", {"office": PASSWORD})
    url, account = f"http://127.0.0.1:{process.port}/", ("office", PASSWORD)
    requests.request("MKCALENDAR", f"{url}office/work/", auth=account, timeout=30).raise_for_status()
    kind = {"Content-Type": "text/calendar"}
    requests.put(f"{url}office/work/one.ics", EVENT, auth=account, headers=kind, timeout=30).raise_for_status()
    yield url
    stop(process.pid)


def chosen(text: str) -> dict[str, str]:
    """Return what the page of a trial has filled in."""
    boxes = re.findall(r'<input type="checkbox" id="[^"]+" name="([^"]+)" value="([^"]+)" checked', text)
    fields = re.findall(r'<input id="[^"]+" name="([^"]+)" value="([^"]*)"', text)
    return {**dict(boxes), **dict(fields), "schedule": ""}


def first_rows(browser: Browser, integration: str, stream: str) -> str:
    """Follow the link of a stream to its first rows, and run the query."""
    page = browser.open(f"/integrations/{integration}")
    query = re.search(rf'href="(/query\?sql=[^"]*{integration}\.{stream}[^"]*)"', page)
    assert query is not None, page
    sql = re.search(r"<textarea[^>]*>(.*?)</textarea>", browser.open(unescape(query[1])), re.DOTALL)
    assert sql is not None
    form = {"sql": unescape(sql[1]), "rows": "100"}
    answer = browser.session.post(f"{browser.server.url}/query", data=form, timeout=60)
    assert answer.ok, answer.text
    return answer.text


def test_two_systems_are_added_and_a_violation_is_acknowledged_by_the_pages_alone(
    tmp_path: Path, shop: str, calendar: str
) -> None:
    folder = tmp_path / "project"
    (folder / "pipelines").mkdir(parents=True)
    leat = Leat(folder)
    with served(leat) as server:
        workspace = open_workspace(folder, may_be_empty=True)
        address = link(workspace, server.url)
        workspace.close()
        assert address is not None
        browser = Browser(server)
        browser.sign_in(address)
        assert "Add a system" in browser.open("/")

        draft = browser.send("/integrations/-/add/rest_api/http", name="shop", url=shop, auth="none")
        text = browser.until(draft, "Test again")
        assert "It works: shop can be read." in text
        assert "c1@x.example" in text
        file = browser.send(f"{draft}/streams", **{**chosen(text), "hash:orders": "mail"})
        assert "path: orders.json" in browser.open(file)
        run = browser.send(f"{draft}/save", run="now")
        browser.until(run.partition("?")[0], "The run is finished.")
        assert "120" in browser.open("/integrations/shop")
        rows = first_rows(browser, "shop", "orders")
        assert "20 rows" in rows
        assert "c1@x.example" not in rows

        settings: dict[str, Any] = {"username": "office", "password": "CALENDAR_PASSWORD", "password:from": "env"}
        draft = browser.send("/integrations/-/add/calendar/caldav", name="calendar", url=calendar, **settings)
        assert "write a line CALENDAR_PASSWORD=… into the project" in browser.until(draft, "Test again")
        (folder / ".env").write_text(f"CALENDAR_PASSWORD={PASSWORD}\n")
        browser.send(f"{draft}/test")
        text = browser.until(draft, "Test again")
        assert "It works: calendar can be read." in text
        assert "Budget" in text
        streams = {name: value for name, value in chosen(text).items() if name != "load:alarms"}
        browser.send(f"{draft}/streams", **{**streams, "hash:attendees": "personal"})
        run = browser.send(f"{draft}/save", run="now")
        browser.until(run.partition("?")[0], "The run is finished.")
        assert "Budget" in first_rows(browser, "calendar", "events")
        assert "bea@example.com" not in first_rows(browser, "calendar", "attendees")

        (folder / "quality" / "rules").mkdir(parents=True)
        (folder / "quality" / "rules" / "below_zero.sql").write_text(RULE)
        run = browser.send("/integrations/shop/run")
        browser.until(run, "The run is finished.")
        violation = re.search(r'href="(/violations/[0-9a-f]+)"', browser.open("/violations"))
        assert violation is not None
        done = browser.send(f"{violation[1]}/acknowledge", note="the shop corrects it", days="7")
        assert "the shop corrects it" in browser.open(done.partition("?")[0])

    declared = yaml.safe_load((folder / "pipelines" / "calendar.yaml").read_text())
    assert declared["streams"] == {"attendees": {"mask": True}, "alarms": {"selected": False}}
    checked = leat("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
