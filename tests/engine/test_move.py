"""A warehouse and a control store that move to another engine and back: equal, whatever is killed when."""

from __future__ import annotations

import json
import os
import signal
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from sqlalchemy import Engine, text

from leat.control.action_tables import Action
from leat.control.audit_events import note_alone
from leat.control.engine import writing
from leat.control.moving import copy_control
from leat.control.store import open_control
from leat.files import lock
from leat.pipelines.load.state import create_tables
from leat.runs.moving.digest import Digester, canonical_json
from leat.runs.moving.tables import MovedTable
from leat.runs.moving.warehouse import copy_table, lacks_room, move_warehouse
from leat.runs.workspace import Workspace, open_workspace
from leat.security.audit.chain import seal
from leat.security.audit.verify import verify
from leat.warehouse.connect import open_warehouse
from leat.warehouse.postgres.warehouse import PostgresWarehouse
from leat.warehouse.session import Busy, Session, WarehouseError, quote
from tests.kit.child import CONTEXT
from tests.kit.command import Leat, differs, documented_json, tally_project, then
from tests.kit.databases import NewDatabase
from tests.kit.engines import shared_lake
from tests.kit.examples import examples
from tests.kit.project import delete, row, rows

MODEL = """/* ---
description: Weights with four digits.
history: true
checks: [{unique: [shelf, id]}]
--- */
SELECT shelf, id, CAST(CASE WHEN abs(weight) < 1000 THEN weight END AS DECIMAL(18, 4)) AS weight, tags
FROM tally.fed WHERE _deleted_at IS NULL
"""
VIEW = """/* ---
description: How many there are.
materialized: view
--- */
SELECT shelf, count(*) AS things FROM analytics.weights GROUP BY shelf
"""
STREAMS = (
    "{fed: {history: true, max_quarantine_share: 1}, scanned: {mask: [label], max_quarantine_share: 1}, "
    "kept: {encrypt: [label]}}"
)
THINGS = [
    row(1, 'a\nb"c\\d,\u20ac\U0001f600', weight=0.1, seen_at="0001-01-01T00:00:00+00:00", on_day="9999-12-31"),
    row(
        2,
        "",
        weight=-1.5e300,
        seen_at="2026-03-01T10:00:00.123456+02:00",
        sound=True,
        tags={"b": [1e2, None], "a": 1.50},
    ),
    row(3, None, weight=5e-324, wall_clock="2026-03-29T02:30:00", sound=False, tags=["\u00e4", {"": {}}]),
    row(-(2**63), "NULL", tags="text", revision=2**63 - 1),
]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Leat:
    """Give a project on DuckDB with all types, history, deleted rows, quarantine, a masked column and models."""
    leat = tally_project(tmp_path_factory.mktemp("moved"), STREAMS)
    models = leat.folder / "assets" / "models"
    models.mkdir(parents=True)
    (models / "weights.sql").write_text(MODEL)
    (models / "per_shelf.sql").write_text(VIEW)
    then(
        leat,
        rows("fed", *THINGS, row(4, "broken", weight="heavy")),
        rows("scanned", *THINGS),
        rows("kept", row(1, "hidden")),
    )
    done = leat("run")
    assert done.returncode == 0, done.stdout + done.stderr
    then(leat, rows("fed", row(1, "changed", weight=2.5)), delete("fed", shelf="a", id=2))
    done = leat("run")
    assert done.returncode == 0, done.stdout + done.stderr
    return leat


def fetched(leat: Leat, sql: str) -> list[dict[str, Any]]:
    done = leat("query", "--format", "json", sql)
    assert done.returncode == 0, done.stderr
    value: list[dict[str, Any]] = json.loads(done.stdout)["rows"]
    return value


ASKED = (
    "SELECT shelf, id, label, weight, seen_at, on_day, wall_clock, sound, revision, _deleted_at FROM tally.fed "
    "ORDER BY id",
    "SELECT id, label, valid_from, valid_to FROM tally.fed_history ORDER BY id, valid_from",
    "SELECT id, label FROM tally.scanned ORDER BY id",
    "SELECT id, weight, valid_from, valid_to FROM analytics.weights_history ORDER BY id, valid_from",
    "SELECT things FROM analytics.per_shelf",
    "SELECT id, label FROM tally.fed_as_of(leat.load_time((SELECT min(load_id) FROM leat.loads))) ORDER BY id",
    "SELECT id, label, _load_id FROM tally.kept",
    "SELECT integration, stream, record_key, reason, digest FROM leat.quarantine",
    "SELECT column_name, description FROM catalog.columns WHERE table_name = 'fed' ORDER BY 1",
)


def test_there_and_back_and_loads_go_on(loaded: Leat, postgres_url: str) -> None:
    before = [fetched(loaded, sql) for sql in ASKED]
    file = (loaded.folder / ".leat" / "writer" / "warehouse.duckdb").read_bytes()
    moved = loaded.json("move", "env:NEW", NEW=postgres_url)
    assert differs(moved, documented_json()["move"]) == []
    names = {each["table"]: each["rows"] for each in moved["tables"]}
    assert {"tally.fed": 4, "tally.fed_history": 5, "analytics.weights": 3, "leat.cursors": 1}.items() <= names.items()
    assert (loaded.folder / ".leat" / "writer" / "warehouse.duckdb").read_bytes() == file
    there = replace(loaded, variables={"LEAT_WAREHOUSE": postgres_url})
    assert [fetched(there, sql) for sql in ASKED] == before
    assert "nothing new" in there("run").stdout
    again = loaded("move", "env:NEW", NEW=postgres_url)
    assert again.returncode == 1
    assert "isn't empty" in again.stderr
    then(there, rows("fed", row(9, "later")), rows("kept", row(1, "hidden")))
    [load] = there.json("run")["integrations"]
    read = {each["stream"]: (each["inserted"], each["updated"], each["total"]) for each in load["streams"]}
    assert read == {"fed": (1, 0, 4), "scanned": (0, 0, 4), "kept": (0, 0, 1)}
    after = [fetched(there, sql) for sql in ASKED]
    (loaded.folder / ".leat" / "writer" / "warehouse.duckdb").rename(loaded.folder / "old.duckdb")
    back = there("move", "duckdb")
    assert back.returncode == 0, back.stderr
    assert "unset LEAT_WAREHOUSE" in back.stdout
    assert [fetched(loaded, sql) for sql in ASKED] == after
    assert "nothing new" in loaded("run").stdout


def test_between_the_three_and_everything_is_equal(loaded: Leat, postgres_url: str) -> None:
    before = [fetched(loaded, sql) for sql in ASKED]
    state = loaded.folder / ".leat"
    lake = replace(loaded, variables={"LEAT_WAREHOUSE": "ducklake"})
    server = replace(loaded, variables={"LEAT_WAREHOUSE": postgres_url})
    way = [
        (loaded, ("move", "ducklake"), lake), (lake, ("move", "env:NEW"), server),
        (server, ("move", "ducklake"), lake), (lake, ("move", "duckdb"), loaded),
    ]  # fmt: skip
    checksums = []
    for number, (old, command, new) in enumerate(way):
        if number == 2:  # nothing is overwritten
            for path in ("lake", "lake.sqlite", "writer"):
                (state / path).rename(state / f"old-{path}")
        moved = old.json(*command, NEW=postgres_url)
        checksums.append([each for each in moved["tables"] if each["table"].startswith(("tally.", "analytics."))])
        assert [fetched(new, sql) for sql in ASKED] == before
        assert "nothing new" in new("run").stdout
    assert checksums[1:] == checksums[:-1]


def test_to_a_lake_of_several_machines_and_back(loaded: Leat, new_database: NewDatabase) -> None:
    before = [fetched(loaded, sql) for sql in ASKED]
    url, control = shared_lake(new_database(), loaded.folder / "files"), new_database()
    refused = loaded("move", "env:NEW", NEW=url)
    assert refused.returncode != 0
    assert "the control store is a file of this one" in " ".join(refused.stderr.split())
    assert loaded("move", "--control", "env:NEW", NEW=control).returncode == 0
    there = replace(loaded, variables={"LEAT_CONTROL": control}).json("move", "env:NEW", NEW=url)
    lake = replace(loaded, variables={"LEAT_CONTROL": control, "LEAT_WAREHOUSE": url})
    assert [fetched(lake, sql) for sql in ASKED] == before
    assert "nothing new" in lake("run").stdout
    (loaded.folder / ".leat" / "writer").rename(loaded.folder / "writer-before-the-lake")
    back = lake.json("move", "duckdb")
    compared = [
        {each["table"]: each for each in moved["tables"] if each["table"].startswith(("tally.", "analytics."))}
        for moved in (there, back)
    ]
    assert compared[0] == compared[1]
    assert [fetched(loaded, sql) for sql in ASKED] == before


def _move_until(folder: Path, env: dict[str, str], url: str | None, pattern: str, nth: int) -> None:
    os.environ.update(env)
    os.chdir(folder)
    left = nth

    def kill(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event == "leat.statement" and pattern in str(arguments[0]):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    workspace = open_workspace(folder)
    sys.addaudithook(kill)
    move_warehouse(workspace, Workspace(replace(workspace.project, warehouse_url=url)).warehouse)


@pytest.mark.parametrize(("pattern", "nth"), [("INSERT INTO", 4), ("CREATE UNIQUE INDEX", 1), ("COMMIT", 1)])
def test_a_move_that_is_killed_leaves_nothing_and_is_repeated(
    loaded: Leat, postgres_url: str, pattern: str, nth: int
) -> None:
    arguments = (loaded.folder, loaded.env(), postgres_url, pattern, nth)
    process = CONTEXT.Process(target=_move_until, args=arguments, daemon=True)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    workspace = open_workspace(loaded.folder)
    target = open_warehouse(postgres_url, workspace.project.state)
    with target.snapshot() as session:
        assert session.tables(["leat", "tally", "analytics"]) == []
    first = move_warehouse(workspace, target)
    assert move_warehouse(workspace, target) == first  # killed after the commit: everything is there, and equal
    with target.transaction() as session:
        session.execute("UPDATE tally.fed SET label = 'other' WHERE id = 1")
    with pytest.raises(WarehouseError, match="isn't empty"):
        move_warehouse(workspace, target)
    target.close()
    workspace.close()


@pytest.mark.parametrize(("pattern", "nth"), [("INSERT INTO", 6), ("CHECKPOINT", 1)])
def test_a_move_to_duckdb_that_is_killed_is_repeated(
    loaded: Leat, postgres_url: str, tmp_path: Path, pattern: str, nth: int
) -> None:
    there = open_workspace(loaded.folder)
    server = open_warehouse(postgres_url, there.project.state)
    moved = move_warehouse(there, server)
    server.close()
    there.close()
    env = loaded.env({"LEAT_HOME": str(tmp_path / "state"), "LEAT_WAREHOUSE": postgres_url})
    process = CONTEXT.Process(target=_move_until, args=(loaded.folder, env, None, pattern, nth), daemon=True)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    back = Workspace(replace(there.project, state=tmp_path / "state", warehouse_url=postgres_url))
    target = open_warehouse(None, tmp_path / "state")
    assert move_warehouse(back, target) == moved
    versions = {each.table: each.rows for each in moved}["tally.fed_history"]
    with target.snapshot() as session:
        assert session.execute("SELECT count(*) FROM tally.fed_history") == [(versions,)]
    target.close()
    back.close()


def test_a_move_that_would_lose_something_is_refused(loaded: Leat, postgres_url: str) -> None:
    assert "password on the command line" in loaded("move", "postgresql://leat:secret@127.0.0.1/x").stderr
    assert "no place to move to" in loaded("move", "mysql://x").stderr
    assert "already" in loaded("move", "duckdb").stderr
    assert "NEW is not set" in loaded("move", "env:NEW").stderr
    workspace = open_workspace(loaded.folder)
    target = open_warehouse(postgres_url, workspace.project.state)
    with workspace.warehouse.exclusive("tally"), pytest.raises(Busy, match="tally is locked"):
        move_warehouse(workspace, target)
    with lock(loaded.folder / ".leat" / "serve.lock", 0), pytest.raises(Busy, match="leat serve"):
        move_warehouse(workspace, target)
    with workspace.warehouse.transaction(), pytest.raises(Busy):
        move_warehouse(workspace, target)
    workspace.close()
    target.close()
    assert lacks_room(size=1 << 30, free=3 << 30, copies=2) is None
    assert "free disk space" in str(lacks_room(size=1 << 30, free=2 << 30, copies=2))


def test_nobody_writes_a_warehouse_that_is_moved(postgres_url: str, tmp_path: Path) -> None:
    warehouse, other = open_warehouse(postgres_url, tmp_path), open_warehouse(postgres_url, tmp_path)
    with warehouse.transaction() as session:
        create_tables(session)
    with other.transaction() as writing:
        writing.execute("INSERT INTO leat.refreshed VALUES ('mark', NULL)")
        with pytest.raises(Busy), warehouse.at_rest(0.1):
            pass
    assert isinstance(other, PostgresWarehouse)
    other.lock_wait = 0.05
    with warehouse.at_rest(0.1), pytest.raises(Busy), other.transaction("tally"):
        pytest.fail("it may write")
    warehouse.close()
    other.close()


NUMBERS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001 - the zone follows
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | NUMBERS | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
VALUES = {
    "string": TEXTS,
    "integer": NUMBERS,
    "float": FLOATS,
    "boolean": st.booleans(),
    "timestamp": MOMENTS.map(lambda at: at.replace(tzinfo=UTC)),
    "datetime": MOMENTS,
    "date": st.dates(date(1, 1, 1), date(9999, 12, 31)),
    "json": DOCUMENTS.map(lambda value: json.dumps(value, ensure_ascii=False)),
    "decimal(18,4)": st.decimals(-(10**13), 10**13, places=4),
    "decimal(38,38)": st.decimals(0, Decimal("0.99"), places=38),
}
TYPED = MovedTable("moved", "typed", {f"c{number}": kind for number, kind in enumerate(VALUES)})


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> Iterator[tuple[Session, ...]]:
    folder = tmp_path_factory.mktemp("engines")
    url = new_database()
    with (
        open_warehouse(None, folder / "one").transaction() as first,
        open_warehouse(url, folder).transaction() as second,
        open_warehouse(None, folder / "two").transaction() as third,
    ):
        yield first, second, third
    new_database.drop(url)


@examples(0.2)
@given(listed=st.lists(st.tuples(*(st.none() | each for each in VALUES.values())), min_size=1, max_size=8))
def test_every_value_is_the_same_on_every_engine(
    engines: tuple[Session, ...], tmp_path_factory: pytest.TempPathFactory, listed: list[tuple[Any, ...]]
) -> None:
    folder, scratch = first_scratch(engines)
    schema = TYPED.arrow_schema()
    file = folder / f"{uuid.uuid4().hex}.parquet"
    arrays = [pa.array(values, field.type) for values, field in zip(zip(*listed, strict=True), schema, strict=True)]
    parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), file)
    first, second, third = engines
    for session in engines:
        session.execute("CREATE SCHEMA IF NOT EXISTS moved")
        session.execute("DROP TABLE IF EXISTS moved.typed")
        columns = ", ".join(f"{quote(name)} {session.dialect.sql_type(kind)}" for name, kind in TYPED.columns.items())
        session.execute(f"CREATE TABLE moved.typed ({columns})")
    first.stage("given", [file], schema)
    first.execute("INSERT INTO moved.typed SELECT * FROM given")
    there = copy_table(first, second, TYPED, folder, lambda _: None)
    back = copy_table(second, third, TYPED, scratch, lambda _: None)
    assert there == back
    assert there.rows == len(listed)


def first_scratch(engines: tuple[Session, ...]) -> tuple[Path, Path]:
    first, _, third = engines
    folders = first.scratch(), third.scratch()
    assert folders[0] is not None
    assert folders[1] is not None
    return folders[0], folders[1]


DIFFERENT: dict[str, tuple[Any, ...]] = {
    "string": (None, "", "NULL", "a", "a "),
    "integer": (None, 0, 1, -1, 2**53, 2**53 + 1),
    "float": (None, 0.0, 0.1, 0.1 + 2**-55, 5e-324),
    "boolean": (None, False, True),
    "decimal(18,4)": (None, Decimal("0.0000"), Decimal("0.0001")),
    "json": (None, "null", "1", '"1"', "[1]", '["number","1"]', '{"a":1}', '{"a":1e1}', '{"b":1}', "[[]]", "true"),
}


@pytest.mark.parametrize("kind", DIFFERENT)
def test_different_rows_have_different_checksums(kind: str) -> None:
    table = MovedTable("moved", "one", {"c": kind})
    schema = table.arrow_schema()
    seen = []
    for value in DIFFERENT[kind]:
        digester = Digester(table.columns)
        digester.add(pa.RecordBatch.from_arrays([pa.array([value], schema.field(0).type)], schema=schema))
        seen.append(digester.end())
    assert len(set(seen)) == len(seen)


def test_json_is_compared_by_its_meaning() -> None:
    assert canonical_json('{"b": 1.50, "a": [1e2, -0.0]}') == canonical_json('{"a":[100,0],"b":1.5}')
    exact = "0." + "1" * 1000
    assert canonical_json(exact) != canonical_json(exact + "1")
    assert canonical_json("[" * 500 + "]" * 500) == "[" * 500 + "]" * 500


def test_a_control_store_moves_there_and_back(loaded: Leat, postgres_url: str, tmp_path: Path) -> None:
    source = f"sqlite:///{loaded.folder / '.leat' / 'control.db'}"
    store = open_control(source)
    seal(store)
    _add_actions(store)
    note_alone(store, "publish.published")
    moved = copy_control(source, postgres_url)
    rows_of = {each.table: each.rows for each in moved}
    assert rows_of["run"] >= 2
    assert rows_of["action"] == 2
    with pytest.raises(WarehouseError, match="isn't empty"):
        copy_control(source, postgres_url)
    assert copy_control(postgres_url, f"sqlite:///{tmp_path / 'back.db'}") == moved
    there = open_control(postgres_url)
    note_alone(there, "publish.published")  # its number comes after those that were moved
    seal(there)
    with there.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM audit_event WHERE seq IS NULL AND transaction_id = 0")) == 0
    assert verify(there).finding == "intact"
    done = loaded("runs", LEAT_CONTROL=postgres_url)
    assert done.stdout == loaded("runs").stdout
    store.dispose()
    there.dispose()


ACTION = {
    "verb": "note", "guarantee": "key", "money": False, "title": "A note", "target": "tally", "parameters": {"a": [1]},
    "plan": {}, "digest": "0" * 64, "state": "proposed", "created_by": "ops", "attempts": 0, "receipt": None,
}  # fmt: skip


def _add_actions(store: Engine) -> None:
    """Add two actions, one of them after another whose id is the higher one."""
    now = datetime(2026, 11, 30, tzinfo=UTC)
    with writing(store) as session:
        for name, after in (("b", None), ("a", "b")):
            times = dict.fromkeys(("created_at", "updated_at", "expires_at", "next_at"), now)
            session.add(Action(id=name, dedupe_key=name, integration="tally", after_id=after, **ACTION, **times))
            session.flush()
