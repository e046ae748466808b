"""A mail is sent once, whatever happens on the way: counted by Message-ID in the recipient's mailbox on Dovecot."""

from __future__ import annotations

import json
import re
import shutil
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from leat.actions.decide import approve
from leat.actions.deliver import deliver
from leat.actions.office import UnknownAction
from leat.actions.tracking import Visit, record_visit, unsubscribe
from leat.control.mail_tables import TrackingEvent
from leat.control.outbox import ActionRow
from leat.control.suppressions import Suppression, read_suppressions, release, suppress
from leat.demo.servers.mail_devel import start_mail_devel
from leat.demo.servers.process import free_port, running
from leat.sources.actions import Refused
from leat.sources.email.sending.declared import SmtpAddress
from leat.sources.email.sending.smtp import Smtp
from leat.sources.errors import IntegrationError, NotConfigured
from leat.sources.retry import RetryPolicy
from tests.kit.acting import Acting
from tests.kit.mail_transfer import ANN, BOB, PASSWORD, SHOP, Server, mail_server
from tests.kit.offices import Desk, desk_of
from tests.kit.sender import POINTS, start_sender

TEMPLATES = Path(__file__).parents[2] / "templates"
KEY = "planted-signing-key-1234"
NOW = datetime(2026, 12, 1, tzinfo=UTC)
WITNESS = {"witness": {"address": SHOP}}
MAIL = {"to": ANN, "subject": "Your order", "text": "Dear Ann,\n.\nthank you.\n"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with mail_server(tmp_path_factory.mktemp("mail")) as server:
        yield server


@pytest.fixture(autouse=True)
def quick(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MAIL_PASSWORD", PASSWORD)
    monkeypatch.setattr("leat.actions.steps.RETRY", RetryPolicy((0.05,) * 7, longest=1))
    yield
    server.faults.clear()


@pytest.fixture
def desk(tmp_path: Path, server: Server) -> Iterator[Desk]:
    declared = {"source": "email", "driver": "imap", "connection": server.connection(**WITNESS)}
    with desk_of(tmp_path / "project", "email", declared) as desk:
        yield desk


def message_id(row: ActionRow) -> str:
    return f"{row.id}@x.example"


def test_a_mail_arrives_as_planned_with_copies_for_the_witness_and_in_sent(desk: Desk, server: Server) -> None:
    row = desk.plan("send", **(MAIL | {"to": f"{ANN}, {BOB}"}))
    assert (row.guarantee, row.title) == ("probed", f"send 'Your order' to {ANN}, {BOB}")
    assert row.plan["people"] == [ANN, BOB]
    assert server.mails(ANN, message_id(row)) == []
    [row] = desk.send(row)
    assert (row.state, row.receipt) == ("confirmed", {"message_id": message_id(row), "copy": True})
    for account, mailbox in ((ANN, "INBOX"), (BOB, "INBOX"), (SHOP, "INBOX"), (SHOP, "Sent")):
        [mail] = server.mails(account, message_id(row), mailbox)
        assert (mail["From"], mail["To"], mail["Subject"]) == (f"The Shop <{SHOP}>", f"{ANN}, {BOB}", "Your order")
        assert (mail.get_content().replace("\r\n", "\n"), mail["Bcc"]) == (MAIL["text"], None)
        assert row.sent_at is not None
        assert mail["Date"].datetime == row.sent_at.replace(microsecond=0)
    assert server.senders[-1] == SHOP


@pytest.mark.parametrize(
    "fault", ["cut", "lost", "hold", "451 4.2.0 greylisted", "DATA 452 4.3.1 disk full", "DATA 421 4.4.2 closing"]
)
def test_whatever_happens_on_the_way_there_is_one_mail(desk: Desk, server: Server, fault: str) -> None:
    server.faults = [fault, fault] if fault not in ("cut", "hold") else [fault]
    row = desk.act("send", **MAIL)
    assert (row.state, row.attempts) == ("confirmed", {"cut": 1, "hold": 1}.get(fault, 3)), row.reason
    for account, mailbox in ((ANN, "INBOX"), (SHOP, "INBOX"), (SHOP, "Sent")):
        assert len(server.mails(account, message_id(row), mailbox)) == 1, (account, mailbox)


@pytest.mark.parametrize("fault", ["550 5.1.1 no such user", "DATA 554 5.6.0 looks like spam"])
def test_what_the_server_refuses_is_sent_to_nobody(desk: Desk, server: Server, fault: str) -> None:
    server.faults = [fault]
    row = desk.act("send", **(MAIL | {"to": f"{BOB},{ANN}"}))
    assert (row.state, row.attempts) == ("failed", 1)
    assert fault.removeprefix("DATA ") in str(row.reason)
    assert [server.mails(each, message_id(row)) for each in (ANN, BOB, SHOP)] == [[], [], []]


@pytest.mark.parametrize("point", [*POINTS, "accepted", "unanswered"])
def test_a_sender_is_killed_and_each_mail_arrives_once(desk: Desk, server: Server, point: str) -> None:
    rows = [desk.plan("send", **(MAIL | {"subject": f"{point} {number}"})) for number in range(2)]
    for row in rows:
        approve(desk.office.store, row, "bob")
    if point == "looking":  # it was accepted, and nobody heard of it
        server.faults = ["cut"]
    if point == "unanswered":
        server.faults, server.held = ["hold"], threading.Event()
    project = desk.office.project
    mailing = Acting(project.folder, project.control_url, "email", {"MAIL_PASSWORD": PASSWORD})
    sender = start_sender(mailing, "" if point == "unanswered" else point)
    if point == "unanswered":
        assert server.held.wait(60)
        sender.kill()
    sender.join(60)
    assert sender.exitcode == -signal.SIGKILL
    deliver(desk.office, "email", patience=10, wait=20)
    for row in rows:
        assert desk.now(row).state == "confirmed"
        for account, mailbox in ((ANN, "INBOX"), (SHOP, "INBOX"), (SHOP, "Sent")):
            assert len(server.mails(account, message_id(row), mailbox)) == 1, (account, mailbox)


def test_a_server_that_closes_an_idle_connection_is_connected_again(server: Server) -> None:
    smtp = Smtp("email", SmtpAddress("127.0.0.1", server.smtp, "none", 5, None, None, None))
    content = b"Message-ID: <twice@x.example>\r\n\r\nHi\r\n"
    smtp.submit(SHOP, [BOB], content)
    first = smtp._client
    smtp.submit(SHOP, [BOB], content)
    assert smtp._client is first
    assert first is not None
    assert first.sock is not None
    first.sock.shutdown(2)
    smtp.submit(SHOP, [BOB], content)
    smtp.close()
    assert len(server.mails(BOB, "twice@x.example")) == 3


def test_without_a_witness_nobody_knows_and_a_person_is_asked(server: Server, tmp_path: Path) -> None:
    declared = {"source": "email", "driver": "imap", "connection": server.connection()}
    with desk_of(tmp_path / "project", "email", declared) as desk:
        row = desk.act("send", **MAIL)
        assert (row.guarantee, row.state) == ("unprobeable", "confirmed")
        server.faults = ["lost"]
        row = desk.act("send", **MAIL)
        assert (row.state, row.attempts) == ("asking", 1)


def test_a_witness_that_gets_no_copies_shows_before_it_is_needed(server: Server, tmp_path: Path) -> None:
    witness = {"address": SHOP, "mailbox": "Archive"}  # where nothing arrives
    declared = {"source": "email", "driver": "imap", "connection": server.connection(witness=witness)}
    with desk_of(tmp_path / "project", "email", declared) as desk:
        row = desk.act("send", **MAIL)
        assert (row.state, len(server.mails(ANN, message_id(row)))) == ("diverged", 1)
        assert f"copy for the witness {SHOP}" in str(row.reason)


def test_copies_that_the_server_files_itself_are_searched_and_not_made(server: Server, tmp_path: Path) -> None:
    sent = server.connection(server_files_copies=True, sent_mailbox="Elsewhere", settle=1)
    with desk_of(tmp_path / "project", "email", {"source": "email", "driver": "imap", "connection": sent}) as desk:
        [row] = desk.send(desk.plan("send", **MAIL), patience=0)
        assert (row.guarantee, row.state) == ("probed", "done")
        with server.signed_in(SHOP) as client:
            client.create("Elsewhere")
            client.append("Elsewhere", "", "", f"Message-ID: <{message_id(row)}>\r\n\r\n.".encode())  # type: ignore[arg-type]
        deliver(desk.office, "email", patience=5)
        assert desk.now(row).state == "confirmed"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"to": "ann@x.example\nBcc: eve@x.example"}, "to"),
        ({"to": '"a,b"@x.example'}, "mail address"),
        ({"to": "ann"}, "mail address"),
        ({"to": ""}, "to"),
        ({"subject": "Hi\r\nBcc: eve@x.example"}, "subject: it has to be one line"),
        ({"subject": "Hi\u2028there"}, "subject: it has to be one line"),
        ({"text": "\0"}, "text: it holds control characters"),
        ({"bcc": ANN}, "no such parameter"),
    ],
)
def test_no_parameter_can_add_a_header_or_a_recipient(desk: Desk, given: dict[str, str], said: str) -> None:
    with pytest.raises(UnknownAction, match=said):
        desk.plan("send", **(MAIL | given))


def test_what_is_declared_wrong_is_said(server: Server, tmp_path: Path) -> None:
    for number, (send, said) in enumerate(
        (
            (None, "set connection.send"),
            ({"host": "smtp.example.com:25"}, "unencrypted"),
            ({"from": "nobody"}, "send.from"),
            ({"username": "shop"}, "send.password"),
            ({"account": "nobody@x.example"}, "send.account: nobody@x.example is none of the accounts"),
            ({"witness": {"address": BOB}}, "send.witness.account: bob@x.example is none"),
        )
    ):
        connection = server.connection(**(send or {}))
        if send is None:
            del connection["send"]
        declared = {"source": "email", "driver": "imap", "connection": connection}
        with desk_of(tmp_path / str(number), "email", declared) as desk, pytest.raises(NotConfigured, match=said):
            desk.plan("send", **MAIL)


def test_failures_to_connect_say_that_nothing_was_sent(server: Server) -> None:
    for port, security in ((1, "none"), (server.smtp, "tls"), (server.smtp, "starttls")):
        import ssl

        smtp = Smtp("email", SmtpAddress("127.0.0.1", port, security, 5, ssl.create_default_context(), None, None))
        with pytest.raises(IntegrationError) as failed:
            smtp.submit(SHOP, [BOB], b"\r\n")
        assert not failed.value.reached


def test_a_mail_cannot_be_undone(desk: Desk) -> None:
    with pytest.raises(Refused, match="can't be taken back"):
        desk.undo(desk.act("send", **MAIL))


def test_the_server_of_the_demo_delivers_blind_copies(tmp_path: Path) -> None:
    smtp = free_port()
    with running(start_mail_devel(tmp_path / "mail", PASSWORD, None, smtp)) as server:
        served = Server(server.port, smtp)
        connection = served.connection(witness={"address": BOB, "password": {"env": "MAIL_PASSWORD"}})
        with desk_of(
            tmp_path / "project", "email", {"source": "email", "driver": "imap", "connection": connection}
        ) as desk:
            row = desk.act("send", **MAIL)
            assert (row.guarantee, row.state) == ("probed", "confirmed"), row.reason
            assert [len(served.mails(each, message_id(row))) for each in (ANN, BOB)] == [1, 1]
            assert len(served.mails(SHOP, message_id(row), "Sent")) == 1


def test_a_template_is_sent_with_attachments_at_its_time(desk: Desk, server: Server) -> None:
    folder = desk.office.project.folder
    shutil.copytree(TEMPLATES, folder / "templates")
    (folder / "invoices").mkdir()
    (folder / "invoices" / "R-1.pdf").write_bytes(b"%PDF-1.7 one")
    data = {"shop": "The <Shop>", "amount": 12850, "currency": "EUR", "paid_at": "2026-12-01", "number": "R-1"}
    given = {"to": ANN, "template": "receipt", "data": json.dumps(data), "attachments": "invoices/R-1.pdf"}
    later = desk.plan("send", **given, at="2099-12-01T09:00", zone="Europe/Berlin")
    assert later.not_before == datetime(2099, 12, 1, 8, tzinfo=UTC)
    assert later.expires_at > later.not_before
    row = desk.plan("send", **given, at="2020-12-01T09:00", zone="Europe/Berlin")
    assert "its time is over already, so it is sent at once" in row.plan["warnings"]
    assert ["attachment", None, "R-1.pdf, 12 bytes"] in row.plan["changes"]
    [late, row] = desk.send(later, row)
    assert (late.state, row.state) == ("approved", "confirmed")
    [mail] = server.mails(ANN, message_id(row))
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert mail["Subject"] == "Your receipt from The <Shop>, 128.50 EUR"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "128.50 EUR  Total" in text.get_content()
    assert "The &lt;Shop&gt;" in html.get_content()
    assert [(each.get_filename(), each.get_content()) for each in mail.iter_attachments()] == [
        ("R-1.pdf", b"%PDF-1.7 one")
    ]
    (folder / ".env").write_text("SECRET=1")
    for wrong, said in (
        ({"attachments": ".env"}, "or it is hidden"),
        ({"attachments": "../control.db"}, "there is no file"),
        ({"template": "recipt"}, "no template 'recipt'; there are ask_organizer"),
        ({"data": {"shop": "x"}}, "'amount' is undefined"),
        ({"bulk": True}, "set connection.send.signing_key"),
        ({"track_opens": True}, "set connection.send.signing_key"),
    ):
        with pytest.raises(Refused, match=said):
            desk.plan("send", **(given | wrong))


def test_bulk_mail_spares_who_opted_out_bounced_or_complained(server: Server, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("SIGNING_KEY", KEY)
    links = {"signing_key": {"env": "SIGNING_KEY"}, "public_url": "https://mail.x.example/", "unsubscribe_to": BOB}
    connection = server.connection(**WITNESS, **links)
    declared = {"source": "email", "driver": "imap", "connection": connection}
    with desk_of(tmp_path / "project", "email", declared) as desk:
        store, bulk = desk.office.store, MAIL | {"bulk": True}
        row = desk.act("send", **bulk)
        [mail] = server.mails(ANN, message_id(row))
        token = re.findall(r"https://mail\.x\.example/unsubscribe/(\S+)", mail.get_content())[0]
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        with pytest.raises(Refused, match="one recipient"):
            desk.plan("send", **(bulk | {"to": f"{ANN},{BOB}"}))
        waiting = desk.plan("send", **bulk)
        assert not unsubscribe(store, KEY, token.replace("u0", "u1"), NOW)
        assert read_suppressions(store) == []
        assert unsubscribe(store, KEY, token, NOW)
        assert [(each.address, each.reason) for each in read_suppressions(store)] == [(ANN, "opt_out")]
        [waiting] = desk.send(waiting)  # it was planned before
        assert (waiting.state, waiting.attempts) == ("failed", 1)
        assert "it wants no bulk mail" in str(waiting.reason)
        assert server.mails(ANN, message_id(waiting)) == []
        with pytest.raises(Refused, match=f"{ANN} gets no mail"):
            desk.plan("send", **bulk)
        assert desk.act("send", **MAIL).state == "confirmed"  # a receipt still arrives
        assert suppress(store, [Suppression(ANN.upper(), "bounce", NOW, "leat")])
        with pytest.raises(Refused, match="its mail comes back"):
            desk.plan("send", **MAIL)
        assert release(store, ANN, NOW + timedelta(days=1)) == 2
        assert not suppress(store, [Suppression(ANN, "bounce", NOW, "leat")])  # for the same bounce
        assert desk.act("send", **bulk).state == "confirmed"


def test_clicks_and_opens_are_judged_and_name_nobody(server: Server, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("SIGNING_KEY", KEY)
    connection = server.connection(**WITNESS, signing_key={"env": "SIGNING_KEY"}, public_url="https://mail.x.example")
    with desk_of(
        tmp_path / "project", "email", {"source": "email", "driver": "imap", "connection": connection}
    ) as desk:
        shutil.copytree(TEMPLATES, desk.office.project.folder / "templates")
        data = {"title": "News", "paragraphs": ["Text"], "link": "https://a.example/?x=1&y=2"}
        row = desk.act("send", to=ANN, template="notice", data=data, track_clicks=True, track_opens=True)
        store, sent = desk.office.store, row.ended_at
        assert sent is not None
        [mail] = server.mails(ANN, message_id(row))
        html = mail.get_body(("html",))
        assert html is not None
        page = html.get_content()
        [click] = re.findall(r'href="https://mail\.x\.example/c/([^"]+)"', page)
        [opened] = re.findall(r'src="https://mail\.x\.example/o/([^"]+)"', page)
        later, browser = sent + timedelta(hours=1), "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101"
        for token, visit, judged in (
            (click, Visit(later, "GET", browser), "likely_human"),
            (opened, Visit(later, "GET", browser), "likely_human"),
            (click, Visit(sent + timedelta(seconds=2), "GET", browser), "machine"),
            (click, Visit(later, "HEAD", browser), "machine"),
            (click, Visit(later, "GET", browser, is_prefetch=True), "machine"),
            (opened, Visit(later, "GET", "Mozilla/5.0"), "machine"),
            (opened, Visit(later, "GET", "GoogleImageProxy"), "machine"),
            (click, Visit(later, "GET", ""), "machine"),
        ):
            leads_to = record_visit(store, KEY, token, visit)
            assert leads_to == (data["link"] if token == click else None)
            with Session(store) as session:
                event = session.scalars(select(TrackingEvent).order_by(TrackingEvent.id.desc())).first()
                assert event is not None
                assert (event.action_id, event.judged) == (row.id, judged), visit
        for wrong in (click.replace("c0", "c1"), opened[:-1], "x"):
            assert record_visit(store, KEY, wrong, Visit(later)) is None
        with Session(store) as session:
            assert len(list(session.scalars(select(TrackingEvent)))) == 8
