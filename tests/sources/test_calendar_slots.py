"""``leat slots`` on Radicale, as its page says: zones, holidays, whole days, and calendars that can't be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from leat.demo.servers.process import running
from leat.demo.servers.radicale import start_radicale
from tests.kit.command import Leat
from tests.repository.docs_blocks import blocks, settled
from tests.repository.test_docs_followed import assert_alike
from tests.sources.calendar_tables import ics

PAGE = Path(__file__).parents[2] / "docs" / "actions" / "calendar.md"
SECTION = "## Find a time when everybody is free"
PASSWORD = "planted-Passw0rd-6618"


def event(uid: str, start: str, end: str, *more: str) -> bytes:
    return ics(
        "BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", f"DTSTART{start}", f"DTEND{end}", *more, "END:VEVENT"
    )


def put(url: str, name: str, content: bytes) -> None:
    headers = {"Content-Type": "text/calendar; charset=utf-8"}
    answer = requests.put(
        f"{url}office/{name}.ics", data=content, headers=headers, auth=("office", PASSWORD), timeout=30
    )
    assert answer.ok, answer.text


EVENTS = {
    "ann/meeting": event("meeting", ";TZID=Europe/Berlin:20301223T150000", ";TZID=Europe/Berlin:20301223T160000"),
    "ann/gone": event("gone", ":20301227T140000Z", ":20301227T150000Z", "STATUS:CANCELLED"),
    "bob/away": event("away", ";VALUE=DATE:20301224", ";VALUE=DATE:20301225"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Leat, str]]:
    folder = tmp_path_factory.mktemp("slots")
    with running(start_radicale(folder / "server", {"office": PASSWORD})) as process:
        url = f"http://127.0.0.1:{process.port}/"
        for name in ("ann", "bob", "room"):
            assert requests.request("MKCALENDAR", f"{url}office/{name}/", auth=("office", PASSWORD), timeout=30).ok
        for name, content in EVENTS.items():
            put(url, name, content)
        declared, *_ = (block for block in blocks(PAGE, SECTION) if block.file)
        path = folder / "project" / str(declared.file)
        path.parent.mkdir(parents=True)
        path.write_text(declared.text)
        yield Leat(folder / "project", {"CALENDAR_URL": url, "CALENDAR_PASSWORD": PASSWORD}), url


def test_the_page_is_followed(server: tuple[Leat, str]) -> None:
    leat, _ = server
    command, said = (next(b.text for b in blocks(PAGE, SECTION) if b.kind == kind) for kind in ("sh", "text"))
    arguments = command.split()[1:]
    done = leat(*arguments)
    assert done.returncode == 0, done.stderr
    assert settled(done.stdout) == settled(said)
    printed = json.loads(leat(*arguments, "--json").stdout)
    (documented,) = (json.loads(b.text) for b in blocks(PAGE.parent.parent / "json.md", "## leat slots --json"))
    assert_alike(documented, printed, "slots")
    assert printed["slots"][0] == documented["slots"][0]


def test_who_is_not_declared_and_what_is_wrong(server: tuple[Leat, str]) -> None:
    leat, url = server
    days = ("--from", "2030-12-27T15:00", "--to", "2030-12-27T17:00", "--zone", "Europe/Berlin")
    done = leat("slots", "calendar.room", "calendar.ann", "--minutes", "120", *days, "--json")
    assert [each["starts_at"] for each in json.loads(done.stdout)["slots"]] == ["2030-12-27T14:00:00+00:00"]
    assert "no slot" in leat("slots", "room", "--minutes", "180", *days).stdout
    for arguments, said in (
        (("cellar",), "the account has no such calendar: 'cellar'"),
        (("ann", "--zone", "Berlin"), "--zone Berlin: write a time zone"),
        (("ann", "--from", "Monday"), "--from 'Monday': write a date"),
        (("ann", "--from", "2030-01-02", "--to", "2030-01-01"), "it has to be after --from"),
    ):
        done = leat("slots", *arguments)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    declared = leat.folder / "pipelines" / "calendar.yaml"
    before = declared.read_text()
    declared.write_text(before.replace("DE-BE", "DE-XX"))
    assert "no public holidays are available for 'DE-XX'" in leat("slots", "ann").stderr
    declared.write_text(before.replace("09:00-18:00", "9 to 5"))
    assert "write working hours like 09:00-17:00" in leat("slots", "ann").stderr
    declared.write_text(before)
    put(url, "room/odd", event("odd", ";TZID=Nowhere/Here:20301227T140000", ";TZID=Nowhere/Here:20301227T150000"))
    done = leat("slots", "room", *days)
    assert (done.returncode, "nobody knows whether /office/room/ is free" in done.stderr) == (2, True), done.stdout


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Pacific/Auckland"])
def test_a_whole_day_is_a_day_in_the_zone_of_the_person(server: tuple[Leat, str], zone: str) -> None:
    leat, _ = server
    path = leat.folder / "pipelines" / "calendar.yaml"
    before = path.read_text()
    path.write_text(before.replace("America/New_York", zone).replace(", holidays: US-NY", ""))
    done = leat("slots", "bob", "--from", "2030-12-24", "--to", "2030-12-24", "--zone", zone, "--json")
    path.write_text(before)
    assert json.loads(done.stdout)["slots"] == [], done.stderr
