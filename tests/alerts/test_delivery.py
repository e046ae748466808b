"""Delivery of alerts: by SMTP and webhook, again after a failure or a kill, and without secrets."""

from __future__ import annotations

import email
import email.policy
import os
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from imapclient import IMAPClient
from sqlalchemy import text

from leat.control.alert_messages import forget_failed, messages
from leat.demo.servers.mail_devel import start_mail_devel
from leat.demo.servers.process import free_port, running
from leat.quality.alerts.delivery import deliver, readable
from leat.quality.alerts.text import Text
from leat.sources.errors import NotConfigured
from tests.kit.alerting import Office
from tests.kit.child import CONTEXT
from tests.kit.project import everything_written
from tests.kit.webhook import Webhook, webhook

ONE = "channels: {hook: {url: {env: HOOK}}}\ndefault: hook\n"
PASSWORD = "mail-password-of-the-tests"
both_stores = pytest.mark.parametrize("office", ["sqlite", "postgres"], indirect=True)


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Start the demo's mail server; gives its ports for IMAP and SMTP."""
    smtp = free_port()
    with running(start_mail_devel(tmp_path_factory.mktemp("mail"), PASSWORD, None, smtp)) as server:
        yield server.port, smtp


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    with webhook() as started:
        monkeypatch.setenv("HOOK", started.url)
        yield started


@pytest.fixture
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    kind = getattr(request, "param", "sqlite")
    url = request.getfixturevalue("postgres_url") if kind == "postgres" else f"sqlite:///{tmp_path}/control.db"
    made = Office(tmp_path, url)
    made.declare(ONE)
    yield made
    made.store.dispose()


def inbox(port: int, account: str) -> list[EmailMessage]:
    with IMAPClient("127.0.0.1", port, ssl=False) as client:
        client.login(account, PASSWORD)
        client.select_folder("INBOX", readonly=True)
        match = client.fetch(client.search(), ["RFC822"])
    return [email.message_from_bytes(each[b"RFC822"], policy=email.policy.default) for each in match.values()]


def test_mail_arrives_by_smtp(office: Office, mail: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    imap, smtp = mail
    to = "ops@alerts.example"
    monkeypatch.setenv("HOOK", f"mailto://127.0.0.1:{smtp}?from=leat@alerts.example&to={to}")
    office.violate(1, customer="Jürgen & <Söhne>")
    for _ in range(20):
        office.pass_(minutes=1)
    office.resolve(1)
    office.pass_()
    opened, over = inbox(imap, to)
    assert opened["Subject"] == "leat: 1 new violation (charge_without_invoice)"
    assert over["Subject"] == "leat: 1 resolved violation (charge_without_invoice)"
    assert opened["X-Leat-Message"] != over["X-Leat-Message"]
    assert len(opened.get_all("Message-ID", [])) == 1
    body = opened.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "customer=Jürgen & <Söhne>" in text
    assert "\n  Next: Write the invoice.\n" in text.replace("\r\n", "\n")


@both_stores
def test_a_message_is_written_once_and_retried_until_it_is_given_up(office: Office, hook: Webhook) -> None:
    hook.status = 503
    office.violate(1)
    [failed] = office.pass_()
    assert failed.error is not None and "503" in failed.error
    [stored] = messages(office.store)
    assert (stored.status, stored.attempts, stored.next_at is not None) == ("retrying", 1, True)
    office.violate(2)
    assert office.pass_(minutes=1) == [], "it isn't due yet, and what is new waits for it"
    for _ in range(7):
        office.hurry()
        office.pass_(minutes=1)
    attempts = hook.take()
    assert len(attempts) == 8
    assert {each["key"] for each in attempts} == {stored.id}, "every attempt has the same id"
    assert len({each["message"] for each in attempts}) == 1, "and the same text"
    given_up = messages(office.store)[0]
    assert (given_up.status, given_up.attempts) == ("failed", 8)
    hook.status = 200
    [sent] = office.pass_(minutes=1)
    assert (sent.error, sent.title) == (None, "leat: 2 new violations (charge_without_invoice)"), "one is new"
    assert office.pass_(minutes=1) == []
    assert [(m.status, m.attempts) for m in messages(office.store)] == [("sent", 1)]
    with office.store.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM action")) == 0, "no text is left"


def give_up(office: Office) -> None:
    office.pass_()
    for _ in range(7):
        office.hurry()
        office.pass_()


def test_what_was_given_up_is_reported_a_day_later_or_when_the_channel_works(office: Office, hook: Webhook) -> None:
    hook.status = 500
    office.violate(1)
    give_up(office)
    assert len(hook.take()) == 8
    assert office.pass_(hours=23) == [], "nothing is new"
    assert len(office.pass_(hours=1)) == 1
    give_up(office)
    assert messages(office.store)[0].status == "failed"
    hook.status = 200
    forget_failed(office.store, "hook")  # as `leat alerts test` does
    hook.take()
    office.pass_(minutes=1)
    assert titles(hook) == ["leat: 1 new violation (charge_without_invoice)"]


def test_what_is_resolved_before_delivery_is_dropped(office: Office, hook: Webhook) -> None:
    hook.status = 500
    office.violate(1)
    office.pass_()
    office.resolve(1)
    hook.status = 200
    office.hurry()
    assert office.pass_(minutes=1) == [], "nobody was told that it began, so nobody is told that it is over"
    assert messages(office.store) == []
    hook.status = 500
    office.violate(2)
    give_up(office)
    office.resolve(2)
    hook.status = 200
    assert (office.pass_(minutes=1), messages(office.store)) == ([], [])


def test_what_a_channel_did_not_take_is_forgotten_with_the_channel(office: Office, hook: Webhook) -> None:
    hook.status = 500
    office.violate(1)
    office.pass_()
    with office.store.begin() as connection:  # as if its sender had died
        connection.execute(text("UPDATE action SET state = 'sending'"))
    office.declare(ONE.replace("hook:", "other:").replace("default: hook", "default: other"))
    hook.status = 200
    hook.take()
    assert [each.channel for each in office.pass_(minutes=1)] == ["other"]
    assert [each.channel for each in messages(office.store)] == ["other"]


def titles(hook: Webhook) -> list[str]:
    return [each["title"] for each in hook.take()]


def test_one_channel_that_fails_holds_up_no_other(
    office: Office, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOWHERE", f"json://127.0.0.1:{free_port()}/")
    office.declare("channels: {a: {url: {env: NOWHERE}}, b: {url: {env: HOOK}}, c: {url: {env: UNSET}}}\n"
                   "default: [a, b, c]\n")  # fmt: skip
    office.violate(1)
    sent = {each.channel: each.error for each in office.pass_()}
    assert sent["b"] is None
    assert "Connection" in str(sent["a"])
    assert "Next: look at NOWHERE and at the service that it names, then `leat alerts test a`" in str(sent["a"])
    assert "UNSET" in str(sent["c"])
    assert len(hook.take()) == 1


def test_a_channel_that_need_not_be_there_is_off(
    office: Office, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.declare("channels: {hook: {url: {env: LATER}, required: false}}\ndefault: hook\n")
    office.violate(1)
    assert office.pass_() == []
    monkeypatch.setenv("LATER", hook.url)
    assert [each.error for each in office.pass_()] == [None]


@both_stores
def test_two_processes_at_once_send_one_message(office: Office, hook: Webhook) -> None:
    office.violate(1)
    office.store.dispose()
    children = [CONTEXT.Process(target=_pass, args=(office.plain(), hook.url)) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert len(hook.take()) == 1


def _pass(office: Office, hook_url: str) -> None:
    os.environ["HOOK"] = hook_url
    office.prepare()
    office.pass_()


def test_secrets_are_nowhere(office: Office, hook: Webhook, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    password, token = "hunter2-hunter2", "T0K3N-0123456789abcdef"
    url = f"json://robot:{password}@127.0.0.1:{hook.port}/hook/{token}"
    monkeypatch.setenv("HOOK", url)
    hook.status = 403
    office.violate(1, note=f"somebody wrote the password {password} here")
    office.ran("failed", ("Rejected", f"POST /hook/{token} said no"))
    [failed] = office.pass_()
    assert password not in str(failed) and token not in str(failed)
    hook.status = 200
    office.hurry()
    office.pass_()
    for message in hook.take():
        assert password not in message["message"]
        assert token not in message["message"]
    written = b"".join(content for content in everything_written(tmp_path / ".leat" / "logs"))
    written += b"".join(path.read_bytes() for path in tmp_path.glob("control.db*") if path.is_file())
    errors = [message.error for message in messages(office.store)]
    assert password.encode() not in written
    assert password not in str(errors)


def test_evidence_can_be_hidden_from_a_channel(office: Office, hook: Webhook) -> None:
    office.declare("channels: {hook: {url: {env: HOOK}, evidence: false}}\ndefault: hook\n")
    office.violate(1)
    office.check("not_null_weight", ok=False, evidence=[{"shelf": "a"}])
    office.pass_()
    [message] = hook.take()
    assert "ORD-1" not in message["message"] and "shelf=" not in message["message"]
    assert "Next: Write the invoice." in message["message"]


@pytest.mark.parametrize("url", ["nonsense", "gopher://somewhere/", "mailto://", "slack://", "json://", ""])
def test_what_apprise_cannot_read_is_said_without_the_url(url: str) -> None:
    assert not readable(url, "chat")
    with pytest.raises(NotConfigured, match="can't read the URL") as caught:
        deliver(url, Text("title", "body", None), "id", "hook")
    assert "somewhere" not in str(caught.value)
