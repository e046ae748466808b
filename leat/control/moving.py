"""Copies a control store to another database: one transaction, which is committed when all tables compare equal.

JSON is copied as the text that it is. Numbers of transactions mean nothing in another database, see
:class:`leat.control.audit_tables.AuditEvent`; nothing else changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Connection, Text, cast, column, func, insert, inspect, select, table, text
from sqlalchemy import Table as SqlTable

from leat.control.engine import connect_control, open_control, use_wal, writing
from leat.control.migrations import HEAD, read_revision
from leat.control.new_store import create_newest
from leat.control.tables import Table
from leat.warehouse.session import WarehouseError

_CHUNK = 500
_OF_A_DATABASE = {("audit_event", "transaction_id")}
"""What isn't the same in both."""


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """A table that was copied: its name, its rows, and the checksum that both sides have."""

    table: str
    rows: int
    checksum: str


def copy_control(
    source_url: str, target_url: str, observer: Callable[[CopiedTable], None] = lambda _: None
) -> list[CopiedTable]:
    """Copy a control store to an empty database; nobody writes the old one meanwhile, and it isn't changed.

    Args:
        source_url: the old store, which is brought to the newest schema first.
        target_url: the new one.
        observer: called for each table.

    Raises:
        WarehouseError: the new one isn't empty, can't be opened, or differs.
    """
    old, new = open_control(source_url), connect_control(target_url)
    try:
        if new.dialect.name == "sqlite":
            use_wal(new)
        with writing(old) as reading, writing(new, durable=True) as session:
            source, target = reading.connection(), session.connection()
            if inspect(target).get_table_names():
                msg = (
                    "the new control store isn't empty, and leat overwrites nothing. Next: give an empty database; if "
                    "an earlier move has ended, set LEAT_CONTROL"
                )
                raise WarehouseError(msg)
            revision = read_revision(source)
            if revision != HEAD:
                msg = (
                    f"a newer leat has added tables ({revision}), which this one can't copy. Next: move with that leat"
                )
                raise WarehouseError(msg)
            tables = Table.metadata.sorted_tables
            if source.dialect.name == "postgresql":
                listed = ", ".join(f'"{each.name}"' for each in tables)
                source.execute(text(f"LOCK TABLE {listed} IN SHARE MODE"))
            create_newest(target, HEAD)
            target.execute(text("DELETE FROM audit_key"))
            return [_copy(source, target, each, observer) for each in tables]
    finally:
        old.dispose()
        new.dispose()


def _copy(
    source: Connection, target: Connection, declared: SqlTable, observer: Callable[[CopiedTable], None]
) -> CopiedTable:
    rows = list(_rows(source, declared))
    plain = table(declared.name, *(column(each.name, _type(each)) for each in declared.columns))
    for part in _in_order(declared, rows):
        for start in range(0, len(part), _CHUNK):
            target.execute(insert(plain), [_fitting(declared, row) for row in part[start : start + _CHUNK]])
    if target.dialect.name == "postgresql":
        _set_sequence(target, declared)
    before, after = _digest(declared, iter(rows)), _digest(declared, _rows(target, declared))
    if before != after:
        msg = f"{declared.name} differs after it was copied. Nothing was moved. Next: report this"
        raise WarehouseError(msg)
    copied = CopiedTable(declared.name, *after)
    observer(copied)
    return copied


def _type(declared: Any) -> Any:
    return Text() if isinstance(declared.type, JSON) else declared.type


def _rows(connection: Connection, declared: SqlTable) -> Iterator[dict[str, Any]]:
    columns = (cast(each, Text).label(each.name) if isinstance(each.type, JSON) else each for each in declared.columns)
    query = select(*columns).order_by(*declared.primary_key.columns)
    yield from (dict(row) for row in connection.execute(query).mappings())


def _fitting(declared: SqlTable, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the audit log that the new database can seal: 0 is before all of its transactions."""
    own = {name: 0 for name in row if (declared.name, name) in _OF_A_DATABASE}
    return row | own


def _in_order(declared: SqlTable, rows: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield rows so that those which others of the same table refer to come before them."""
    refers = [each.name for each in declared.columns if any(key.column.table is declared for key in each.foreign_keys)]
    if not refers:
        yield list(rows)
        return
    (key,) = declared.primary_key.columns
    there: set[Any] = set()
    left = list(rows)
    while left:
        part = [row for row in left if all(row[name] is None or row[name] in there for name in refers)]
        yield part or left  # a circle, which the database refuses
        there.update(row[key.name] for row in part)
        left = [row for row in left if row[key.name] not in there] if part else []


def _set_sequence(connection: Connection, declared: SqlTable) -> None:
    for each in declared.primary_key.columns:
        sequence = connection.scalar(select(func.pg_get_serial_sequence(declared.name, each.name)))
        if sequence is not None:
            highest = connection.scalar(select(func.max(each)))
            if highest is not None:
                connection.execute(select(func.setval(sequence, highest)))


def _digest(declared: SqlTable, rows: Iterator[dict[str, Any]]) -> tuple[int, str]:
    """Return how many rows there are, and a checksum over them, in any order."""
    count, total = 0, 0
    for row in rows:
        values = [value for name, value in row.items() if (declared.name, name) not in _OF_A_DATABASE]
        total += int.from_bytes(hashlib.sha256(repr(values).encode("utf-8", "surrogatepass")).digest(), "big")
        count += 1
    return count, f"{total % 2**256:064x}"[:32]
