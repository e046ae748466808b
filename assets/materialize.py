"""Writes one model as its table or view.

Readers never wait. On DuckDB they read the published file. On Postgres leat builds a new table, because that runs in
parallel and an INSERT doesn't; its rows replace the old ones by DELETE and INSERT, which others don't see before the
commit. Only when the columns change does the new table replace the old one, and then readers wait until the commit.
"""

from __future__ import annotations

import hashlib

from leat.assets.model import Model
from leat.assets.touched_rows import lookup
from leat.pipelines.declare.table_names import ANALYTICS
from leat.warehouse.session import Session, execute_all, literal, quote

_NEW = "_new_"  # before the name: no model is called like that
_INDEX = "leat_grain_"


class ModelError(Exception):
    """A model can't be built; the text says which file, what the database said, and what to do next."""

    def __init__(self, text: str, model: str) -> None:
        super().__init__(text)
        self.model = model


def materialize(session: Session, model: Model) -> None:
    """Make the table or view of a model, with its descriptions.

    Raises:
        ModelError: a column has a type that the two engines don't share.
    """
    name, sql = quote(ANALYTICS, model.name), model.sql[session.dialect.name]
    kind = _kind(session, model.name)
    if model.materialized == "view":
        drop(session, model.name)
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
    described += [  # DuckLake has none on the columns of views
        f"COMMENT ON COLUMN {name}.{quote(column)} IS {literal(text)}"
        for column, text in model.columns.items()
        if text and (what == "TABLE" or session.dialect.describes_views)
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
        drop(session, model.name)
        session.execute(f"ALTER TABLE {quote(ANALYTICS, fresh)} RENAME TO {quote(model.name)}")
    _index(session, model)
    execute_all(session, session.dialect.gather_statistics(name))


def _index(session: Session, model: Model) -> None:
    """Let there be an index over the grain of a model, and none over an earlier one."""
    kinds = session.columns(ANALYTICS, model.name)
    columns = [] if model.grain is None else model.grain.columns
    values = lookup(session.dialect, [quote(column) for column in columns], [kinds[column] for column in columns])
    listed = ", ".join(values)
    wanted = _INDEX + hashlib.sha256(f"{model.name} {listed}".encode()).hexdigest()[:16]
    there = [name for (name,) in session.execute(session.dialect.indexes, (ANALYTICS, model.name))]
    for name in there:
        if name.startswith(_INDEX) and not (values and name == wanted):
            session.execute(f"DROP INDEX {quote(ANALYTICS, name)}")
    if values and wanted not in there:
        session.execute(f"CREATE INDEX {quote(wanted)} ON {quote(ANALYTICS, model.name)} ({listed})")


def drop(session: Session, name: str) -> None:
    """Drop the table or view of a model; on Postgres first the models that are views of it: they are built again."""
    if session.dialect.views_hold_tables:
        views = session.execute(
            "SELECT DISTINCT u.view_name FROM information_schema.view_table_usage AS u JOIN leat.models AS m "
            "ON m.model = u.view_name WHERE u.view_schema = ? AND u.table_schema = ? AND u.table_name = ?",
            (ANALYTICS, ANALYTICS, name),
        )
        for (view,) in views:
            drop(session, view)
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
        engine = session.dialect.engine
        msg = f"{model.shown}: column {odd[0]} has a type of {engine} alone. Next: CAST({odd[0]} AS BIGINT)"
        raise ModelError(msg + ", or to VARCHAR, DOUBLE, BOOLEAN, DATE, TIMESTAMP, TIMESTAMPTZ", model.name)
