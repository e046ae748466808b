"""Secrets in the control store, each encrypted with a data key: those that people set, and those that leat made.

The names of the latter begin with ``@``. Whoever reads one gives it to :func:`leat.sources.settings.remember_secret`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leat.control.actor import current_actor
from leat.control.audit_events import note
from leat.control.engine import writing
from leat.control.key_tables import StoredSecret
from leat.control.keys.ciphertext import decrypt, encrypt, place_of
from leat.control.keys.locks import alone
from leat.control.keys.problem import KeyProblem
from leat.control.keys.tree import Keys, Purpose

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")
"""Names that people may give."""
_OWN = "@"
SecretEvent = Literal["secret.set", "secret.rotated", "secret.moved", "secret.renewed"]


@dataclass(frozen=True, slots=True)
class SecretRow:
    """A secret without its value."""

    name: str
    created_at: datetime
    changed_at: datetime
    changed_by: str

    @property
    def is_own(self) -> bool:
        """Whether leat made it."""
        return self.name.startswith(_OWN)


@dataclass(frozen=True, slots=True)
class SecretStore:
    """The secrets of a control store.

    Attributes:
        keys: what they are encrypted with.
    """

    keys: Keys

    def read(self, name: str) -> str | None:
        """Return a secret; None if there is none of this name.

        Raises:
            KeyProblem: it can't be decrypted.
        """
        try:
            return self._read(name)
        except KeyProblem:
            return self._read(name)  # meanwhile it was encrypted again, and its old key retired

    def _read(self, name: str) -> str | None:
        with Session(self.keys.engine) as session:
            value = session.scalar(select(StoredSecret.value).filter_by(name=name))
        return None if value is None else decrypt(self.keys.by_kid, value, _place(name)).decode()

    def write(self, name: str, value: str, event: SecretEvent = "secret.set", purpose: Purpose = "secrets") -> None:
        """Store a secret, durably, in place of the one of this name.

        Args:
            name: its name.
            value: the secret.
            event: what the audit log calls it.
            purpose: whose data key encrypts it.

        Raises:
            KeyProblem: the key-encryption key isn't there, or isn't the right one.
        """
        with writing(self.keys.engine, durable=True) as session:
            self._write(session, name, value, event, purpose)

    def make(self, name: str, value: str, event: SecretEvent = "secret.set", purpose: Purpose = "secrets") -> str:
        """Store a secret if there is none of this name, and return the one that is there; the first process wins.

        Raises:
            KeyProblem: it can't be decrypted, or the key-encryption key isn't the right one.
        """
        there = self.read(name)
        if there is not None:
            return there
        with writing(self.keys.engine, durable=True) as session:
            self.keys.lock(session)
            if session.get(StoredSecret, name) is None:
                self._write(session, name, value, event, purpose)
                return value
        return str(self.read(name))

    def _write(self, session: Session, name: str, value: str, event: SecretEvent, purpose: Purpose) -> None:
        key, now = self.keys.for_writing(session, purpose), datetime.now(UTC)
        row = session.get(StoredSecret, name)
        if row is None:
            row = StoredSecret(name=name, created_at=now)
            session.add(row)
        row.purpose, row.kid, row.value = purpose, key.kid, encrypt(key, value.encode(), _place(name))
        row.changed_at, row.changed_by = now, current_actor().name
        session.flush()
        note(session, event, {"secret": name, "key": key.kid})

    def remove(self, name: str) -> bool:
        """Remove a secret; return whether there was one."""
        with writing(self.keys.engine, durable=True) as session:
            row = session.get(StoredSecret, name)
            if row is not None:
                session.delete(row)
                note(session, "secret.removed", {"secret": name})
        return row is not None

    def has(self, name: str) -> bool:
        """Return whether there is a secret of this name; nothing is decrypted."""
        with Session(self.keys.engine) as session:
            return session.scalar(select(StoredSecret.name).filter_by(name=name)) is not None

    def rows(self) -> list[SecretRow]:
        """Return all secrets by name, without their values."""
        columns = (StoredSecret.name, StoredSecret.created_at, StoredSecret.changed_at, StoredSecret.changed_by)
        with Session(self.keys.engine) as session:
            return [SecretRow(*row) for row in session.execute(select(*columns).order_by(StoredSecret.name))]

    def note_use(self, name: str, user: str) -> None:
        """Add to the audit log that an integration or a part of leat reads a secret."""
        with writing(self.keys.engine) as session:
            note(session, "secret.used", {"secret": name, "for": user})

    def using_alone(self, name: str) -> AbstractContextManager[None]:
        """Let nobody else use a secret in the block who asks for the same: one that is good for one use only."""
        return alone(self.keys.engine, f"secret-{hashlib.sha256(name.encode()).hexdigest()[:16]}")


@dataclass(frozen=True, slots=True)
class SecretsPlace:
    """The secrets as a place with encrypted values, see :class:`leat.control.keys.rotation.Place`."""

    keys: Keys
    name: str = "secrets of the control store"

    def count(self, kids: Collection[str]) -> int:
        """Return how many secrets are encrypted with one of these keys."""
        with Session(self.keys.engine) as session:
            wanted = select(func.count()).select_from(StoredSecret).where(StoredSecret.kid.in_(kids))
            return session.scalar(wanted) or 0

    def reencrypt(self, kids: Collection[str], limit: int) -> int:
        """Encrypt up to so many of them with the current keys."""
        wanted = select(StoredSecret).where(StoredSecret.kid.in_(kids)).order_by(StoredSecret.name).limit(limit)
        with writing(self.keys.engine, durable=True) as session:
            rows = session.scalars(wanted.with_for_update()).all()
            for row in rows:
                plain = decrypt(self.keys.by_kid, row.value, _place(row.name))
                key = self.keys.for_writing(session, row.purpose)  # type: ignore[arg-type]
                row.value, row.kid = encrypt(key, plain, _place(row.name)), key.kid
            return len(rows)


def _place(name: str) -> bytes:
    return place_of("stored_secret", "value", name)
