"""The demo company's calendars: one for each person and one for the team, all owned by ``office`` and shared.

``office`` is the account by which the calendars are read: it owns them, so that one declaration reads all of them and
who may see them. Each person has their own calendar with write access and the team's with read access. Dates are
relative to ``now``, and nothing is written where the person's calendar is there already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from leat.demo.servers.radicale import storage_folder
from leat.demo.story import people

OWNER = "office"
PEOPLE = {person.login: (person.name, person.zone) for person in people.PEOPLE if person.calendar and person.is_active}
"""Login: name and zone of everybody with a calendar; the mail address is ``<login>@demo.example``."""
LEAVERS = tuple(person.login for person in people.PEOPLE if not person.is_active)
"""Logins of who has left, and whom nobody took the team's calendar away from."""
TEAM = "team"
GUEST = "erin.guest@partner.example"
NOBODY = "noone@demo.example"
"""An address of the company that nobody has."""
_TIMEOUT = 30


def seed_calendars(url: str, folder: Path, passwords: Mapping[str, str], now: datetime) -> list[str]:
    """Create the calendars that aren't there yet, with their events and shares; returns their names.

    Args:
        url: address of Radicale.
        folder: the folder given to :func:`leat.demo.servers.radicale.start_radicale`; broken files go into it.
        passwords: login to password of ``office``, of every person, and of who has left.
        now: the day that dates are counted from.
    """
    import requests

    created = []
    with requests.Session() as session:
        session.auth = (OWNER, passwords[OWNER])
        for calendar in (*PEOPLE, TEAM):
            path = f"{url.rstrip('/')}/{OWNER}/{calendar}/"
            if session.request("PROPFIND", path, headers={"Depth": "0"}, timeout=_TIMEOUT).status_code != 404:
                continue
            _must(session.request("MKCALENDAR", path, data=_named(calendar), timeout=_TIMEOUT))
            for name, text in events_of(calendar, now):
                headers = {"Content-Type": "text/calendar; charset=utf-8"}
                _must(session.put(f"{path}{name}.ics", data=text.encode(), headers=headers, timeout=_TIMEOUT))
            for person in (*PEOPLE, *LEAVERS) if calendar == TEAM else (calendar,):
                _share(session, url, calendar, person, passwords[person])
            created.append(calendar)
    if TEAM in created:
        break_some(storage_folder(folder, OWNER, TEAM), now)
    return created


def _must(response: Any) -> None:
    if not response.ok:
        msg = f"{response.request.method} {response.request.path_url}: HTTP {response.status_code}"
        raise RuntimeError(msg)


def _named(calendar: str) -> str:
    name = f"{PEOPLE[calendar][0]}" if calendar in PEOPLE else "Team"
    return (
        '<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>'
        f"<D:displayname>{name}</D:displayname></D:prop></D:set></C:mkcalendar>"
    )


def _share(session: Any, url: str, calendar: str, person: str, password: str) -> None:
    """Share a calendar and let the person accept it."""
    import requests

    api = f"{url.rstrip('/')}/.sharing/v1/map"
    share = {"PathMapped": f"/{OWNER}/{calendar}/", "PathOrToken": f"/{person}/{calendar}/", "User": person}
    permissions = "r" if calendar == TEAM else "rw"
    _must(
        session.post(
            f"{api}/create",
            json={**share, "Permissions": permissions, "Enabled": True, "Hidden": False},
            timeout=_TIMEOUT,
        )
    )
    for action in ("enable", "unhide"):
        _must(requests.post(f"{api}/{action}", json=share, auth=(person, password), timeout=_TIMEOUT))


@dataclass(frozen=True, slots=True)
class _Meeting:
    uid: str
    zone: str
    start: datetime
    minutes: int
    summary: str
    organizer: str
    guests: tuple[str, ...]

    def lines(self, *more: str, days: int = 0, shift: int = 0) -> list[str]:
        """Return the VEVENT, moved by days and by minutes of the wall clock."""
        start = self.start + timedelta(days=days, minutes=shift)
        end = start + timedelta(minutes=self.minutes)
        people = [f"ATTENDEE;CN={_name(mail)};PARTSTAT={_answer(mail)}:mailto:{mail}" for mail in self.guests]
        return [
            "BEGIN:VEVENT",
            f"UID:{self.uid}",
            f"DTSTAMP:{self.start:%Y%m%d}T000000Z",
            f"DTSTART;TZID={self.zone}:{start:%Y%m%dT%H%M%S}",
            f"DTEND;TZID={self.zone}:{end:%Y%m%dT%H%M%S}",
            f"SUMMARY:{self.summary}",
            f"ORGANIZER;CN={_name(self.organizer)}:mailto:{self.organizer}",
            *people,
            *more,
            "END:VEVENT",
        ]


def _name(mail: str) -> str:
    return mail.partition("@")[0].replace(".", " ").title()


def _answer(mail: str) -> str:
    return "ACCEPTED" if mail < "c" else "TENTATIVE" if mail < "d" else "NEEDS-ACTION"


def mail_of(person: str) -> str:
    """Return the mail address of a person."""
    return f"{person}@demo.example"


def _file(*components: list[str]) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//demo.example//seed//EN"]
    return "\r\n".join([*lines, *(line for component in components for line in component), "END:VCALENDAR", ""])


def events_of(calendar: str, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield file name and text of the events of a calendar; the same for the same day."""
    monday = datetime(now.year, now.month, now.day) - timedelta(days=now.weekday())  # noqa: DTZ001 - a wall clock
    everyone = tuple(mail_of(person) for person in PEOPLE)
    if calendar == TEAM:
        yield from _team_events(monday, everyone)
        return
    zone, me = PEOPLE[calendar][1], mail_of(calendar)
    others = tuple(mail for mail in everyone if mail != me)
    focus = _Meeting(f"focus-{calendar}", zone, monday + timedelta(hours=9), 120, "Focus time", me, ())
    yield "focus", _file(focus.lines("RRULE:FREQ=WEEKLY;BYDAY=MO,WE", "TRANSP:OPAQUE"))
    talk = _Meeting(f"talk-{calendar}", zone, monday + timedelta(days=1, hours=15), 30, "One to one", me, others[:1])
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:Soon", "TRIGGER:-PT10M", "END:VALARM")
    yield "one-to-one", _file(talk.lines("RRULE:FREQ=WEEKLY;INTERVAL=2", *alarm))
    leave = monday + timedelta(days=21 + 7 * sorted(PEOPLE).index(calendar))
    yield "leave", _file(_all_day(f"leave-{calendar}", leave, leave + timedelta(days=5), "Annual leave"))


def _team_events(monday: datetime, everyone: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the team's: a series across clock changes, with a moved and a cancelled instance, and single events."""
    alice, bob = everyone[0], everyone[1]
    daily = _Meeting("stand-up", "Europe/Paris", monday - timedelta(days=56) + timedelta(hours=9, minutes=30), 15,
                     "Stand-up", alice, everyone)  # fmt: skip
    moved, cancelled = 56 + 2, 56 + 3
    yield (
        "stand-up",
        _file(
            daily.lines("RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "LOCATION:Room 1"),
            daily.lines(_instance(daily, moved), "LOCATION:Room 2", days=moved, shift=90),
            daily.lines(_instance(daily, cancelled), "STATUS:CANCELLED", days=cancelled),
        ),
    )
    review = _Meeting(
        "review",
        "America/New_York",
        monday + timedelta(days=3, hours=10),
        60,
        "Partner review",
        GUEST,
        (alice, bob, NOBODY),
    )
    link = "ATTACH;FMTTYPE=application/pdf;FILENAME=plan.pdf:https://files.demo.example/plan.pdf"
    yield "partner-review", _file(review.lines("RRULE:FREQ=MONTHLY;BYDAY=1TH", link))
    off = _Meeting("party", "Europe/Paris", monday + timedelta(days=11, hours=18), 180, "Summer party", bob, everyone)
    for leaver in LEAVERS:
        start = monday + timedelta(days=8, hours=14)
        handover = _Meeting(f"handover-{leaver}", "Europe/Paris", start, 45, "Handover", mail_of(leaver), (bob,))
        yield f"handover-{leaver}", _file(handover.lines())
    yield "party", _file(off.lines("STATUS:CANCELLED"))
    yield "holiday", _file(_all_day("holiday", monday + timedelta(days=14), monday + timedelta(days=15), "Day off"))


def _instance(meeting: _Meeting, days: int) -> str:
    return f"RECURRENCE-ID;TZID={meeting.zone}:{meeting.start + timedelta(days=days):%Y%m%dT%H%M%S}"


def _all_day(uid: str, start: datetime, end: datetime, summary: str) -> list[str]:
    dates = [f"DTSTART;VALUE=DATE:{start:%Y%m%d}", f"DTEND;VALUE=DATE:{end:%Y%m%d}"]
    head = ["BEGIN:VEVENT", f"UID:{uid}", f"DTSTAMP:{start:%Y%m%d}T000000Z"]
    return [*head, *dates, f"SUMMARY:{summary}", "TRANSP:TRANSPARENT", "END:VEVENT"]


def break_some(folder: Path, now: datetime) -> None:
    """Put broken and odd files into a calendar's folder on disk, past the server's own checks."""
    day = f"{now:%Y%m%d}"
    head = ["BEGIN:VEVENT", f"DTSTAMP:{day}T000000Z"]
    broken = {
        "ends-first": [*head, "UID:ends-first", f"DTSTART:{day}T120000Z", f"DTEND:{day}T110000Z", "END:VEVENT"],
        "nowhere": [*head, "UID:nowhere", f"DTSTART;TZID=Nowhere/Land:{day}T120000", "END:VEVENT"],
        "no-start": [*head, "UID:no-start", "SUMMARY:When?", "END:VEVENT"],
    }
    for name, lines in broken.items():
        (folder / f"{name}.ics").write_text(_file(lines), encoding="utf-8", newline="")
    (folder / "not-a-calendar.ics").write_bytes(b"\x00\xff not a calendar")
