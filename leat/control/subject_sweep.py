"""Looks for a person in all texts of the control store, and erases them there.

What is written by leat's own tables is replaced in place; accounts, sessions and what people stored for themselves are
deleted with the account. The audit log has no names: only those behind its pseudonyms are removed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Connection, Engine, LargeBinary, String, Text, cast, delete, func, or_, select, text
from sqlalchemy import Table as SqlTable
from sqlalchemy import update as change_rows
from sqlalchemy.orm import Session

from leat.control import new_store  # noqa: F401 - imported so that Table.metadata has all tables
from leat.control.action_history import note_events
from leat.control.action_tables import Action, ActionBody
from leat.control.audit_tables import AuditPerson
from leat.control.engine import writing
from leat.control.security_tables import Person
from leat.control.tables import Table

__all__ = ["Names", "StoredIn", "compact", "erase_stored", "find_stored", "in_flight"]

_NOT_SEARCHED = frozenset(
    {
        "audit_event",
        "audit_key",
        "subject_key",
        "person_key",
        "subject_tombstone",
        "subject_request",
        "subject_hold",
        "action_body",
        "rate_budget",
    }
)
"""They have hashes and pseudonyms, or are handled apart. Holds name people on purpose."""
_SECRET = frozenset({"nonce", "verifier", "redirect"})
_IN_FLIGHT = ("sending", "unknown", "asking")
_WITHDRAWN = ("planned", "held", "approved")


@dataclass(frozen=True, slots=True)
class Names:
    """How a person is recognised and replaced in texts.

    Attributes:
        values: what a text must have one of, lower case.
        in_text: returns a text without the person.
        in_json: returns a JSON value without the person.
        in_bytes: returns whether bytes name the person, however they are encoded.
    """

    values: Sequence[str]
    in_text: Callable[[str], str]
    in_json: Callable[[Any], Any]
    in_bytes: Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class StoredIn:
    """How many rows of a table of the control store name a person in a column."""

    table: str
    column: str
    rows: int


def find_stored(engine: Engine, names: Names) -> list[StoredIn]:
    """Return where the control store names a person."""
    results = []
    with engine.connect() as connection:
        for table, column in _texts():
            values = connection.execute(select(column).where(_names(column, names.values))).scalars()
            number = sum(_says(value, names) for value in values)
            if number:
                results.append(StoredIn(table.name, column.name, number))
        bodies = len(_bodies(connection, names))
    return [*results, StoredIn("action_body", "content", bodies)] if bodies else results


def rows_stored(engine: Engine, names: Names) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of the control store that name a person, with their table; without secrets."""
    with engine.connect() as connection:
        for name in sorted({table.name for table, _ in _texts()}):
            for row in _rows(connection, Table.metadata.tables[name], names):
                yield (
                    name,
                    {
                        key: value
                        for key, value in row._mapping.items()
                        if not isinstance(value, bytes) and not key.endswith("_hash") and key not in _SECRET
                    },
                )


def in_flight(engine: Engine, names: Names) -> list[str]:
    """Return the ids of actions that name a person and may have been sent: nobody may change them now."""
    with engine.connect() as connection:
        return _actions(connection, _IN_FLIGHT, names)


def _rows(connection: Connection, table: SqlTable, names: Names) -> list[Any]:
    """Return the rows of a table that name a person."""
    columns = [column for one, column in _texts() if one is table]
    named = or_(*(_names(each, names.values) for each in columns))
    listed = connection.execute(select(table).where(named))
    return [row for row in listed if any(_says(row._mapping[column.name], names) for column in columns)]


def _actions(connection: Connection, states: Sequence[str], names: Names) -> list[str]:
    actions = _rows(connection, Table.metadata.tables[Action.__tablename__], names)
    return [row.id for row in actions if row.state in states]


def _says(value: Any, names: Names) -> bool:
    """Return whether a value names a person: what has their address in a longer one doesn't."""
    if value is None:
        return False
    return bool((names.in_text(value) if isinstance(value, str) else names.in_json(value)) != value)


def erase_stored(engine: Engine, names: Names, now: datetime) -> list[StoredIn]:
    """Erase a person from the control store in one transaction; return where they were."""
    erased = []
    with writing(engine, durable=True) as session:
        connection = session.connection()
        bodies = _bodies(connection, names)
        if bodies:
            session.execute(delete(ActionBody).where(ActionBody.sha256.in_(bodies)))
            erased.append(StoredIn("action_body", "content", len(bodies)))
        _withdraw(session, names, now)
        for who in (Person, AuditPerson):
            number = _delete_people(session, who, names)
            if number:
                erased.append(StoredIn(who.__tablename__, "", number))
        for table, column in _texts():
            number = _replace(connection, table, column, names)
            if number:
                erased.append(StoredIn(table.name, column.name, number))
    return erased


def compact(engine: Engine) -> None:
    """Let the files of the control store have nothing of rows that were deleted or changed.

    On Postgres each table is rewritten; what its write-ahead log has stays there until the server removes it.
    """
    names = [f'"{name}"' for name in sorted(Table.metadata.tables)]
    with engine.connect() as connection:
        alone = connection.execution_options(isolation_level="AUTOCOMMIT")
        if engine.dialect.name == "postgresql":
            for name in names:
                alone.execute(text(f"VACUUM (FULL, ANALYZE) {name}"))
            return
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        raw.close()


def _texts() -> Iterator[tuple[SqlTable, Any]]:
    """Yield the columns that hold texts or JSON, with their table."""
    for name, table in sorted(Table.metadata.tables.items()):
        if name in _NOT_SEARCHED:
            continue
        for column in table.columns:
            if isinstance(column.type, String | Text | JSON) and not isinstance(column.type, LargeBinary):
                yield table, column


def _names(column: Any, values: Sequence[str]) -> Any:
    """Return the condition that a column has one of the values; JSON may be written with escapes."""
    spelt = [spelling for value in values for spelling in dict.fromkeys((value, json.dumps(value)[1:-1].lower()))]
    return or_(*(func.lower(cast(column, Text)).contains(each, autoescape=True) for each in spelt))


def _bodies(connection: Connection, names: Names) -> list[str]:
    rows = connection.execute(select(ActionBody.sha256, ActionBody.content))
    return [sha256 for sha256, content in rows if names.in_bytes(content)]


def _withdraw(session: Session, names: Names, now: datetime) -> None:
    """Withdraw actions that name the person and wait: what they would send is no longer there."""
    ids = _actions(session.connection(), _WITHDRAWN, names)
    if ids:
        session.execute(
            change_rows(Action).where(Action.id.in_(ids)).values(state="cancelled", ended_at=now, updated_at=now)
        )
        why = "somebody whom it names was erased"
        note_events(session, [(each, "cancelled", why) for each in ids], now, dict.fromkeys(ids, "leat"))


def _delete_people(session: Session, who: Any, names: Names) -> int:
    columns: Mapping[str, Any] = who.__table__.columns
    named = or_(*(_names(each, names.values) for each in columns.values() if isinstance(each.type, String | Text)))
    key = next(iter(who.__table__.primary_key))
    if who is AuditPerson:  # the log names people by their id as well
        listed = session.execute(select(who.__table__).where(named))
        ids = [row.pseudonym for row in listed if names.in_text(row.name) != row.name]
    else:
        ids = [row.id for row in session.execute(select(who.__table__).where(named)) if _is_the_person(row, names)]
    if ids:
        session.execute(delete(who).where(key.in_(ids)))
    return len(ids)


def _is_the_person(row: Any, names: Names) -> bool:
    return any(value and names.in_text(str(value)) != str(value) for value in (row.email, row.subject, row.name))


def _replace(connection: Connection, table: SqlTable, column: Any, names: Names) -> int:
    """Replace the person in a column; returns in how many rows."""
    keys = list(table.primary_key.columns)
    rows = list(connection.execute(select(*keys, column.label("_value")).where(_names(column, names.values))))
    changed = 0
    for row in rows:
        before = row[-1]
        after = names.in_text(before) if isinstance(before, str) else names.in_json(before)
        if after == before:
            continue
        length = getattr(column.type, "length", None)
        if length is not None and isinstance(after, str):
            after = after[:length]
        same = [key == value for key, value in zip(keys, row[:-1], strict=True)]
        connection.execute(change_rows(table).where(*same).values({column.name: after}))
        changed += 1
    return changed


def rename_violations(engine: Engine, keys: Mapping[str, str]) -> None:
    """Let actions and alerts name violations by their new keys; a key is made of values that were replaced."""
    with writing(engine) as session:
        for table, column in _texts():
            if not table.name.startswith(("action", "alert")) or isinstance(column.type, JSON):
                continue
            for old, new in keys.items():
                session.execute(
                    change_rows(table).where(column.contains(old)).values({column.name: func.replace(column, old, new)})
                )
