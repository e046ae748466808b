"""Keys of people: what is encrypted with one can't be decrypted by anybody once it is destroyed, also not in a backup.

A person has a key for each identity that rows name them by. It is encrypted with the data key of personal data, so the
key-encryption key is asked once, however many people there are.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Engine, Select, func, insert, select, update
from sqlalchemy.orm import Session

from leat.control.audit_events import note
from leat.control.engine import writing
from leat.control.key_tables import PersonKey
from leat.control.keys.ciphertext import decrypt, encrypt, place_of
from leat.control.keys.problem import KeyProblem
from leat.control.keys.rotation import erase_for_good, shorten_log
from leat.control.keys.tree import DataKey, Keys
from leat.control.subject_key import digest_of, key_of
from leat.control.subject_tables import SubjectKey
from leat.sources.identity import Identity

_CHUNK = 500
_FRESH = 1.0
"""Seconds for which keys that were read count as there; nobody can see a destroyed one for longer."""
_PURPOSE: Final = "pii"


@dataclass(frozen=True, slots=True)
class PeopleKeys:
    """The keys of people in a control store.

    Attributes:
        keys: those that wrap them.
        prefix: so begin their ids, so that a ciphertext shows that its key is a person's.
    """

    keys: Keys
    prefix: str
    _read: dict[str, str | None] = field(default_factory=dict, repr=False)
    _until: list[float] = field(default_factory=lambda: [0.0], repr=False)

    def of(self, identities: Sequence[Identity], *, make: bool = True) -> dict[Identity, DataKey]:
        """Return the key of each identity, made where there is none.

        Args:
            identities: of people.
            make: whether new keys are stored; otherwise they are forgotten with the result.

        Raises:
            KeyProblem: the key-encryption key isn't there, or isn't the right one.
        """
        there = self._stored(identities)
        missing = [each for each in identities if each not in there]
        if not missing:
            return there
        if not make:
            return there | {each: self._random() for each in missing}
        with writing(self.keys.engine, durable=True) as session:
            self.keys.lock(session)
            key, wrapping = key_of(session), self.keys.for_writing(session, _PURPOSE)
            digests = {each: digest_of(key, each) for each in missing}
            by_digest = self._there(session, digests.values())
            by_digest |= self._add(session, sorted({*digests.values()} - by_digest.keys()), wrapping)
        return there | {each: by_digest[digest] for each, digest in digests.items()}

    def find(self, kid: str) -> DataKey | None:
        """Return the key of an id; None if it was destroyed.

        Raises:
            KeyProblem: there has never been one, or what it is wrapped under is missing.
        """
        if kid not in self._read or time.monotonic() > self._until[0]:
            with Session(self.keys.engine) as session:  # one question for all: an answer may have thousands of people
                rows = session.execute(select(PersonKey.kid, PersonKey.wrapped)).all()
            self._read.clear()
            self._read.update((row.kid, row.wrapped) for row in rows)
            self._until[0] = time.monotonic() + _FRESH
        if kid not in self._read:
            got = f"the control store has no key {kid[:64]} of a person"
            raise KeyProblem(got, "use the control store that the value was encrypted with, or load the stream again")
        wrapped = self._read[kid]
        return None if wrapped is None else self._opened(kid, wrapped)

    def _stored(self, identities: Sequence[Identity]) -> dict[Identity, DataKey]:
        with Session(self.keys.engine) as session:
            secret = session.scalar(select(SubjectKey.secret))
            if secret is None:
                return {}
            digests = {each: digest_of(bytes.fromhex(secret), each) for each in identities}
            there = self._there(session, digests.values())
        return {each: there[digest] for each, digest in digests.items() if digest in there}

    def _there(self, session: Session, digests: Iterable[str]) -> dict[str, DataKey]:
        rows = [row for part in _parts(list(digests)) for row in session.execute(_of(part))]
        return {row.digest: self._opened(row.kid, row.wrapped) for row in rows}

    def _opened(self, kid: str, wrapped: str) -> DataKey:
        try:
            return DataKey(kid, decrypt(self.keys.by_kid, wrapped, _place(kid)))
        except KeyProblem:
            with Session(self.keys.engine) as session:  # meanwhile it was encrypted again, and the old key retired
                fresh = session.scalar(select(PersonKey.wrapped).filter_by(kid=kid))
            if fresh is None or fresh == wrapped:
                raise
            return DataKey(kid, decrypt(self.keys.by_kid, fresh, _place(kid)))

    def _add(self, session: Session, digests: Iterable[str], wrapping: DataKey) -> dict[str, DataKey]:
        made = {digest: self._random() for digest in digests}
        now = datetime.now(UTC)
        rows = [
            {"kid": key.kid, "digest": digest, "wrapped_by": wrapping.kid, "created_at": now,
             "wrapped": encrypt(wrapping, key.secret, _place(key.kid))}
            for digest, key in made.items()
        ]  # fmt: skip
        if rows:
            session.execute(insert(PersonKey), rows)
        return made

    def _random(self) -> DataKey:
        return DataKey(self.prefix + secrets.token_hex(8), secrets.token_bytes(32))


def ids_of(engine: Engine, identities: Sequence[Identity]) -> frozenset[str]:
    """Return the ids of the keys of a person."""
    with Session(engine) as session:
        secret = session.scalar(select(SubjectKey.secret))
        digests = [] if secret is None else [digest_of(bytes.fromhex(secret), each) for each in identities]
        return frozenset(row.kid for part in _parts(digests) for row in session.execute(_of(part)))


def destroy_keys(engine: Engine, identities: Sequence[Identity], now: datetime) -> int:
    """Destroy the keys of a person; return how many there were.

    Args:
        engine: the control store.
        identities: all identities of the person.
        now: the time.
    """
    with Session(engine) as session:
        if session.scalar(select(PersonKey.kid).limit(1)) is None:
            return 0
    with writing(engine, durable=True) as session:
        key = key_of(session)
        erase_for_good(session)
        digests = [digest_of(key, each) for each in identities]
        kids = sorted(row.kid for part in _parts(digests) for row in session.execute(_of(part)))
        for part in _parts(kids):
            gone = update(PersonKey).where(PersonKey.kid.in_(part))
            session.execute(gone.values(digest=None, wrapped_by=None, wrapped=None, destroyed_at=now))
        if kids:
            note(session, "key.destroyed", {"keys": kids}, now=now)
    shorten_log(engine)
    return len(kids)


@dataclass(frozen=True, slots=True)
class PeoplePlace:
    """The keys of people as a place with encrypted values, see :class:`leat.control.keys.rotation.Place`."""

    keys: Keys
    name: str = "keys of people"

    def count(self, kids: Collection[str]) -> int:
        """Return how many keys of people are encrypted with one of these keys."""
        with Session(self.keys.engine) as session:
            wanted = select(func.count()).select_from(PersonKey).where(PersonKey.wrapped_by.in_(kids))
            return session.scalar(wanted) or 0

    def reencrypt(self, kids: Collection[str], limit: int) -> int:
        """Encrypt up to so many of them with the current key."""
        wanted = select(PersonKey).where(PersonKey.wrapped_by.in_(kids)).order_by(PersonKey.kid).limit(limit)
        with writing(self.keys.engine, durable=True) as session:
            rows = session.scalars(wanted.with_for_update()).all()
            if not rows:
                return 0
            key = self.keys.for_writing(session, _PURPOSE)
            for row in rows:
                plain = decrypt(self.keys.by_kid, str(row.wrapped), _place(row.kid))
                row.wrapped, row.wrapped_by = encrypt(key, plain, _place(row.kid)), key.kid
            return len(rows)


def _of(digests: Sequence[str]) -> Select[tuple[str, str | None, str | None]]:
    there = PersonKey.digest.in_(digests), PersonKey.wrapped.is_not(None)
    return select(PersonKey.kid, PersonKey.digest, PersonKey.wrapped).where(*there)


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def _place(kid: str) -> bytes:
    return place_of("person_key", "wrapped", kid)
