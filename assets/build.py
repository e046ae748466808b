"""Builds models inside one transaction: in order, and only those of which an input has changed.

Readers are never kept waiting. On DuckDB they have the published file. On Postgres a new table is made, which runs in
parallel as an INSERT doesn't; its rows replace those of the old one by DELETE and INSERT, of which others see nothing
before the commit. Only when the columns change is the new table put in the place of the old one, which readers wait for
until the commit.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

from leat.assets.model import Model
from leat.assets.model_history import TypeChange, close_history, keep_history
from leat.pipelines.declare.sql_file import refusal, without
from leat.pipelines.declare.table_names import ANALYTICS, TableName
from leat.pipelines.load import state
from leat.warehouse.session import Session, execute_all, literal, quote

Status = Literal["built", "unchanged", "skipped", "failed", "withheld"]
_NEW = "_new_"  # before the name: no model is called like that


class ModelError(Exception):
    """A model can't be built; the text says which file, what the database said, and what to do next."""

    def __init__(self, text: str, model: str) -> None:
        super().__init__(text)
        self.model = model


@dataclass(frozen=True, slots=True)
class ModelResult:
    """What a build did with one model: its rows and seconds, and in words why.

    One that ``failed`` or was ``withheld`` stays as it was built last.
    """

    name: str
    status: Status
    rows: int
    seconds: float
    reason: str

    @property
    def stays(self) -> bool:
        """Whether the model, if it had been built before, is older than its inputs."""
        return self.status in ("failed", "withheld")


@dataclass(frozen=True, slots=True)
class _Built:
    fingerprint: str
    rows: int


def build(
    session: Session, models: Sequence[Model], now: datetime, broken: Mapping[str, str] = MappingProxyType({})
) -> list[ModelResult]:
    """Build models; the transaction is the caller's to commit.

    Args:
        session: an open transaction.
        models: all models of the project, inputs first, as :func:`leat.assets.model_files.load_models` gives them; what
            was built from a file that is no longer there is dropped.
        now: the time of the run, UTC.
        broken: models that failed in an earlier attempt or whose files have mistakes, and why. They stay as they were
            built last, and so do those that read them.

    Raises:
        ModelError: the database refused a model. On both engines the transaction can't go on after that; the attempt
            can be repeated with the model in ``broken``.
    """
    state.create_tables(session)
    session.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(ANALYTICS)}")
    execute_all(session, session.dialect.settings("models"))
    kept = session.execute("SELECT model, fingerprint, row_count FROM leat.models")
    before = {name: _Built(fingerprint, rows) for name, fingerprint, rows in kept}
    for name in before.keys() - {model.name for model in models} - broken.keys():
        _drop(session, name)
        close_history(session, name)
        session.execute("DELETE FROM leat.models WHERE model = ?", (name,))
    after: dict[str, str] = {}
    read = {model.name for model in models}
    results = {n: ModelResult(n, "failed", 0, 0.0, why) for n, why in broken.items() if n not in read}
    for model in models:
        stays = _stays(model, results, broken)
        old = before.get(model.name)
        if stays is not None and old is not None:
            after[model.name] = old.fingerprint
        results[model.name] = stays or _build(session, model, old, after, now)
    return list(results.values())


def _stays(model: Model, results: Mapping[str, ModelResult], broken: Mapping[str, str]) -> ModelResult | None:
    """Return the result of a model that isn't built anew because it, or a model that it reads, has failed."""
    if model.name in broken:
        return ModelResult(model.name, "failed", 0, 0.0, broken[model.name])
    for name in model.models():
        if name in results and results[name].stays:
            return ModelResult(model.name, "withheld", 0, 0.0, f"{ANALYTICS}.{name}, which it reads, wasn't built")
    return None


def _build(session: Session, model: Model, before: _Built | None, after: dict[str, str], now: datetime) -> ModelResult:
    began = time.perf_counter()
    inputs = {str(table): session.columns(table.schema, table.name) for table in model.inputs}
    absent = [table for table in model.inputs if not inputs[str(table)]]
    needed = [table for table in absent if str(table) not in model.optional]
    if len(absent) == len(inputs):
        needed = needed or absent  # of nothing, nothing is made
    if needed:
        if before is not None:
            after[model.name] = before.fingerprint
        reason = f"{needed[0]} hasn't been {'built' if needed[0].schema == ANALYTICS else 'loaded'} yet"
        return ModelResult(model.name, "skipped", 0, 0.0, reason)
    changes = {str(table): _version(session, table, after, model.loads) for table in model.inputs}
    fingerprint = _fingerprint(model, session, inputs, changes)
    after[model.name] = fingerprint
    exists = bool(session.columns(ANALYTICS, model.name))
    if before is not None and before.fingerprint == fingerprint and exists:
        return ModelResult(model.name, "unchanged", before.rows, time.perf_counter() - began, "no input has changed")
    if absent:
        model = _without(session, model, absent)
    try:
        _materialize(session, model)
        if model.history:
            keep_history(session, model, now)
        else:
            close_history(session, model.name)
        rows = int(session.execute(f"SELECT count(*) FROM {quote(ANALYTICS, model.name)}")[0][0])
    except TypeChange as change:
        raise ModelError(str(change), model.name) from change
    except Exception as error:
        what = refusal(error)
        if what is None:
            raise
        msg = (
            f"{model.shown}: {session.dialect.name} refused it: {what}. Next: correct the query, then `leat run` again"
        )
        raise ModelError(msg, model.name) from error
    session.execute("DELETE FROM leat.models WHERE model = ?", (model.name,))
    state.insert(session, "models", [(model.name, fingerprint, now, rows)])
    reason = "built for the first time" if before is None or not exists else "its query or an input has changed"
    return ModelResult(model.name, "built", rows, time.perf_counter() - began, reason)


def _without(session: Session, model: Model, absent: Sequence[TableName]) -> Model:
    """Return a model that reads optional tables that aren't there as empty."""
    missing = {str(table): model.optional[str(table)] for table in absent}
    dialect = session.dialect
    return replace(model, sql={**model.sql, dialect.name: without(model.sql[dialect.name], dialect, missing)})


def _version(session: Session, table: TableName, after: Mapping[str, str], loads: Sequence[str] | None) -> str | None:
    """Return what changes when the rows of a table do, or of ``leat.loads`` those of some integrations."""
    if table.schema == ANALYTICS:
        return after.get(table.name)
    if (table.schema, table.name) == (state.SCHEMA, "loads") and loads is not None:
        listed = ", ".join("?" * len(loads))
        found = session.execute(f"SELECT max(load_id) FROM leat.loads WHERE integration IN ({listed})", loads)
    elif table.schema == state.SCHEMA:
        found = session.execute("SELECT max(load_id) FROM leat.loads")
    else:
        found = session.execute(
            "SELECT max(load_id) FROM leat.load_streams WHERE integration = ? AND stream IN (?, ?) "
            "AND inserted + updated + deleted + COALESCE(purged, 0) > 0",
            (table.schema, table.name, table.name.removesuffix("_history")),
        )
    return None if found[0][0] is None else str(found[0][0])


def _fingerprint(
    model: Model,
    session: Session,
    inputs: Mapping[str, Mapping[str, str]],
    changes: Mapping[str, str | None],
) -> str:
    described: list[Any] = [model.sql[session.dialect.name], model.materialized, model.description, dict(model.columns)]
    described += [[check.model_dump(mode="json") for check in model.checks]]
    described += [list(model.key)] if model.history else []
    text = json.dumps([described, {name: list(columns.items()) for name, columns in inputs.items()}, changes])
    return hashlib.sha256(text.encode()).hexdigest()


def _materialize(session: Session, model: Model) -> None:
    name, sql = quote(ANALYTICS, model.name), model.sql[session.dialect.name]
    kind = _kind(session, model.name)
    if model.materialized == "view":
        _drop(session, model.name)
        session.execute(f"CREATE VIEW {name} AS {sql}")
    elif session.dialect.swaps_tables:
        if kind == "VIEW":
            session.execute(f"DROP VIEW {name}")
        session.execute(f"CREATE OR REPLACE TABLE {name} AS {sql}")
    else:
        _replace(session, model, kind)
    _check_types(session, model)
    what = "VIEW" if model.materialized == "view" else "TABLE"
    described = [f"COMMENT ON {what} {name} IS {literal(model.description)}"]
    described += [
        f"COMMENT ON COLUMN {name}.{quote(column)} IS {literal(text)}" for column, text in model.columns.items() if text
    ]
    session.execute("; ".join(described))


def _replace(session: Session, model: Model, kind: str | None) -> None:
    name, sql = quote(ANALYTICS, model.name), model.sql[session.dialect.name]
    fresh = _NEW + model.name
    session.execute(f"CREATE TABLE {quote(ANALYTICS, fresh)} AS {sql}")
    fresh_columns, columns = (list(session.columns(ANALYTICS, table).items()) for table in (fresh, model.name))
    if kind == "BASE TABLE" and fresh_columns == columns:  # in the same order too
        session.execute(f"DELETE FROM {name}")
        session.execute(f"INSERT INTO {name} TABLE {quote(ANALYTICS, fresh)}")
        session.execute(f"DROP TABLE {quote(ANALYTICS, fresh)}")
    else:
        _drop(session, model.name)
        session.execute(f"ALTER TABLE {quote(ANALYTICS, fresh)} RENAME TO {quote(model.name)}")
    execute_all(session, session.dialect.gather_statistics(name))


def _drop(session: Session, name: str) -> None:
    """Drop the table or view of a model; on Postgres first the models that are views of it: they are built again."""
    if session.dialect.views_hold_tables:
        views = session.execute(
            "SELECT DISTINCT u.view_name FROM information_schema.view_table_usage AS u JOIN leat.models AS m "
            "ON m.model = u.view_name WHERE u.view_schema = ? AND u.table_schema = ? AND u.table_name = ?",
            (ANALYTICS, ANALYTICS, name),
        )
        for (view,) in views:
            _drop(session, view)
    kind = _kind(session, name)
    if kind is not None:
        session.execute(f"DROP {'VIEW' if kind == 'VIEW' else 'TABLE'} {quote(ANALYTICS, name)}")


def _kind(session: Session, name: str) -> str | None:
    rows = session.execute(
        "SELECT table_type FROM information_schema.tables WHERE table_schema = ? AND table_name = ?", (ANALYTICS, name)
    )
    return str(rows[0][0]) if rows else None


def _check_types(session: Session, model: Model) -> None:
    """Refuse types that the two engines don't share, such as the HUGEINT of a sum."""
    odd = [column for column, kind in session.columns(ANALYTICS, model.name).items() if kind == "?"]
    if odd:
        msg = (
            f"{model.shown}: column {odd[0]} has a type of {session.dialect.name} alone. Next: CAST({odd[0]} AS BIGINT)"
        )
        raise ModelError(msg + ", or to VARCHAR, DOUBLE, BOOLEAN, DATE, TIMESTAMP, TIMESTAMPTZ", model.name)
