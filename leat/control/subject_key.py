"""The key of the hashes that represent people in the control store, and the hash of an identity."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from leat.control.subject_tables import SubjectKey
from leat.sources.identity import Identity
from leat.sources.tombstones import digest, scope_of


def key_of(session: Session) -> bytes:
    """Return the key of the hashes of people, made where there is none, in a transaction that writes."""
    secret = session.scalar(select(SubjectKey.secret))
    if secret is None:
        secret = secrets.token_hex(32)
        session.add(SubjectKey(id=1, secret=secret))
        session.flush()
    return bytes.fromhex(secret)


def digest_of(key: bytes, identity: Identity) -> str:
    """Return the keyed hash that represents an identity."""
    kind, integration, value = identity
    return digest(key, kind, scope_of(kind, integration), value)


def identities_in(value: Iterable[Sequence[str]] | None) -> tuple[Identity, ...]:
    """Return identities out of a column of JSON."""
    return tuple((kind, integration, text) for kind, integration, text in value or ())
