"""Build the table of a stream again, next to the old one, when it can't be migrated to the declared schema."""

from __future__ import annotations

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.load import state
from leat.pipelines.load.deletes import not_deleted
from leat.pipelines.load.merge import Deletes, Merge
from leat.pipelines.load.table_changes import open_history, replace_rows
from leat.pipelines.load.table_schema import TableSchema
from leat.sources.stream import Stream
from leat.warehouse.session import Session, quote

_REBUILT = "_new_"


def fits(stored: TableSchema, wanted: TableSchema) -> bool:
    """Return whether a table of the stored schema can take rows of the wanted one without a rebuild."""
    return stored.form == wanted.form and stored.columns == wanted.columns


def begin(session: Session, integration: str, stream: str) -> str:
    """Drop what is left of an earlier rebuild, and the quarantined records; returns the name of the table to fill."""
    table = _REBUILT + stream
    session.execute(f"DROP TABLE IF EXISTS {quote(integration, table)}")
    state.forget_quarantined(session, integration, stream)
    return table


def carry_over(merge: Merge, old: TableSchema, wanted: TableSchema, deletes: Deletes, *, proven: bool) -> int:
    """Copy the rows of the old table that nothing proves to be gone into the rebuilt one; returns how many.

    That is as far as they can have the new form: not when the key, or what is hashed or encrypted, has changed.

    Args:
        merge: into the rebuilt table.
        old: the schema of the old table.
        wanted: the schema of the rebuilt one.
        deletes: what the source reported as deleted.
        proven: whether a complete listing proves that rows which it did not name are gone.
    """
    copied = [c for c, kind in wanted.columns.items() if c in old.columns and kind in (old.columns[c], "string")]
    if old.form != wanted.form or not set(wanted.key) <= set(copied):
        return 0
    text = merge.session.dialect.sql_type("string")
    values = ", ".join(
        quote(c) if wanted.columns[c] == old.columns[c] else f"CAST({quote(c)} AS {text})" for c in copied
    )
    listed = ", ".join(map(quote, copied))
    which = merge.spared("t") if proven else not_deleted(merge, deletes)
    return merge.session.change(
        f"INSERT INTO {merge.into} ({listed}, _load_id, _synced_at) SELECT {values}, ?, CAST(? AS TIMESTAMPTZ) "
        f"FROM {quote(merge.integration, merge.stream)} AS t WHERE t._deleted_at IS NULL AND {which} "
        f"AND NOT EXISTS (SELECT 1 FROM {merge.into} AS n WHERE {merge.same_key('n', 't')})",
        (merge.load_id, merge.at),
    )


def swap(session: Session, declaration: Declaration, stream: Stream, old: TableSchema, table: str) -> None:
    """Put the rebuilt rows in the place of the old ones; the history starts again."""
    history = f"{stream.name}_history"
    if session.dialect.swaps_tables:
        session.execute(f"DROP TABLE {quote(declaration.name, stream.name)}")
        session.execute(f"ALTER TABLE {quote(declaration.name, table)} RENAME TO {quote(stream.name)}")
        session.execute(f"DROP TABLE IF EXISTS {quote(declaration.name, history)}")
    else:
        replace_rows(session, declaration, stream, old, table)
    if declaration.options(stream.name).history:
        open_history(session, declaration, stream)
