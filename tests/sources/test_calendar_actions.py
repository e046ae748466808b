"""Events created, moved, changed, cancelled, answered, shared and booked on Radicale and Xandikos: each once."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from leat.actions.decide import undo
from leat.actions.office import UnknownAction
from leat.actions.propose import order_of
from leat.demo.servers.process import running
from leat.demo.servers.radicale import start_radicale
from leat.sources.actions import Refused
from leat.sources.calendar.caldav.actions.account import Account
from leat.sources.errors import Outdated
from tests.kit.offices import Desk, desk_of
from tests.servers.xandikos import start_xandikos
from tests.sources.calendar_tables import ics

OWNER, GUEST, PASSWORD = "office", "erin", "planted-Passw0rd-8812"
ZONE = "Europe/Berlin"


@dataclass
class Server:
    """A calendar server, its calendar, and how to sign in."""

    name: str
    url: str
    calendar: str
    auth: tuple[str, str] | None

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> requests.Response:
        data = None if body is None else body.encode()
        return requests.request(
            method, self.url.rstrip("/") + path, data=data, headers=headers, auth=self.auth, timeout=30
        )

    def put(self, name: str, *lines: str) -> None:
        body = ics(*lines).decode()
        answer = self.ask("PUT", f"{self.calendar}{name}.ics", body, **{"Content-Type": "text/calendar; charset=utf-8"})
        assert answer.ok, answer.text

    def text(self, name: str) -> str:
        answer = self.ask("GET", f"{self.calendar}{name}.ics")
        answer.encoding = "utf-8"
        return re.sub(r"\r?\n[ \t]", "", answer.text).replace("\r\n", "\n") if answer.ok else ""

    def names(self) -> list[str]:
        listing = self.ask("PROPFIND", self.calendar, Depth="1").text
        return sorted(re.findall(r"/([^/<]+)\.ics<", listing))


@pytest.fixture(scope="module", params=["radicale", "xandikos"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "xandikos":
        with running(start_xandikos(folder)) as process:
            yield Server("xandikos", f"http://127.0.0.1:{process.port}/", "/user/calendars/calendar/", None)
        return
    with running(start_radicale(folder, {OWNER: PASSWORD, GUEST: PASSWORD})) as process:
        server = Server("radicale", f"http://127.0.0.1:{process.port}/", f"/{OWNER}/work/", (OWNER, PASSWORD))
        for name in ("work", "room"):
            assert server.ask("MKCALENDAR", f"/{OWNER}/{name}/").ok
        yield server


@pytest.fixture(scope="module")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("radicale")
    with running(start_radicale(folder, {OWNER: PASSWORD, GUEST: PASSWORD})) as process:
        server = Server("radicale", f"http://127.0.0.1:{process.port}/", f"/{OWNER}/work/", (OWNER, PASSWORD))
        for name in ("work", "room"):
            assert server.ask("MKCALENDAR", f"/{OWNER}/{name}/").ok
        yield server


def _desk(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, login: str = "") -> Any:
    monkeypatch.setenv("CALENDAR_PASSWORD", PASSWORD)
    account = {"username": login or server.auth[0], "password": {"env": "CALENDAR_PASSWORD"}} if server.auth else {}
    connection = {"url": server.url, "addresses": ["ann@example.com"], **account}
    return desk_of(tmp_path, "calendar", {"source": "calendar", "driver": "caldav", "connection": connection})


@pytest.fixture
def desk(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with _desk(tmp_path / "project", server, monkeypatch) as desk:
        yield desk


@pytest.fixture
def office(tmp_path: Path, radicale: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with _desk(tmp_path / "project", radicale, monkeypatch) as desk:
        yield desk


def name_of(server: Server) -> str:
    return server.calendar.strip("/").rpartition("/")[2]


def wired(desk: Desk, row: Any) -> Any:
    """Return how an action is done, its order, and a connection to do it by hand."""
    verb, action = desk.office.verb("calendar", row.verb)
    return action, order_of(desk.office.store, verb, row), desk.office.connected("calendar")


def event(uid: str, *more: str, start: str = "20301202T100000", rule: str = "") -> tuple[str, ...]:
    end = f"{datetime.fromisoformat(start) + timedelta(hours=1):%Y%m%dT%H%M%S}"
    times = (f"DTSTART;TZID={ZONE}:{start}", f"DTEND;TZID={ZONE}:{end}")
    rules = (f"RRULE:{rule}",) if rule else ()
    head = ("BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", *times, *rules, "SEQUENCE:3")
    return (*head, f"SUMMARY:Talk {uid}", *more, "END:VEVENT")


ODD = (
    "X-WR-ODD;X-PARAM=\"a:b\":one\\, two\\; three",
    "CONFERENCE;VALUE=URI;FEATURE=AUDIO:tel:+1-412-555-0123",
    "BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:Soon", "TRIGGER:-PT10M", "X-ALARM-ODD:yes", "END:VALARM",
)  # fmt: skip


def test_an_event_is_created_once_and_undone(desk: Desk, server: Server) -> None:
    asked = {
        "calendar": name_of(server), "summary": "Kick-off, part 1; ä", "starts": "2030-12-02T10:00", "minutes": 45,
        "zone": ZONE, "location": "Room 1", "organizer": "bob@example.com", "attendees": "ann@example.com",
        "reminder": 15,
    }  # fmt: skip
    row = desk.plan("create_event", **asked)
    assert row.title.startswith("create event 'Kick-off, part 1; ä' in calendar")
    assert row.title.endswith("Mon 2030-12-02 10:00 Europe/Berlin to Mon 2030-12-02 10:45 Europe/Berlin")
    assert row.plan["people"] == ["ann@example.com"]
    assert server.text(row.id) == ""
    action, order, connected = wired(desk, row)
    [row] = desk.send(row)
    assert row.state == "confirmed", row.reason
    text = server.text(row.id)
    for line in (f"UID:{row.id}", f"X-LEAT-ACTION:{row.id}", "DTSTART;TZID=Europe/Berlin:20301202T100000", "SEQUENCE:0",
                 "SUMMARY:Kick-off\\, part 1\\; ä", "TRIGGER:-PT15M"):  # fmt: skip
        assert line in text.split("\n"), text
    assert "BEGIN:VTIMEZONE" in text
    with connected as account:
        with pytest.raises(Outdated):
            action.send(account, order)
        assert action.probe(account, order).data == row.receipt
    assert server.names().count(row.id) == 1
    back = desk.undo(row)
    assert (back.verb, back.state, desk.now(row).state) == ("delete_event", "confirmed", "undone")
    assert server.text(row.id) == ""


def test_whole_days(desk: Desk, server: Server) -> None:
    row = desk.act("create_event", calendar=name_of(server), summary="Holiday", starts="2030-12-24", ends="2030-12-27")
    assert row.state == "confirmed", row.reason
    assert "DTSTART;VALUE=DATE:20301224" in server.text(row.id)
    with pytest.raises(Refused, match="starts: the event takes place whole days: give a date"):
        desk.plan("move_event", calendar=name_of(server), event=row.id, starts="2030-12-24T10:00")
    moved = desk.act("move_event", calendar=name_of(server), event=row.id, starts="2030-12-25")
    assert moved.state == "confirmed", moved.reason
    assert "DTEND;VALUE=DATE:20301228" in server.text(row.id)


def test_what_nobody_understands_stays(desk: Desk, server: Server) -> None:
    server.put("odd", *event("odd", *ODD))
    before = server.text("odd").strip().split("\n")
    row = desk.act("update_event", calendar=name_of(server), event="odd", summary="Another, title")
    assert row.state == "confirmed", row.reason
    after = server.text("odd").strip().split("\n")
    assert "SUMMARY:Another\\, title" in after
    assert "SEQUENCE:4" in after
    touched = ("SUMMARY", "SEQUENCE", "DTSTAMP", "LAST-MODIFIED", "X-LEAT-ACTION")
    assert sorted(line for line in before if not line.startswith(touched)) == sorted(
        line for line in after if not line.startswith(touched)
    )
    with pytest.raises(Refused, match="already says so"):
        desk.plan("update_event", calendar=name_of(server), event="odd", summary="Another, title")
    back = desk.undo(row)
    assert (back.verb, back.state, desk.now(row).state) == ("restore_event", "confirmed", "undone")
    again = server.text("odd").strip().split("\n")
    assert "SEQUENCE:5" in again
    assert sorted(line for line in before if not line.startswith(touched[1:])) == sorted(
        line for line in again if not line.startswith(touched[1:])
    )


def test_an_event_moves_and_stays_as_long_as_it_is(desk: Desk, server: Server) -> None:
    server.put("move", *event("move"))
    row = desk.plan(
        "move_event", calendar=name_of(server), event="move", starts="2030-12-03T09:00", zone="Europe/London"
    )
    assert "from Mon 2030-12-02 10:00 Europe/Berlin to Tue 2030-12-03 10:00 Europe/Berlin" in row.title
    [row] = desk.send(row)
    assert row.state == "confirmed", row.reason
    assert "DTEND;TZID=Europe/Berlin:20301203T110000" in server.text("move")
    with pytest.raises(Refused, match="already at"):
        desk.plan("move_event", calendar=name_of(server), event="move", starts="2030-12-03T10:00")
    with pytest.raises(Refused, match="starts: the clock is put forward over 2031-03-30 02:30"):
        desk.plan("move_event", calendar=name_of(server), event="move", starts="2031-03-30T02:30")
    with pytest.raises(Refused, match="starts: the clock shows 2031-10-26 02:30 twice"):
        desk.plan("move_event", calendar=name_of(server), event="move", starts="2031-10-26T02:30")
    assert desk.undo(row).state == "confirmed"
    assert "DTSTART;TZID=Europe/Berlin:20301202T100000" in server.text("move")


def test_one_occurrence_of_a_series(desk: Desk, server: Server) -> None:
    server.put("weekly", *event("weekly", *ODD, rule="FREQ=WEEKLY;BYDAY=MO"))
    named = {"calendar": name_of(server), "event": "weekly", "occurrence": "20301209T090000Z"}
    row = desk.act("move_event", **named, starts="2030-12-10T14:00")
    assert row.state == "confirmed", row.reason
    text = server.text("weekly")
    assert text.count("BEGIN:VEVENT") == 2
    assert "RECURRENCE-ID;TZID=Europe/Berlin:20301209T100000" in text
    assert "DTEND;TZID=Europe/Berlin:20301210T150000" in text
    assert text.count("RRULE:FREQ=WEEKLY;BYDAY=MO\n") == 1
    assert text.count("X-WR-ODD") == 2
    cancelled = desk.act("cancel_event", **{**named, "occurrence": "2030-12-16T10:00"})
    assert cancelled.state == "confirmed", cancelled.reason
    assert server.text("weekly").count("STATUS:CANCELLED") == 1
    with pytest.raises(Refused, match="already cancelled"):
        desk.plan("cancel_event", **{**named, "occurrence": "20301216T090000Z"})
    with pytest.raises(Refused, match="occurrence: the series has none at 2030-12-17T10:00"):
        desk.plan("cancel_event", **{**named, "occurrence": "2030-12-17T10:00"})
    with pytest.raises(Refused, match="move its occurrences one at a time"):
        desk.plan("move_event", calendar=name_of(server), event="weekly", starts="2030-12-02T11:00")
    assert desk.undo(cancelled).state == "confirmed"
    assert "STATUS:CANCELLED" not in server.text("weekly")


def test_a_series_moves_only_as_a_whole(desk: Desk, server: Server) -> None:
    server.put("mondays", *event("mondays", rule="FREQ=WEEKLY;BYDAY=MO"))
    server.put("until", *event("until", rule="FREQ=DAILY;UNTIL=20301210T090000Z"))
    named = {"calendar": name_of(server), "event": "mondays"}
    with pytest.raises(Refused, match="starts: the rule of the series names days or an end"):
        desk.plan("move_event", **named, starts="2030-12-03T10:00")
    with pytest.raises(Refused, match="starts: the rule of the series names days or an end"):
        desk.plan("move_event", calendar=name_of(server), event="until", starts="2030-12-02T11:00")
    row = desk.act("move_event", **named, starts="2030-12-02T11:00")
    assert (row.state, "move series" in row.title) == ("confirmed", True), row.reason


def test_a_series_is_cancelled_with_its_changed_occurrences(desk: Desk, server: Server) -> None:
    other = event("all", f"RECURRENCE-ID;TZID={ZONE}:20301209T100000", start="20301209T120000")
    server.put("all", *event("all", rule="FREQ=WEEKLY"), *other)
    row = desk.act("cancel_event", calendar=name_of(server), event="all")
    assert (row.state, server.text("all").count("STATUS:CANCELLED")) == ("confirmed", 2), row.reason
    assert desk.undo(row).state == "confirmed"
    assert "STATUS:CANCELLED" not in server.text("all")


def test_an_answer(desk: Desk, server: Server) -> None:
    people = (
        "ORGANIZER:mailto:bob@example.com",
        'ATTENDEE;CN="Ann: A.";PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:ann@example.com',
        "ATTENDEE;PARTSTAT=DECLINED:mailto:carl@example.com",
    )
    server.put("asked", *event("asked", *people))
    named = {"calendar": name_of(server), "event": "asked"}
    with pytest.raises(Refused, match=r"attendee: carl@example\.com isn't an address of this account"):
        desk.plan("respond", **named, answer="accepted", attendee="carl@example.com")
    row = desk.plan("respond", **named, answer="accepted")
    assert row.plan["changes"] == [["answer of ann@example.com", "NEEDS-ACTION", "ACCEPTED"]]
    [row] = desk.send(row)
    assert row.state == "confirmed", row.reason
    text = server.text("asked")
    assert "SEQUENCE:3" in text
    assert "Ann: A." in text
    assert "PARTSTAT=DECLINED:mailto:carl@example.com" in text
    with pytest.raises(Refused, match="has already accepted"):
        desk.plan("respond", **named, answer="accepted")
    assert desk.undo(row).state == "confirmed"
    assert "PARTSTAT=NEEDS-ACTION" in server.text("asked")


def test_the_answer_of_an_attendee_is_recorded(desk: Desk, server: Server) -> None:
    server.put("told", *event("told", "ORGANIZER:mailto:bob@example.com", "ATTENDEE:mailto:carl@example.com"))
    named = {"calendar": name_of(server), "event": "told", "attendee": "carl@example.com", "answer": "declined"}
    with pytest.raises(Refused, match="the answer is to revision 2, and the event has revision 3 by now"):
        desk.plan("record_reply", **named, sequence=2)
    with pytest.raises(Refused, match=r"attendee: dora@example\.com isn't invited"):
        desk.plan("record_reply", **{**named, "attendee": "dora@example.com"})
    row = desk.act("record_reply", **named, sequence=3)
    assert row.state == "confirmed", row.reason
    assert ("PARTSTAT=DECLINED:mailto:carl" in server.text("told"), "SEQUENCE:3" in server.text("told")) == (True, True)
    with pytest.raises(Refused, match="already says"):
        desk.plan("record_reply", **named)
    assert desk.undo(row).state == "confirmed"
    assert "DECLINED" not in server.text("told")


def test_reminders_are_added_and_removed(desk: Desk, server: Server) -> None:
    server.put("bell", *event("bell", *ODD, rule="FREQ=WEEKLY"))
    named = {"calendar": name_of(server), "event": "bell"}
    row = desk.plan("remind", **named, minutes="0, 60", remove="10")
    assert row.title.startswith("remind 0 minutes before, remind 60 minutes before, remind no more 10 minutes before")
    assert [each[0] for each in row.plan["changes"]] == ["reminder 1", "reminder 2"]
    [row] = desk.send(row)
    assert row.state == "confirmed", row.reason
    text = server.text("bell")
    assert (text.count("BEGIN:VALARM"), "X-ALARM-ODD" in text) == (2, False), text
    assert "SEQUENCE:3" in text
    one = desk.act("remind", **named, occurrence="2030-12-09T10:00", minutes=5)
    assert (one.state, server.text("bell").count("BEGIN:VALARM")) == ("confirmed", 5), one.reason
    with pytest.raises(Refused, match="minutes: event bell already has these"):
        desk.plan("remind", **named, minutes=60)
    with pytest.raises(Refused, match="remove: event bell has no reminder 7 minutes"):
        desk.plan("remind", **named, remove=7)
    assert desk.undo(one).state == "confirmed"
    made = desk.act("create_event", calendar=name_of(server), summary="x", starts="2030-12-02", reminder=[30, 1440])
    assert server.text(made.id).count("TRIGGER") == 2


@pytest.mark.parametrize("verb", ["move_event", "update_event", "cancel_event", "delete_event"])
def test_a_person_changes_it_meanwhile(desk: Desk, server: Server, verb: str) -> None:
    server.put("theirs", *event("theirs"))
    more = {"move_event": {"starts": "2030-12-05T10:00"}, "update_event": {"location": "Room 2"}}.get(verb, {})
    row = desk.plan(verb, calendar=name_of(server), event="theirs", **more)
    server.put("theirs", *event("theirs", "LOCATION:Room 9"))
    [row] = desk.send(row)
    assert row.state == "failed"
    assert "412" in str(row.reason)
    assert "LOCATION:Room 9" in server.text("theirs")


def test_what_somebody_changed_since_is_not_undone(desk: Desk, server: Server) -> None:
    server.put("since", *event("since"))
    row = desk.act("update_event", calendar=name_of(server), event="since", location="Room 2")
    server.put("since", *event("since", "LOCATION:Room 9"))
    with pytest.raises(Refused, match="somebody has changed event since"):
        undo(desk.office, row, "ann")


def test_deleted_and_restored(desk: Desk, server: Server) -> None:
    server.put("gone", *event("gone", *ODD))
    row = desk.act("delete_event", calendar=name_of(server), event="gone")
    assert (row.state, server.text("gone")) == ("confirmed", ""), row.reason
    with pytest.raises(Refused, match="has no event with the UID 'gone'"):
        desk.plan("delete_event", calendar=name_of(server), event="gone")
    assert desk.undo(row).state == "confirmed"
    assert "X-WR-ODD" in server.text("gone")


def test_a_lost_answer_is_looked_for(desk: Desk, server: Server) -> None:
    server.put("lost", *event("lost"))
    row = desk.plan("update_event", calendar=name_of(server), event="lost", location="Room 2")
    action, order, connected = wired(desk, row)
    with connected as account:
        assert action.probe(account, order) is None
        action.send(account, order)
    [row] = desk.send(row)
    assert row.state == "confirmed", row.reason
    assert server.text("lost").count("X-LEAT-ACTION") == 1


def test_bad_parameters_are_named(office: Desk) -> None:
    new = {"calendar": "work", "summary": "x", "starts": "2030-12-02T10:00", "minutes": 30, "zone": ZONE}
    for verb, given, named in (
        ("create_event", {**new, "starts": "tomorrow"}, "starts: write a time like"),
        ("create_event", {**new, "zone": "Berlin"}, "zone: write a time zone"),
        ("create_event", {**new, "zone": None}, "zone: give the time zone of starts"),
        ("create_event", {**new, "minutes": None}, "give ends or minutes"),
        ("create_event", {**new, "ends": "2030-12-02T11:00"}, "give either ends or minutes"),
        ("create_event", {**new, "minutes": None, "ends": "2030-12-02T09:00"}, "ends: it has to be after starts"),
        ("create_event", {**new, "attendees": ["ann@example.com"]}, "organizer: "),
        ("create_event", {**new, "attendees": ["ann"], "organizer": "a@b.example"}, "attendees"),
        ("create_event", {**new, "summary": ""}, "summary: "),
        ("create_event", {**new, "sumary": "x"}, 'did you mean "summary"'),
        ("update_event", {"calendar": "work", "event": "e"}, "give at least one of summary"),
        ("respond", {"calendar": "work", "event": "e", "answer": "maybe"}, "answer: "),
        ("share", {"calendar": "work", "user": "erin", "access": "all"}, "access: "),
    ):
        with pytest.raises(UnknownAction, match=rf"calendar\.{verb}") as refused:
            office.plan(verb, **given)
        assert named in str(refused.value).lower()
    with pytest.raises(Refused, match="calendar: the account has no such calendar"):
        office.plan("create_event", **{**new, "calendar": "none"})
    with pytest.raises(Refused, match="event: /office/work/ has no event"):
        office.plan("cancel_event", calendar="work", event="none")


def test_a_calendar_is_shared_and_unshared(office: Desk, radicale: Server) -> None:
    row = office.act("share", calendar="work", user=GUEST)
    assert row.state == "confirmed", row.reason
    assert f"{GUEST} has to accept it before they see it" in row.plan["warnings"]
    with pytest.raises(Refused, match="already shared with erin"):
        office.plan("share", calendar="work", user=GUEST)
    action, order, connected = wired(office, row)
    with connected as account, pytest.raises(Outdated):
        action.send(account, order)
    back = office.undo(row)
    assert (back.verb, back.state) == ("unshare", "confirmed")
    with pytest.raises(Refused, match="already not shared"):
        office.plan("unshare", calendar="work", user=GUEST)
    assert office.undo(back).state == "confirmed"
    assert office.act("unshare", calendar="work", user=GUEST).state == "confirmed"


def test_a_reader_may_not_write(
    office: Desk, radicale: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.act("share", calendar="room", user=GUEST)
    share = f'{{"PathMapped":"/{OWNER}/room/","PathOrToken":"/{GUEST}/room/","User":"{GUEST}"}}'
    for action in ("enable", "unhide"):
        kind = {"Content-Type": "application/json"}
        url = f"{radicale.url}.sharing/v1/map/{action}"
        assert requests.post(url, data=share, headers=kind, auth=(GUEST, PASSWORD), timeout=30).ok
    with (
        _desk(tmp_path / "guest", radicale, monkeypatch, GUEST) as guest,
        pytest.raises(Refused, match="may only read"),
    ):
        guest.plan("create_event", calendar="room", summary="x", starts="2030-12-02T10:00", minutes=30, zone=ZONE)
    office.act("unshare", calendar="room", user=GUEST)


def test_of_two_who_book_one_wins(office: Desk, radicale: Server) -> None:
    for day in range(1, 9):
        slot = {"calendar": "room", "starts": f"2031-05-{day:02}T10:00", "minutes": 60, "zone": ZONE}
        rows = [office.plan("book_slot", summary=f"Book {number}", **slot) for number in range(3)]
        outcomes: list[str] = []
        barrier = threading.Barrier(len(rows))

        def book(row: Any, barrier: threading.Barrier = barrier, outcomes: list[str] = outcomes) -> None:
            action, order, connected = wired(office, row)
            with connected as account:
                barrier.wait(20)
                try:
                    action.send(account, order)
                except Outdated:
                    outcomes.append("lost")
                else:
                    outcomes.append("won")

        threads = [threading.Thread(target=book, args=(row,)) for row in rows]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        there = [name for name in radicale.ask("PROPFIND", f"/{OWNER}/room/", Depth="1").text.split("<href>")
                 if any(row.id in name for row in rows)]  # fmt: skip
        assert (sorted(outcomes), len(there)) == (["lost", "lost", "won"], 1)


class Watched(Account):
    """An account that does something right before it makes a booking definite."""

    def write(self, path: str, body: bytes, etag: str | None) -> str | None:
        if etag is not None:
            self.connection.before()  # type: ignore[attr-defined]
        return super().write(path, body, etag)


def watched(account: Account, before: Callable[[], None]) -> Account:
    then: Any = SimpleNamespace(before=before)
    return Watched(account.client, then, account.username, account.mail, account.listed)


@pytest.mark.parametrize("first", ["lower id", "higher id"])
def test_the_second_of_two_who_book_comes_between_hold_and_booking(office: Desk, radicale: Server, first: str) -> None:
    slot = {"calendar": "room", "starts": "2031-07-02T10:00", "minutes": 60, "zone": ZONE}
    rows = sorted((office.plan("book_slot", summary=each, **slot) for each in "AB"), key=lambda row: row.id)
    one, other = rows if first == "lower id" else reversed(rows)
    action, order, connected = wired(office, one)
    _, order_of_other, _ = wired(office, other)
    won = []
    with connected as account:

        def book_too() -> None:
            with contextlib.suppress(Outdated):
                won.append(action.send(account, order_of_other).data["event"])

        with contextlib.suppress(Outdated):
            won.append(action.send(watched(account, book_too), order).data["event"])
        assert won == [rows[0].id]
        there = [each.id for each in rows if account.read(order.plan.payload["path"].replace(one.id, each.id))]
        assert there == won
        account.delete(path := order.plan.payload["path"].replace(one.id, won[0]), account.read(path).etag)


def test_a_booking_goes_on_with_its_hold_after_a_crash(office: Desk, radicale: Server) -> None:
    slot = {"calendar": "room", "starts": "2031-07-03T10:00", "minutes": 60, "zone": ZONE}
    row = office.plan("book_slot", summary="A", **slot)
    action, order, connected = wired(office, row)

    def die() -> None:
        raise KeyboardInterrupt

    with connected as account:
        with pytest.raises(KeyboardInterrupt):
            action.send(watched(account, die), order)
        assert "STATUS:TENTATIVE" in account.read(order.plan.payload["path"]).text
        assert action.probe(account, order) is None
    [row] = office.send(row)
    assert row.state == "confirmed", row.reason
    assert office.undo(row).state == "confirmed"


@pytest.mark.parametrize(("uid", "age", "state"), [("0", 0, "failed"), ("zz", 0, "confirmed"), ("0", 11, "confirmed")])
def test_holds_of_others(office: Desk, radicale: Server, uid: str, age: int, state: str) -> None:
    slot = {"calendar": "work", "starts": "2031-08-04T10:00", "minutes": 60, "zone": ZONE}
    row = office.plan("book_slot", summary="A", **slot)
    since = datetime.now(UTC) - timedelta(minutes=age)
    hold = event(uid, "STATUS:TENTATIVE", f"X-LEAT-HOLD:{since:%Y%m%dT%H%M%SZ}", start="20310804T103000")
    radicale.put(uid, *hold)
    [row] = office.send(row)
    assert (row.state, radicale.text(uid) == "") == (state, state == "confirmed"), row.reason
    assert (radicale.text(row.id) == "") == (state == "failed")
    for name in (uid, row.id):
        radicale.ask("DELETE", f"{radicale.calendar}{name}.ics")


def test_a_server_without_sharing(desk: Desk, server: Server) -> None:
    if server.name == "radicale":
        assert desk.plan("share", calendar=name_of(server), user=GUEST).state == "planned"
        return
    with pytest.raises(Refused, match="the server has no API to share calendars"):
        desk.plan("share", calendar=name_of(server), user=GUEST)


def test_a_booking_and_what_is_taken(office: Desk, radicale: Server) -> None:
    slot = {"calendar": "room", "starts": "2031-06-02T10:00", "minutes": 60, "zone": ZONE}
    first, second = office.plan("book_slot", summary="A", **slot), office.plan("book_slot", summary="B", **slot)
    states = [row.state for row in office.send(first, second)]
    assert states == ["confirmed", "failed"]
    assert "it is taken from" in str(office.now(second).reason)
    with pytest.raises(Refused, match=r"starts: /office/room/ is already taken from Mon 2031-06-02 08:00 UTC"):
        office.plan("book_slot", summary="C", **{**slot, "starts": "2031-06-02T10:30"})
    with pytest.raises(Refused, match="is already taken"):
        office.plan("book_slot", summary="C", **{**slot, "calendar": "work"}, also_free=["room"])
    after = office.act("book_slot", summary="D", **{**slot, "starts": "2031-06-02T11:00"})
    assert after.state == "confirmed"
    assert office.undo(office.now(first)).state == "confirmed"


def test_a_series_takes_time_and_a_cancelled_occurrence_does_not(desk: Desk, server: Server) -> None:
    server.put("daily", *event("daily", start="20320105T100000", rule="FREQ=DAILY;COUNT=20"))
    named = {"calendar": name_of(server), "event": "daily", "occurrence": "2032-01-14T10:00"}
    slot = {"calendar": name_of(server), "summary": "A", "starts": "2032-01-14T10:30", "minutes": 60, "zone": ZONE}
    with pytest.raises(Refused, match=r"already taken from Wed 2032-01-14 09:00 UTC to Wed 2032-01-14 10:00 UTC"):
        desk.plan("book_slot", **slot)
    assert desk.act("cancel_event", **named).state == "confirmed"
    row = desk.act("book_slot", **slot)
    assert row.state == "confirmed", row.reason
    assert desk.undo(row).state == "confirmed"


def test_no_secret_is_stored(office: Desk, radicale: Server, caplog: pytest.LogCaptureFixture) -> None:
    row = office.act("create_event", calendar="work", summary="x", starts="2030-12-02T10:00Z", minutes=30)
    assert row.state == "confirmed", row.reason
    assert PASSWORD not in f"{row}{caplog.text}"
