"""Models with a grain: after any loads their rows are those of a complete build, on both engines."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leat.assets.model import Model
from leat.assets.model_files import load_models
from leat.pipelines.load import state
from leat.warehouse.connect import open_warehouse
from leat.warehouse.postgres.warehouse import PostgresWarehouse
from leat.warehouse.session import Session
from tests.kit.changing import START, World
from tests.kit.engines import EMBEDDED, ENGINES
from tests.kit.examples import examples
from tests.kit.loaded import REPOSITORY, declare, load, warehouse_of, write

SHAPES = {
    "row": ("id", "SELECT id, UPPER(currency) AS currency, amount FROM payments.charges WHERE _deleted_at IS NULL"),
    "sums": (
        "currency, day",
        """SELECT currency, CAST(DATE_TRUNC('day', created_at AT TIME ZONE 'UTC') AS DATE) AS day, COUNT(*) AS charges,
            CAST(SUM(amount) AS BIGINT) AS amount
        FROM payments.charges WHERE _deleted_at IS NULL GROUP BY 1, 2""",
    ),
    "weeks": (
        "week",
        """SELECT DATE_TRUNC('week', created_at AT TIME ZONE 'Asia/Tokyo') AS week, COUNT(*) AS charges
        FROM payments.charges GROUP BY DATE_TRUNC('week', created_at AT TIME ZONE 'Asia/Tokyo')""",
    ),
    "deleted_too": ("currency", "SELECT currency, COUNT(_deleted_at) AS gone FROM payments.charges GROUP BY currency"),
    "placed": (
        "customer_id",
        """SELECT customer_id, id, ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY amount DESC, id) AS place
        FROM payments.charges WHERE _deleted_at IS NULL""",
    ),
    "with_refunds": (
        "id",
        """WITH sums AS (
            SELECT charge_id, CAST(SUM(amount) AS BIGINT) AS amount FROM payments.refunds
            WHERE _deleted_at IS NULL GROUP BY charge_id HAVING COUNT(*) > 0
        )
        SELECT c.id, c.amount, s.amount AS refunded
        FROM payments.charges AS c LEFT JOIN sums AS s ON s.charge_id = c.id WHERE c._deleted_at IS NULL""",
    ),
    "of_refunds": (
        "charge_id",
        """SELECT r.charge_id, r.id, c.amount - r.amount AS rest
        FROM payments.charges AS c JOIN payments.refunds AS r ON r.charge_id = c.id AND r.amount < 50""",
    ),
    "both": (
        "kind, currency",
        """SELECT 'charge' AS kind, currency, id FROM payments.charges WHERE _deleted_at IS NULL
        UNION ALL SELECT 'refund', COALESCE(currency, 'none'), id FROM payments.refunds WHERE _deleted_at IS NULL""",
    ),
    "currencies": (
        "currency",
        "SELECT currency FROM payments.charges UNION SELECT DISTINCT currency FROM payments.refunds",
    ),
    "shares": (
        "currency",
        """WITH all_of AS (SELECT currency, customer_id, amount FROM payments.charges WHERE _deleted_at IS NULL),
        sums AS (SELECT currency, COUNT(*) AS charges FROM all_of GROUP BY currency)
        SELECT a.currency, a.customer_id, COUNT(*) AS own, MAX(s.charges) AS charges,
            CAST(SUM(COUNT(*)) OVER (PARTITION BY a.currency) AS BIGINT) AS again
        FROM all_of AS a JOIN sums AS s ON s.currency = a.currency GROUP BY a.currency, a.customer_id""",
    ),
    "named": (
        "id",
        """SELECT c.id, u.email, (SELECT COUNT(*) FROM payments.customers) AS customers
        FROM payments.charges AS c LEFT JOIN payments.customers AS u ON u.id = c.customer_id
        WHERE c.currency IN (SELECT currency FROM payments.customers) OR u.id IS NULL""",
    ),
    "people": (
        "email",
        """SELECT u.email, u.id AS user_id, c.id AS customer_id
        FROM sso.users AS u JOIN payments.customers AS c ON c.email = u.email AND c._deleted_at IS NULL
        WHERE u._deleted_at IS NULL""",
    ),
    "chained": ("currency", "SELECT currency, CAST(SUM(charges) AS BIGINT) AS charges FROM sums GROUP BY currency"),
    "chained_twice": (
        "currency",
        "SELECT c.currency, c.charges, g.gone FROM chained AS c LEFT JOIN deleted_too AS g ON g.currency = c.currency",
    ),
}
"""Each shape that leat accepts: the grain, and the query."""

_IDS = st.sampled_from("abcdef")
_NULLABLE = st.sampled_from(["eur", "usd", "jpy", None])
_TABLES = {
    "charges": {"currency": _NULLABLE, "customer_id": st.sampled_from(["a", "b", "c", None]),
                "amount": st.integers(0, 99), "created_at": st.sampled_from([-400, 0, 1, 40, None]).map(
                    lambda n: None if n is None else START + timedelta(days=n))},
    "refunds": {"currency": _NULLABLE, "charge_id": st.sampled_from(["a", "b", "c", None]),
                "amount": st.integers(0, 99)},
    "customers": {"currency": _NULLABLE, "email": st.sampled_from(["a@x.org", "b@x.org", None])},
    "users": {"email": st.sampled_from(["a@x.org", "b@x.org", None])},
}  # fmt: skip
_OF = {"users": "sso"}


@st.composite
def _loads(draw: st.DrawFn) -> list[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """Draw loads: what each is, and the rows of its tables."""
    loads = []
    for _ in range(draw(st.integers(1, 4))):
        rows = []
        for table in draw(st.lists(st.sampled_from([*_TABLES, "charges", "charges", "refunds"]), max_size=5)):
            values = {name: draw(of) for name, of in _TABLES[table].items()}
            gone = draw(st.sampled_from([False, False, True]))
            rows.append((table, {"id": draw(_IDS), **values, "_deleted_at": START if gone else None}))
        loads.append((draw(st.sampled_from(["sync"] * 5 + ["backfill", "reset", "purge"])), rows))
    return loads


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    warehouse = warehouse_of(engine, tmp_path, request)
    yield World(warehouse, shapes(tmp_path / "project"))
    warehouse.close()


def shapes(folder: Path, **other: tuple[str, str]) -> tuple[Model, ...]:
    files = {
        f"{name}.sql": f"/* ---\ndescription: A.\ngrain: [{grain}]\n--- */\n{sql}"
        for name, (grain, sql) in {**SHAPES, **other}.items()
    }
    declared = {name: declare(name) for name in ("payments", "sso")}
    return load_models(write(folder, "assets/models", files), declared)


@given(loads=_loads())
@examples(0.06)
def test_after_any_loads_each_model_is_as_if_it_were_built_whole(world: World, loads: Any) -> None:
    world.begin(["payments", "sso"])
    first = {"charges": [{"id": each, "currency": "eur", "amount": 1} for each in "abc"]}
    world.load("payments", first)
    world.build()
    for kind, rows in loads:
        for integration in ("payments", "sso"):
            tables: dict[str, list[dict[str, Any]]] = {}
            for table, row in rows:
                if _OF.get(table, "payments") == integration:
                    tables.setdefault(table, []).append(row)
            if tables:
                world.load(integration, tables, "retention" if kind == "purge" else kind, purge=kind == "purge")
        world.build()


CHARGES = [{"id": each, "currency": "eur", "amount": 1, "customer_id": "a", "created_at": START} for each in "abcdef"]


def loaded(world: World) -> None:
    world.begin(["payments", "sso"])
    refunds = [{"id": each, "currency": "eur", "amount": 1, "charge_id": "a"} for each in "abc"]
    customers = [{"id": "a", "email": "a@x.org", "currency": "eur"}]
    world.load("payments", {"charges": CHARGES, "refunds": refunds, "customers": customers})
    world.load("sso", {"users": [{"id": "a", "email": "a@x.org"}]})
    world.build()
    world.reasons.clear()


def test_each_shape_is_built_by_its_changed_keys(world: World) -> None:
    loaded(world)
    world.load("payments", {"charges": [{"id": "b", "currency": None, "amount": 7, "customer_id": "b"}]})
    world.build()
    world.load("payments", {"refunds": [{"id": "a", "currency": "usd", "amount": 8, "charge_id": "b"}]})
    world.load("sso", {"users": [{"id": "b", "email": "a@x.org"}]})
    world.build()
    assert [name for name in SHAPES if not world.by_keys(name)] == []
    assert all(reason.startswith("rows of ") for each in world.reasons.values() for reason in each), world.reasons


def test_a_row_that_moves_on_is_followed(world: World) -> None:
    loaded(world)
    for currency in ("usd", None, "jpy", "eur"):
        world.load("payments", {"charges": [{**CHARGES[0], "currency": currency}]})
        world.build()
    assert world.by_keys("sums") == world.by_keys("chained_twice") == 4


def test_what_leaves_no_id_of_a_load_builds_a_model_whole(world: World) -> None:
    loaded(world)
    world.load("payments", {"charges": [CHARGES[0]]}, "retention", purge=True)
    assert world.build()["row"].reason == "rows of payments.charges were removed or replaced"
    world.load("payments", {"charges": [CHARGES[1]]}, "sync", purge=True)  # a load that enforces retention as well
    assert world.build()["row"].reason == "rows of payments.charges were removed or replaced"
    world.load("payments", {"charges": [{**CHARGES[2], "amount": 9}]}, "reset")
    assert world.build()["row"].reason == "rows of payments.charges were removed or replaced"
    with world.warehouse.transaction() as session:
        session.execute("DELETE FROM leat.load_streams WHERE load_id = '003'")
    world.load("payments", {"charges": [{**CHARGES[2], "amount": 8}]})
    assert world.build()["row"].reason == "the record of the loads of payments.charges has changed"


def test_a_change_of_what_is_read_whole_builds_a_model_whole(world: World) -> None:
    loaded(world)
    world.load("payments", {"customers": [{"id": "a", "email": "b@x.org", "currency": "usd"}]})
    results = world.build()
    assert results["named"].reason == "payments.customers has changed"
    assert results["people"].reason == "rows of 2 changed keys were built"
    assert results["row"].status == "unchanged"


def test_another_query_another_key_of_columns_and_a_wish_build_a_model_whole(world: World, tmp_path: Path) -> None:
    loaded(world)
    world.models = shapes(tmp_path / "second", row=("id", "SELECT id, amount FROM payments.charges"))
    assert world.build()["row"].reason == "its query or the form of an input has changed"
    with world.warehouse.transaction() as session:
        state.replace_rows(session, "column_key", [("k2", START, True)])
    world.load("payments", {"charges": [{**CHARGES[0], "amount": 5}]})
    assert world.build()["row"].reason == "its query or the form of an input has changed"
    assert {each.reason for each in world.build(whole=True).values()} == {"built whole, as asked for"}


def test_rows_far_from_what_has_changed_are_not_read(world: World) -> None:
    far = {name: shape for name, shape in SHAPES.items() if name in ("row", "sums", "weeks", "with_refunds")}
    world.models = [each for each in world.models if each.name in far]
    loaded(world)
    world.load("payments", {"charges": [{**CHARGES[0], "amount": 7}]})
    statements: list[str] = []
    sinks = [statements.append]
    sys.addaudithook(lambda event, args: [sink(str(args[0])) for sink in sinks] if event == "leat.statement" else None)
    world.build()
    sinks.clear()
    made = {name: f'INSERT INTO "analytics"."{name}"' for name in far}
    read = {name: next(each for each in statements if each.startswith(start)) for name, start in made.items()}
    if world.warehouse.dialect.key_index:
        assert all('SELECT "id" FROM "_keys"' in read[name] for name in ("sums", "weeks"))
    else:
        assert "_load_id >= '" in read["row"]
        assert "_load_id >= '" in read["with_refunds"]
        assert "BETWEEN TIMESTAMPTZ '2026-11-16' AND TIMESTAMPTZ '2026-11-25'" in read["sums"]
        assert "BETWEEN TIMESTAMPTZ '2026-11-07' AND TIMESTAMPTZ '2026-11-26'" in read["weeks"]


def test_rows_that_are_new_replace_none(world: World) -> None:
    world.models = [each for each in world.models if each.name in ("row", "sums", "of_refunds")]
    loaded(world)
    statements: list[str] = []
    sinks = [statements.append]
    sys.addaudithook(lambda event, args: [sink(str(args[0])) for sink in sinks] if event == "leat.statement" else None)
    world.load("payments", {"charges": [{**CHARGES[0], "id": "new", "currency": "usd"}]})
    world.build()
    new = list(statements)
    world.load("payments", {"charges": [{**CHARGES[0], "id": "new", "currency": "jpy"}]})
    world.build()
    sinks.clear()
    assert world.by_keys("row") == world.by_keys("sums") == world.by_keys("of_refunds") == 2
    assert 'DELETE FROM "analytics"."row" WHERE 1 = 0' in new
    assert 'DELETE FROM "analytics"."row" WHERE 1 = 0' not in statements[len(new) :]
    assert [each for each in new if "leat_earlier_" in each] == []
    assert [each for each in statements[len(new) :] if "leat_earlier_" in each] != []


def test_a_text_that_no_index_takes_is_a_value_of_a_grain(world: World) -> None:
    world.models = [each for each in world.models if each.name in ("currencies", "sums")]
    loaded(world)
    for text in ("".join(chr(33 + n * n % 89) for n in range(9000)), "eur"):
        world.load("payments", {"charges": [{**CHARGES[0], "currency": text}]})
        world.build()
    assert world.by_keys("currencies") == world.by_keys("sums") == 2


def test_many_changed_rows_build_a_model_whole(world: World) -> None:
    world.models = [each for each in world.models if each.name == "row"]
    world.begin(["payments"])
    world.build()
    for load_id, reason in (
        ("900", "rows of 1000 changed keys were built"),
        ("901", "many rows of payments.charges have changed"),
    ):
        with world.warehouse.transaction() as session:
            count = 1000 if load_id == "900" else 1001
            session.execute(
                f"INSERT INTO payments.charges (id, _load_id) SELECT '{load_id}/' || CAST(n AS VARCHAR), '{load_id}' "
                f"FROM generate_series(1, {count}) AS t(n)"
            )
            load(session, "payments", load_id, {}, START)
            row = (load_id, "payments", "charges", count, 0, 0, 0, 0, 1000, 0, None, None)
            state.insert(session, "load_streams", [row])
        assert world.build()["row"].reason == reason


def test_killed_before_any_statement_a_build_leaves_all_or_nothing(world: World, tmp_path: Path) -> None:
    world.models = [each for each in world.models if each.name in ("sums", "with_refunds", "chained")]
    loaded(world)
    world.load("payments", {"charges": [{**CHARGES[0], "currency": None}, {**CHARGES[1], "_deleted_at": START}]})
    (tmp_path / "models.pickle").write_bytes(pickle.dumps(world.models))
    world.warehouse.close()
    embedded = EMBEDDED.get(world.warehouse.dialect.engine) or ""
    url = str(world.warehouse.url) if isinstance(world.warehouse, PostgresWarehouse) else embedded
    command = [sys.executable, "-m", "tests.kit.killed_builds", url, str(tmp_path), "7"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    code, killed = map(int, answer.stdout.split())
    assert (code, killed > 10) == (0, True)
    results = world.build()
    assert {each.status for each in results.values()} == {"unchanged"}
    world.load("payments", {"charges": [{**CHARGES[0], "currency": "usd"}]})
    assert world.build()["chained"].reason == "rows of 2 changed keys were built"


def test_privileges_on_a_model_stay_on_postgres(postgres_url: str, tmp_path: Path) -> None:
    world = World(open_warehouse(postgres_url, tmp_path / "state"), shapes(tmp_path / "project"))
    loaded(world)
    identity = (
        "SELECT CAST('analytics.sums' AS regclass)::oid, relacl FROM pg_class WHERE oid = 'analytics.sums'::regclass"
    )
    with world.warehouse.transaction() as session:
        session.execute("GRANT SELECT ON analytics.sums TO PUBLIC")
        before = session.execute(identity)
    world.load("payments", {"charges": [{**CHARGES[0], "currency": "usd"}]})
    assert world.build()["sums"].reason == "rows of 2 changed keys were built"
    with world.warehouse.snapshot() as session:
        assert session.execute(identity) == before
        stored_rights = session.execute("SELECT has_schema_privilege('public', '_keys', 'USAGE')")
    assert stored_rights == [(False,)]
    world.warehouse.close()


def test_a_model_that_loses_its_grain_leaves_nothing_behind(world: World, tmp_path: Path) -> None:
    loaded(world)
    with world.warehouse.snapshot() as session:
        assert stored(session) >= {"sums_0", "deleted_too_0"}
    files = {"sums.sql": "/* ---\ndescription: A.\n--- */\n" + SHAPES["sums"][1]}
    world.models = load_models(write(tmp_path / "second", "assets/models", files), {"payments": declare("payments")})
    assert world.build()["sums"].reason == "its query or an input has changed"
    with world.warehouse.snapshot() as session:
        assert stored(session) == set()
        assert session.execute("SELECT * FROM leat.model_inputs") == []


def stored(session: Session) -> set[str]:
    sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = '_keys'"
    return {name for (name,) in session.execute(sql)}
