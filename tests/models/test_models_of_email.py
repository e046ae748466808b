"""What the shipped models say about mail, on both engines: copies, threads, answers, and what came back."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from leat.assets.build import build
from leat.assets.model import Model
from tests.kit.engines import ENGINES
from tests.kit.loaded import load, utc, warehouse_of
from tests.kit.shipped import some_models

NOW = utc(2026, 11, 20, 9)
ANN, BOB, SHOP, CUSTOMER = "ann@x.org", "bob@x.org", "shop@x.org", "carl@else.example"
MODELS = (
    "email_messages",
    "email_volume",
    "email_answers",
    "email_response_times",
    "email_unanswered_threads",
    "email_delivery",
    "email_correspondents",
    "email_send_times",
    "invitation_replies",
)
Tables = dict[str, list[dict[str, Any]]]


class Mailboxes:
    """Messages as the source reports them; each gets the next UID."""

    def __init__(self) -> None:
        self.tables: Tables = {
            name: [] for name in ("messages", "mailboxes", "recipients", "flags", "headers", "bounces", "invitations")
        }

    def put(self, account: str, mailbox: str, name: str | None, **more: Any) -> dict[str, Any]:
        """Put a message into a mailbox; ``to``, ``cc``, ``flags`` and ``headers`` fill their own tables."""
        named = {role: more.pop(role, ()) for role in ("to", "cc", "bcc")}
        flags, headers = more.pop("flags", {}), more.pop("headers", {})
        minutes = more.pop("minutes", 0)
        key = {"account": account, "mailbox": mailbox, "uidvalidity": 1, "uid": len(self.tables["messages"]) + 1}
        at = NOW - timedelta(days=10) + timedelta(minutes=minutes)
        row = {**key, "message_id": name, "thread_id": "t", "received_at": at, "date": at, "size": 100, **more}
        self.tables["messages"].append(row)
        for role, emails in named.items():
            for position, email in enumerate(emails):
                self.tables["recipients"].append({**key, "role": role, "position": position, "email": email})
        self.tables["flags"].append({**key, **flags})
        for position, (field, value) in enumerate(headers.items()):
            self.tables["headers"].append({**key, "position": position, "field": field, "value": value})
        return key

    def folder(self, account: str, mailbox: str, role: str | None) -> None:
        self.tables["mailboxes"].append({"account": account, "mailbox": mailbox, "role": role})

    def bounce(self, key: dict[str, Any], recipient: str | None, original: str | None, **more: Any) -> None:
        position = sum(1 for row in self.tables["bounces"] if row["uid"] == key["uid"])
        fields = {"recipient": recipient, "original_message_id": original, "action": "failed", "permanent": True}
        self.tables["bounces"].append({**key, "position": position, **fields, **more})

    def reply(self, key: dict[str, Any], attendee: str, answer: str, minute: int, **more: Any) -> None:
        fields = {"method": "REPLY", "attendee_email": attendee, "response_status": answer, "sequence": 0}
        named = {"part": "1", "event_uid": "e", "recurrence_id": "", "stamped_at": NOW + timedelta(minutes=minute)}
        self.tables["invitations"].append({**key, **named, **fields, **more})


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, ...]:
    return some_models(tmp_path_factory.mktemp("project"), MODELS, ("email", "sso"))


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def read(models: tuple[Model, ...], engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    """Return a function that builds the models of mail and gives the rows of some, sorted."""

    def built(tables: Tables, *wanted: str, sso: Tables | None = None) -> list[list[dict[str, Any]]]:
        with warehouse_of(engine, tmp_path, request).transaction() as session:
            load(session, "email", "001", tables, NOW)
            if sso:
                load(session, "sso", "001", sso, NOW)
            build(session, models, NOW)
            result = []
            for name in wanted:
                columns = list(session.columns("analytics", name))
                rows = session.execute(f"SELECT * FROM analytics.{name}")
                result.append([dict(zip(columns, row, strict=True)) for row in sorted(rows, key=str)])
            return result

    return built


def test_the_latest_authentic_reply_of_each_attendee_counts(read: Any) -> None:
    mail = Mailboxes()
    mail.folder(SHOP, "Trash", "trash")
    for number, (sender, answer, checked) in enumerate(
        (
            (ANN, "ACCEPTED", {"dkim": "pass", "dmarc": "pass"}),
            (ANN, "TENTATIVE", {"dkim": "pass", "spf": "pass"}),  # perhaps of another domain
            (CUSTOMER, "DECLINED", {"dkim": "pass", "dmarc": "pass"}),
            (ANN, "DECLINED", {"dkim": "pass", "dmarc": "fail"}),
        )
    ):
        mail.reply(mail.put(SHOP, "INBOX", f"r{number}", from_email=sender, **checked), ANN, answer, number)
    mail.reply(mail.put(SHOP, "INBOX", "b1", from_email=BOB), BOB, "DECLINED", 9, sequence=1)
    mail.reply(mail.put(SHOP, "INBOX", "b2", from_email=BOB), BOB, "ACCEPTED", 3, sequence=2)
    mail.reply(mail.put(SHOP, "Trash", "b3", from_email=BOB), BOB, "DECLINED", 5, sequence=3)
    mail.reply(mail.put(SHOP, "INBOX", "b4", from_email=BOB), BOB, "TENTATIVE", 1, recurrence_id="20261209")
    (replies,) = read(mail.tables, "invitation_replies")
    columns = ("attendee_email", "recurrence_id", "response_status", "authentic", "calendar", "outdated", "recorded")
    assert sorted(tuple(row[name] for name in columns) for row in replies) == [
        (ANN, "", "ACCEPTED", True, None, False, False),
        (BOB, "", "ACCEPTED", True, None, False, False),
        (BOB, "20261209", "TENTATIVE", True, None, False, False),
    ]


def test_replies_are_compared_with_the_organizers_calendar(
    engine: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    models = some_models(tmp_path_factory.mktemp("project"), ["invitation_replies"], ("email", "calendar"))
    mail, events, attendees = Mailboxes(), [], []
    for uid, sequence, answer in (("e", 0, "ACCEPTED"), ("late", 4, "NEEDS-ACTION"), ("series", 1, "NEEDS-ACTION")):
        mail.reply(
            mail.put(SHOP, "INBOX", uid, from_email=ANN), ANN, "ACCEPTED", 1, event_uid=uid, organizer_email=SHOP
        )
        key = {"calendar": "/shop/", "href": f"/shop/{uid}.ics", "uid": uid, "recurrence_id": ""}
        events.append({**key, "organizer_email": SHOP, "sequence": sequence})
        attendees.append({**key, "address": ANN, "email": ANN, "response_status": answer})
    of = {"event_uid": "series", "recurrence_id": "20261209", "organizer_email": SHOP, "sequence": 1}
    mail.reply(mail.put(SHOP, "INBOX", "one", from_email=BOB), BOB, "DECLINED", 1, **of)
    with warehouse_of(engine, tmp_path, request).transaction() as session:
        load(session, "email", "001", mail.tables, NOW)
        load(session, "calendar", "001", {"events": events, "attendees": attendees}, NOW)
        build(session, models, NOW)
        columns = "event_uid, recurrence_id, calendar, outdated, recorded"
        rows = sorted(session.execute(f"SELECT {columns} FROM analytics.invitation_replies"))
    assert rows == [
        ("e", "", "/shop/", False, True),
        ("late", "", "/shop/", True, False),
        ("series", "", "/shop/", True, False),
        ("series", "20261209", "/shop/", False, False),
    ]


def test_a_message_in_several_mailboxes_counts_once(read: Any) -> None:
    mail = Mailboxes()
    for mailbox, role in (("Gesendet", "sent"), ("Sent", None), ("Drafts", None), ("Spam", "junk"), ("All", "all")):
        mail.folder(ANN, mailbox, role)
    for mailbox in ("INBOX", "All"):
        mail.put(ANN, mailbox, "m1", from_email=CUSTOMER, to=[ANN])
        mail.put(ANN, mailbox, "news", from_email="n@shop.example", to=[ANN], list_id="news")
    mail.put(ANN, "Gesendet", "m2", from_email="info@x.org", to=[CUSTOMER], bcc=[BOB], date_zone="+0530")
    mail.put(ANN, "All", "m2", from_email="info@x.org", to=[CUSTOMER], date_zone="+0530")
    mail.put(ANN, "Sent", "m3", from_email="Ann@x.org".lower(), to=[CUSTOMER, ANN], date=None)
    mail.put(ANN, "Spam", "m4", from_email="s@spam.example", to=[ANN])
    mail.put(ANN, "Drafts", "m5", from_email=ANN)
    mail.put(ANN, "INBOX", "m6", from_email=ANN, flags={"draft": True})
    mail.put(ANN, "INBOX", None, from_email=CUSTOMER, to=[ANN], minutes=60 * 24)
    mail.put(ANN, "All", None, from_email=CUSTOMER, to=[ANN], minutes=60 * 24, _deleted_at=NOW)
    volume, people, times = read(mail.tables, "email_volume", "email_correspondents", "email_send_times")
    assert [(r["day"], r["sent"], r["received"], r["received_automatic"], r["bytes"]) for r in volume] == [
        (date(2026, 11, 10), 2, 2, 1, 400),
        (date(2026, 11, 11), 0, 1, 0, 100),
    ]
    assert [(r["email"], r["received"], r["sent"], r["place"]) for r in people] == [
        (BOB, 0, 1, 2),
        (CUSTOMER, 2, 2, 1),
    ]
    # 09:00 UTC on a Tuesday is 14:30 on a wall clock at +05:30; a message without a readable time has no hour.
    assert times == [{"sender": "info@x.org", "weekday": 2, "hour": 14, "messages": 1}]


def test_whoever_of_the_company_answers_first_has_answered(read: Any) -> None:
    mail = Mailboxes()
    for account in (ANN, BOB):
        mail.folder(account, "Sent", "sent")
        mail.put(account, "INBOX", "q1", from_email=CUSTOMER, to=[ANN, BOB], thread_id="1")
        mail.put(account, "INBOX", "q2", from_email=CUSTOMER, to=[ANN, BOB], thread_id="1", minutes=30)
    mail.put(ANN, "INBOX", "away", from_email=BOB, to=[ANN], thread_id="1", minutes=40, auto_submitted="auto-replied")
    mail.put(BOB, "Sent", "a1", from_email=BOB, to=[CUSTOMER], thread_id="1", minutes=90)
    mail.put(BOB, "INBOX", "q3", from_email=CUSTOMER, to=[BOB], cc=[ANN], thread_id="1", minutes=200)
    mail.put(ANN, "INBOX", "q3", from_email=CUSTOMER, to=[BOB], cc=[ANN], thread_id="1", minutes=200)
    answers, times, waiting = read(mail.tables, "email_answers", "email_response_times", "email_unanswered_threads")
    actual = {(r["account"], r["message_key"]): (r["hours"], r["answered_by"], r["internal"]) for r in answers}
    assert actual == {
        (ANN, "q1"): (1.5, BOB, False),
        (ANN, "q2"): (1.0, BOB, False),
        (BOB, "q1"): (1.5, BOB, False),
        (BOB, "q2"): (1.0, BOB, False),
        (BOB, "q3"): (None, None, False),  # Ann only has a copy
    }
    per = {r["account"]: (r["received"], r["answered"], r["answered_by_others"], r["median_hours"]) for r in times}
    assert per == {ANN: (2, 2, 2, 1.25), BOB: (3, 2, 0, 1.25)}
    assert times[0]["p90_hours"] == pytest.approx(1.45)
    assert [(r["account"], r["mails"], r["waiting_since"], r["waiting_days"]) for r in waiting] == [
        (BOB, 1, NOW - timedelta(days=10) + timedelta(minutes=200), 9)
    ]


def test_a_second_mail_of_a_colleague_is_no_answer_to_the_first(read: Any) -> None:
    mail = Mailboxes()
    talk = [(ANN, "1", 0), (ANN, "2", 10), (BOB, "3", 60), (BOB, "4", 70), (ANN, "5", 130)]
    for author, name, minutes in talk:
        for account in (ANN, BOB):
            other = BOB if author == ANN else ANN
            mail.put(account, "Mail", name, from_email=author, to=[other], minutes=minutes)
    (answers,) = read(mail.tables, "email_answers")
    assert {r["message_key"]: (r["account"], r["answer_key"], r["hours"]) for r in answers} == {
        "1": (BOB, "3", 1.0),
        "2": (BOB, "3", pytest.approx(50 / 60)),
        "3": (ANN, "5", pytest.approx(70 / 60)),
        "4": (ANN, "5", 1.0),
        "5": (BOB, None, None),
    }
    assert all(r["internal"] for r in answers)


def test_threads_are_not_made_by_subjects_and_automatic_mails_ask_for_nothing(read: Any) -> None:
    mail = Mailboxes()
    mail.put(ANN, "INBOX", "1", from_email=CUSTOMER, to=[ANN], subject="Invoice", thread_id="1")
    mail.put(ANN, "INBOX", "2", from_email=ANN, to=[CUSTOMER], subject="Re: Invoice", thread_id="2", minutes=5)
    mail.put(ANN, "INBOX", "3", from_email="no-reply@bank.example", to=[ANN], thread_id="3")
    mail.put(ANN, "INBOX", "4", from_email="a@b.example", to=[ANN], thread_id="4", headers={"precedence": "Bulk"})
    mail.put(ANN, "INBOX", "5", from_email="a@b.example", to=[ANN], thread_id="5", headers={"return-path": "<>"})
    mail.put(ANN, "INBOX", "6", from_email=CUSTOMER, to=["sales@x.org"], thread_id="6", flags={"answered": True})
    mail.put(ANN, "INBOX", "7", from_email=None, thread_id="7", date=None, auto_submitted="no")
    answers, waiting = read(mail.tables, "email_answers", "email_unanswered_threads")
    assert [(r["message_key"], r["answered"], r["hours"]) for r in answers] == [
        ("1", False, None),
        ("6", True, None),
        ("7", False, None),
    ]
    assert [r["thread_id"] for r in waiting] == ["1", "7"]


def test_a_colleague_without_a_mailbox_is_identified_by_sso(read: Any) -> None:
    mail = Mailboxes()
    mail.put(ANN, "INBOX", "1", from_email=CUSTOMER, to=[ANN])
    mail.put(ANN, "INBOX", "2", from_email="dora@x.org", to=[CUSTOMER], cc=[ANN], minutes=120)
    (alone,) = read(mail.tables, "email_answers")
    assert [r["answered_by"] for r in alone] == [None]


def test_a_colleague_of_sso_answers(read: Any) -> None:
    mail = Mailboxes()
    mail.put(ANN, "INBOX", "1", from_email=CUSTOMER, to=[ANN])
    mail.put(ANN, "INBOX", "2", from_email="dora@x.org", to=[CUSTOMER], cc=[ANN], minutes=120)
    users = [{"id": "1", "user_name": "dora", "email": "Dora@x.org", "active": False}]
    (answer,) = read(mail.tables, "email_answers", sso={"users": users})
    assert [(r["answered_by"], r["hours"]) for r in answer] == [("dora@x.org", 2.0)]


def test_what_came_back_is_counted_once_by_sender_day_and_domain(read: Any) -> None:
    mail = Mailboxes()
    mail.folder(SHOP, "Sent", "sent")
    mail.put(SHOP, "Sent", "r1", from_email=SHOP, to=["a@one.example", "b@one.example"], cc=["c@two.example"])
    mail.put(SHOP, "All", "r1", from_email=SHOP, to=["a@one.example", "b@one.example"], cc=["c@two.example"])
    mail.put(SHOP, "Sent", "r2", from_email=SHOP, to=["a@one.example", "a@one.example"], minutes=60 * 24)
    for mailbox in ("INBOX", "All"):
        key = mail.put(SHOP, mailbox, "dsn", from_email="mailer-daemon@mx.example", to=[SHOP], minutes=1)
        mail.bounce(key, "forwarded@far.example", "r1", original_recipient="a@one.example")
        mail.bounce(key, "c@two.example", "r1", action="delayed", permanent=False)
    late = mail.put(SHOP, "INBOX", "dsn2", from_email="mailer-daemon@mx.example", to=[SHOP], minutes=60 * 48)
    mail.bounce(late, "c@two.example", "r1", action="delivered", permanent=False)
    mail.bounce(late, "list-member@three.example", "r2", permanent=False)
    mail.bounce(late, "x@four.example", "sent-by-another-program")
    mail.bounce(late, None, None)
    delivery, messages = read(mail.tables, "email_delivery", "email_messages")
    names = ("recipients", "bounced", "bounced_for_good", "delayed", "confirmed", "bounce_rate", "unmatched_reports")
    assert {(r["sender"], r["day"].day, r["domain"]): tuple(r[n] for n in names) for r in delivery} == {
        (SHOP, 10, "one.example"): (2, 1, 1, 0, 0, 0.5, 0),
        (SHOP, 10, "two.example"): (1, 0, 0, 0, 1, 0.0, 0),
        (SHOP, 11, "one.example"): (1, 0, 0, 0, 0, 0.0, 0),
        (SHOP, 11, "three.example"): (1, 1, 0, 0, 0, 1.0, 0),
        (SHOP, 12, "four.example"): (0, 0, 0, 0, 0, None, 1),
        (SHOP, 12, ""): (0, 0, 0, 0, 0, None, 1),
    }
    assert {r["message_key"] for r in messages if r["report"] and r["automatic"]} == {"dsn", "dsn2"}
