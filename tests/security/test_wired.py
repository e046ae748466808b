"""Access on the command line and in a run: roles of local accounts, the audit log, and people who have left."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from leat.control.audit_tables import AuditEvent
from leat.control.engine import writing
from leat.runs.access import end_access_of_leavers
from leat.runs.workspace import Workspace, open_workspace
from leat.security.people import Identity, save_person
from leat.security.sessions import create_session, read_session
from tests.kit.command import Leat, tally_project

POLICIES = """\
local_accounts: {default: viewer, ops: operator, boss: admin}
audit: {checkpoints: elsewhere/checkpoints.jsonl, every: PT0S}
"""


@pytest.fixture
def leat(tmp_path: Path) -> Leat:
    leat = tally_project(tmp_path)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "team.yaml").write_text(POLICIES)
    return leat


def ask(leat: Leat, user: str, *args: str, code: int = 0) -> str:
    done = leat(*args, LEAT_USER=user)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_run_is_recorded_sealed_and_stopped_for_a_lower_role(leat: Leat) -> None:
    refused = ask(leat, "eve", "run", code=1)
    assert "eve may not run integration tally: no rule permits it for this role; it takes the role operator" in refused
    ask(leat, "ops", "run")
    assert "may not force" in ask(leat, "ops", "publish", "--force", "tally", code=1)
    ask(leat, "eve", "audit", "list", code=1)
    events = [(each["event"], each["by"]) for each in json.loads(ask(leat, "boss", "audit", "--json"))["events"]]
    assert events[::-1] == [
        ("access.denied", "eve"), ("run.ended", "ops"), ("publish.published", "ops"), ("key.created", "ops"),
        ("secret.set", "ops"), ("access.denied", "ops"), ("access.denied", "eve"),
    ]  # fmt: skip
    checkpoints = leat.folder / "elsewhere" / "checkpoints.jsonl"
    assert json.loads(checkpoints.read_text())["seq"] == 3
    assert json.loads(ask(leat, "boss", "audit", "verify", "--json"))["verdict"]["checkpoints"] == 1
    with open_workspace(leat.folder).store.begin() as connection:
        connection.exec_driver_sql("DELETE FROM audit_event WHERE seq > 2")
    assert "truncated: the log ends with event 2" in ask(leat, "boss", "audit", "verify", code=4)
    ask(leat, "boss", "audit", "verify", "--checkpoint", "nowhere", code=3)


def test_a_token_of_the_command_line(leat: Leat) -> None:
    made = json.loads(ask(leat, "ops", "tokens", "create", "export", "--expires", "P1D", "--scope", "read", "--json"))
    assert made["token"].startswith(f"leat_{made['details']['id']}_")
    assert "above yours" in ask(leat, "ops", "tokens", "create", "x", "--expires", "P1D", "--role", "admin", code=2)
    assert "write P90D" in ask(leat, "ops", "tokens", "create", "x", "--expires", "soon", code=2)
    assert "may not administer token" in ask(leat, "eve", "tokens", "revoke", made["details"]["id"], code=1)
    assert "is revoked" in ask(leat, "ops", "tokens", "revoke", made["details"]["id"])
    assert json.loads(ask(leat, "ops", "tokens", "list", "--mine", "--json"))["tokens"][0]["revoked_at"]


def test_whoever_single_sign_on_deactivates_loses_access(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    ask(leat, "ada", "run")
    (tmp_path / "pipelines" / "people.yaml").write_text(
        "source: sso\ndriver: scim\nconnection: {url: {env: A}, auth: {kind: bearer, token: {env: T}}}\n"
    )
    workspace: Workspace = open_workspace(tmp_path)
    now = datetime.now(UTC)
    with writing(workspace.store) as session:
        ids = [
            create_session(
                session, save_person(session, Identity("https://id", name, name), "viewer", now), "oidc", now
            )
            for name in ("ada", "bob", "eve")
        ]
    with workspace.warehouse.transaction() as session:
        session.execute("CREATE SCHEMA people")
        session.execute(
            "CREATE TABLE people.users AS SELECT * FROM (VALUES ('u1', 'Ada', TRUE, NULL), ('u2', 'bob', FALSE, NULL), "
            "('u3', 'eve', TRUE, TIMESTAMP '2030-01-01')) AS t (id, user_name, active, _deleted_at)"
        )
    assert len(end_access_of_leavers(workspace)) == 2
    assert end_access_of_leavers(workspace) == []
    assert [read_session(workspace.store, each) is not None for each in ids] == [True, False, False]
    with Session(workspace.store) as session:
        events = list(session.scalars(select(AuditEvent.event).where(AuditEvent.event == "person.deactivated")))
    assert len(events) == 2
    workspace.close()
