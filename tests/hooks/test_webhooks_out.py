"""Webhooks that leat sends: signed as `standardwebhooks` verifies it, once, retried, paused, sent again on demand."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from leat.control.outbox import NewAction, add_actions
from leat.hooks.out.declaration import load_webhooks
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.pipelines.load import state
from leat.runs.webhooks_out import enable_endpoint, endpoint_list, list_webhooks, replay_webhooks, send_webhooks
from leat.runs.workspace import Workspace
from tests.kit.alerting import Office
from tests.kit.child import CONTEXT
from tests.kit.command import tally_project, then
from tests.kit.project import row, rows

OLD, NEW = (f"whsec_{base64.b64encode(each * 8).decode()}" for each in (b"old-", b"new-"))
ONE = "endpoints:\n  erp: {url: {env: ERP}, secrets: [{env: ERP_NEW}, {env: ERP_OLD}], allow_private: true%s}\n"
both_stores = pytest.mark.parametrize("office", ["sqlite", "postgres"], indirect=True)


@dataclass
class Receiver:
    """An endpoint: what came, verified, and what it answers."""

    url: str = ""
    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def take(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the ids and bodies that came since it was last asked."""
        taken = list(self.got)
        self.got.clear()
        return taken


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            for secret in (OLD, NEW):
                Verifier(secret).verify(body, dict(self.headers.items()))
            receiver.got.append((self.headers["webhook-id"], json.loads(body)))
            with contextlib.suppress(OSError):
                self.send_response(receiver.status)
                for name, value in {**receiver.headers, "Content-Length": "0"}.items():
                    self.send_header(name, value)
                self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    for name, value in (("ERP", receiver.url), ("ERP_OLD", OLD), ("ERP_NEW", NEW)):
        monkeypatch.setenv(name, value)
    yield receiver
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    kind = getattr(request, "param", "sqlite")
    url = request.getfixturevalue("postgres_url") if kind == "postgres" else f"sqlite:///{tmp_path}/control.db"
    made = Office(tmp_path, url)
    yield made
    made.store.dispose()


def declare(office: Office, more: str = "") -> None:
    """Write the file, and let the endpoint be there from now on."""
    (office.folder / "quality" / "webhooks.yaml").write_text(ONE % more)
    assert send(office) == 0


def workspace(office: Office) -> Workspace:
    return Workspace(office.project, offline=True)


def send(office: Office, **later: float) -> int:
    office.now += timedelta(**later)
    return send_webhooks(workspace(office), office.now)


@both_stores
def test_each_event_is_sent_signed_and_once(office: Office, receiver: Receiver) -> None:
    declare(office, ", evidence: true")
    office.now += timedelta(minutes=1)
    office.violate(1)
    office.ran("failed", ("Rejected", "no"))
    load = "20261102T120100000000"
    with office.writing() as session:
        state.insert(session, "loads", [(load, "tally", "sync", office.now, office.now)])
    action = NewAction(
        dedupe_key="late invoice 7", integration="payments", verb="refund", guarantee="guarded", money=True,
        title="refund 1.00 EUR", target="charges/ch_1", parameters={}, plan={}, digest="0" * 64, created_by="ann",
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )  # fmt: skip
    add_actions(office.store, [action], office.now)
    assert send(office) == 4
    first = receiver.take()
    by_type = {body["type"]: body["data"] for _, body in first}
    assert sorted(by_type) == ["action.changed", "load.applied", "run.failed", "violation.opened"]
    opened = by_type["violation.opened"]
    assert (opened["rule"], opened["integrations"]) == ("charge_without_invoice", ["tally"])
    assert opened["evidence"]["order"] == "ORD-1"
    assert (by_type["load.applied"]["load"], by_type["load.applied"]["streams"]) == (load, [])
    assert (by_type["run.failed"]["error_type"], by_type["action.changed"]["state"]) == ("Rejected", "planned")
    assert send(office, minutes=1) == 0
    office.resolve(1)
    office.ran("nothing_new")
    assert send(office) == 2
    second = receiver.take()
    assert sorted(body["type"] for _, body in second) == ["run.recovered", "violation.resolved"]
    assert len({each for each, _ in [*first, *second]}) == 6
    assert {each.status for each in list_webhooks(workspace(office), endpoint=None, failed=False, limit=None)} == {
        "sent"
    }


def test_an_endpoint_gets_what_it_wants(office: Office, receiver: Receiver) -> None:
    declare(office, ", events: violation.opened, rule: 'entries_*', severity: error")
    office.violate(1, rule="entries_balance", severity="error")
    office.violate(2, rule="entries_balance")
    office.violate(3, severity="error")
    office.ran("failed", ("Rejected", "no"))
    send(office, minutes=1)
    [(_, body)] = receiver.take()
    assert (body["data"]["rule"], "evidence" in body["data"]) == ("entries_balance", False)


def test_an_endpoint_that_fails_is_paused_and_loses_nothing(office: Office, receiver: Receiver) -> None:
    declare(office)
    receiver.status = 500
    office.violate(*range(60))
    send(office)
    assert 5 <= len(receiver.take()) <= 8, "four requests are under way at a time"
    [endpoint] = endpoint_list(workspace(office), load(office))
    assert (endpoint.state, endpoint.failures >= 5) == ("paused", True)
    attempts = [each.attempts for each in list_webhooks(workspace(office), endpoint="erp", failed=False, limit=None)]
    assert sum(attempts) <= 8, "what waits for an endpoint costs no attempts"
    office.hurry()
    assert (send(office), receiver.take()) == (0, [])
    receiver.status = 200
    enable_endpoint(workspace(office), "erp")
    office.hurry()
    assert send(office) == 60
    assert len({each for each, _ in receiver.take()}) == 60


def load(office: Office) -> Any:
    return load_webhooks(office.project, {})


def test_what_is_given_up_can_be_sent_again_with_the_same_id(office: Office, receiver: Receiver) -> None:
    declare(office)
    receiver.status = 302
    office.violate(1)
    for _ in range(12):
        send(office)
        office.hurry()
        enable_endpoint(workspace(office), "erp")
    attempts = receiver.take()
    assert len(attempts) == 10
    [given_up] = list_webhooks(workspace(office), endpoint=None, failed=True, limit=None)
    assert (given_up.attempts, "HTTP 302" in str(given_up.error)) == (10, True)
    receiver.status = 204
    assert replay_webhooks(workspace(office), load(office), [given_up.id]) == [given_up.id]
    assert send(office) == 1
    assert receiver.take() == [attempts[0]]


def test_an_endpoint_says_when_to_come_back_and_that_it_is_gone(office: Office, receiver: Receiver) -> None:
    declare(office)
    receiver.status, receiver.headers = 503, {"Retry-After": "1800"}
    office.violate(1)
    send(office)
    [message] = list_webhooks(workspace(office), endpoint=None, failed=False, limit=None)
    assert message.next_at is not None
    assert timedelta(minutes=15) < message.next_at - datetime.now(UTC) <= timedelta(minutes=30)
    receiver.status, receiver.headers = 410, {}
    office.hurry()
    send(office)
    office.violate(2)
    send(office, minutes=1)
    assert len(receiver.take()) == 2, "nothing is sent to an endpoint that is gone"
    assert [each.state for each in endpoint_list(workspace(office), load(office))] == ["disabled"]


def test_a_private_address_gets_nothing_unless_it_is_declared(office: Office, receiver: Receiver) -> None:
    (office.folder / "quality" / "webhooks.yaml").write_text((ONE % "").replace(", allow_private: true", ""))
    send(office)
    office.violate(1)
    send(office, minutes=1)
    [message] = list_webhooks(workspace(office), endpoint=None, failed=False, limit=None)
    assert "127.0.0.1 is not a public address" in str(message.error)
    assert receiver.take() == []


@both_stores
@pytest.mark.parametrize("point", ["claimed", "sent"])
def test_a_killed_sender_sends_again_under_the_same_id(office: Office, receiver: Receiver, point: str) -> None:
    declare(office)
    office.violate(1)
    office.store.dispose()
    child = CONTEXT.Process(target=_send_and_die, args=(office.plain(), dict(os.environ), point), daemon=True)
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert send(office) == 1
    arrived = receiver.take()
    assert (len(arrived), len({each for each, _ in arrived})) == (2 if point == "sent" else 1, 1)
    assert all(body == arrived[0][1] for _, body in arrived)


def _send_and_die(office: Office, environ: dict[str, str], point: str) -> None:
    os.environ.update(environ)
    office.prepare()

    def killed(name: str, args: tuple[Any, ...]) -> None:
        if name == "leat.action" and args[0] == point:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(killed)
    send(office)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("endpoints: {erp: {url: {env: A}, secrets: {env: B}, evnets: load.applied}}\n",
         'quality/webhooks.yaml:1: endpoints.erp.evnets: unknown key; did you mean "events"?'),
        ("endpoints:\n  erp: {url: {env: A}, secrets: {env: B}, integration: shop}\n",
         "quality/webhooks.yaml:2: endpoints.erp.integration: there is no integration 'shop'"),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_with_its_line(office: Office, text: str, message: str) -> None:
    (office.folder / "quality" / "webhooks.yaml").write_text(text)
    with pytest.raises(DeclarationError) as caught:
        load(office)
    assert str(caught.value) == message


def test_the_commands_send_show_and_replay(tmp_path: Path, receiver: Receiver) -> None:
    leat = tally_project(tmp_path)
    then(leat, rows("fed", row(1, "one", weight=1.0)))
    assert "quality/webhooks.yaml" in leat("webhooks").stderr
    (tmp_path / "quality").mkdir()
    (tmp_path / "quality" / "webhooks.yaml").write_text(ONE % ", events: load.applied")
    given = {"ERP": receiver.url, "ERP_OLD": OLD, "ERP_NEW": NEW}
    tried = json.loads(leat("webhooks", "test", "erp", "--json", **given).stdout)
    assert (tried["ok"], receiver.take()[0][1]["type"]) == (True, "test")
    leat("webhooks", **given)  # from now on it gets what happens
    assert leat("run", **given).returncode == 0
    [(first, body)] = receiver.take()
    assert body["data"]["streams"][0] == {
        "stream": "fed", "inserted": 1, "updated": 0, "deleted": 0, "quarantined": 0, "total": 1
    }  # fmt: skip
    shown = json.loads(leat("webhooks", "--json", **given).stdout)
    assert [each["state"] for each in shown["endpoints"]] == ["on"]
    assert [(each["id"], each["status"]) for each in shown["messages"]] == [(first, "sent")]
    replayed = json.loads(leat("webhooks", "replay", first[:12], "--json", **given).stdout)
    assert (replayed["replayed"], replayed["accepted"], receiver.take()[0][0]) == ([first], 1, first)
    assert leat("webhooks", "replay", **given).returncode == 2
    assert leat("webhooks", "enable", "epr", **given).returncode == 2
