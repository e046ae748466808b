"""How a stream's table is created, and how it gets from the schema it has to the declared one.

A change that loses no value is made in place: a new column, an empty one dropped, a type widened. A change that would
lose values stops, with the way forward in the message: ``leat reset`` loads the stream again, in the new schema.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.system_columns import HISTORY_COLUMNS, SYSTEM_COLUMNS, SYSTEM_DESCRIPTIONS
from leat.pipelines.load import as_of, state
from leat.pipelines.load.stream_failures import blaming
from leat.pipelines.load.table_schema import TableSchema, declared_schema, needs_backfill, widens
from leat.sources.errors import Permanent
from leat.sources.stream import Stream
from leat.warehouse.session import Session, execute_all, literal, quote


class SchemaChange(Permanent):
    """The declared schema of a table can't be reached without losing values."""


def create_table(session: Session, declaration: Declaration, stream: Stream, table: str) -> None:
    """Create the table of a stream under a name, with comments and, on some engines, indexes."""
    wanted = declared_schema(declaration, stream)
    session.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(declaration.name)}")
    _create(session, declaration.name, table, {**wanted.columns, **SYSTEM_COLUMNS})
    index_table(session, declaration.name, table, wanted.key)
    described = {**{c.name: c.description for c in declaration.columns(stream)}, **SYSTEM_DESCRIPTIONS}
    _comment(session, declaration.name, table, stream.description, described)


def index_table(session: Session, schema: str, table: str, key: Sequence[str]) -> None:
    """Index a table by its key and by the loads that changed its rows, on engines that have indexes."""
    if session.dialect.key_index:
        session.execute(f"CREATE UNIQUE INDEX ON {quote(schema, table)} ({', '.join(map(quote, key))})")
    index_loads(session, schema, table)


def index_loads(session: Session, schema: str, table: str) -> None:
    """Index a table by the loads that changed its rows, unless it is: an earlier leat didn't."""
    if session.dialect.key_index:
        indexes = session.execute(session.dialect.indexes, (schema, table))
        if not any("_load_id" in name for (name,) in indexes):
            session.execute(f"CREATE INDEX ON {quote(schema, table)} (_load_id)")


def open_history(session: Session, declaration: Declaration, stream: Stream) -> None:
    """Create the history table of a stream, or go on with an earlier one, from the rows that exist now."""
    wanted = declared_schema(declaration, stream)
    name = f"{stream.name}_history"
    if not session.columns(declaration.name, name):
        _create(session, declaration.name, name, {**wanted.columns, **HISTORY_COLUMNS})
        described = {**{c.name: c.description for c in declaration.columns(stream)}, **SYSTEM_DESCRIPTIONS}
        _comment(session, declaration.name, name, f"Every version of: {stream.description}", described)
    table, history = quote(declaration.name, stream.name), quote(declaration.name, name)
    same_key = " AND ".join(f"t.{quote(column)} = h.{quote(column)}" for column in wanted.key)
    session.execute(
        f"UPDATE {history} AS h SET valid_to = t._synced_at FROM {table} AS t "
        f"WHERE {same_key} AND h.valid_to IS NULL AND h._load_id <> t._load_id"
    )
    session.execute(  # rows that were purged while there was no history
        f"UPDATE {history} AS h SET valid_to = (SELECT max(_synced_at) FROM {table}) WHERE h.valid_to IS NULL "
        f"AND NOT EXISTS (SELECT 1 FROM {table} AS t WHERE {same_key})"
    )
    listed = ", ".join(map(quote, wanted.columns))
    session.execute(
        f"INSERT INTO {history} ({listed}, _load_id, valid_from) SELECT {listed}, _load_id, _synced_at FROM {table} "
        f"AS t WHERE _deleted_at IS NULL AND NOT EXISTS (SELECT 1 FROM {history} AS h WHERE {same_key} "
        "AND h.valid_to IS NULL)"
    )


def update_as_of(
    session: Session, declaration: Declaration, stream: Stream, stored: Any, began: datetime | None
) -> None:
    """Bring the function ``<stream>_as_of`` in line with the table, in the transaction that changes it.

    Args:
        session: the writing transaction.
        declaration: whose stream it is.
        stream: the stream.
        stored: the schema that the table had, as JSON; None before the first load.
        began: when the history begins, if it does now.
    """
    wanted = declared_schema(declaration, stream)
    schema, table = declaration.name, stream.name
    if not wanted.history:
        if stored and stored["history"]:
            as_of.drop_as_of(session, schema, table)
        return
    if began is not None:
        as_of.set_complete_from(session, schema, table, began)
    elif as_of.complete_from(session, schema, table) is None:  # it was begun by an earlier leat
        first = as_of.first_version(session, schema, table)
        if first is not None:
            as_of.set_complete_from(session, schema, table, first)
    if stored != wanted.as_json() or began is not None or not as_of.has_as_of(session, schema, table):
        as_of.create_as_of(session, schema, table, columns_of_the_past(wanted.columns))


def columns_of_the_past(columns: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the columns of the function ``<stream>_as_of``, as :func:`leat.pipelines.load.as_of.create_as_of` has it.

    Args:
        columns: leat type by name of each column of the stream, without system columns.
    """
    past = {name: (kind, f"h.{quote(name)}") for name, kind in columns.items()}
    of_system = {"_load_id": "h._load_id", "_synced_at": "h.valid_from", "_deleted_at": "CAST(NULL AS TIMESTAMPTZ)"}
    return past | {name: (kind, of_system[name]) for name, kind in SYSTEM_COLUMNS.items()}


def migrate(session: Session, declaration: Declaration, stream: Stream, old: TableSchema) -> None:
    """Bring an existing table, and its history, into the declared schema.

    Raises:
        SchemaChange: values would be lost.
    """
    new = declared_schema(declaration, stream)
    tables = [stream.name]
    if session.columns(declaration.name, f"{stream.name}_history"):
        tables.append(f"{stream.name}_history")
    if old.form != new.form:
        if _rows(session, declaration.name, stream.name, "1 = 1"):
            raise _stop(declaration, stream, _other_form(old, new))
        for table in tables:
            session.execute(f"DROP TABLE {quote(declaration.name, table)}")
        create_table(session, declaration, stream, stream.name)
        if new.history:
            open_history(session, declaration, stream)
        return
    for table in tables:
        _migrate_columns(session, declaration, stream, table, new)


def prepare_table(session: Session, declaration: Declaration, stream: Stream, at: datetime) -> None:
    """Bring the existing table of a stream into the declared schema, in a short transaction of its own.

    On Postgres this takes locks that would block readers for as long as an apply lasts. ``at`` is the time of the run.

    Raises:
        StreamFailed: values would be lost.
    """
    state.create_tables(session)
    current = state.read_state(session, declaration.name)
    stored, wanted = current.schemas.get(stream.name), declared_schema(declaration, stream)
    if stored is None or stored == wanted.as_json():
        return
    with blaming(stream.name):
        migrate(session, declaration, stream, TableSchema.of_json(stored))
    opened = wanted.history and not stored["history"]
    if opened:
        open_history(session, declaration, stream)
    update_as_of(session, declaration, stream, stored, current.later(at) if opened else None)
    if not needs_backfill(TableSchema.of_json(stored), wanted):
        state.write_schema(session, declaration.name, stream.name, wanted.as_json())


def replace_rows(session: Session, declaration: Declaration, stream: Stream, old: TableSchema, table: str) -> None:
    """Replace the rows of a stream's table by those of a rebuilt one, and empty its history; both get the new schema.

    For Postgres: a reader whose snapshot is older would find a table that was renamed or rewritten empty, but goes on
    to see rows that were deleted.
    """
    new = declared_schema(declaration, stream)
    for name in (stream.name, f"{stream.name}_history"):
        actual = session.columns(declaration.name, name)
        quoted = quote(declaration.name, name)
        if actual:
            session.execute(f"DELETE FROM {quoted}")
        changed = [c for c in new.columns if c in actual and actual[c] != new.columns[c]]
        gone = [c for c in actual if c not in {**new.columns, **SYSTEM_COLUMNS, **HISTORY_COLUMNS}]
        for column in [*changed, *gone]:
            session.execute(f"ALTER TABLE {quoted} DROP COLUMN {quote(column)}")
        if actual:
            _migrate_columns(session, declaration, stream, name, new)
    into, rebuilt = quote(declaration.name, stream.name), quote(declaration.name, table)
    listed = ", ".join(map(quote, [*new.columns, *SYSTEM_COLUMNS]))
    rekeyed = old.key != new.key or any(old.columns[c] != new.columns[c] for c in old.key)
    rekeyed = rekeyed and session.dialect.key_index
    for (index,) in session.execute(session.dialect.indexes, (declaration.name, stream.name)) if rekeyed else ():
        session.execute(f"DROP INDEX {quote(declaration.name, index)}")
    session.execute(f"INSERT INTO {into} ({listed}) SELECT {listed} FROM {rebuilt}")
    session.execute(f"DROP TABLE {rebuilt}")
    if rekeyed:
        index_table(session, declaration.name, stream.name, new.key)


def _migrate_columns(session: Session, declaration: Declaration, stream: Stream, table: str, new: TableSchema) -> None:
    name = quote(declaration.name, table)
    actual = session.columns(declaration.name, table)
    system = {**SYSTEM_COLUMNS, **HISTORY_COLUMNS}
    described = {column.name: column.description for column in declaration.columns(stream)}
    for column, kind in actual.items():
        wanted = new.columns.get(column)
        if column in system or wanted == kind:
            continue
        held = _rows(session, declaration.name, table, f"{quote(column)} IS NOT NULL")
        if wanted is None and held:
            raise _stop(
                declaration, stream, f"column {column} is no longer loaded and {table} holds {held} values of it"
            )
        if wanted is None:
            session.execute(f"ALTER TABLE {name} DROP COLUMN {quote(column)}")
        elif held and not widens(kind, wanted):
            raise _stop(
                declaration, stream, f"column {column} changes from {kind} to {wanted} and {table} holds {held}"
            )
        else:
            to = session.dialect.sql_type(wanted)
            execute_all(session, session.dialect.change_type(name, column, to, described.get(column)))
    for column, kind in new.columns.items():
        if column not in actual:
            session.execute(f"ALTER TABLE {name} ADD COLUMN {quote(column)} {session.dialect.sql_type(kind)}")
            session.execute(f"COMMENT ON COLUMN {name}.{quote(column)} IS {literal(described[column])}")


def _create(session: Session, schema: str, table: str, columns: Mapping[str, str]) -> None:
    listed = ", ".join(f"{quote(name)} {session.dialect.sql_type(kind)}" for name, kind in columns.items())
    session.execute(f"CREATE TABLE {quote(schema, table)} ({listed})")


def _comment(session: Session, schema: str, table: str, text: str, columns: Mapping[str, str]) -> None:
    session.execute(f"COMMENT ON TABLE {quote(schema, table)} IS {literal(text)}")
    for column in session.columns(schema, table):
        if column in columns:
            session.execute(f"COMMENT ON COLUMN {quote(schema, table, column)} IS {literal(columns[column])}")


def _rows(session: Session, schema: str, table: str, where: str) -> int:
    return int(session.execute(f"SELECT count(*) FROM {quote(schema, table)} WHERE {where}")[0][0])


def _other_form(old: TableSchema, new: TableSchema) -> str:
    if old.key != new.key:
        return "its key changed"
    return f"other columns are {'masked' if old.masked != new.masked else 'encrypted'} than before"


def _stop(declaration: Declaration, stream: Stream, what: str) -> SchemaChange:
    return SchemaChange(
        declaration.name,
        f"changing the table {declaration.name}.{stream.name}",
        what,
        f"undo the change, or run `leat reset {declaration.name} --stream {stream.name}`: it loads the stream "
        "again in the new schema while readers stay on the old table; its history then starts again",
    )
