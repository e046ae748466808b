"""The schema ``hooks`` of the warehouse: what was applied of the segments, and what readers ask.

On DuckDB readers have the published file, which can't be copied for each webhook: their view also reads the segments
that it doesn't have yet. On Postgres each commit is visible, so that webhooks are applied at once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from leat.hooks.event import Event
from leat.sources.stream import Column, arrow_schema
from leat.warehouse.session import Session, execute_all, literal, quote

COLUMNS = (
    Column("seq", "integer", "Number of the event on this server; later ones are higher."),
    Column("received_at", "timestamp", "When it was received, UTC."),
    Column("endpoint", "string", "The integration that it was sent for."),
    Column("event_id", "string", "What identifies it at its sender."),
    Column("event_type", "string", "What happened, as the sender calls it."),
    Column("body", "string", "The body, as JSON text."),
    Column("problem", "string", "Why it can't be read; null when it can."),
)
EACH = 10**12
"""How many numbers each server has: those of server 2 begin at 2 000 000 000 001. The watermark has a row for each."""
_NAMES = ", ".join(column.name for column in COLUMNS)
_OF_SERVER = "seq >= ? AND seq < ?"
_SEEN = "SELECT 1 FROM hooks._applied AS a WHERE a.endpoint = n.endpoint AND a.event_id = n.event_id"


def create_tables(session: Session, live: Path) -> None:
    """Create the tables and the views ``hooks.events`` and ``hooks.quarantine``; ``live`` has the segments."""
    types = {column.name: session.dialect.sql_type(column.type) for column in COLUMNS}
    listed = ", ".join(f"{name} {kind}" for name, kind in types.items())
    execute_all(
        session,
        (
            "CREATE SCHEMA IF NOT EXISTS hooks",
            f"CREATE TABLE IF NOT EXISTS hooks._applied ({listed})",
            "CREATE TABLE IF NOT EXISTS hooks._watermark (seq BIGINT)",
        ),
    )
    if session.dialect.key_index:
        session.execute("CREATE UNIQUE INDEX IF NOT EXISTS hooks_event ON hooks._applied (endpoint, event_id)")
    if not session.execute("SELECT 1 FROM hooks._watermark"):
        session.execute("INSERT INTO hooks._watermark VALUES (0)")
    for view, condition, names in (
        ("events", "IS NULL", [name for name in types if name != "problem"]),
        ("quarantine", "IS NOT NULL", list(types)),
    ):
        chosen = ", ".join(names)
        sql = f"SELECT {chosen} FROM hooks._applied WHERE problem {condition}"
        if not session.dialect.writers_at_once:  # one machine has all of them, and readers have the published file
            sql += f" UNION ALL SELECT {chosen} FROM ({_unapplied(types, live)}) AS n WHERE problem {condition}"
        session.execute(f"CREATE OR REPLACE VIEW hooks.{quote(view)} AS {sql}")


def watermark(session: Session, server: int = 0) -> int | None:
    """Return the number up to which events of a server are applied; None where there are no tables yet."""
    if not session.columns("hooks", "_watermark"):
        return None
    ((seq,),) = session.execute(f"SELECT max(seq) FROM hooks._watermark WHERE {_OF_SERVER}", _range(server))
    return server * EACH if seq is None else int(seq)


def _range(server: int) -> tuple[int, int]:
    return server * EACH, (server + 1) * EACH


def apply_events(session: Session, events: Sequence[Event], server: int = 0) -> int:
    """Insert events that aren't there yet, and move the watermark; returns how many were inserted.

    Args:
        session: an open transaction.
        events: in the order of their numbers; those up to the watermark are left out.
        server: number of the server that has stored them.
    """
    before = watermark(session, server) or 0
    new = [event for event in events if event.seq > before]
    if not new:
        return 0
    with tempfile.TemporaryDirectory(prefix="leat-hooks-", dir=session.scratch()) as folder:
        path = Path(folder) / "events.parquet"
        _write_parquet(new, path)
        session.stage("hooks_new", [path], arrow_schema(COLUMNS))
        inserted = session.change(
            f"INSERT INTO hooks._applied ({_NAMES}) SELECT {_NAMES} FROM (SELECT *, row_number() OVER "
            "(PARTITION BY endpoint, event_id ORDER BY seq) AS nth FROM hooks_new) AS n "
            f"WHERE nth = 1 AND NOT EXISTS ({_SEEN})"
        )
    session.execute(f"DELETE FROM hooks._watermark WHERE {_OF_SERVER}", _range(server))
    session.execute("INSERT INTO hooks._watermark VALUES (?)", (new[-1].seq,))
    return inserted


def _write_parquet(events: Sequence[Event], path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    rows = [{column.name: getattr(event, column.name) for column in COLUMNS} for event in events]
    parquet.write_table(pa.Table.from_pylist(rows, schema=arrow_schema(COLUMNS)), path)


def _unapplied(types: dict[str, str], live: Path) -> str:
    """Return the query of events in the segments that aren't applied; lines that can't be read are left out."""
    columns = ", ".join(f"{name}: {literal(kind)}" for name, kind in types.items())
    read = (
        f"SELECT * FROM read_json({literal(f'{live}/*.ndjson')}, format = 'newline_delimited', ignore_errors = true, "
        f"columns = {{{columns}}}) WHERE seq > (SELECT max(seq) FROM hooks._watermark WHERE seq < {EACH})"
    )
    first = f"SELECT *, row_number() OVER (PARTITION BY endpoint, event_id ORDER BY seq) AS nth FROM ({read}) AS r"
    return f"SELECT {_NAMES} FROM ({first}) AS n WHERE nth = 1 AND NOT EXISTS ({_SEEN})"
