"""Radicale with two calendars, a series, a share and a broken file; read back by plain HTTP and by hand."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo

import requests
from dateutil.rrule import rrulestr

from leat.demo.servers.radicale import start_radicale, storage_folder
from tests.contract.served import served
from tests.contract.world import MAIL, PERSON, REFUSED, SECRET, Keys, Row, Step, World

OWNER, GUEST = "office", "erin"
ZONE = ZoneInfo("Europe/Paris")
_EVENT = ("calendar", "href", "uid", "recurrence_id")
_OCCURRENCE = ("calendar", "href", "uid", "occurrence_id")


def _event(uid: str, start: datetime, *lines: str) -> list[str]:
    end = start + timedelta(hours=1)
    times = [f"DTSTART;TZID={ZONE.key}:{start:%Y%m%dT%H%M%S}", f"DTEND;TZID={ZONE.key}:{end:%Y%m%dT%H%M%S}"]
    head = ["BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", *times]
    return [*head, *lines, "END:VEVENT"]


def _file(*events: list[str]) -> bytes:
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//contract//EN"]
    return "\r\n".join([*head, *chain.from_iterable(events), "END:VCALENDAR", ""]).encode()


_PEOPLE = (f"ORGANIZER;CN={PERSON}:mailto:{MAIL}", f"ATTENDEE;CN={PERSON}:mailto:{MAIL}", "ATTENDEE:mailto:b@x.example")
_ALARM = ("BEGIN:VALARM", "ACTION:DISPLAY", f"DESCRIPTION:{PERSON}", "TRIGGER:-PT10M", "END:VALARM")
_ATTACHED = f"ATTACH:https://files.example/{MAIL}.pdf"


@dataclass
class _Server:
    url: str
    monday: datetime

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> requests.Response:
        url = f"{self.url}{path.lstrip('/')}"
        answer = requests.request(method, url, data=body, headers=headers, auth=(OWNER, SECRET), timeout=30)
        assert answer.ok, (method, path, answer.status_code)
        return answer

    def put(self, path: str, *events: list[str]) -> None:
        self.ask("PUT", path, _file(*events), **{"Content-Type": "text/calendar; charset=utf-8"})

    def seed(self) -> None:
        for name in ("work", "home"):
            self.ask("MKCALENDAR", f"/{OWNER}/{name}/")
        mine = (f"SUMMARY:{PERSON}", *_PEOPLE, *_ALARM, _ATTACHED)
        self.put(f"/{OWNER}/work/one.ics", _event("one", self.monday, *mine))
        other = self.monday + timedelta(weeks=1)
        moved = _event("series", other + timedelta(hours=2), f"RECURRENCE-ID;TZID={ZONE.key}:{other:%Y%m%dT%H%M%S}")
        skipped = f"EXDATE;TZID={ZONE.key}:{self.monday + timedelta(weeks=2):%Y%m%dT%H%M%S}"
        series = _event("series", self.monday, "RRULE:FREQ=WEEKLY;COUNT=5", skipped, *_PEOPLE)
        self.put(f"/{OWNER}/work/series.ics", series, moved)
        self.put(f"/{OWNER}/home/free.ics", _event("free", self.monday, "TRANSP:TRANSPARENT"))
        self.share()

    def share(self) -> None:
        kind = {"Content-Type": "application/json"}
        share = f'{{"PathMapped":"/{OWNER}/work/","PathOrToken":"/{GUEST}/work/","User":"{GUEST}","Permissions":"r",'
        self.ask("POST", "/.sharing/v1/map/create", f'{share}"Enabled":true,"Hidden":false}}'.encode(), **kind)

    def keys(self) -> dict[str, Keys]:
        calendars = [f"/{OWNER}/home/", f"/{OWNER}/work/"]
        listing = self.ask("PROPFIND", f"/{OWNER}/", Depth="1").text
        assert sorted(re.findall(r"<href>(/office/\w+/)</href>", listing)) == calendars
        expected: dict[str, set[tuple[str | int, ...]]] = {name: set() for name in _PARTS}
        for calendar in calendars:
            for href in re.findall(r"<href>([^<]+\.ics)</href>", self.ask("PROPFIND", calendar, Depth="1").text):
                for stream, key in _read(self.ask("GET", href).text):
                    expected[stream].add((calendar, href, *key))
        listed = self.ask("POST", "/.sharing/v1/all/list", b"{}", **{"Content-Type": "application/json"}).json()
        shares = {(share["PathMapped"], share["User"], "radicale") for share in listed["Content"]}
        shares |= {(calendar, OWNER, "owner") for calendar in calendars}
        return {
            "calendars": Keys(("calendar",), frozenset((calendar,) for calendar in calendars)),
            "shares": Keys(("calendar", "principal", "origin"), frozenset(shares)),
            **{stream: Keys(columns, frozenset(expected[stream])) for stream, columns in _PARTS.items()},
        }

    def add(self) -> Step:
        start = self.monday + timedelta(days=1)
        self.put(f"/{OWNER}/work/new one.ics", _event("new", start, "SUMMARY:Added", *_PEOPLE, *_ALARM, _ATTACHED))
        return Step(_only("new"), [("events", {"uid": "new", "duration_seconds": 3600})])

    def change(self) -> Step:
        start = self.monday + timedelta(days=2)
        self.put(f"/{OWNER}/work/new one.ics", _event("new", start, "SUMMARY:Changed", "STATUS:TENTATIVE"))
        seen = [
            ("events", {"uid": "new", "status": "TENTATIVE"}),
            ("free_busy", {"uid": "new", "kind": "BUSY-TENTATIVE"}),
        ]
        return Step(_only("new"), seen, [("attendees", {"uid": "new"}), ("alarms", {"uid": "new"})])

    def delete(self) -> Step:
        self.ask("DELETE", f"/{OWNER}/work/series.ics")
        return Step(_only("series"), gone=[("events", {"uid": "series"}), ("occurrences", {"uid": "series"})])


_PARTS = {
    "events": _EVENT,
    "attendees": (*_EVENT, "address"),
    "alarms": (*_EVENT, "position"),
    "attachments": (*_EVENT, "position"),
    "occurrences": _OCCURRENCE,
    "free_busy": _OCCURRENCE,
}


def _only(uid: str) -> dict[str, Callable[[Row], bool]]:
    return {stream: lambda row: row["uid"] == uid for stream in _PARTS}


def _utc(local: str) -> str:
    moment = datetime.strptime(local, "%Y%m%dT%H%M%S").replace(tzinfo=ZONE)
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _read(text: str) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Yield stream and rest of the key of everything in a file, as far as this world writes files."""
    for block in re.findall(r"BEGIN:VEVENT\n.*?END:VEVENT", re.sub(r"\r?\n ?", "\n", _unfolded(text)), re.DOTALL):
        lines = block.split("\n")
        uid = _value(lines, "UID")
        assert uid is not None
        original = _value(lines, "RECURRENCE-ID")
        key = (uid, _utc(original) if original else "")
        yield "events", key
        for line in lines:
            if line.startswith("ATTENDEE"):
                yield "attendees", (*key, line.rpartition("mailto:")[2])
        yield from (("alarms", (*key, i)) for i in range(lines.count("BEGIN:VALARM")))
        yield from (("attachments", (*key, i)) for i in range(sum(line.startswith("ATTACH:") for line in lines)))
        for occurrence in [] if original else _occurrences(lines):
            yield "occurrences", (uid, occurrence)
            if "TRANSP:TRANSPARENT" not in lines:
                yield "free_busy", (uid, occurrence)


def _unfolded(text: str) -> str:
    return re.sub(r"\r?\n[ \t]", "", text)


def _occurrences(lines: list[str]) -> list[str]:
    rule, start, skipped = _value(lines, "RRULE"), _value(lines, "DTSTART"), _value(lines, "EXDATE")
    if rule is None or start is None:
        return [""]
    times = rrulestr(rule, dtstart=datetime.strptime(start, "%Y%m%dT%H%M%S"))  # noqa: DTZ007 - a wall clock
    return [_utc(f"{time:%Y%m%dT%H%M%S}") for time in times if f"{time:%Y%m%dT%H%M%S}" != skipped]


def _value(lines: list[str], name: str) -> str | None:
    return next((line.partition(":")[2] for line in lines if re.match(rf"{name}[;:]", line)), None)


@contextmanager
def open_world(folder: Path, database: Callable[[], str]) -> Iterator[World]:
    """Start Radicale behind a counting proxy."""
    users = {OWNER: SECRET, GUEST: "of no interest"}
    with served(lambda port: start_radicale(folder, users, port)) as server:
        today = datetime.now(ZONE).replace(hour=10, minute=0, second=0, microsecond=0, tzinfo=None)
        system = _Server(f"http://127.0.0.1:{server.port}/", today - timedelta(days=today.weekday()))
        system.seed()
        broken = _file(["BEGIN:VEVENT", f"SUMMARY:{PERSON}", f"ATTENDEE:mailto:{MAIL}", "END:VEVENT"])
        (storage_folder(folder, OWNER, "work") / "broken.ics").write_bytes(broken)
        variables = {"CONTRACT_CALENDAR_URL": f"{server.url}/", "CONTRACT_CALENDAR_PASSWORD": SECRET}
        yield World(
            connection={
                "url": {"env": "CONTRACT_CALENDAR_URL"},
                "username": OWNER,
                "password": {"env": "CONTRACT_CALENDAR_PASSWORD"},
                "storage": str(storage_folder(folder, OWNER, "work").parents[1]),
            },
            environment=variables,
            refused={"CONTRACT_CALENDAR_PASSWORD": REFUSED},
            keys=system.keys,
            add=system.add,
            change=system.change,
            delete=system.delete,
            stop=server.stop,
            start=server.start,
            requests=server.requests,
            secrets=[base64.b64encode(f"{OWNER}:{password}".encode()).decode() for password in (SECRET, REFUSED)],
        )
