"""People who connect to the warehouse itself read what the policies permit, whatever was done to the tables."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from leat.control.audit_tables import AuditEvent
from leat.control.engine import writing
from leat.pipelines.declare.project import Project
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.security.people import Identity, deactivate, save_person
from leat.security.policy_file import load_security
from leat.security.principal import ROLES
from leat.serve.app import create_app
from leat.serve.current import Current
from leat.serve.health import Health
from tests.kit.api import api_in_process
from tests.kit.command import ROOT, Leat, differs
from tests.kit.granted import Denied
from tests.kit.granted_world import STEPS, World, new_column
from tests.kit.loaded import utc
from tests.serve.test_pages import URL, Pages


@pytest.fixture
def world(tmp_path: Path, warehouse_url: str | None) -> World:
    world = World(tmp_path, warehouse_url)
    world.make()
    return world


def command(world: World) -> Leat:
    return Leat(world.folder, {"LEAT_WAREHOUSE": world.url} if world.url else {})


def test_after_every_kind_of_change_each_role_reads_what_it_may(world: World) -> None:
    assert world.doors.check() > 500
    for change, request in STEPS:
        change(world)
        world.run(request)
        assert world.doors.check() > 500, change.__name__


def test_what_each_role_reads_of_a_table(world: World) -> None:
    seen = {}
    for role in ROLES:
        with world.doors.connect(role) as read:
            try:
                seen[role] = len(read("SELECT shelf, id FROM tally.fed"))
                read("SELECT weight FROM tally.fed")
            except Denied:
                seen[role] = -seen.get(role, 0)
    assert seen == {"viewer": -2, "analyst": 2, "operator": 4, "admin": 4}


def test_a_query_through_leat_reads_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    leat = command(world)
    sql = "SELECT count(*) AS n FROM tally.fed"
    counts = {
        user: leat.json("query", sql, LEAT_USER=user)["rows"][0]["n"] for user in ("vera", "anna", "olga", "boss")
    }
    assert counts == {"vera": 2, "anna": 2, "olga": 4, "boss": 4}
    denied = leat("query", "SELECT weight FROM tally.fed", LEAT_USER="vera")
    assert denied.returncode == 1
    assert re.search(r"permission denied|\"weight\" not found", denied.stderr), denied.stderr
    for name, value in leat.variables.items():
        monkeypatch.setenv(name, value)
    with api_in_process(world.folder) as api:
        answers = {role: api("POST", "/v1/queries", role, json={"sql": sql}) for role in ROLES}
        assert {role: answer.status_code for role, answer in answers.items()} == {
            "viewer": 403, "analyst": 200, "operator": 200, "admin": 200,
        }  # fmt: skip
        assert [answers[role].json()["rows"][0]["n"] for role in ROLES[1:]] == [2, 4, 4]
        refused = api("POST", "/v1/queries", "viewer", json={"sql": "SELECT weight FROM tally.kept"})
        assert refused.status_code == 403
        pages = Pages(create_app(Health(api.workspace), Current(api.workspace), public_url=URL), api.workspace)
        shown = {role: pages("/query", role, {"sql": f"{sql} WHERE id < 4"}).text for role in ROLES[1:]}
        assert [re.findall(r'<td class="number">(\d)</td>', text) for text in shown.values()] == [["2"], ["4"], ["4"]]
        assert "may not query" in pages("/query", "analyst", {"sql": "SELECT id FROM tally.scanned"}).text
        if world.url is not None:
            masked = api("POST", "/v1/queries", "viewer", json={"sql": "SELECT label FROM tally__viewer.fed"})
            assert {row["label"] for row in masked.json()["rows"]} == {"L•••"}
            above = api("POST", "/v1/queries", "analyst", json={"sql": "SELECT label FROM tally__viewer.fed"})
            assert "permission denied" in above.json()["detail"]


def test_the_commands(world: World) -> None:
    leat = command(world)
    documented = {
        title: json.loads(body)
        for title, body in re.findall(
            r"^## leat (access \w+) .*?```json\n(.*?)```",
            (ROOT / "docs" / "json.md").read_text(encoding="utf-8"),
            re.DOTALL | re.MULTILINE,
        )
    }
    planned = leat.json("access", "plan")
    assert planned["changes"] == []
    assert not differs(planned | {"roles": {}}, documented["access plan"] | {"roles": {}})
    explained = leat.json("access", "explain", "vera", "tally.fed.label")
    assert not differs(explained, documented["access explain"])
    (column,) = explained["columns"]
    assert (column["allowed"], column["shown"], column["shown_by"]) == (True, "initial", "policies/access.yaml:18")
    assert explained["rows"] == [["shelf = 'a'", "policies/access.yaml:15"]]
    refused = leat("access", "explain", "analyst", "tally.scanned.id").stdout
    assert "✗" in refused and "policies/access.yaml:5" in refused
    assert 'did you mean "tally.fed"?' in leat("access", "explain", "anna", "tally.fedd").stderr
    assert "anna may not administer policy" in leat("access", "apply", LEAT_USER="anna").stderr
    new_column(world)
    world.run()
    assert leat.json("access", "plan")["changes"] == []
    grants = [each for each in leat.json("doctor")["findings"] if each["what"] == "grants"]
    assert [each["ok"] for each in grants] == [True]
    assert leat.json("check")["warnings"] == []
    policies = world.folder / "policies" / "access.yaml"
    policies.write_text(policies.read_text().replace("show: initial", "show: hidden"))
    (warning,) = leat.json("check")["warnings"]
    line = policies.read_text().splitlines().index("grants:") + 1
    assert warning.startswith(f"policies/access.yaml:{line}: grants: in the warehouse, "), warning
    assert "Next: `leat access plan` shows what, `leat access apply` changes it" in warning


def test_what_was_done_is_recorded_and_taking_it_back_leaves_nothing(world: World) -> None:
    (world.folder / "policies" / "access.yaml").write_text("local_accounts: {default: admin}\n")
    world.grant()
    for role in ROLES:
        if world.url is None:
            assert not (world.folder / ".leat" / "clearance" / f"{role}.duckdb").exists()
            continue
        with world.doors.connect(role) as read, pytest.raises(Denied):
            read("SELECT * FROM leat.loads")
    with Session(world.open().store) as session:
        events = list(session.scalars(select(AuditEvent.event).where(AuditEvent.event == "access.applied")))
    assert events
    new_column(world)
    world.run()


@pytest.mark.parametrize(
    ("grants", "said"),
    [
        (
            "rows: [{table: tally.fedd, up_to: viewer, where: id = 1}]",
            "no table 'tally.fedd'; did you mean \"tally.fed\"",
        ),
        ("rows: [{table: tally.fed_history, up_to: viewer, where: id = 1}]", "name the table, tally.fed"),
        ("rows: [{table: tally.fed, up_to: viewer, where: idd = 1}]", "no column 'idd'; did you mean \"id\""),
        ("rows: [{table: tally.fed, up_to: viewer, where: id IN (SELECT 1)}]", "without subqueries"),
        ("rows: [{table: tally.fed, up_to: viewer, where: id = 1) OR (1 = 1}]", "isn't one condition"),
        ("rows: [{table: tally.fed, up_to: viewer, where: id = 1; DROP TABLE x}]", "isn't understood"),
        ("rows: [{table: tally.fed, up_to: viewer, where: pg_sleep(1) = 1}]", "isn't proven to give the same"),
        ("rows: [{table: tally.fed, up_to: viewers, where: id = 1}]", 'no role; did you mean "viewer"'),
        ("masks: [{table: tally.fed, columns: [lable], up_to: viewer}]", "no column 'lable'"),
        ("masks: [{table: tally.fed, columns: [id], up_to: viewer, show: initial}]", "is no text"),
        ("masks: [{table: tally.fed, columns: [_load_id], up_to: viewer}]", "a column of leat itself"),
        ("members: {ada: boss}", "no role"),
        ("prefix: 'a b'", "prefix"),
    ],
)
def test_a_mistake_is_reported_with_its_line(tmp_path: Path, grants: str, said: str) -> None:
    world = World(tmp_path, None)
    world.tally.declare()
    world.write("policies/access.yaml", f"rules: []\ngrants:\n  {grants}\n")
    with pytest.raises(DeclarationError, match=re.escape("policies/access.yaml:3: ")) as error:
        load_security(Project(tmp_path, tmp_path / ".leat", None, ""), world.open().declarations)
    assert said in str(error.value)


def test_whoever_left_is_taken_out_and_the_rule_sees_who_is_not(world: World) -> None:
    if world.url is None:
        return
    ada, bob, eve = (f"{name}_{world.url.rpartition('/')[2]}" for name in ("ada", "bob", "eve"))
    for name in (ada, bob, eve):
        world.doors.make_login(name)
    policies = (world.folder / "policies" / "access.yaml").read_text()
    world.write("policies/access.yaml", policies.replace("members: {", f"people: true\n  members: {{{ada}: admin, "))
    workspace = world.open()
    now = utc(2030, 1, 1)
    with writing(workspace.store) as session:
        people = [save_person(session, Identity("https://id", name, name), "analyst", now).id for name in (bob, eve)]
    membership = {(each.role, each.account) for each in world.grant().membership}
    assert {("admin", ada), ("analyst", bob), ("analyst", eve)} <= membership
    deactivate(workspace.store, people[0], "left", now)
    world.write("pipelines/people.yaml", SSO)
    with workspace.warehouse.transaction() as session:
        session.execute("CREATE SCHEMA people")
        session.execute(
            "CREATE TABLE people.users AS SELECT * FROM (VALUES "
            f"('u1', '{ada.upper()}', FALSE), ('u3', '{eve}', TRUE)) "
            "AS t (id, user_name, active), (SELECT CAST(NULL AS timestamptz) AS _deleted_at) AS d"
        )
    workspace.close()
    world.run()
    workspace = world.open()
    with workspace.warehouse.snapshot() as session:
        accounts = {name for (name,) in session.execute("SELECT account FROM leat.access_grants")}
    assert accounts & {ada, bob, eve} == {eve}
    assert not {ada, bob} & {each.account for each in world.grant().membership}


SSO = "source: sso\ndriver: scim\nconnection: {url: {env: A}, auth: {kind: bearer, token: {env: T}}}\n"
