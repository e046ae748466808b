"""Requests with an Idempotency-Key: one server carries each out, and all give its answer again for a day."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Engine, Insert, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from leat.control.answer_tables import IdempotentAnswer as Row
from leat.control.engine import writing
from leat.warehouse.holder import has_ended, this_process

_RETAINED = timedelta(days=1)
_LONGEST = timedelta(minutes=10)
"""No request takes so long: whoever began it on another machine is gone."""


class UnderWay(Exception):
    """The same request is being carried out."""


class Reused(Exception):
    """The key was used for another request."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An answer that is given again."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry a request out; its name, and who has it."""

    name: str
    holder: str


def claim(engine: Engine, name: str, asked: str) -> Claim | Stored:
    """Claim a request, or return its answer.

    One that was begun by a process that is gone is begun again: nobody can say what became of it.

    Args:
        engine: the control store.
        name: a hash of the caller and the key.
        asked: a hash of the request.

    Raises:
        UnderWay: somebody else carries it out.
        Reused: the key is of another request.
    """
    now, holder = datetime.now(UTC), f"{this_process()} {secrets.token_hex(8)}"
    values = {"name": name, "asked": asked, "holder": holder, "began_at": now}
    with writing(engine) as session:
        session.execute(delete(Row).where(Row.name == name, Row.began_at < now - _RETAINED))
        if session.execute(_new(engine).values(values)).rowcount:  # type: ignore[attr-defined]
            return Claim(name, holder)
        row = session.scalars(select(Row).where(Row.name == name).with_for_update()).one()
        if row.asked != asked:
            raise Reused
        if row.status is not None:
            return Stored(row.status, row.headers or {}, row.body or "")
        began = row.began_at if row.began_at.tzinfo else row.began_at.replace(tzinfo=UTC)
        if not has_ended(row.holder) and began > now - _LONGEST:
            raise UnderWay
        row.holder, row.began_at = holder, now
        return Claim(name, holder)


def _new(engine: Engine) -> Insert:
    """Return the insertion of a claim that leaves another one as it is."""
    new = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
    return new(Row).on_conflict_do_nothing()


def store(engine: Engine, held: Claim, answer: Stored) -> None:
    """Store the answer of a claimed request; it is durable afterwards."""
    values = {"status": answer.status, "headers": dict(answer.headers), "body": answer.body}
    with writing(engine, durable=True) as session:
        session.execute(update(Row).where(*_is(held)).values(values))


def release(engine: Engine, held: Claim) -> None:
    """Give a claim back: the request can be sent again."""
    with writing(engine) as session:
        session.execute(delete(Row).where(*_is(held)))


def remove_old(engine: Engine) -> None:
    """Remove the answers that aren't given again any more."""
    with writing(engine) as session:
        session.execute(delete(Row).where(Row.began_at < datetime.now(UTC) - _RETAINED))


def _is(held: Claim) -> tuple[ColumnElement[bool], ...]:
    return Row.name == held.name, Row.holder == held.holder
