"""A table with history as it was: by time, by load, through changes of its form, on both engines."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import sqlalchemy

from leat.pipelines.load.plan import RESET
from leat.pipelines.load.table_changes import prepare_table
from leat.sources.events import Delete
from leat.warehouse.publication import publish_version, rewrite_next_version
from leat.warehouse.session import literal
from leat.warehouse.url import is_postgres
from tests.engine.test_apply import opened, rows, thing
from tests.kit.loads import START, Loads, declaration, planned
from tests.kit.project import Tally, delete, row
from tests.kit.project import rows as script_rows


@pytest.fixture
def loads(warehouse_url: str | None, tmp_path: Path) -> Iterator[Loads]:
    with opened(warehouse_url) as session:
        yield Loads(session, tmp_path, declaration({"fed": {"history": True}}))


def prepare(loads: Loads) -> None:
    for stream in loads.declaration.selected():
        prepare_table(loads.session, loads.declaration, stream, loads.at)


def as_of(loads: Loads, moment: str) -> list[tuple[Any, ...]]:
    return sorted(loads.read(f"SELECT shelf, id, label, _load_id FROM tally.fed_as_of({moment})"))


def now(loads: Loads) -> list[tuple[Any, ...]]:
    return sorted(loads.read("SELECT shelf, id, label, _load_id FROM tally.fed WHERE _deleted_at IS NULL"))


def test_every_load_can_be_asked_for(loads: Loads) -> None:
    chance = random.Random(4)  # noqa: S311
    seen: list[tuple[str, str, list[tuple[Any, ...]]]] = []
    for _ in range(8):
        things = [thing(i, f"{chance.random():.1f}") for i in range(12) if chance.random() < 0.6]
        ends = [Delete("fed", {"shelf": "a", "id": i}) for i in range(12) if chance.random() < 0.2]
        loads.load(rows("fed", *things), *ends)
        seen.append((loads.landed[-1].load_id, literal(loads.at), now(loads)))
    for load_id, moment, expected in seen:
        assert as_of(loads, f"leat.load_time('{load_id}')") == expected
        assert as_of(loads, moment) == expected
    assert seen[0][2] != seen[-1][2]
    between = literal(START + timedelta(minutes=3, seconds=59))
    assert as_of(loads, between) == seen[2][2]


def test_it_has_the_columns_of_the_table(loads: Loads) -> None:
    loads.load(rows("fed", thing(1, tags=["a"], weight=1.5)))
    table = "SELECT * FROM tally.fed WHERE _deleted_at IS NULL"
    assert loads.read(table.replace("tally.fed", f"tally.fed_as_of({literal(loads.at)})")) == loads.read(table)


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (literal(START), "tally.fed has history from 2026-01-01 00:01:00.00 on"),
        ("leat.load_time('20200101T000000000000')", "leat.loads has no load 20200101T000000000000"),
    ],
)
def test_what_no_history_has_is_an_error(loads: Loads, moment: str, words: str) -> None:
    loads.load(rows("fed", thing(1)))
    with pytest.raises(Exception, match=words):
        as_of(loads, moment)


def test_it_follows_the_declaration(loads: Loads) -> None:
    loads.load(rows("fed", thing(1)))
    first = loads.at
    loads.declaration = declaration({"fed": {"history": True, "exclude": ["weight", "tags"]}})
    prepare(loads)
    assert "weight" not in columns(loads)
    assert len(as_of(loads, literal(first))) == 1
    loads.declaration = declaration({"fed": {"history": True}})
    prepare(loads)
    assert "weight" in columns(loads)
    loads.declaration = declaration({})
    prepare(loads)
    loads.load(rows("fed", thing(1, "unversioned")))
    assert functions(loads) == []
    assert loads.read("SELECT * FROM leat.histories") == []
    loads.declaration = declaration({"fed": {"history": True}})
    loads.load(rows("fed", thing(2)))
    assert [entry[2] for entry in as_of(loads, literal(loads.at))] == ["unversioned", "x"]
    with pytest.raises(Exception, match=r"tally.fed has history from"):
        as_of(loads, literal(first))


def test_a_rebuilt_table_has_a_new_past(loads: Loads) -> None:
    loads.load(rows("fed", thing(1, "secret")))
    first = loads.at
    loads.declaration = declaration({"fed": {"history": True, "mask": ["label"]}})
    reset = planned(RESET, frozenset({"fed"}), cursor_stays=True, rebuild=True, any_share=True)
    loads.load(rows("fed", thing(1, "secret")), plan=reset)
    assert as_of(loads, literal(loads.at)) == now(loads)
    with pytest.raises(Exception, match=r"tally.fed has history from"):
        as_of(loads, literal(first))


def columns(loads: Loads) -> list[str]:
    query = sqlalchemy.text(f"SELECT * FROM tally.fed_as_of({literal(loads.at)})")
    return list(loads.session.sqlalchemy().execute(query).keys())


def functions(loads: Loads) -> list[tuple[Any, ...]]:
    if loads.session.dialect.name == "duckdb":
        return loads.read("SELECT function_name FROM duckdb_functions() WHERE function_name = 'fed_as_of'")
    return loads.read("SELECT proname FROM pg_proc WHERE proname = 'fed_as_of'")


def test_readers_can_ask_the_published_version(tally: Tally) -> None:
    tally.declare("{fed: {history: true}}")
    tally.then(script_rows("fed", row(1, "one"), row(2, "two")))
    first = tally.run().load_id
    tally.then(script_rows("fed", row(1, "changed")), delete("fed", shelf="a", id=2))
    assert tally.run().status == "loaded"
    asked = f"SELECT id, label FROM tally.fed_as_of(leat.load_time('{first}')) ORDER BY id"
    assert tally.query(asked) == [(1, "one"), (2, "two")]
    rewrite_next_version(tally.engine().warehouse)  # the file is written anew
    publish_version(tally.engine().warehouse)
    assert tally.query(asked) == [(1, "one"), (2, "two")]
    if tally.warehouse_url is None:
        import duckdb

        with duckdb.connect(tally.project.state / "warehouse.duckdb", read_only=True) as connection:
            assert connection.execute(asked).fetchall() == [(1, "one"), (2, "two")]
    elif is_postgres(tally.warehouse_url):
        assert read_as_analyst(tally.warehouse_url, asked) == [(1, "one"), (2, "two")]
    with pytest.raises(Exception, match="has no load"):
        tally.query("SELECT * FROM tally.fed_as_of(leat.load_time('none'))")


def read_as_analyst(url: str, sql: str) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(url)
    try:
        cursor = connection.cursor()
        cursor.execute("CREATE ROLE only_reads; GRANT pg_read_all_data TO only_reads; SET ROLE only_reads")
        cursor.execute(sql)
        return cursor.fetchall()
    finally:
        connection.rollback()
        connection.close()


def test_a_warehouse_with_the_names_of_an_earlier_version_goes_on(loads: Loads) -> None:
    loads.load(rows("fed", thing(1), thing(2)))
    first, before = loads.at, now(loads)
    for statement in (
        "ALTER TABLE leat.histories RENAME COLUMN complete_from TO known_from",
        "ALTER TABLE leat.streams RENAME COLUMN table_schema TO shape",
        "DROP TABLE leat.refreshed",
        "CREATE TABLE leat.derived (mark varchar)",
        *(each.replace("complete_from", "known_from") for each in loads.session.dialect.past_functions()),
    ):
        loads.session.execute(statement)
    loads.load(rows("fed", thing(1, "changed")), Delete("fed", {"shelf": "a", "id": 2}))
    assert as_of(loads, literal(first)) == before
    assert as_of(loads, literal(loads.at)) == now(loads) != before
    there = {table: list(loads.session.columns("leat", table)) for table in ("histories", "streams", "derived")}
    assert there == {
        "histories": ["integration", "stream", "complete_from"],
        "streams": ["integration", "stream", "table_schema"],
        "derived": [],
    }
    assert loads.session.columns("leat", "refreshed")
    with pytest.raises(Exception, match=r"tally.fed has history from"):
        as_of(loads, literal(first - timedelta(days=1)))


def test_a_history_of_an_earlier_version_gets_its_function(loads: Loads) -> None:
    loads.load(rows("fed", thing(1)))
    first = loads.at
    if loads.session.dialect.name == "duckdb":
        loads.read("DROP MACRO TABLE tally.fed_as_of")
    else:
        loads.read("DROP FUNCTION tally.fed_as_of")
    loads.read("DELETE FROM leat.histories")
    loads.load(rows("fed", thing(2)))
    assert len(as_of(loads, literal(first))) == 1
    assert len(as_of(loads, literal(loads.at))) == 2
