"""Whether models and rules are up to date with the loads: a mark written in the transaction that brought them there.

The mark makes a run that finds nothing new cheap, and lets a run that follows a kill between a load and its models
catch up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from pipelines import state
from warehouse.session import Session


def files_fingerprint(files: Iterable[Path]) -> str:
    """Return a hash of the names and contents of the files that define models and rules."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def is_derived(session: Session, fingerprint: str) -> bool:
    """Return whether models and rules reflect every applied load and these files."""
    if not state.exists(session):
        return True
    return session.execute("SELECT mark FROM leat.derived") == [(_mark(session, fingerprint),)]


def mark_derived(session: Session, fingerprint: str) -> None:
    """Note, in the open transaction, that models and rules are up to date."""
    session.execute("DELETE FROM leat.derived")
    state.insert(session, "derived", [(_mark(session, fingerprint),)])


def _mark(session: Session, fingerprint: str) -> str:
    count, newest = session.execute("SELECT count(*), max(load_id) FROM leat.loads")[0]
    return f"{count} {newest} {fingerprint}"
