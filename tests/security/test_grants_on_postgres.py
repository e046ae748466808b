"""Rights on a Postgres server: at each moment those of the policies, whoever else grants, and whatever is killed."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leat.runs import granting
from leat.runs.clearance import tables_of
from leat.runs.moving.warehouse import move_warehouse
from leat.runs.run import refresh_and_publish
from leat.runs.workspace import Workspace
from leat.security.clearance import decide_column
from leat.security.grants import Grants
from leat.security.policy import Policy, Rule, Selector
from leat.security.policy_file import Security
from leat.security.principal import ROLES, from_role_up, up_to_role
from leat.security.table_access import TableFacts
from leat.warehouse.session import WarehouseError
from tests.kit.databases import NewDatabase
from tests.kit.examples import examples
from tests.kit.granted import PASSWORD, Denied
from tests.kit.granted_world import World, became_table, changed_model, history, new_column, removed_rows
from tests.servers.postgres import psql


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> Iterator[World]:
    """Give a loaded project that no test changes for good."""
    url = new_database()
    world = World(tmp_path_factory.mktemp("granted"), url)
    world.make()
    yield world
    new_database.drop(url)


@pytest.fixture
def world(tmp_path: Path, postgres_url: str) -> World:
    world = World(tmp_path, postgres_url)
    world.make()
    return world


some = st.frozensets
kinds = some(st.sampled_from(("query", "stream", "column", "model", "catalog")), max_size=3)
selectors = st.builds(
    Selector,
    kinds=kinds,
    names=some(st.sampled_from(("fed", "label", "id", "sizes", "leat.loads")), max_size=2),
    integrations=some(st.sampled_from(("tally", "other")), max_size=1),
    streams=some(st.sampled_from(("tally.fed", "tally.kept")), max_size=1),
    tags=some(st.just("personal"), max_size=1),
    without=some(st.just("personal"), max_size=1),
)
rules = st.builds(
    lambda effect, role, verbs, on: Rule(
        "x", effect, from_role_up(role) if effect == "permit" else up_to_role(role), frozenset(verbs), on
    ),
    st.sampled_from(("permit", "permit", "forbid")),
    st.sampled_from(ROLES),
    st.sampled_from((("query",), ("read",), ("query", "read"))),
    st.one_of(st.just(Selector()), selectors),
)


@given(st.lists(rules, min_size=1, max_size=7))
@examples(share=0.3)
def test_random_policies_give_the_rights_that_they_permit(base: World, generated: list[Rule]) -> None:
    workspace = base.open()
    workspace.__dict__["security"] = Security(Policy(tuple(generated)), grants=Grants("x"))
    with workspace.warehouse.transaction() as session:
        planned = workspace.warehouse.plan_access(session, _decided(workspace, session), {}, make=True)
        workspace.warehouse.change_access(session, planned)
        rows = session.execute(
            "SELECT r.role, n.nspname, c.relname, a.attname, has_schema_privilege(r.name, n.oid, 'USAGE') AND "
            "has_column_privilege(r.name, c.oid, a.attnum, 'SELECT') FROM unnest(?, ?) AS r (role, name), "
            "pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
            "JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
            "WHERE c.relkind IN ('r', 'v') AND n.nspname IN ('tally', 'leat', 'catalog', 'analytics')",
            (list(planned.names), list(planned.names.values())),
        )
        actual = {tuple(each[:4]): each[4] for each in rows}
        asked, tables = workspace.decider.rules(), tables_of(session, workspace.declarations)
        expected = {
            (role, table.schema, table.name, column): decide_column(asked, role, table, column).allowed
            for role in ROLES
            for table in tables
            for column in table.types
        }
        again = workspace.warehouse.plan_access(session, _decided(workspace, session), {}, make=True)
    workspace.close()
    assert actual == expected
    assert again.statements == []


def _decided(workspace: Workspace, session: Any) -> Any:
    return workspace.decider(session)


def test_at_no_moment_somebody_reads_more_or_less(world: World) -> None:
    stop, wrong = threading.Event(), list[str]()
    counted = {"denied": 0, "read": 0}

    def look() -> None:
        with world.doors.connect("viewer") as read:
            while not stop.is_set():
                try:
                    wrong.extend(f"unmasked {row}" for row in read("SELECT label FROM tally.fed"))
                except Denied:
                    counted["denied"] += 1
                try:
                    wrong.extend(str(row) for row in read("SELECT shelf FROM tally.fed") if row != ("a",))
                    wrong.extend(str(r) for r in read("SELECT label FROM tally__viewer.fed") if "•••" not in str(r[0]))
                    read("SELECT id FROM analytics.labels")
                    counted["read"] += 1
                except Denied as error:
                    wrong.append(str(error))

    watching = threading.Thread(target=look)
    watching.start()
    try:
        for change in (history, new_column, removed_rows, changed_model, became_table):
            change(world)
            world.run()
    finally:
        stop.set()
        watching.join()
    assert not wrong
    assert min(counted.values()) > 10


@pytest.mark.parametrize(
    "pattern",
    ["GRANT SELECT", "CREATE VIEW .*__viewer", "CREATE POLICY", "DROP POLICY", "ALTER TABLE .* ADD COLUMN", "COMMIT"],
)
def test_killed_between_a_change_and_its_rights(world: World, pattern: str) -> None:
    new_column(world)
    changed_model(world)
    kills = 0
    for nth in (1, 3):
        kills += world.run_killed(pattern, nth)
        world.doors.check()
    world.run()
    assert world.doors.check() > 500
    assert kills


def test_what_somebody_grants_by_hand_is_shown_and_revoked(world: World) -> None:
    owner, name = world.doors.as_owner, f"bi_{world.url.rpartition('/')[2]}"  # type: ignore[union-attr]
    world.doors.make_login(name)
    owner(
        f"GRANT SELECT ON tally.kept TO PUBLIC, {name}",
        "GRANT USAGE ON SCHEMA tally TO PUBLIC",
        f"GRANT pg_read_all_data TO {name}",
        "CREATE POLICY mine ON tally.fed USING (true)",
        f"REVOKE {_server_role(world, 'analyst')} FROM {world.doors.login('analyst')}",
        f"GRANT INSERT (label) ON tally.fed TO {world.doors.login('viewer')}",
    )
    workspace = world.open()
    planned = granting.plan(workspace).plan
    assert name in planned.above
    assert {each.partition(" ON ")[0] for each in planned.statements} >= {"REVOKE ALL", 'DROP POLICY "mine"'}
    assert len(planned.statements) == 6
    granting.apply(workspace)
    assert granting.plan(workspace).plan.statements == []
    world.doors.check()
    policies = world.folder / "policies" / "access.yaml"
    policies.write_text(policies.read_text().replace("grants:\n", f"grants:\n  unmanaged: [{name}]\n"))
    owner(f"REVOKE pg_read_all_data FROM {name}", f"GRANT USAGE ON SCHEMA tally TO {name}",
          f"GRANT SELECT ON tally.fed TO {name}")  # fmt: skip
    world.grant()
    with contextlib.closing(_connect(world, name)) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT count(*) FROM tally.fed")
        assert cursor.fetchone() == (4,)


def test_a_role_that_may_not_grant_commits_nothing_and_says_what_to_do(tmp_path: Path, postgres_url: str) -> None:
    server, _, database = postgres_url.rpartition("/")
    name = f"loader_{database}"
    limited = World(tmp_path, f"postgresql://{name}:{PASSWORD}@{server.rpartition('@')[2]}/{database}", postgres_url)
    limited.doors.make_login(name)
    limited.doors.as_owner(f"GRANT CREATE ON DATABASE {database} TO {name}")
    with pytest.raises(WarehouseError, match=r"permission denied to create role.* have CREATEROLE"):
        limited.make()
    workspace = limited.open()
    with workspace.warehouse.snapshot() as session:
        roles = [role for (role,) in session.execute("SELECT rolname FROM pg_roles")]
        assert session.columns("tally", "fed")
    workspace.close()
    assert not [role for role in roles if role.startswith(f"leat_{database}")]
    limited.doors.as_owner(f"ALTER ROLE {name} CREATEROLE")
    limited.grant()
    new_column(limited)
    limited.run()
    assert limited.doors.check() > 500
    workspace = limited.open()
    with workspace.warehouse.query("SELECT count(*) FROM tally.fed", role="viewer") as answer:
        assert list(answer.rows) == [(3,)]
    workspace.close()


def test_psql_reads_what_the_role_may(base: World) -> None:
    base.grant()
    for role, count in (("viewer", "2"), ("operator", "4")):
        done = _psql(base, role, "SELECT count(*) FROM tally.fed")
        assert (done.returncode, done.stdout.strip()) == (0, count), done.stderr
    denied = _psql(base, "viewer", "TABLE tally.fed")
    assert denied.returncode == 1
    assert "permission denied" in denied.stderr


def _psql(world: World, role: str, sql: str) -> subprocess.CompletedProcess[str]:
    return psql(f"postgresql://{world.doors.login(role)}:{PASSWORD}@{str(world.url).rpartition('@')[2]}", sql, "-At")


def _connect(world: World, name: str) -> Any:
    import psycopg2

    return psycopg2.connect(world.url, user=name, password=PASSWORD)


def _server_role(world: World, role: str) -> str:
    return f"leat_{str(world.url).rpartition('/')[2]}_{role}"


def test_facts_are_of_the_tables_that_leat_made(base: World) -> None:
    workspace = base.open()
    with workspace.warehouse.snapshot() as session:
        facts: dict[str, TableFacts] = {str(each): each for each in tables_of(session, workspace.declarations)}
    workspace.close()
    assert facts["tally.fed"].personal == {"label", "extra"}
    assert facts["analytics.sizes"].personal == {"label"}
    assert not facts["leat.loads"].personal


def test_a_warehouse_that_has_moved_shows_each_role_what_it_may_read(tmp_path: Path, postgres_url: str) -> None:
    old = World(tmp_path, None)
    old.make()
    new = replace(old, url=postgres_url)
    new.doors.declare()  # with accounts of the server
    for source, target in ((old, new), (new, old)):
        before, after = source.open(), target.open()
        move_warehouse(before, after.warehouse)
        refresh_and_publish(after)
        for workspace in (before, after):
            workspace.close()
        target.grant()
        assert target.doors.check() > 500
        (tmp_path / ".leat" / "writer" / "warehouse.duckdb").rename(tmp_path / "old.duckdb")
