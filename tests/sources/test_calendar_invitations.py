"""Invitations by mail: composed as RFC 6047 says, accepted by other programs, sent once, answered.

The calendars are on Radicale. Mail goes by SMTP into mailboxes on Dovecot. Invitations are imported by khal, another
calendar program, and parsed by icalendar and vobject.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import icalendar
import pytest
import requests
import vobject
import yaml

from leat.actions.decide import approve
from leat.actions.deliver import deliver
from leat.control.outbox import ActionRow
from leat.control.suppressions import Suppression, suppress
from leat.demo.servers.process import running
from leat.demo.servers.radicale import start_radicale
from leat.sources.actions import Refused
from leat.sources.retry import RetryPolicy
from tests.kit.acting import Acting
from tests.kit.command import ROOT, Leat
from tests.kit.mail_transfer import ANN, BOB, SHOP, mail_server
from tests.kit.mail_transfer import PASSWORD as MAIL_PASSWORD
from tests.kit.mail_transfer import Server as Mail
from tests.kit.offices import Desk, desk_of
from tests.kit.sender import POINTS, start_sender
from tests.repository.docs_blocks import blocks
from tests.sources.calendar_tables import ics

PAGE = ROOT / "docs" / "actions" / "calendar.md"
OWNER, PASSWORD, ZONE = "office", "planted-Passw0rd-3391", "Europe/Berlin"
MEETING = {
    "calendar": "work", "summary": "Kick-off; ä", "starts": "2030-12-02T10:00", "minutes": 45, "zone": ZONE,
    "location": "Room 1", "description": "Bring the plan.", "organizer": SHOP, "attendees": [ANN, BOB], "reminder": 15,
}  # fmt: skip


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mail]:
    with mail_server(tmp_path_factory.mktemp("mail")) as server:
        yield server


@pytest.fixture(scope="module")
def calendars(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(start_radicale(tmp_path_factory.mktemp("radicale"), {OWNER: PASSWORD})) as process:
        url = f"http://127.0.0.1:{process.port}/"
        assert requests.request("MKCALENDAR", f"{url}office/work/", auth=(OWNER, PASSWORD), timeout=30).ok
        yield url


@pytest.fixture(autouse=True)
def environment(mail: Mail, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MAIL_PASSWORD", MAIL_PASSWORD)
    monkeypatch.setenv("CALENDAR_PASSWORD", PASSWORD)
    monkeypatch.setattr("leat.actions.steps.RETRY", RetryPolicy((0.05,) * 7, longest=1))
    yield
    mail.faults.clear()


def declared(calendars: str, mail: Mail, **send: Any) -> dict[str, Any]:
    account = {"username": OWNER, "password": {"env": "CALENDAR_PASSWORD"}}
    connection = {"url": calendars, **account, "mail": mail.connection(**({"witness": {"address": SHOP}} | send))}
    return {"source": "calendar", "driver": "caldav", "connection": connection}


@pytest.fixture
def desk(tmp_path: Path, calendars: str, mail: Mail) -> Iterator[Desk]:
    with desk_of(tmp_path / "project", "calendar", declared(calendars, mail)) as desk:
        yield desk


def arrived(mail: Mail, account: str, action: str) -> EmailMessage:
    """Return the one mail of an action in a mailbox."""
    [message] = mail.mails(account, f"{action}@x.example")
    return message


def calendar_part(message: EmailMessage) -> tuple[str, str]:
    """Return method and text of the part that calendar programs act on."""
    [part] = [each for each in message.walk() if each.get_content_type() == "text/calendar"]
    return part.get_param("method"), part.get_content()  # type: ignore[return-value]


class Khal:
    """Another calendar program, with one calendar in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "inbox").mkdir()
        self.folder = folder
        lines = [
            "[calendars]", "[[inbox]]", f"path = {folder}/inbox", "[default]", "default_calendar = inbox",
            "[sqlite]", f"path = {folder}/khal.db", "[locale]", f"local_timezone = {ZONE}",
            f"default_timezone = {ZONE}", "timeformat = %H:%M", "dateformat = %Y-%m-%d", "longdateformat = %Y-%m-%d",
            "datetimeformat = %Y-%m-%d %H:%M", "longdatetimeformat = %Y-%m-%d %H:%M",
        ]  # fmt: skip
        (folder / "config").write_text("\n".join(lines))

    def __call__(self, *arguments: str) -> str:
        argv = [str(Path(sys.executable).with_name("khal")), "-c", f"{self.folder}/config", *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def accept(self, invitation: str) -> None:
        """Import an invitation, or a change of one that is there."""
        (self.folder / "invite.ics").write_bytes(invitation.encode())
        self("import", "--batch", "-a", "inbox", f"{self.folder}/invite.ics")

    def events(self) -> list[str]:
        form = "{title}|{start}|{end}|{location}|{organizer}|{status}|{uid}"
        return [line for line in self("list", "--format", form, "2030-12-01", "7d").splitlines() if "|" in line]


def test_an_invitation_is_accepted_changed_and_cancelled(desk: Desk, mail: Mail, tmp_path: Path) -> None:
    khal = Khal(tmp_path / "khal")
    event = desk.act("create_event", **MEETING)
    named = {"calendar": "work", "event": event.id}
    row = desk.plan("invite", **named)
    assert (row.guarantee, row.plan["people"]) == ("probed", [ANN, BOB])
    assert row.title == f"invite to event 'Kick-off; ä', Mon 2030-12-02 10:00 {ZONE}: {ANN}, {BOB}"
    [row] = desk.send(row)
    assert row.state == "confirmed", row.reason
    message = arrived(mail, ANN, row.id)
    assert arrived(mail, BOB, row.id)["To"] == message["To"] == f"{ANN}, {BOB}"
    assert (message["Subject"], message["From"]) == ("Invitation: Kick-off; ä", f"The Shop <{SHOP}>")
    kinds = [each.get_content_type() for each in message.walk()]
    assert kinds == ["multipart/mixed", "multipart/alternative", "text/plain", "text/calendar", "application/ics"]
    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "When: Mon 2030-12-02 10:00 Europe/Berlin to" in text
    assert "Bring the plan." in text
    method, invitation = calendar_part(message)
    [attached] = message.iter_attachments()
    assert (attached.get_filename(), attached.get_content().decode()) == ("invite.ics", invitation)
    assert all(len(line) <= 75 for line in invitation.encode().split(b"\r\n"))
    assert (method, "VALARM" in invitation, "X-LEAT" in invitation) == ("REQUEST", False, False)
    strict(invitation, "REQUEST", event.id, 0)
    khal.accept(invitation)
    assert khal.events() == [
        f"Kick-off; ä|2030-12-02 10:00|2030-12-02 10:45|Room 1|{SHOP}||{event.id}",
    ]  # fmt: skip

    with pytest.raises(Refused, match=r"attendees: eve@x\.example isn't among the attendees"):
        desk.plan("invite", **named, attendees="eve@x.example")
    with pytest.raises(Refused, match="isn't cancelled: cancel it first"):
        desk.plan("send_cancellation", **named)
    planned_before = desk.plan("send_update", **named)
    assert desk.act("move_event", **named, starts="2030-12-03T09:00").state == "confirmed"
    assert desk.send(planned_before)[0].state == "failed"  # it would say what isn't true any more
    assert mail.mails(ANN, f"{planned_before.id}@x.example") == []
    changed = desk.act("send_update", **named, attendees=ANN)
    assert mail.mails(BOB, f"{changed.id}@x.example") == []
    method, change = calendar_part(arrived(mail, ANN, changed.id))
    strict(change, "REQUEST", event.id, 1)
    khal.accept(change)
    assert [each.split("|")[1] for each in khal.events()] == ["2030-12-03 09:00"]

    assert desk.act("cancel_event", **named).state == "confirmed"
    with pytest.raises(Refused, match="is cancelled: use send_cancellation"):
        desk.plan("invite", **named)
    gone = desk.act("send_cancellation", **named)
    assert gone.state == "confirmed", gone.reason
    message = arrived(mail, BOB, gone.id)
    assert message["Subject"] == "Cancelled: Kick-off; ä"
    method, cancellation = calendar_part(message)
    strict(cancellation, "CANCEL", event.id, 2)
    khal.accept(cancellation)
    assert [each.split("|")[5].strip() for each in khal.events()] == ["CANCELLED"]


def strict(text: str, method: str, uid: str, sequence: int) -> None:
    """Parse a scheduling message by two libraries; both see the same, and what RFC 5546 wants is there."""
    calendar: Any = icalendar.Calendar.from_ical(text)
    [event] = calendar.walk("VEVENT")
    assert (calendar["METHOD"], str(event["UID"]), event["SEQUENCE"]) == (method, uid, sequence)
    assert not calendar.get_missing_tzids()
    assert all(not each.errors for each in calendar.walk())
    other: Any = vobject.readOne(text, validate=True, ignoreUnreadable=False)
    assert (other.method.value, other.vevent.uid.value) == (method, uid)
    assert other.vevent.dtstart.value == event["DTSTART"].dt
    assert [str(each) for each in _list(event["ATTENDEE"])] == [each.value for each in other.vevent.attendee_list]
    for name in ("DTSTAMP", "ORGANIZER", "SUMMARY"):
        assert event[name], name


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_one_occurrence_of_a_series(desk: Desk, mail: Mail, calendars: str) -> None:
    put(calendars, "series", "RRULE:FREQ=WEEKLY", *PEOPLE)
    named = {"calendar": "work", "event": "series"}
    _, text = calendar_part(arrived(mail, ANN, desk.act("invite", **named).id))
    assert ("RRULE:FREQ=WEEKLY" in text, "TZID:Europe/Berlin" in text) == (True, True)
    assert "Repeats: yes" in str(arrived(mail, ANN, desk.act("invite", **named, attendees=ANN).id))
    assert desk.act("cancel_event", **named, occurrence="2030-12-09T10:00").state == "confirmed"
    row = desk.act("send_cancellation", **named, occurrence="2030-12-09T10:00")
    _, text = calendar_part(arrived(mail, ANN, row.id))
    strict(text, "CANCEL", "series", 1)
    assert "RECURRENCE-ID;TZID=Europe/Berlin:20301209T100000" in text.replace("\r\n ", "")
    with pytest.raises(Refused, match="isn't cancelled"):
        desk.plan("send_cancellation", **named)


PEOPLE = (f"ORGANIZER:mailto:{SHOP}", f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{ANN}")


def put(calendars: str, uid: str, *more: str) -> None:
    head = ("BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", f"DTSTART;TZID={ZONE}:20301202T100000",
            f"DTEND;TZID={ZONE}:20301202T110000", f"SUMMARY:Talk {uid}", *more, "END:VEVENT")  # fmt: skip
    answer = requests.put(
        f"{calendars}office/work/{uid}.ics", data=ics(*head), auth=(OWNER, PASSWORD), timeout=30,
        headers={"Content-Type": "text/calendar; charset=utf-8"},
    )  # fmt: skip
    assert answer.ok, answer.text


def test_a_reply_by_mail(calendars: str, mail: Mail, tmp_path: Path) -> None:
    """Ann answers what the shop has sent her: the reply names her alone, and goes to the organizer."""
    put(calendars, "asked", *PEOPLE, f"ATTENDEE:mailto:{BOB}")
    with desk_of(tmp_path / "shop", "calendar", declared(calendars, mail)) as shop:
        _, invitation = calendar_part(arrived(mail, ANN, shop.act("invite", calendar="work", event="asked").id))
        with pytest.raises(Refused, match=f"sends from {SHOP}, which isn't invited"):
            shop.plan("send_reply", answer="accepted", invitation=invitation)
    send = {"from": ANN, "account": SHOP}
    with desk_of(tmp_path / "ann", "calendar", declared(calendars, mail, **send)) as ann:
        with pytest.raises(Refused, match=f"its organizer is {SHOP}, but connection.mail sends from {ANN}"):
            ann.plan("invite", calendar="work", event="asked")
        rows = [
            ann.act("send_reply", answer="tentative", invitation=invitation),
            ann.act("send_reply", answer="declined", calendar="work", event="asked"),
        ]
    for row, status in zip(rows, ("TENTATIVE", "DECLINED"), strict=True):
        assert row.state == "confirmed", row.reason
        message = next(each for each in mail.mails(SHOP, f"{row.id}@x.example") if each["To"] == SHOP)
        method, reply = calendar_part(message)
        strict(reply, "REPLY", "asked", 0)
        plain = reply.replace("\r\n ", "")
        assert (method, f"PARTSTAT={status}:mailto:{ANN}" in plain, BOB in plain) == ("REPLY", True, False)


def test_who_is_invited_to_part_of_a_series(calendars: str, mail: Mail, tmp_path: Path) -> None:
    other = (
        "BEGIN:VEVENT", "UID:partly", "DTSTAMP:20260101T000000Z", f"RECURRENCE-ID;TZID={ZONE}:20301209T100000",
        f"DTSTART;TZID={ZONE}:20301209T120000", "DURATION:PT1H", PEOPLE[0], f"ATTENDEE:mailto:{BOB}",
    )  # fmt: skip
    put(calendars, "partly", "RRULE:FREQ=WEEKLY", *PEOPLE, "END:VEVENT", *other)
    with desk_of(tmp_path / "shop", "calendar", declared(calendars, mail)) as shop:
        planned = shop.plan("invite", calendar="work", event="partly").plan
        assert (planned["people"], f"inform {BOB}" in planned["warnings"][1]) == ([ANN], True)
    send = {"from": ANN, "account": SHOP}
    with desk_of(tmp_path / "ann", "calendar", declared(calendars, mail, **send)) as ann:
        row = ann.act("send_reply", answer="accepted", calendar="work", event="partly")
    assert row.state == "confirmed", row.reason
    _, text = calendar_part(mail.mails(SHOP, f"{row.id}@x.example")[0])
    strict(text, "REPLY", "partly", 0)


def killed_at(point: str, desk: Desk, mail: Mail, rows: list[ActionRow]) -> None:
    """Kill the sender of some actions at a point, and let another one go on."""
    for row in rows:
        approve(desk.office.store, row, "bob")
    if point == "looking":  # the server has accepted a mail, and nobody heard of it
        mail.faults = ["cut"]
    if point == "unanswered":
        mail.faults, mail.held = ["hold"], threading.Event()
    project, secrets = desk.office.project, {"MAIL_PASSWORD": MAIL_PASSWORD, "CALENDAR_PASSWORD": PASSWORD}
    sender = start_sender(
        Acting(project.folder, project.control_url, "calendar", secrets), "" if point == "unanswered" else point
    )
    if point == "unanswered":
        assert mail.held.wait(120)
        sender.kill()
    sender.join(120)
    assert sender.exitcode == -signal.SIGKILL
    deliver(desk.office, "calendar", patience=10, wait=20)
    assert [desk.now(row).state for row in rows] == ["confirmed"] * len(rows)


@pytest.mark.parametrize("point", [*POINTS, "accepted", "unanswered"])
def test_a_sender_is_killed_and_each_invitation_arrives_once(
    desk: Desk, mail: Mail, calendars: str, point: str
) -> None:
    put(calendars, point, *PEOPLE)
    rows = [desk.plan("invite", calendar="work", event=point) for _ in range(2)]
    killed_at(point, desk, mail, rows)
    for row in rows:
        for account in (ANN, SHOP):
            assert len(mail.mails(account, f"{row.id}@x.example")) == 1, account


def test_without_its_probe_this_test_sees_a_second_invitation(
    desk: Desk, mail: Mail, calendars: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leat.sources.calendar.caldav.actions.posting.probe", lambda _account, _order: None)
    put(calendars, "twice", *PEOPLE)
    row = desk.plan("invite", calendar="work", event="twice")
    killed_at("recording", desk, mail, [row])
    assert len(mail.mails(ANN, f"{row.id}@x.example")) == 2


@pytest.mark.parametrize("point", [each for each in POINTS if each != "looking"])
def test_a_sender_is_killed_and_each_event_changes_once(desk: Desk, mail: Mail, calendars: str, point: str) -> None:
    put(calendars, f"event-{point}", "SEQUENCE:4")
    made = [desk.plan("create_event", **MEETING) for _ in range(2)]
    moved = desk.plan("move_event", calendar="work", event=f"event-{point}", starts="2030-12-05T10:00")
    killed_at(point, desk, mail, [*made, moved])
    listing = requests.request(
        "REPORT", f"{calendars}office/work/", data=EVERYTHING, auth=(OWNER, PASSWORD), timeout=30
    )
    assert [listing.text.count(f"UID:{row.id}\r\n") or listing.text.count(f"UID:{row.id}\n") for row in made] == [1, 1]
    text = requests.get(f"{calendars}office/work/event-{point}.ics", auth=(OWNER, PASSWORD), timeout=30).text
    assert (text.count("SEQUENCE:5"), text.count("X-LEAT-ACTION")) == (1, 1), text


EVERYTHING = (
    '<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:calendar-data/></D:prop>'
    '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
)


def replied(invitation: str, sender: str, attendee: str, status: str, stamp: str, checked: str) -> bytes:
    """Return the mail by which somebody answers an invitation, as RFC 5546 (3.2.3) says, written by vobject."""
    calendar: Any = vobject.readOne(invitation)
    calendar.method.value = "REPLY"
    event = calendar.vevent
    event.attendee_list[:] = [each for each in event.attendee_list if each.value == f"mailto:{attendee}"]
    event.attendee.params = {"PARTSTAT": [status]}
    del event.dtstamp
    event.add("dtstamp").value = datetime.fromisoformat(stamp).astimezone(vobject.icalendar.utc)
    message = EmailMessage()
    message["Authentication-Results"] = f"mx.x.example; {checked}"
    message["From"], message["To"], message["Subject"] = sender, SHOP, status
    message["Message-ID"] = f"<{status}.{stamp}@x.example>".replace(":", "")
    message.set_content("See the calendar.")
    message.add_alternative(calendar.serialize(), subtype="calendar", params={"method": "REPLY"})
    return message.as_bytes()


def test_replies_are_read_into_sql_and_recorded(desk: Desk, mail: Mail, calendars: str, tmp_path: Path) -> None:
    put(calendars, "talks", *PEOPLE, f"ATTENDEE:mailto:{BOB}", "SEQUENCE:3")
    _, invitation = calendar_part(arrived(mail, ANN, desk.act("invite", calendar="work", event="talks").id))
    good, bad = "dkim=pass; dmarc=pass", "dkim=none; dmarc=fail"
    with mail.signed_in(SHOP) as client:
        for each in (
            replied(invitation, ANN, ANN, "ACCEPTED", "2030-11-02T10:00:00+00:00", good),
            replied(invitation, ANN, ANN, "TENTATIVE", "2030-11-02T09:00:00+00:00", good),  # made first, arrived last
            replied(invitation, ANN, ANN, "DECLINED", "2030-11-02T11:00:00+00:00", bad),
            replied(invitation, "eve@x.example", BOB, "DECLINED", "2030-11-02T11:00:00+00:00", good),
        ):
            assert client.append("INBOX", "", "", each)[0] == "OK"  # type: ignore[arg-type]
    project = desk.office.project.folder
    (project / "pipelines" / "email.yaml").write_text(
        yaml.safe_dump({"source": "email", "driver": "imap", "connection": mail.connection()})
    )
    (project / "assets" / "models").mkdir(parents=True)
    shutil.copy(ROOT / "assets" / "models" / "invitation_replies.sql", project / "assets" / "models")
    leat = Leat(project, {"MAIL_PASSWORD": MAIL_PASSWORD, "CALENDAR_PASSWORD": PASSWORD})
    columns = "attendee_email, response_status, sequence, authentic, outdated, recorded, calendar"
    ask = f"SELECT {columns} FROM analytics.invitation_replies WHERE event_uid = 'talks' ORDER BY 1"

    def replies() -> list[list[Any]]:
        done = leat("run")
        assert done.returncode == 0, done.stdout + done.stderr
        return [list(row.values()) for row in json.loads(leat("query", "--json", ask).stdout)["rows"]]

    assert replies() == [
        [ANN, "ACCEPTED", 3, True, False, False, "/office/work/"],
        [BOB, "DECLINED", 3, False, False, False, "/office/work/"],
    ]
    automated = next(each for each in blocks(PAGE, "## Read the replies") if each.kind == "yaml")
    (project / "automations").mkdir()
    (project / str(automated.file)).write_text(automated.text)
    assert leat("automations", "enable", "record_replies").returncode == 0
    replies()  # what is there when it is enabled stays as it is
    with mail.signed_in(SHOP) as client:
        later = replied(invitation, ANN, ANN, "DECLINED", "2030-11-02T12:00:00+00:00", good)
        assert client.append("INBOX", "", "", later)[0] == "OK"  # type: ignore[arg-type]
    replies()  # and plans and sends, once it is read
    assert [row[1:6:4] for row in replies()] == [["DECLINED", True], ["DECLINED", False]]
    assert desk.act("move_event", calendar="work", event="talks", starts="2030-12-04T10:00").state == "confirmed"
    assert [row[4:6] for row in replies()] == [[True, True], [True, False]]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((f"ORGANIZER:mailto:{SHOP}",), "has no attendees"),
        ((f"ATTENDEE:mailto:{ANN}",), "it has no organizer"),
        ((f"ORGANIZER:mailto:{SHOP}", "ATTENDEE:mailto:a@x.example%0D%0ABcc: eve@x.example"), "is no address"),
    ],
)
def test_whom_nobody_can_invite(desk: Desk, calendars: str, lines: tuple[str, ...], said: str) -> None:
    put(calendars, "odd", *lines)
    with pytest.raises(Refused, match=said):
        desk.plan("invite", calendar="work", event="odd")


def test_check_tries_to_send_and_knows_the_holidays(desk: Desk, calendars: str, mail: Mail) -> None:
    path = desk.office.project.folder / "pipelines" / "calendar.yaml"
    connection = declared(calendars, mail)["connection"] | {"people": {"ann": {"holidays": "DE-BY"}}}
    leat = Leat(desk.office.project.folder, {"MAIL_PASSWORD": MAIL_PASSWORD, "CALENDAR_PASSWORD": PASSWORD})
    for place, port, code in (("DE-BY", mail.smtp, 0), ("DE-XX", 1, 1)):
        connection["people"]["ann"]["holidays"] = place
        connection["mail"]["send"]["host"] = f"127.0.0.1:{port}"
        path.write_text(yaml.safe_dump({"source": "calendar", "driver": "caldav", "connection": connection}))
        done = leat("check", "calendar", "--json")
        tried = {each["name"]: each["ok"] for each in json.loads(done.stdout)["setup_tests"]["calendar"]}
        assert (done.returncode, tried["holidays are available"], tried["may send"]) == (code, not code, not code)


def test_an_address_that_bounced_gets_no_invitation(desk: Desk, calendars: str) -> None:
    put(calendars, "bounced", *PEOPLE)
    suppress(desk.office.store, [Suppression(ANN, "bounce", datetime.now(UTC), "leat")])
    with pytest.raises(Refused, match=r"to: ann@x\.example gets no mail"):
        desk.plan("invite", calendar="work", event="bounced")


def test_without_a_mail_server(calendars: str, tmp_path: Path, mail: Mail) -> None:
    without = declared(calendars, mail)
    del without["connection"]["mail"]
    put(calendars, "plain", *PEOPLE)
    with (
        desk_of(tmp_path / "project", "calendar", without) as desk,
        pytest.raises(Refused, match=r"no mail can be sent: declare connection\.mail"),
    ):
        desk.plan("invite", calendar="work", event="plain")
