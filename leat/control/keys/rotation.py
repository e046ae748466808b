"""Replaces keys: data keys by new ones, the key-encryption key by another, and everything encrypted with old keys.

Each step can be killed at any moment and repeated. Encrypting again goes on while others read and write: a value is
replaced in one transaction, and a key is retired when nothing is encrypted with it and nobody holds it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from leat.control.audit_events import note
from leat.control.engine import writing
from leat.control.key_tables import DataKeyRow, PersonKey, StoredSecret
from leat.control.keys.locks import alone
from leat.control.keys.tree import CURRENT, OLD, RETIRED, Keys, context_of, live_rows
from leat.warehouse.session import Busy

_WAIT = 10.0
"""Seconds to wait for another rotation, and for whoever holds an old key."""


class Place(Protocol):
    """A place that has encrypted values: a table of the control store, columns of the warehouse, a file."""

    @property
    def name(self) -> str:
        """How messages call it."""

    def count(self, kids: Collection[str]) -> int:
        """Return how many values there are encrypted with one of these keys, as committed by now."""

    def reencrypt(self, kids: Collection[str], limit: int) -> int:
        """Encrypt up to so many of these values with the current key, and return how many; 0 when none is left.

        It commits what it returns, leaves a value alone that somebody else has changed meanwhile, and can be killed.
        """


@dataclass(frozen=True, slots=True)
class Reencrypted:
    """What :func:`reencrypt` did.

    Attributes:
        values: how many values were encrypted again, by place.
        retired: the keys that are retired now.
        in_use: the old keys that aren't, and why.
    """

    values: dict[str, int]
    retired: Sequence[str]
    in_use: dict[str, str]


def rotate(keys: Keys, now: datetime | None = None) -> list[DataKeyRow]:
    """Replace each current data key by a new one, those of single people too, and return the new ones.

    Old ones still decrypt.

    Raises:
        KeyProblem: the key-encryption key isn't there, or isn't the right one.
    """
    now = now or datetime.now(UTC)
    with writing(keys.engine, durable=True) as session:
        keys.lock(session)
        replaced = [row for row in live_rows(session) if row.state == CURRENT]
        for row in replaced:
            row.state, row.replaced_at = OLD, now
        new = [keys.add(session, row.purpose, row.subject, now) for row in replaced]  # type: ignore[arg-type]
        note(session, "key.rotated", {"keys": {old.kid: each.kid for old, each in zip(replaced, new, strict=True)}})
        session.flush()
        session.expunge_all()
    return new


def rewrap(keys: Keys) -> list[DataKeyRow]:
    """Wrap every data key under a new key-encryption key, or by a provider that is new; return them.

    Raises:
        KeyProblem: leat can't make a new one there, or the old one isn't the right one.
        Busy: another process does the same.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(alone(keys.engine, "kek", _WAIT))
        _settle(keys)
        renewed = contextlib.nullcontext(keys.provider) if keys.previous is not None else keys.provider.renewed()
        target = stack.enter_context(renewed)
        session = stack.enter_context(writing(keys.engine, durable=True))
        keys.lock(session)
        rows, before = live_rows(session), set[str]()
        for row in rows:
            secret = keys.unwrapped(row)
            before.add(row.kek)
            wrapped = target.wrap(secret, context_of(row))
            row.kek, row.wrapped = wrapped.kek, wrapped.text
        after = sorted({row.kek for row in rows})
        note(session, "key.rewrapped", {"keys": len(rows), "before": sorted(before), "after": after})
        erase_for_good(session)
        session.flush()
        session.expunge_all()
    shorten_log(keys.engine)
    return rows


def _settle(keys: Keys) -> None:
    """Finish what a process that was killed has begun: a new key that wraps already takes the place of the old one."""
    with writing(keys.engine) as session:
        keys.lock(session)
        keys.refuse_unknown(live_rows(session))


def reencrypt(
    keys: Keys,
    places: Sequence[Place],
    batch: int = 200,
    progress: Callable[[str, int], None] = lambda _place, _count: None,
    wait: float = _WAIT,
) -> Reencrypted:
    """Encrypt everything with the current keys that is encrypted with old ones, then retire those.

    Args:
        keys: the keys.
        places: everywhere that encrypted values are: a key is retired when none of them has any.
        batch: how many values one transaction takes.
        progress: called with a place and how many values were encrypted again since the last call.
        wait: seconds to wait for whoever holds an old key.

    Raises:
        KeyProblem: the key-encryption key isn't there, or isn't the right one.
    """
    with Session(keys.engine) as session:
        old = [row.kid for row in live_rows(session) if row.state == OLD]
    values = {place.name: _pass(place, old, batch, progress) for place in places} if old else {}
    retired, in_use = list[str](), dict[str, str]()
    for kid in old:
        reason = _retire(keys, places, kid, batch, wait)
        if reason is None:
            retired.append(kid)
        else:
            in_use[kid] = reason
    if retired:
        shorten_log(keys.engine)
    return Reencrypted(values, retired, in_use)


def _pass(place: Place, kids: Collection[str], batch: int, progress: Callable[[str, int], None]) -> int:
    total = 0
    while count := place.reencrypt(kids, batch):
        total += count
        progress(place.name, count)
    return total


def _retire(keys: Keys, places: Sequence[Place], kid: str, batch: int, wait: float) -> str | None:
    """Retire a key; returns None, or why it is still in use."""
    try:
        with alone(keys.engine, kid, wait):  # whoever holds it may write until now
            for place in places:
                _pass(place, [kid], batch, lambda _place, _count: None)
            return _retire_unused(keys, places, kid)
    except Busy:
        return "a load or another process holds it"


def _retire_unused(keys: Keys, places: Sequence[Place], kid: str) -> str | None:
    """Retire a key that nobody holds, if no place has a value of it.

    Places are asked before the transaction, for that may take long, and on SQLite all others would wait. Nothing can
    come to them meanwhile but in a transaction of the control store, whose rows are therefore counted again.
    """
    for place in places:
        if left := place.count([kid]):
            return f"{left} values are left in {place.name}"
    with writing(keys.engine, durable=True) as session:
        row = session.scalar(select(DataKeyRow).filter_by(kid=kid).with_for_update())  # writers have ended by now
        if row is None or row.state != OLD:
            return None
        if late := session.scalar(select(func.count()).select_from(StoredSecret).filter_by(kid=kid)):
            return f"{late} secrets were stored meanwhile"
        if late := session.scalar(select(func.count()).select_from(PersonKey).filter_by(wrapped_by=kid)):
            return f"{late} keys of people were stored meanwhile"
        erase_for_good(session)
        row.state, row.wrapped, row.retired_at = RETIRED, None, datetime.now(UTC)
        note(session, "key.retired", {"purpose": row.purpose, "key": kid})
        session.flush()
    return None


def erase_for_good(session: Session) -> None:
    """Let SQLite overwrite what this transaction deletes and replaces; Postgres has no such thing."""
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("PRAGMA secure_delete = on"))


def shorten_log(engine: Engine) -> None:
    """Empty SQLite's log, which has the pages as they were; a reader may prevent that, and then the next does it."""
    if engine.dialect.name == "sqlite":
        raw = engine.raw_connection()  # within a transaction it would be refused
        try:
            raw.cursor().execute("PRAGMA wal_checkpoint(truncate)")
        finally:
            raw.close()
