"""Models of mail, calendars and code say what the servers say when they are asked by other means than leat's."""

from __future__ import annotations

import email
import email.policy
import imaplib
import json
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from email.utils import getaddresses, parsedate_to_datetime
from itertools import combinations
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest
import requests
from dotenv import dotenv_values

from leat.demo.seed.git_history import git
from leat.demo.story.people import PEOPLE
from leat.warehouse.connect import open_warehouse
from tests.company.conftest import Demo

pytestmark = pytest.mark.timeout(600)  # the whole company has to be started

Row = dict[str, Any]


@pytest.fixture(scope="module")
def env(demo: Demo) -> dict[str, str]:
    assert demo.first.returncode == 0, demo.first.stdout + demo.first.stderr
    return {name: str(value) for name, value in dotenv_values(demo.state / "demo" / "env").items()}


def model(demo: Demo, name: str) -> list[Row]:
    with open_warehouse(None, demo.state).published() as session:
        columns = list(session.columns("analytics", name))
        rows = session.execute(f"SELECT * FROM analytics.{name}")
    assert rows, f"{name} is empty and proves nothing"
    return [dict(zip(columns, row, strict=True)) for row in rows]


# Mail, by imaplib.


@dataclass(frozen=True)
class Mail:
    """A message in a mailbox, as the server gives it."""

    account: str
    mailbox: str
    name: str
    author: str
    to: tuple[str, ...]
    at: datetime
    answers: str
    failed: tuple[str, str] | None

    @property
    def sent(self) -> bool:
        return self.mailbox == "Sent"


@pytest.fixture(scope="module")
def mails(env: dict[str, str]) -> list[Mail]:
    return list(read_mails(env))


def read_mails(env: dict[str, str]) -> Iterator[Mail]:
    host, _, port = env["EMAIL_HOST"].partition(":")
    for account, password in json.loads(env["EMAIL_ACCOUNTS"]).items():
        with imaplib.IMAP4(host, int(port), timeout=30) as client:
            client.login(account, password)
            listed: Any = client.list()[1]
            for line in listed:
                mailbox = line.decode().rpartition(" ")[2].strip('"')
                client.select(f'"{mailbox}"', readonly=True)
                for number in client.search(None, "ALL")[1][0].split():
                    answer: Any = client.fetch(number, "(BODY.PEEK[])")[1][0]
                    yield parsed(account, mailbox, email.message_from_bytes(answer[1], policy=email.policy.default))


def parsed(account: str, mailbox: str, message: Any) -> Mail:
    """On the demo a message is received when it is written."""
    name = str(message["Message-ID"]).strip()
    failed = None
    for part in message.walk():
        if part.get_content_type() == "message/delivery-status":
            text = part.as_string()
            recipient = re.findall(r"Final-Recipient:\s*rfc822;\s*(\S+)", text, re.IGNORECASE)[0]
            assert "Action: failed" in text
            failed = (recipient, re.findall(r"Message-ID:\s*(<\S+>)", message.as_string(), re.IGNORECASE)[-1])
    references = [*str(message["References"] or "").split(), *str(message["In-Reply-To"] or "").split()]
    people = [str(message[field] or "") for field in ("To", "Cc", "Bcc")]
    at = parsedate_to_datetime(str(message["Date"]))
    author = getaddresses([str(message["From"])])[0][1].lower()
    to = tuple(sorted({address.lower() for _, address in getaddresses(people) if address}))
    return Mail(account, mailbox, name, author, to, at, references[-1] if references else "", failed)


def test_volume_and_send_times(demo: Demo, mails: list[Mail]) -> None:
    actual = {(r["account"], r["day"]): (r["sent"], r["received"]) for r in model(demo, "email_volume")}
    sent = Counter((mail.account, mail.at.date()) for mail in mails if mail.sent)
    received = Counter((mail.account, mail.at.date()) for mail in mails if not mail.sent)
    assert actual == {key: (sent[key], received[key]) for key in sent.keys() | received.keys()}
    times = Counter((mail.author, mail.at.isoweekday(), mail.at.hour) for mail in mails if mail.sent)
    rows = model(demo, "email_send_times")
    assert {(r["sender"], r["weekday"], r["hour"]): r["messages"] for r in rows} == times


def test_correspondents(demo: Demo, mails: list[Mail]) -> None:
    wanted: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for mail in mails:
        if mail.failed:
            continue
        for other in mail.to if mail.sent else (mail.author,):
            wanted[mail.account, other][mail.sent] += 1
    rows = model(demo, "email_correspondents")
    assert {(r["account"], r["email"]): [r["received"], r["sent"]] for r in rows} == wanted
    shop = sorted((r for r in rows if r["account"] == "shop@demo.example"), key=lambda r: int(r["place"]))
    assert [r["sent"] for r in shop] == sorted((r["sent"] for r in shop), reverse=True)


def test_what_came_back(demo: Demo, mails: list[Mail]) -> None:
    failed = {mail.failed for mail in mails if mail.failed}
    assert failed
    wanted: dict[tuple[str, date, str], list[int]] = defaultdict(lambda: [0, 0])
    for mail in mails:
        for address in mail.to if mail.sent else ():
            counts = wanted[mail.author, mail.at.date(), address.rpartition("@")[2]]
            counts[0] += 1
            counts[1] += (address, mail.name) in failed
    rows = model(demo, "email_delivery")
    assert {(r["sender"], r["day"], r["domain"]): [r["recipients"], r["bounced"]] for r in rows} == wanted
    assert {r["bounce_rate"] for r in rows if r["bounced"]} == {1.0}


def test_answers_and_what_waits_for_one(demo: Demo, mails: list[Mail]) -> None:
    above = {mail.name: mail.answers for mail in mails}

    def root(name: str) -> str:
        return root(above[name]) if above.get(name) else name

    company = {person.email for person in PEOPLE} | {mail.account for mail in mails}
    hours: dict[str, list[float]] = defaultdict(list)
    waiting = set()
    for mail in mails:
        if mail.sent or mail.failed:
            continue
        thread = [each for each in mails if root(each.name) == root(mail.name)]
        later = [each for each in thread if each.at > mail.at and each.author in company - {mail.author}]
        if later:
            hours[mail.account].append((min(each.at for each in later) - mail.at).total_seconds() / 3600)
        else:
            waiting.add((mail.account, mail.at))
    assert hours
    assert waiting
    rows = model(demo, "email_response_times")
    answered = {r["account"]: (r["answered"], r["median_hours"]) for r in rows if r["answered"]}
    assert answered == {name: (len(each), pytest.approx(statistics.median(each))) for name, each in hours.items()}
    assert {(r["account"], r["waiting_since"]) for r in model(demo, "email_unanswered_threads")} == waiting


# Calendars, by what Radicale stores, expanded by another reading than leat's.


@dataclass(frozen=True)
class Booked:
    """A time that an event takes of somebody."""

    person: str
    event: str
    starts: datetime
    ends: datetime


@pytest.fixture(scope="module")
def booked(env: dict[str, str], demo: Demo) -> set[Booked]:
    """Return what people organize or haven't declined, in the time that availability covers."""
    days = sorted(row["day"] for row in model(demo, "availability"))
    return set(read_bookings(env, days[0], days[-1] + timedelta(days=3)))


def read_bookings(env: dict[str, str], first: date, last: date) -> Iterator[Booked]:
    auth = (env["CALENDAR_USERNAME"], env["CALENDAR_PASSWORD"])
    home = f"{env['CALENDAR_URL']}{env['CALENDAR_USERNAME']}/"
    listing = requests.request("PROPFIND", home, headers={"Depth": "1"}, auth=auth, timeout=30).text
    for path in sorted(set(re.findall(r"<href>(/\w+/[^/<]+/)</href>", listing))):
        inside = requests.request("PROPFIND", env["CALENDAR_URL"] + path[1:], headers={"Depth": "1"}, auth=auth,
                                  timeout=30).text  # fmt: skip
        for file in sorted(set(re.findall(r"<href>([^<]+\.ics)</href>", inside))):
            text = requests.get(env["CALENDAR_URL"] + file[1:], auth=auth, timeout=30).text
            if not re.search(r"UID:(ends-first|nowhere|no-start)", text):
                yield from expanded(text, first, last)


def expanded(text: str, first: date, last: date) -> Iterator[Booked]:
    import recurring_ical_events  # type: ignore[import-untyped]

    for event in recurring_ical_events.of(icalendar.Calendar.from_ical(text)).between(first, last):
        if event.get("STATUS") == "CANCELLED" or event.get("TRANSP") == "TRANSPARENT":
            continue
        attendees = event.get("ATTENDEE", [])
        listed = attendees if isinstance(attendees, list) else [attendees]
        people = {mail_of(each) for each in listed if each.params.get("PARTSTAT") != "DECLINED"}
        if "ORGANIZER" in event:
            people.add(mail_of(event["ORGANIZER"]))
        starts, ends = event["DTSTART"].dt, event["DTEND"].dt
        for person in people:
            yield Booked(
                person, f"{event['UID']}", starts.astimezone(ZoneInfo("UTC")), ends.astimezone(ZoneInfo("UTC"))
            )


def mail_of(address: str) -> str:
    return str(address).lower().removeprefix("mailto:")


def test_availability_is_what_no_event_takes_of_the_working_day(demo: Demo, booked: set[Booked]) -> None:
    """Each minute of a working day is looked at by itself."""
    zones = {person.email: ZoneInfo(person.zone) for person in PEOPLE if person.calendar and person.is_active}
    rows = model(demo, "availability")
    assert {row["email"]: row["timezone"] for row in rows} == {name: str(zone) for name, zone in zones.items()}
    for row in rows:
        opens = datetime.combine(row["day"], datetime.min.time(), zones[row["email"]]) + timedelta(hours=9)
        quarters = [opens + timedelta(minutes=15 * n) for n in range(32)]
        mine = [each for each in booked if each.person == row["email"]]
        taken = sum(any(each.starts <= quarter < each.ends for each in mine) for quarter in quarters)
        assert (row["busy_hours"], row["free_share"]) == (taken / 4, 1 - taken / 32), row
    assert len(rows) == len(zones) * 13 * 5


def test_conflicts_are_all_pairs_that_overlap(demo: Demo, booked: set[Booked]) -> None:
    wanted = Counter(
        (one.person, max(one.starts, other.starts), min(one.ends, other.ends), *sorted((one.event, other.event)))
        for one, other in combinations(booked, 2)
        if one.person == other.person and one.starts < other.ends and other.starts < one.ends
    )
    assert wanted
    last = max(each.starts for each in booked)
    first = min(each.starts for each in booked)
    actual = Counter(
        (r["email"], r["starts_at"], r["ends_at"], *sorted((r["first_uid"], r["second_uid"])))
        for r in model(demo, "meeting_conflicts")
        if first <= r["starts_at"] <= last
    )
    assert actual == wanted


# Code, by git itself.


def test_merges_bring_what_git_counts(demo: Demo) -> None:
    actual = {(r["repository"], r["commit"]): r for r in model(demo, "branch_merges")}
    wanted = set()
    for folder in sorted((demo.state / "demo" / "repositories").glob("*.git")):
        line = git(folder, "rev-list", "--first-parent", "HEAD").split()
        assert sum(r["repository"] == folder.stem for r in model(demo, "mainline_commits")) == len(line)
        for merge in git(folder, "rev-list", "--first-parent", "--merges", "HEAD").split():
            brought = git(folder, "log", "--no-merges", "--format=%at %ct", f"{merge}^@", f"^{merge}^1")
            times = [tuple(map(int, each.split())) for each in brought.splitlines()]
            if not times:
                continue
            wanted.add((folder.stem, merge))
            row, at = actual[folder.stem, merge], int(git(folder, "log", "-1", "--format=%ct", merge))
            assert row["commits"] == len(times)
            assert row["hours_to_merge"] == pytest.approx((at - min(times)[0]) / 3600)
            assert row["hours_waited"] == pytest.approx((at - max(each[1] for each in times)) / 3600)
    assert actual.keys() == wanted


def test_ownership_is_what_git_numstat_adds_up(demo: Demo) -> None:
    wanted: dict[tuple[str, str, str], int] = defaultdict(int)
    for folder in sorted((demo.state / "demo" / "repositories").glob("*.git")):
        author = ""
        for line in git(folder, "log", "--all", "--no-merges", "--numstat", "-M", "--format=%x00%aE").splitlines():
            if line.startswith("\0"):
                author = line[1:].lower()
            elif line:
                added, _, path = line.split("\t", maxsplit=2)
                whole = re.sub(r"\{.* => (.*)\}", r"\1", path).rpartition(" => ")[2].replace("//", "/")
                top = whole.partition("/")[0] if "/" in whole else ""
                wanted[folder.stem, top, author] += 0 if added == "-" else int(added)
    rows = model(demo, "code_ownership")
    assert {(r["repository"], r["folder"], r["author_email"]): r["lines_added"] for r in rows} == wanted
    for row in model(demo, "bus_factor"):
        lines = sorted((n for key, n in wanted.items() if key[:2] == (row["repository"], row["folder"])), reverse=True)
        fewest = next(n for n in range(1, len(lines) + 1) if 2 * sum(lines[:n]) > sum(lines))
        assert (row["bus_factor"], row["lines_added"], row["authors"]) == (fewest, sum(lines), len(lines))
