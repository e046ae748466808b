"""Webhooks that leat sends: signed as `standardwebhooks` verifies it, once, retried, paused, sent again on demand."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from leat.control.audit_tables import AuditEvent
from leat.control.outbox import NewAction, add_actions
from leat.hooks.out.declaration import load_webhooks
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.pipelines.load import state
from leat.runs.webhooks_out import (
    Wanted,
    enable_endpoint,
    endpoint_list,
    list_webhooks,
    pause_endpoint,
    read_webhook,
    replay_webhooks,
    send_webhooks,
)
from leat.runs.workspace import Workspace
from tests.kit.alerting import Office
from tests.kit.child import CONTEXT
from tests.kit.command import tally_project, then
from tests.kit.project import row, rows
from tests.kit.receiver import Receiver, new_secret, receiving

OLD, NEW = new_secret("old-"), new_secret("new-")
ONE = "endpoints:\n  erp: {url: {env: ERP}, secrets: [{env: ERP_NEW}, {env: ERP_OLD}], allow_private: true%s}\n"
both_stores = pytest.mark.parametrize("office", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving(OLD, NEW) as one:
        for name, value in (("ERP", one.url), ("ERP_OLD", OLD), ("ERP_NEW", NEW)):
            monkeypatch.setenv(name, value)
        yield one


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
    assert {each.status for each in list_webhooks(workspace(office), Wanted())} == {"sent"}


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
    attempts = [each.attempts for each in list_webhooks(workspace(office), Wanted(endpoint="erp"), None)]
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
    [given_up] = list_webhooks(workspace(office), Wanted(outcome="failed"))
    assert (given_up.attempts, "HTTP 302" in str(given_up.error)) == (10, True)
    receiver.status = 204
    assert replay_webhooks(workspace(office), load(office), given_up.id) == [given_up.id]
    assert send(office) == 1
    assert receiver.take() == [attempts[0]]


@both_stores
def test_attempts_and_answers_are_stored_also_when_it_is_sent_again(office: Office, receiver: Receiver) -> None:
    declare(office)
    receiver.status, receiver.body = 500, "no\x00 disk"
    office.violate(1)
    send(office)
    [endpoint] = endpoint_list(workspace(office), load(office))
    assert (endpoint.state, "HTTP 500: no\ufffd disk" in str(endpoint.why)) == ("on", True)
    receiver.status, receiver.body = 200, "thanks"
    office.hurry()
    send(office)
    [message] = list_webhooks(workspace(office), Wanted(outcome="sent"))
    replay_webhooks(workspace(office), load(office), Wanted(until=datetime(2000, 1, 1, tzinfo=UTC)))
    assert send(office) == 0
    replay_webhooks(workspace(office), load(office), Wanted(outcome="sent", since=message.created_at))
    assert send(office) == 1
    found = read_webhook(workspace(office), message.id)
    assert found is not None
    _, body, attempts = found
    assert json.loads(body)["type"] == "violation.opened"
    assert [each.accepted for each in attempts] == [False, True, True]
    assert [each.answer for each in attempts[1:]] == ["HTTP 200: thanks"] * 2
    assert all(each.ended_at is not None and each.ended_at >= each.sent_at for each in attempts)
    assert len({each for each, _ in receiver.take()}) == 1


def test_what_happens_while_a_person_has_paused_an_endpoint_waits(office: Office, receiver: Receiver) -> None:
    declare(office)
    pause_endpoint(workspace(office), "erp", "ann")
    office.violate(1)
    assert send(office, minutes=1) == 0
    [endpoint] = endpoint_list(workspace(office), load(office))
    assert (endpoint.state, endpoint.why, endpoint.paused_until) == ("paused", "paused by ann", None)
    [message] = list_webhooks(workspace(office), Wanted(outcome="open"))
    assert (message.status, message.attempts) == ("waiting", 0)
    enable_endpoint(workspace(office), "erp")
    assert send(office) == 1
    with Session(office.store) as session:
        events = session.scalars(select(AuditEvent.event).order_by(AuditEvent.id)).all()
    assert [each for each in events if each.startswith("endpoint.")] == ["endpoint.paused", "endpoint.enabled"]


def test_an_endpoint_says_when_to_come_back_and_that_it_is_gone(office: Office, receiver: Receiver) -> None:
    declare(office)
    receiver.status, receiver.headers = 503, {"Retry-After": "1800"}
    office.violate(1)
    send(office)
    [message] = list_webhooks(workspace(office), Wanted())
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
    [message] = list_webhooks(workspace(office), Wanted())
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
    assert leat("webhooks", "pause", "erp", **given).returncode == 0
    assert "endpoint erp: paused (paused by " in leat("webhooks", **given).stdout
    assert leat("webhooks", "enable", "erp", **given).returncode == 0
