"""What the shipped models and rules about actions show, on both engines."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from leat.quality.rule_files import Rule, load_rules
from leat.warehouse.session import Session, Warehouse
from tests.kit.built import Row, build_shipped
from tests.kit.engines import ENGINES
from tests.kit.loaded import REPOSITORY, declare, load, project, utc, warehouse_of

NOW = utc(2026, 11, 20, 9)
OVER = ("confirmed", "diverged", "failed", "rejected", "cancelled", "expired", "undone")
Build = Callable[..., dict[str, list[Row]]]
Lives = list[tuple[Row, list[tuple[str, datetime]]]]


@pytest.fixture(params=ENGINES)
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    return warehouse_of(request.param, tmp_path, request)


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


def life(row_id: str, *states: tuple[str, datetime], **more: Any) -> tuple[Row, list[tuple[str, datetime]]]:
    """Return an action that went through these states, and when."""
    state, at = states[-1]
    sent = next((when for name, when in states if name == "sending"), None)
    row: Row = {
        "id": row_id, "integration": "payments", "verb": "refund", "title": row_id, "target": row_id, "state": state,
        "created_at": states[0][1], "updated_at": at, "expires_at": states[0][1] + timedelta(days=7), "sent_at": sent,
        "ended_at": at if state in OVER else None, "attempts": 1 if sent else 0,
    }  # fmt: skip
    texts = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in more.items()}
    return {**row, **texts}, list(states)


def platform_of(lives: Lives, **more: list[Row]) -> dict[str, list[Row]]:
    """Return the streams of the control store."""
    events = [(row["id"], state, at) for row, states in lives for state, at in states]
    listed = [
        {"id": number, "action_id": key, "state": state, "changed_at": at}
        for number, (key, state, at) in enumerate(sorted(events, key=lambda each: each[2]))
    ]
    return {"actions": [row for row, _ in lives], "action_events": listed, **more}


def sent(at: datetime, *after: tuple[str, float]) -> list[tuple[str, datetime]]:
    """Return the states of an action that is approved and sent a minute after its plan, and others, in seconds."""
    begin = [("planned", at), ("approved", at + timedelta(minutes=1)), ("sending", at + timedelta(minutes=1))]
    return begin + [(state, at + timedelta(minutes=1, seconds=seconds)) for state, seconds in after]


def test_success_is_what_was_confirmed_in_time(warehouse: Warehouse, tmp_path: Path) -> None:
    at, old = ago(hours=20), ago(days=9)
    lives = [
        life("a", *sent(at, ("done", 1), ("confirmed", 2))),
        life("b", *sent(at, ("unknown", 1), ("done", 30), ("confirmed", 40))),
        life("c", *sent(at, ("done", 1), ("confirmed", 4), ("undone", 60))),
        life("d", *sent(at, ("failed", 1))),
        life("e", *sent(at, ("done", 1), ("diverged", 2))),
        life("f", *sent(at, ("unknown", 1))),
        life("g", *sent(at, ("unknown", 1), ("asking", 2))),
        life("h", *sent(at, ("done", 1))),
        life("i", ("planned", at), ("approved", at + timedelta(minutes=1)), ("cancelled", ago(hours=1))),
        life("j", ("planned", at), ("approved", at + timedelta(minutes=1)), ("expired", ago(hours=1))),
        life("k", ("planned", at)),
        life("l", ("planned", at), ("rejected", ago(hours=1))),
        life("m", *sent(at, ("done", 1), ("confirmed", 3)), automation="tidy", verb="delete_branch"),
        life("n", *sent(at, ("done", 1), ("undone", 5))),
        life("o", ("planned", old), ("approved", old), ("expired", old + timedelta(days=7))),
        life("p", *sent(old, ("done", 1))),
        life("q", *sent(old, ("unknown", 1), ("done", 9), ("confirmed", 8 * 86_400))),
    ]
    rows = build_shipped(warehouse, tmp_path / "p", ["action_success"], {"platform": platform_of(lives)}, NOW)
    reported = {(str(row["day"])[:10], row["verb"], row["automation"]): row for row in rows["action_success"]}
    assert set(reported) == {
        ("2026-11-19", "refund", ""), ("2026-11-19", "delete_branch", "tidy"), ("2026-11-11", "refund", ""),
    }  # fmt: skip
    names = ("approved", "succeeded", "failed", "diverged", "unknown", "asking", "expired", "late", "pending",
             "withdrawn")  # fmt: skip
    day = reported["2026-11-19", "refund", ""]
    assert [day[name] for name in names] == [11, 3, 1, 1, 1, 1, 0, 1, 1, 2]
    assert (day["success_rate"], day["p50_seconds"], day["p95_seconds"]) == (3 / 8, 4, 40)
    assert [reported["2026-11-19", "delete_branch", "tidy"][name] for name in ("approved", "success_rate")] == [1, 1]
    before = reported["2026-11-11", "refund", ""]
    assert [before[name] for name in names] == [3, 0, 0, 0, 0, 0, 1, 2, 0, 0]
    assert (before["success_rate"], before["p50_seconds"]) == (0, None)


def test_time_from_a_violation_to_its_action(warehouse: Warehouse, tmp_path: Path) -> None:
    def dealt_with(key: str, hours: float, *after: tuple[str, float]) -> tuple[Row, list[tuple[str, datetime]]]:
        opened = ago(days=3)
        states = sent(opened + timedelta(hours=hours), *after)
        return life(key, *states, automation="tidy", verb="end_session", subject=key, subject_opened_at=opened)

    lives = [dealt_with(key, hours, ("done", 60), ("confirmed", 3600)) for key, hours in zip("abc", (1, 2, 9))]  # noqa: B905
    lives += [dealt_with("d", 30, ("failed", 1)), life("e", *sent(ago(days=1), ("confirmed", 1)), automation="tidy")]
    rows = build_shipped(warehouse, tmp_path / "p", ["violation_actions"], {"platform": platform_of(lives)}, NOW)
    [row] = rows["violation_actions"]
    assert (row["automation"], row["verb"], row["actions"], row["confirmed"]) == ("tidy", "end_session", 4, 3)
    minute = 1 / 60
    assert row["p50_hours"] == pytest.approx(3 + minute)
    assert (row["p95_hours"], row["max_hours"]) == pytest.approx((10 + minute, 10 + minute))
    assert row["p50_hours_to_plan"] == pytest.approx(2)
    assert row["p50_hours_to_approve"] == pytest.approx(minute)
    assert row["p50_hours_to_confirm"] == pytest.approx(1)


def test_models_of_actions_are_empty_without_actions(warehouse: Warehouse, tmp_path: Path) -> None:
    names = ["action_success", "violation_actions"]
    rows = build_shipped(warehouse, tmp_path / "p", names, {"platform": platform_of([])}, NOW)
    assert rows == {"action_success": [], "violation_actions": []}


def message(account: str, mailbox: str, uid: int, message_id: str, author: str, **more: Any) -> Row:
    row = {"account": account, "mailbox": mailbox, "uidvalidity": 1, "uid": uid, "message_id": message_id}
    return {**row, "from_email": author, "received_at": ago(hours=9), "thread_id": message_id, **more}


def test_what_became_of_mails(warehouse: Warehouse, tmp_path: Path) -> None:
    us, lives = "shop@demo.example", []
    for key in ("answered", "bounced", "lost", "inside"):
        receipt = {"message_id": f"{key}@demo.example", "copy": True}
        lives.append(life(key, *sent(ago(hours=10), ("done", 1)), integration="email", verb="send", receipt=receipt))
    lives.append(life("doubt", *sent(ago(hours=10), ("unknown", 1)), integration="email", verb="send"))
    lives.append(life("invited", *sent(ago(hours=10), ("done", 1)), integration="calendar", verb="invite"))
    lives.append(life("refunded", *sent(ago(hours=10), ("done", 1))))
    answer = {"in_reply_to": "answered@demo.example", "thread_id": "answered@demo.example"}
    messages = [
        message(us, "Sent", 1, "answered@demo.example", us),
        message(us, "INBOX", 1, "re@far.example", "ada@far.example", **answer, received_at=ago(hours=7)),
        message("ann@demo.example", "INBOX", 1, "re@far.example", "ada@far.example", **answer),
        message(us, "INBOX", 2, "auto@far.example", "ada@far.example", **answer, auto_submitted="auto-replied",
                received_at=ago(hours=9.5)),
        message(us, "Sent", 2, "INSIDE@demo.example", us),
        message("ann@demo.example", "INBOX", 2, "INSIDE@demo.example", us),
        message("ann@demo.example", "INBOX", 3, "invited@demo.example", us),
    ]  # fmt: skip
    to = {"role": "to", "position": 0, "uidvalidity": 1}
    recipients = [
        {**to, "account": us, "mailbox": "Sent", "uid": 1, "email": "ada@far.example"},
        {**to, "account": us, "mailbox": "Sent", "uid": 1, "email": "bea@far.example", "position": 1},
    ]
    bounce = {"account": us, "mailbox": "INBOX", "uidvalidity": 1, "uid": 9, "action": "failed", "permanent": True}
    bounces = [
        {**bounce, "position": 0, "recipient": "gone@far.example", "original_message_id": "bounced@demo.example"},
        {**bounce, "position": 1, "recipient": "gone@far.example", "original_message_id": "bounced@demo.example"},
        {**bounce, "position": 2, "recipient": "late@far.example", "original_message_id": "bounced@demo.example",
         "action": "delayed", "permanent": False},
    ]  # fmt: skip
    email = {
        "mailboxes": [{"account": us, "mailbox": "Sent", "role": "sent"}],
        "messages": messages,
        "recipients": recipients,
        "headers": [],
        "flags": [],
        "bounces": bounces,
    }
    given = {"platform": platform_of(lives), "email": email}
    made = build_shipped(warehouse, tmp_path / "p", ["email_messages", "action_mails"], given, NOW)
    rows = {row["action_id"]: row for row in made["action_mails"]}
    names = ("message_id", "stored", "recipients", "arrived", "bounced", "bounced_for_good", "delayed", "answers")
    assert {key: tuple(row[name] for name in names) for key, row in rows.items()} == {
        "answered": ("answered@demo.example", True, 2, 0, 0, 0, 0, 1),
        "bounced": ("bounced@demo.example", False, 0, 0, 1, 1, 1, 0),
        "lost": ("lost@demo.example", False, 0, 0, 0, 0, 0, 0),
        "doubt": (None, False, 0, 0, 0, 0, 0, 0),
        "inside": ("INSIDE@demo.example", True, 0, 1, 0, 0, 0, 0),
        "invited": ("invited@demo.example", False, 0, 1, 0, 0, 0, 0),
    }
    assert rows["answered"]["hours_to_answer"] == pytest.approx(1 - 1 / 60)
    assert rows["inside"]["hours_to_answer"] is None


@cache
def shipped_rule(name: str) -> Rule:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "quality" / "rules"
        into.mkdir(parents=True)
        shutil.copy(REPOSITORY / "quality" / "rules" / f"{name}.sql", into)
        integrations = ("platform", "payments", "cloud_storage", "version_control", "sso")
        return load_rules(project(Path(folder)), {each: declare(each) for each in integrations}, ())[0]


def broken(session: Session, name: str) -> list[str]:
    """Return the actions that break a rule."""
    rows = session.execute(f"SELECT action_id FROM ({shipped_rule(name).at(NOW, session.dialect)}) AS f ORDER BY 1")
    return [str(row[0]) for row in rows]


def test_an_action_must_not_stay_open(warehouse: Warehouse) -> None:
    lives = [
        life("asking", *sent(ago(hours=3), ("unknown", 1), ("asking", 5))),
        life("again", *sent(ago(hours=3), ("unknown", 1)), ("approved", ago(minutes=30)), ("sending", ago(minutes=20))),
        life("dead", *sent(ago(hours=3))),
        life("fresh", *sent(ago(minutes=50), ("unknown", 1))),
        life("known", *sent(ago(hours=3), ("unknown", 1), ("done", 9), ("confirmed", 10))),
        life("waits", ("planned", ago(days=3))),
    ]
    with warehouse.transaction() as session:
        load(session, "platform", "001", platform_of(lives), NOW)
        assert broken(session, "action_unresolved") == ["asking", "dead"]


def confirmed(key: str, integration: str, verb: str, target: str, **more: Any) -> tuple[Row, list[Any]]:
    states = sent(more.pop("at", ago(hours=5)), ("done", 1), ("confirmed", 2))
    return life(key, *states, integration=integration, verb=verb, target=target, **more)


def test_what_was_confirmed_must_not_vanish(warehouse: Warehouse) -> None:
    storage, code = "cloud_storage", "version_control"
    moved = {"key": "old.pdf", "to_key": "new.pdf"}
    lives = [
        *(
            confirmed(f"refund-{key}", "payments", "refund", "charges/ch", receipt={"refund": key})
            for key in ("there", "absent", "failed", "deleted")
        ),
        confirmed("refund-just", "payments", "refund", "charges/ch", receipt={"refund": "x"}, at=ago(minutes=30)),
        confirmed("refund-old", "payments", "refund", "charges/ch", receipt={"refund": "x"}, at=ago(days=99)),
        confirmed("put-there", storage, "put", "office/there.pdf"),
        confirmed("put-gone", storage, "put", "office/gone.pdf"),
        confirmed("put-never", storage, "put", "office/never.pdf"),
        confirmed("put-deleted", storage, "put", "office/deleted.pdf"),
        confirmed("deletes", storage, "delete", "office/deleted.pdf", at=ago(hours=4)),
        confirmed("moves", storage, "move", "office/old.pdf", parameters=moved),
        confirmed("moves-away", storage, "move", "office/a.pdf", parameters={**moved, "to_bucket": "b"}),
        confirmed("branch-gone", code, "delete_branch", "app/refs/heads/gone"),
        confirmed("branch-back", code, "delete_branch", "app/refs/heads/back"),
        confirmed("branch-restored", code, "delete_branch", "app/refs/heads/wanted"),
        confirmed("restores", code, "restore_branch", "app/refs/heads/wanted", at=ago(hours=4)),
        confirmed("session-ended", "sso", "end_session", "sessions/s1", receipt={"sessions": ["s1"]}),
        confirmed("sessions-back", "sso", "end_sessions", "users/u/sessions", receipt={"sessions": ["s1", "s2"]}),
        confirmed("offboarded", "sso", "offboard", "users/u", receipt={"sessions": ["s3"], "active": False}),
    ]
    undone = life("put-undone", *sent(ago(hours=5), ("confirmed", 2), ("undone", 9)), integration=storage, verb="put")
    systems = ("payments", storage, code, "sso")
    runs = [{"id": name, "integration": name, "status": "nothing_new", "started_at": ago(hours=1)} for name in systems]
    runs += [{"id": f"{name}-2", "integration": name, "status": "failed", "started_at": NOW} for name in systems]
    tables: dict[str, dict[str, list[Row]]] = {
        "platform": platform_of([*lives, undone], runs=runs),
        "payments": {
            "refunds": [
                {"id": "there", "status": "succeeded"},
                {"id": "failed", "status": "failed"},
                {"id": "deleted", "status": "succeeded", "_deleted_at": ago(hours=1)},
            ]
        },
        storage: {
            "objects": [
                {"bucket": "office", "key": "there.pdf"},
                {"bucket": "office", "key": "gone.pdf", "_deleted_at": ago(hours=1)},
                {"bucket": "office", "key": "deleted.pdf", "_deleted_at": ago(hours=1)},
                {"bucket": "office", "key": "new.pdf"},
            ]
        },
        code: {
            "refs": [
                {"repository": "app", "ref": "refs/heads/gone", "name": "gone", "_deleted_at": ago(hours=1)},
                {"repository": "app", "ref": "refs/heads/back", "name": "back"},
                {"repository": "app", "ref": "refs/heads/wanted", "name": "wanted"},
            ]
        },
        "sso": {
            "users": [{"id": "u", "user_name": "ann"}],
            "sessions": [
                {"id": "s1", "user_id": "u", "revoked_at": ago(hours=5)},
                {"id": "s2", "user_id": "u", "expires_at": ago(hours=-5)},
                {"id": "s3", "user_id": "u", "expires_at": ago(hours=1)},
            ],
        },
    }
    with warehouse.transaction() as session:
        for number, (name, streams) in enumerate(tables.items()):
            load(session, name, f"{number:03}", streams, NOW)
        assert broken(session, "refund_of_action_gone") == ["refund-absent", "refund-deleted", "refund-failed"]
        assert broken(session, "file_of_action_gone") == ["moves-away", "put-gone", "put-never"]
        assert broken(session, "deleted_branch_back") == ["branch-back"]
        assert broken(session, "ended_session_open") == ["sessions-back"]
