"""The proof that one alert is one message: passes are killed around the sending, and the receivers count."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from leat.control.alert_messages import messages
from leat.control.kill_switch import Stop, stop_actions
from leat.control.outbox import has_sendable, read_actions
from tests.kit.alerting import START, Office
from tests.kit.child import CONTEXT
from tests.kit.mail_transfer import ANN, BOB, PASSWORD, SHOP, Server, mail_server
from tests.kit.webhook import Webhook, webhook

POINTS = ("written", "claimed", "sending", "sent", "recording", "confirming", "settling", "unanswered")
"""Where a pass is killed: what it does next has not begun, or the receiver has everything and hasn't answered."""
both_stores = pytest.mark.parametrize("office", ["sqlite", "postgres"], indirect=True)


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with mail_server(tmp_path_factory.mktemp("mail")) as server:
        yield server


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    with webhook() as started:
        monkeypatch.setenv("HOOK", started.url)
        yield started


@pytest.fixture
def office(
    request: pytest.FixtureRequest, tmp_path: Path, mail: Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Office]:
    kind = getattr(request, "param", "sqlite")
    url = request.getfixturevalue("postgres_url") if kind == "postgres" else f"sqlite:///{tmp_path}/control.db"
    made = Office(tmp_path, url)
    declared = {"source": "email", "driver": "imap", "connection": mail.connection(witness={"address": SHOP})}
    (tmp_path / "pipelines" / "email.yaml").write_text(yaml.safe_dump(declared))
    monkeypatch.setenv("MAIL_PASSWORD", PASSWORD)
    monkeypatch.setenv("MAIL", f"mailto://127.0.0.1:{mail.smtp}?from=Robot<{SHOP}>&to={BOB}")
    yield made
    made.store.dispose()


@dataclass
class Receivers:
    """Who gets messages, and how often each was delivered."""

    hook: Webhook
    mail: Server

    def take(self, channel: str) -> list[tuple[str, bytes]]:
        """Return the id and the content of everything that has come on a channel, since it was last asked."""
        if channel == "hook":
            return [(each["key"], each["message"].encode()) for each in self.hook.take()]
        account = BOB if channel == "mail" else ANN
        with self.mail.signed_in(account) as client:
            client.select("INBOX")
            numbers = client.search(None, "ALL")[1][0].split()
            raw: list[Any] = [client.fetch(each.decode(), "(RFC822)")[1][0] for each in numbers]
            for each in numbers:
                client.store(each.decode(), "+FLAGS", "\\Deleted")
            client.expunge()
        contents = [each[1] for each in raw]
        return [(_header(content, b"Message-ID: "), content) for content in contents]


def _header(content: bytes, name: bytes) -> str:
    return next(line for line in content.split(b"\r\n") if line.startswith(name)).decode()


CHANNELS = {
    "hook": "{url: {env: HOOK}}",
    "mail": "{url: {env: MAIL}}",
    "witnessed": f"{{integration: email, to: {ANN}}}",
}


@both_stores
@pytest.mark.parametrize("channel", CHANNELS)
def test_a_pass_is_killed_and_one_message_arrives(office: Office, hook: Webhook, mail: Server, channel: str) -> None:
    office.declare(f"channels: {{{channel}: {CHANNELS[channel]}}}\ndefault: {channel}\n")
    receivers = Receivers(hook, mail)
    receivers.take(channel)
    on_sqlite = office.store.dialect.name == "sqlite"
    points = POINTS if on_sqlite else ("claimed", "sent", "unanswered")
    for number, point in enumerate(points, 0 if on_sqlite else 100):  # the same news would be the same mail again
        office.violate(number)
        _kill_a_pass(office, receivers, point)
        office.pass_(minutes=1)
        assert messages(office.store)[0].status == "sent", point
        arrived = receivers.take(channel)
        assert len(set(arrived)) == 1, f"{point}: the same id and the same text each time"
        if channel == "witnessed":
            assert len(arrived) == 1, f"{point}: the witness decides"
        else:
            assert len(arrived) <= (2 if point in ("sent", "recording", "unanswered") else 1), point
    assert office.pass_(minutes=1) == []
    assert len({each.id for each in messages(office.store)}) == len(points)


def _kill_a_pass(office: Office, receivers: Receivers, point: str) -> None:
    office.store.dispose()
    has_it = receivers.mail.held = threading.Event()
    may_answer = threading.Event()
    if point == "unanswered":
        receivers.mail.faults = ["hold"]

        def hold() -> None:
            has_it.set()
            may_answer.wait(30)

        receivers.hook.before_answer = hold
    child = CONTEXT.Process(target=_pass_and_die, args=(office.plain(), dict(os.environ), point), daemon=True)
    child.start()
    if point == "unanswered":
        assert has_it.wait(60)
        child.kill()
        may_answer.set()
    child.join(60)
    receivers.hook.before_answer = None
    receivers.mail.faults.clear()
    assert child.exitcode == -signal.SIGKILL, point


def _pass_and_die(office: Office, environ: dict[str, str], point: str) -> None:
    os.environ.update(environ)
    office.prepare()

    def killed(name: str, args: tuple[Any, ...]) -> None:
        if name in ("leat.action", "leat.alert") and args[0] == point:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(killed)
    office.pass_()


@both_stores
def test_a_channel_that_must_not_repeat_gets_a_message_once_or_never(office: Office, hook: Webhook) -> None:
    office.declare("channels: {hook: {url: {env: HOOK}, at_most_once: true}}\ndefault: hook\n")
    for number, point in enumerate(("claimed", "sent")):
        office.violate(number)
        _kill_a_pass(office, Receivers(hook, Server(0, 0)), point)
        assert office.pass_(minutes=1) == []
        assert messages(office.store)[0].status == "uncertain"
        assert len(hook.take()) == number
    office.resolve(1)
    office.pass_(minutes=1)
    assert len(hook.take()) == 1, "it counts as reported"


def test_alerts_are_no_actions_and_nothing_stops_them(office: Office, hook: Webhook) -> None:
    office.declare("channels: {hook: {url: {env: HOOK}}}\ndefault: hook\n")
    stop_actions(office.store, Stop("*", "ann", START, "wrong amounts"))
    hook.status = 500
    office.violate(1)
    office.pass_()
    assert messages(office.store)[0].status == "retrying"
    assert (read_actions(office.store), has_sendable(office.store)) == ([], False)
    hook.status = 200
    office.hurry()
    office.pass_()
    assert messages(office.store)[0].status == "sent"


def test_a_recipient_that_is_refused_costs_no_other_the_mail(
    office: Office, mail: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL", f"mailto://127.0.0.1:{mail.smtp}?from={SHOP}&to=gone@y.example,{BOB}")
    office.declare("channels: {mail: {url: {env: MAIL}}}\ndefault: mail\n")
    receivers = Receivers(Webhook(), mail)
    receivers.take("mail")
    office.violate(1)
    assert [each.error for each in office.pass_()] == [None]
    assert len(receivers.take("mail")) == 1
    [message] = messages(office.store)
    assert (message.status, message.error) == ("sent", "refused: gone@y.example: 550 5.1.1 no such user")
    mail.faults.clear()
