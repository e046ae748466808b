"""Data keys: each purpose has a current one, which is made at its first use and wrapped under the key-encryption key.

Whoever encrypts does it with a key that can't be retired meanwhile: within a transaction of the control store by
:meth:`Keys.for_writing`, elsewhere while :meth:`Keys.hold` holds it.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, get_args

from sqlalchemy import Engine, Select, select, text
from sqlalchemy.orm import Session

from leat.control.audit_events import note
from leat.control.engine import writing
from leat.control.key_tables import DataKeyRow
from leat.control.keys.locks import sharing
from leat.control.keys.problem import KeyProblem
from leat.control.keys.provider import Provider, Wrapped
from leat.warehouse.locks import advisory_key

Purpose = Literal["secrets", "pii", "warehouse", "audit"]
"""What a data key is for: secrets in the control store, personal data in columns, the warehouse's file, the key that
signs checkpoints of the audit log."""
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
CURRENT, OLD, RETIRED = "current", "old", "retired"
_BYTES = 32


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data key.

    Attributes:
        kid: what identifies it, also in what it encrypts.
        secret: 256 random bits.
    """

    kid: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keys:
    """The data keys of a control store; :func:`open_keys` gives them. Safe to use from several threads.

    Attributes:
        engine: the control store.
        provider: wraps data keys.
        previous: still unwraps those that it wrapped, until all are wrapped by the other.
    """

    engine: Engine
    provider: Provider
    previous: Provider | None = None
    _opened: dict[str, DataKey] = field(default_factory=dict, repr=False)

    def data_key(self, purpose: Purpose, subject: str = "") -> DataKey:
        """Return the current key of a purpose, made where there is none; to encrypt, see :meth:`hold`.

        Args:
            purpose: what it is for.
            subject: whose values it encrypts; empty for everybody's.

        Raises:
            KeyProblem: the key-encryption key isn't there, or isn't the right one.
        """
        with Session(self.engine) as session:
            row = session.scalar(_current(purpose, subject))
        if row is None:
            with writing(self.engine, durable=True) as session:
                return self.for_writing(session, purpose, subject)
        return self.opened(row)

    def for_writing(self, session: Session, purpose: Purpose, subject: str = "") -> DataKey:
        """Return the current key to encrypt what a transaction writes: it isn't retired before that ends.

        Args:
            session: of :func:`leat.control.engine.writing`.
            purpose: what it is for.
            subject: whose values it encrypts; empty for everybody's.

        Raises:
            KeyProblem: the key-encryption key isn't there, or isn't the right one.
        """
        row = session.scalar(_current(purpose, subject).with_for_update(read=True))
        if row is None:
            self.lock(session)
            row = session.scalar(_current(purpose, subject).with_for_update(read=True))  # it may be rotated just now
            row = row or self.add(session, purpose, subject)
        return self.opened(row)

    def live(self, purpose: Purpose, subject: str = "") -> list[DataKey]:
        """Return the keys of a purpose that decrypt, the current one first; that one is made where there is none.

        Raises:
            KeyProblem: the key-encryption key isn't there, or isn't the right one.
        """
        current = self.data_key(purpose, subject)
        with Session(self.engine) as session:
            rows = [row for row in live_rows(session) if (row.purpose, row.subject) == (purpose, subject)]
        return [current, *(self.opened(row) for row in rows if row.kid != current.kid)]

    @contextlib.contextmanager
    def hold(self, purpose: Purpose, subject: str = "") -> Iterator[DataKey]:
        """Give the current key to encrypt what isn't in the control store: it isn't retired before the block ends.

        A load may hold it for hours. A process that is killed holds nothing any more.

        Raises:
            KeyProblem: the key-encryption key isn't there, or isn't the right one.
        """
        while True:
            key = self.data_key(purpose, subject)
            with sharing(self.engine, key.kid):
                if self._state(key.kid) != RETIRED:
                    yield key
                    return

    def by_kid(self, kid: str) -> DataKey:
        """Return the key that a value was encrypted with.

        Raises:
            KeyProblem: it is retired or not there, or the key-encryption key isn't the right one.
        """
        there = self._opened.get(kid)
        if there is not None:
            return there
        with Session(self.engine) as session:
            row = session.get(DataKeyRow, kid)
        if row is None:
            got = f"the control store has no data key {kid[:64]}"
            raise KeyProblem(got, "use the control store that the value was encrypted with, or set it again")
        if row.wrapped is None:
            got = f"the data key {kid} is retired, so that nobody can decrypt with it"
            raise KeyProblem(got, "set the value again")
        return self.opened(row)

    def check(self) -> None:
        """See that every data key can be unwrapped; nothing is made.

        Raises:
            KeyProblem: the key-encryption key isn't there, or isn't the right one.
        """
        with Session(self.engine) as session:
            rows = live_rows(session)
        for row in rows:
            self.opened(row)

    def opened(self, row: DataKeyRow) -> DataKey:
        """Return the key of a row that has one; the row may have been wrapped again since it was read."""
        if row.kid not in self._opened:
            try:
                secret = self.unwrapped(row)
            except KeyProblem:
                with Session(self.engine) as session:
                    fresh = session.get(DataKeyRow, row.kid)
                if fresh is None or fresh.wrapped is None or fresh.kek == row.kek:
                    raise
                secret = self.unwrapped(fresh)
            self._opened[row.kid] = DataKey(row.kid, secret)
        return self._opened[row.kid]

    def unwrapped(self, row: DataKeyRow) -> bytes:
        """Return the bytes of a row that has some; this asks the provider, or the previous one."""
        self.refuse_unknown([row])
        wrapped, refused = Wrapped(row.kek, str(row.wrapped)), list[KeyProblem]()
        for provider in (self.provider, self.previous):
            if provider is not None and provider.knows(row.kek):
                try:
                    return provider.unwrap(wrapped, context_of(row))
                except KeyProblem as problem:
                    refused.append(problem)
        raise refused[0]

    def lock(self, session: Session) -> None:
        """Let this transaction alone make and wrap keys until it ends; SQLite's has the lock from its start."""
        if self.engine.dialect.name == "postgresql":
            session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": advisory_key("key", "data keys")})

    def add(self, session: Session, purpose: Purpose, subject: str, now: datetime | None = None) -> DataKeyRow:
        """Make a current key in a transaction that has the lock."""
        self.refuse_unknown(live_rows(session))
        secret, now = secrets.token_bytes(_BYTES), now or datetime.now(UTC)
        row = DataKeyRow(kid=secrets.token_hex(8), purpose=purpose, subject=subject, state=CURRENT, created_at=now)
        wrapped = self.provider.wrap(secret, context_of(row))
        row.kek, row.wrapped = wrapped.kek, wrapped.text
        session.add(row)
        session.flush()
        note(session, "key.created", {"purpose": purpose, "key": row.kid, "kek": row.kek}, now=now)
        return row

    def refuse_unknown(self, rows: Sequence[DataKeyRow]) -> None:
        """Raise if a provider lacks a key that rows are wrapped under; a new one that is in use takes its place."""
        for kek in dict.fromkeys(row.kek for row in rows):
            if self.provider.knows(kek) or (self.previous is not None and self.previous.knows(kek)):
                continue
            got = f"the data keys are wrapped under the key-encryption key {kek}, and {self.provider.where()} isn't it"
            raise KeyProblem(got, _next_step(kek, self.provider))

    def _state(self, kid: str) -> str | None:
        with Session(self.engine) as session:
            return session.scalar(select(DataKeyRow.state).filter_by(kid=kid))


def open_keys(engine: Engine, provider: Provider, previous: Provider | None = None) -> Keys:
    """Return the data keys of a control store; nothing is read or made before one is used.

    Args:
        engine: the control store.
        provider: where the key-encryption key is.
        previous: where it was, while data keys are still wrapped under that.
    """
    return Keys(engine, provider, previous)


def live_rows(session: Session) -> list[DataKeyRow]:
    """Return the keys that aren't retired, the oldest first."""
    wanted = select(DataKeyRow).where(DataKeyRow.state != RETIRED).order_by(DataKeyRow.created_at, DataKeyRow.kid)
    return list(session.scalars(wanted))


def context_of(row: DataKeyRow) -> str:
    """Return what a wrapped key belongs to, without which it can't be unwrapped."""
    return f"{row.purpose}/{row.subject}/{row.kid}" if row.subject else f"{row.purpose}/{row.kid}"


def _next_step(kek: str, provider: Provider) -> str:
    name = kek.partition(":")[0]
    if name == provider.name:
        return "restore the right key there"
    until = "until `leat keys rotate --kek` has wrapped all under the new one"
    return f"declare the provider {name} in policies/ under keys, or under keys.previous {until}"


def _current(purpose: Purpose, subject: str) -> Select[tuple[DataKeyRow]]:
    return select(DataKeyRow).filter_by(purpose=purpose, subject=subject, state=CURRENT)
