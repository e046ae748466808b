"""Loads that change random rows of streams, as the engine leaves them, and models compared with their own query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from leat.assets.build import ModelResult, build
from leat.assets.model import Model
from leat.pipelines.load import state
from leat.sources.driver import load_streams
from leat.warehouse.session import Session, Warehouse, quote
from tests.kit.loaded import load, utc

START = utc(2026, 11, 20, 9)
Row = Mapping[str, Any]


@dataclass
class World:
    """A warehouse whose streams a test changes load by load.

    Attributes:
        warehouse: where.
        models: what is built after each load.
        number: how many loads there were.
        reasons: why each model was built, over time.
    """

    warehouse: Warehouse
    models: Sequence[Model]
    number: int = 0
    reasons: dict[str, list[str]] = field(default_factory=dict)

    def begin(self, integrations: Iterable[str]) -> None:
        """Empty the warehouse and make the tables of integrations."""
        with self.warehouse.transaction() as session:
            for schema in ("analytics", "_keys", "leat", *integrations):
                session.execute(f"DROP SCHEMA IF EXISTS {quote(schema)} CASCADE")
        for name in integrations:
            read = {table.name for model in self.models for table in model.inputs if table.schema == name}
            self.load(name, {table: [] for table in sorted(read)})

    def load(
        self, integration: str, tables: Mapping[str, Iterable[Row]], kind: str = "sync", *, purge: bool = False
    ) -> None:
        """Apply a load: each row replaces the one of its key; ``_deleted_at`` marks it, and ``purge`` removes it."""
        self.number += 1
        load_id, at = f"{self.number:03}", START + timedelta(minutes=self.number)
        keys = {stream.name: stream.key for stream in load_streams(integration)}
        with self.warehouse.transaction() as session:
            state.create_tables(session)
            last, replaced = {}, {}
            for table, rows in tables.items():
                last[table] = {tuple(row[column] for column in keys[table]): row for row in rows}
                for key in last[table] if session.columns(integration, table) else ():
                    same = " AND ".join(f"{quote(column)} = ?" for column in keys[table])
                    gone = session.change(f"DELETE FROM {quote(integration, table)} WHERE {same}", key)
                    replaced[table] = replaced.get(table, 0) + gone
            load(session, integration, load_id, {t: [] if purge else of.values() for t, of in last.items()}, at)
            for table, count in replaced.items():
                counts = "UPDATE leat.load_streams SET inserted = inserted - ?, updated = ?"
                session.execute(f"{counts} WHERE load_id = ? AND stream = ?", (count, count, load_id, table))
            session.execute("UPDATE leat.loads SET kind = ? WHERE load_id = ?", (kind, load_id))
            if purge:
                for table, of in last.items():
                    session.execute(
                        "UPDATE leat.load_streams SET purged = ? WHERE load_id = ? AND stream = ?",
                        (len(of), load_id, table),
                    )

    def build(self, *, whole: bool = False) -> dict[str, ModelResult]:
        """Build the models and compare each with what its query gives now."""
        with self.warehouse.transaction() as session:
            results = {each.name: each for each in build(session, self.models, START, whole=whole)}
            for name, result in results.items():
                assert result.status in ("built", "unchanged"), result
                if result.status == "built":
                    self.reasons.setdefault(name, []).append(result.reason)
        with self.warehouse.snapshot() as session:
            for model in self.models:
                assert differences(session, model) == [], (model.name, self.reasons.get(model.name))
                count = session.execute(f"SELECT count(*) FROM analytics.{model.name}")[0][0]
                assert count == results[model.name].rows, model.name
        return results

    def by_keys(self, model: str) -> int:
        """Return how often only changed keys of a model were built."""
        return sum(reason.startswith("rows of ") for reason in self.reasons.get(model, []))


def differences(session: Session, model: Model) -> list[tuple[Any, ...]]:
    """Return rows that the table of a model has and its query doesn't give, or the other way round, as often."""
    listed = ", ".join(f"CAST({quote(column)} AS VARCHAR)" for column in model.columns)
    table, query = (
        f"SELECT {listed} FROM analytics.{model.name}",
        f"SELECT {listed} FROM ({model.sql[session.dialect.name]}) AS q",
    )
    return session.execute(f"({table} EXCEPT ALL {query}) UNION ALL ({query} EXCEPT ALL {table})")
