"""Builds models inside one transaction: in order, and only those whose input has changed."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

from leat.assets.changed_keys import Deltas
from leat.assets.materialize import ModelError, drop
from leat.assets.model import Model
from leat.assets.model_history import TypeChange, close_history, write_history
from leat.assets.rebuild import Before, Identity, forget, rebuild
from leat.pipelines.declare.sql_file import without
from leat.pipelines.declare.table_names import ANALYTICS, TableName
from leat.pipelines.load import state
from leat.pipelines.load.results import RebuiltRows
from leat.warehouse.session import Session, execute_all, quote

Status = Literal["built", "unchanged", "skipped", "failed", "withheld"]


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


_NEWEST = "CAST(count(*) AS VARCHAR) || ' ' || max(load_id)"
"""A load of one integration may be committed after a later one of another."""


def build(
    session: Session,
    models: Sequence[Model],
    now: datetime,
    broken: Mapping[str, str] = MappingProxyType({}),
    *,
    whole: bool = False,
    rebuilt: dict[str, RebuiltRows] | None = None,
) -> list[ModelResult]:
    """Build models; the transaction is the caller's to commit.

    Args:
        session: an open transaction.
        models: all models of the project, inputs first, as :func:`leat.assets.model_files.load_models` gives them; what
            was built from a file that is no longer there is dropped.
        now: the time of the run, UTC.
        broken: models that failed in an earlier attempt or whose files have mistakes, and why. They stay as they were
            built last, and so do those that read them.
        whole: whether all models are built, and all of their rows, changed or not.
        rebuilt: takes, by model with checks, the rows that were built if others weren't.

    Raises:
        ModelError: the database refused a model. On both engines the transaction can't go on after that; the attempt
            can be repeated with the model in ``broken``.
    """
    state.create_tables(session)
    session.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(ANALYTICS)}")
    execute_all(session, session.dialect.settings("models"))
    stored = session.execute("SELECT model, fingerprint, row_count FROM leat.models")
    before = {name: Before(fingerprint, rows) for name, fingerprint, rows in stored}
    for name in before.keys() - {model.name for model in models} - broken.keys():
        drop(session, name)
        close_history(session, name)
        forget(session, name)
        session.execute("DELETE FROM leat.models WHERE model = ?", (name,))
    deltas = Deltas(frozenset(each for model in models for each in model.models_by_grain()), rebuilt=rebuilt)
    after: dict[str, str] = {}
    read = {model.name for model in models}
    results = {n: ModelResult(n, "failed", 0, 0.0, why) for n, why in broken.items() if n not in read}
    for model in models:
        stays = _stays(model, results, broken)
        old = before.get(model.name)
        if stays is not None and old is not None:
            after[model.name] = old.fingerprint
        results[model.name] = stays or _build(session, model, old, after, now, deltas, whole=whole)
    return list(results.values())


def _stays(model: Model, results: Mapping[str, ModelResult], broken: Mapping[str, str]) -> ModelResult | None:
    """Return the result of a model that isn't rebuilt because it, or a model that it reads, has failed."""
    if model.name in broken:
        return ModelResult(model.name, "failed", 0, 0.0, broken[model.name])
    for name in model.models():
        if name in results and results[name].stays:
            return ModelResult(model.name, "withheld", 0, 0.0, f"{ANALYTICS}.{name}, which it reads, wasn't built")
    return None


def _build(
    session: Session,
    model: Model,
    before: Before | None,
    after: dict[str, str],
    now: datetime,
    deltas: Deltas,
    *,
    whole: bool,
) -> ModelResult:
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
    identity = _identity(model, session, inputs, after)
    after[model.name] = identity.fingerprint
    exists = bool(session.columns(ANALYTICS, model.name))
    if before is not None and before.fingerprint == identity.fingerprint and exists and not whole:
        return ModelResult(model.name, "unchanged", before.rows, time.perf_counter() - began, "no input has changed")
    if absent:
        model = _without(session, model, absent)
    try:
        rows, reason = rebuild(session, model, before if exists else None, identity, deltas, whole=whole)
        if model.history:
            write_history(session, model, now)
        else:
            close_history(session, model.name)
    except TypeChange as change:
        raise ModelError(str(change), model.name) from change
    except Exception as error:
        what = session.dialect.error_text(error)
        if what is None:
            raise
        msg = (
            f"{model.shown}: {session.dialect.engine} refused it: {what}. "
            "Next: correct the query, then `leat run` again"
        )
        raise ModelError(msg, model.name) from error
    session.execute("DELETE FROM leat.models WHERE model = ?", (model.name,))
    state.insert(session, "models", [(model.name, identity.fingerprint, now, rows)])
    return ModelResult(model.name, "built", rows, time.perf_counter() - began, reason)


def _without(session: Session, model: Model, absent: Sequence[TableName]) -> Model:
    """Return a model that reads optional tables that aren't there as empty."""
    missing = {str(table): model.optional[str(table)] for table in absent}
    dialect, grain = session.dialect, model.grain
    if grain is not None:
        places = tuple(
            replace(each, source={**each.source, dialect.name: f"({without(f'SELECT * FROM {of}', dialect, missing)})"})
            if each.table in missing
            else each
            for each in grain.places
            for of in [each.source[dialect.name]]
        )
        query = {**grain.query, dialect.name: without(grain.query[dialect.name], dialect, missing)}
        grain = replace(grain, query=query, places=places)
    sql = {**model.sql, dialect.name: without(model.sql[dialect.name], dialect, missing)}
    return replace(model, sql=sql, grain=grain)


def _version(session: Session, table: TableName, after: Mapping[str, str], loads: Sequence[str] | None) -> str | None:
    """Return what changes when the rows of a table do, or of ``leat.loads`` those of some integrations."""
    if table.schema == ANALYTICS:
        return after.get(table.name)
    if (table.schema, table.name) == (state.SCHEMA, "loads") and loads is not None:
        listed = ", ".join("?" * len(loads))
        rows = session.execute(f"SELECT {_NEWEST} FROM leat.loads WHERE integration IN ({listed})", loads)
    elif table.schema == state.SCHEMA:
        rows = session.execute(f"SELECT {_NEWEST} FROM leat.loads")
    else:
        rows = session.execute(
            "SELECT max(load_id) FROM leat.load_streams WHERE integration = ? AND stream IN (?, ?) "
            "AND inserted + updated + deleted + COALESCE(purged, 0) > 0",
            (table.schema, table.name, table.name.removesuffix("_history")),
        )
    return None if rows[0][0] is None else str(rows[0][0])


def _identity(
    model: Model, session: Session, inputs: Mapping[str, Mapping[str, str]], after: Mapping[str, str]
) -> Identity:
    versions = {str(table): _version(session, table, after, model.loads) for table in model.inputs}
    described: list[Any] = [model.sql[session.dialect.name], model.materialized, model.description, dict(model.columns)]
    described += [[check.model_dump(mode="json") for check in model.checks]]
    described += [list(model.key)] if model.history else []
    described += [] if model.grain is None else [list(model.grain.columns)]
    described = [described, {name: list(columns.items()) for name, columns in inputs.items()}]
    key = state.read_column_key(session)
    of_grain = [] if model.grain is None else [asdict(model.grain), None if key is None else key.kid]
    form = [*described, *of_grain, session.dialect.engine]  # after a move, what was stored and indexed isn't there
    return Identity(_hash([*described, versions]), _hash(form), versions)


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
