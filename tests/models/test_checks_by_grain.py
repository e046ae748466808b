"""Checks of models that were built by their grain: their results are those of checks of all rows, on each engine."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leat.assets.build import build
from leat.assets.model import Model
from leat.assets.model_files import load_models
from leat.pipelines.load.results import CheckResult, RebuiltRows
from leat.quality.audit import audit_models
from leat.quality.checks import CheckedTable, model_checks
from leat.quality.stored_results import store_model_results
from leat.warehouse.session import Session
from tests.kit.changing import START, World
from tests.kit.engines import ENGINES
from tests.kit.examples import examples
from tests.kit.loaded import declare, warehouse_of, write

_CHECKS = """
  - unique: [id]
  - unique: [currency, amount]
  - unique: [amount]
    severity: warn
  - not_null: [currency, customer_id]
  - accepted_values: {currency: [eur, usd]}
  - range: {amount: {min: 2, max: 8}}
  - foreign_key: {customer_id: payments.customers.id}
  - row_count: {min: 3, max: 4}
"""
_SHAPES = {
    "row": ("id", "SELECT id, currency, amount, customer_id FROM payments.charges WHERE _deleted_at IS NULL", _CHECKS),
    "placed": (
        "customer_id",
        """SELECT customer_id, currency, id, amount, ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY id) AS place
        FROM payments.charges""",
        _CHECKS + "  - range: {place: {max: 2}}\n  - unique: [place, customer_id]",
    ),
    "sums": (
        "currency",
        """SELECT currency, COUNT(*) AS number, CAST(SUM(amount) AS BIGINT) AS amount
        FROM payments.charges WHERE _deleted_at IS NULL GROUP BY currency""",
        "\n  - unique: [currency]\n  - unique: [number]\n  - range: {amount: {max: 12}}\n"
        "  - foreign_key: {currency: placed.currency}",
    ),
    "of_refunds": (
        "charge_id",
        "SELECT id, charge_id FROM payments.refunds WHERE _deleted_at IS NULL",
        "\n  - foreign_key: {charge_id: row.id}\n  - foreign_key: {id: payments.charges.id}\n  - unique: [charge_id]",
    ),
}
_TABLES = {
    "charges": {"currency": st.sampled_from(["eur", "usd", "jpy", None]), "amount": st.integers(1, 9),
                "customer_id": st.sampled_from(["a", "b", "c", None])},
    "refunds": {"charge_id": st.sampled_from(["a", "b", "c", None])},
    "customers": {"currency": st.sampled_from(["eur"])},
}  # fmt: skip
_KINDS = ["sync"] * 7 + ["backfill", "reset", "purge", "withheld", "whole", "other checks"]


class _Undone(Exception):
    """What a transaction did is to be undone."""


class Checked:
    """A world whose models are checked after each build; their results are compared with those of all rows."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.declared = {"payments": declare("payments")}
        self.variants = [self._models(folder, more) for more in ("", "\n  - range: {amount: {max: 7}}")]

    def _models(self, folder: Path, more: str) -> tuple[Model, ...]:
        files = {
            f"{name}.sql": f"/* ---\ndescription: A.\ngrain: [{grain}]\nchecks:{checks}"
            f"{more if name in ('row', 'sums') else ''}\n--- */\n{sql}"
            for name, (grain, sql, checks) in _SHAPES.items()
        }
        return load_models(write(folder / f"with{len(more)}", "assets/models", files), self.declared)

    def begin(self) -> None:
        self.world.models = self.variants[0]
        self.world.begin(["payments"])
        charge = {"currency": "eur", "customer_id": "a"}
        self.world.load(
            "payments",
            {
                "charges": [{"id": each, "amount": n, **charge} for n, each in enumerate("abc", 3)],
                "customers": [{"id": each, "currency": "eur"} for each in "abc"],
            },
        )
        self.check()

    def tables(self) -> list[CheckedTable]:
        return [model_checks(model.name, model.checks) for model in self.world.models]

    def refresh(self, session: Session, *, whole: bool = False) -> Sequence[CheckResult]:
        """Build the models and check them as a refresh does."""
        rebuilt: dict[str, RebuiltRows] = {}
        built = build(session, self.world.models, START, whole=whole, rebuilt=rebuilt)
        unchanged = {each.name for each in built if each.status == "unchanged"}
        return audit_models(session, self.tables(), self.declared, unchanged, rebuilt=rebuilt)

    def check(self, *, whole: bool = False, withheld: bool = False) -> Sequence[CheckResult]:
        """Build and check the models, and compare the results with those of all rows."""
        actual: Sequence[CheckResult] = ()
        every: Sequence[CheckResult] = ()
        with contextlib.suppress(_Undone), self.world.warehouse.transaction() as session:
            actual = self.refresh(session, whole=whole)
            if withheld:
                raise _Undone
        if withheld:
            with self.world.warehouse.transaction() as session:
                store_model_results(session, actual)
            return actual
        with contextlib.suppress(_Undone), self.world.warehouse.transaction() as session:
            every = audit_models(session, self.tables(), self.declared)
            raise _Undone
        assert actual == every
        return actual


@pytest.fixture(params=ENGINES)
def checked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Checked]:
    warehouse = warehouse_of(str(request.param), tmp_path, request)
    yield Checked(World(warehouse, ()), tmp_path)
    warehouse.close()


@st.composite
def _loads(draw: st.DrawFn) -> list[tuple[str, dict[str, list[dict[str, Any]]]]]:
    """Draw what happens, one load after the other: its kind, and the rows of its tables."""
    loads = []
    for _ in range(draw(st.integers(1, 5))):
        tables: dict[str, list[dict[str, Any]]] = {}
        for table in draw(st.lists(st.sampled_from([*_TABLES, "charges", "charges"]), min_size=1, max_size=3)):
            values = {name: draw(of) for name, of in _TABLES[table].items()}
            gone = START if draw(st.sampled_from([False, False, False, True])) else None
            tables.setdefault(table, []).append({"id": draw(st.sampled_from("abcde")), **values, "_deleted_at": gone})
        loads.append((draw(st.sampled_from(_KINDS)), tables))
    return loads


@given(loads=_loads())
@examples(0.2)
def test_after_any_loads_each_result_is_that_of_all_rows(checked: Checked, loads: Any) -> None:
    checked.begin()
    for kind, tables in loads:
        of_load = {"purge": "retention", "withheld": "sync", "whole": "sync", "other checks": "sync"}.get(kind, kind)
        checked.world.load("payments", tables, of_load, purge=kind == "purge")
        if kind == "other checks":
            one, other = checked.variants
            checked.world.models = other if checked.world.models is one else one
        checked.check(whole=kind == "whole", withheld=kind == "withheld")
    checked.check()


def test_rows_that_are_as_they_were_are_not_looked_at(checked: Checked) -> None:
    checked.begin()
    checked.world.load("payments", {"charges": [{"id": "a", "currency": "eur", "amount": 6, "customer_id": "b"}]})
    statements: list[str] = []
    sinks = [statements.append]
    sys.addaudithook(lambda event, args: [sink(str(args[0])) for sink in sinks] if event == "leat.statement" else None)
    with checked.world.warehouse.transaction() as session:
        results = checked.refresh(session)
    sinks.clear()
    held = {(each.subject, each.check) for each in results if each.ok}
    assert {("analytics.row", "unique_currency_amount"), ("analytics.of_refunds", "foreign_key_id")} <= held
    counted = [each for each in statements if each.startswith("SELECT count(*) FROM (")]
    whole = [each for each in counted if "leat_rebuilt_" not in each]
    assert len(counted) - len(whole) >= 15
    assert [each for each in whole if '"place"' not in each and "AS target" not in each] == [], (
        "didn't hold, or changed"
    )
