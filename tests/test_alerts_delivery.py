"""Delivery of alerts: by SMTP and webhook, again after a failure or a kill, and without secrets."""

from __future__ import annotations

import email
import email.policy
import os
import signal
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from imapclient import IMAPClient

from leat.control.alerts import messages
from leat.demo.servers.mail_devel import start_mail_devel
from leat.demo.servers.process import free_port, running
from leat.quality.alerts.delivery import NotDelivered, deliver, readable
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
        found = client.fetch(client.search(), ["RFC822"])
    return [email.message_from_bytes(each[b"RFC822"], policy=email.policy.default) for each in found.values()]


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
    assert opened["Subject"] == "leat: 1 new (charge_without_invoice)"
    assert over["Subject"] == "leat: 1 recovered (charge_without_invoice)"
    assert opened["X-Leat-Message"] != over["X-Leat-Message"]
    assert len(opened.get_all("Message-ID", [])) == 1
    body = opened.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "customer=Jürgen & <Söhne>" in text
    assert "\n  Next: Write the invoice.\n" in text.replace("\r\n", "\n")


@both_stores
def test_a_refused_message_is_tried_again_and_the_failure_is_seen(office: Office, hook: Webhook) -> None:
    hook.status = 503
    office.violate(1)
    [failed] = office.pass_()
    assert failed.error is not None and "503" in failed.error
    [kept] = messages(office.store)
    assert (kept.status, kept.attempts, kept.body) == ("failed", 1, None)
    office.pass_(minutes=1)
    assert hook.take()[0]["key"] == kept.id, "the same message has the same id"
    office.violate(2)
    hook.status = 200
    [sent] = office.pass_(minutes=1)
    assert (sent.error, sent.title) == (None, "leat: 2 new (charge_without_invoice)")
    assert office.pass_(minutes=1) == []
    assert [(m.status, m.attempts) for m in messages(office.store)] == [("sent", 3), ("replaced", 2)]


def test_a_channel_that_stays_down_is_asked_less_and_less(office: Office, hook: Webhook) -> None:
    hook.status = 500
    office.violate(1)
    tried = [len(office.pass_(minutes=1)) for _ in range(34)]
    assert [minute for minute, count in enumerate(tried) if count] == [0, 1, 2, 12, 32]
    office.resolve(1)
    hook.status = 200
    assert office.pass_(minutes=1) == [], "nobody was told that it began, so nobody is told that it is over"
    assert messages(office.store)[0].status == "replaced"


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


def _pass_and_die(office: Office, hook_url: str) -> None:
    """Make a pass that is killed when the webhook has the message, before it is marked."""
    os.environ["HOOK"] = hook_url
    office.prepare()
    from leat.quality.alerts import announce as module

    def killed(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(
        lambda frame, event, _: killed() if event == "call" and frame.f_code.co_name == "end_message" else None
    )
    assert module
    office.pass_()


@both_stores
def test_a_kill_between_sending_and_marking_loses_nothing(office: Office, hook: Webhook) -> None:
    office.violate(1)
    office.store.dispose()
    child = CONTEXT.Process(target=_pass_and_die, args=(office.plain(), hook.url))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    [message] = messages(office.store)
    assert (message.status, len(hook.got)) == ("sending", 1)
    office.resolve(1)
    sent = office.pass_(minutes=1)
    assert [each.title.split(" (")[0] for each in sent] == ["leat: 1 new", "leat: 1 recovered"]
    first, again, over = hook.take()
    assert (first["key"], first["message"]) == (again["key"], again["message"]), "who has it already can tell"
    assert over["key"] != first["key"]
    assert office.pass_() == []


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
    office.pass_()
    for message in hook.take():
        assert password not in message["message"]
        assert token not in message["message"]
    written = b"".join(content for content in everything_written(tmp_path / ".leat" / "logs"))
    written += b"".join(path.read_bytes() for path in tmp_path.glob("control.db*"))
    told = [message.error for message in messages(office.store)]
    assert password.encode() not in written
    assert password not in str(told)


def test_evidence_can_be_kept_from_a_channel(office: Office, hook: Webhook) -> None:
    office.declare("channels: {hook: {url: {env: HOOK}, evidence: false}}\ndefault: hook\n")
    office.violate(1)
    office.check("not_null_weight", ok=False, evidence=[{"shelf": "a"}])
    office.pass_()
    [message] = hook.take()
    assert "ORD-1" not in message["message"] and "shelf=" not in message["message"]
    assert "Next: Write the invoice." in message["message"]


@pytest.mark.parametrize("url", ["nonsense", "gopher://somewhere/", "mailto://", "slack://", "json://", ""])
def test_what_apprise_cannot_read_is_said_without_the_url(url: str) -> None:
    assert not readable(url)
    with pytest.raises(NotDelivered, match="can't read the URL") as caught:
        deliver(url, "title", "body", None, "id")
    assert "somewhere" not in str(caught.value)
