"""Queries that people save under a name."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, delete, func, select
from sqlalchemy.orm import Session

from leat.control.engine import storable, writing
from leat.control.query_tables import SavedQuery as Row

MOST = 200
"""So many queries one person may save."""


class TooManyQueries(Exception):
    """Somebody has saved as many queries as they may."""


@dataclass(frozen=True, slots=True)
class SavedQuery:
    """A saved query; ``owner`` is the id of a person, ``owner_name`` their name."""

    id: str
    owner: str
    owner_name: str
    name: str
    sql: str
    updated_at: datetime


def save_query(engine: Engine, person: str, name: str, sql: str) -> SavedQuery:
    """Save a query of a person, in the place of an earlier one of the same name.

    Raises:
        TooManyQueries: they have as many as they may.
    """
    now = datetime.now(UTC)
    with writing(engine, durable=True) as session:
        row = session.scalars(select(Row).where(Row.person_id == person, Row.name == name)).first()
        if row is None:
            if session.scalars(select(func.count()).select_from(Row).where(Row.person_id == person)).one() >= MOST:
                msg = f"you have saved {MOST} queries"
                raise TooManyQueries(msg)
            row = Row(id=f"query_{secrets.token_hex(16)}", person_id=person, name=storable(name), created_at=now,
                      sql="", updated_at=now)  # fmt: skip
            session.add(row)
        row.sql, row.updated_at = storable(sql), now
        session.flush()
        session.refresh(row)
        return _made(row)


def saved_queries(engine: Engine, person: str) -> list[SavedQuery]:
    """Return the queries of a person by name."""
    with Session(engine) as session:
        return [_made(row) for row in session.scalars(select(Row).where(Row.person_id == person).order_by(Row.name))]


def saved_query(engine: Engine, query_id: str) -> SavedQuery | None:
    """Return a query by its id; None if there is none."""
    with Session(engine) as session:
        row = session.get(Row, query_id)
        return None if row is None else _made(row)


def delete_query(engine: Engine, query_id: str) -> None:
    """Delete a query, if it is there."""
    with writing(engine, durable=True) as session:
        session.execute(delete(Row).where(Row.id == query_id))


def _made(row: Row) -> SavedQuery:
    return SavedQuery(row.id, row.person_id, row.person.name, row.name, row.sql, row.updated_at)
