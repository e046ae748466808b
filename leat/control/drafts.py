"""Drafts of declarations that all servers see: encrypted rows, removed hours after somebody last looked at them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from leat.control.draft_tables import Draft as Row
from leat.control.engine import writing

_MOST = 100
_RETAINED = timedelta(hours=4)
_SEEN = timedelta(minutes=10)
"""A look at a draft is written down so much later than the last one that was."""
_TRIED = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class StoredDraft:
    """What is stored of a draft, and whether the server that tries it still does."""

    content: bytes
    is_tried: bool


def write_draft(engine: Engine, name: str, content: bytes, *, is_tried: bool) -> None:
    """Write a draft, in place of what was written of it before.

    Args:
        engine: the control store.
        name: a hash of its id.
        content: the draft, encrypted.
        is_tried: whether a server tries it, and writes it again within a minute.
    """
    now = datetime.now(UTC)
    with writing(engine) as session:
        session.merge(Row(name=name, content=content, seen_at=now, tried_until=now + _TRIED if is_tried else None))


def read_draft(engine: Engine, name: str) -> StoredDraft | None:
    """Return a draft; None if there is none."""
    now = datetime.now(UTC)
    with Session(engine) as session:
        row = session.get(Row, name)
        if row is None or row.seen_at < now - _RETAINED:
            return None
        stored = StoredDraft(row.content, row.tried_until is not None and row.tried_until > now)
        seen_at = row.seen_at
    if seen_at < now - _SEEN:
        with writing(engine) as session:
            again = session.get(Row, name)
            if again is not None:
                again.seen_at = now
    return stored


def remove_draft(engine: Engine, name: str) -> None:
    """Remove a draft, if it is there."""
    with writing(engine) as session:
        session.execute(delete(Row).where(Row.name == name))


def remove_old(engine: Engine) -> None:
    """Remove what nobody has looked at for hours, and all but the newest hundred."""
    newest = select(Row.name).order_by(Row.seen_at.desc()).limit(_MOST).scalar_subquery()
    with writing(engine) as session:
        session.execute(delete(Row).where(Row.seen_at < datetime.now(UTC) - _RETAINED))
        session.execute(delete(Row).where(Row.name.not_in(newest)))
