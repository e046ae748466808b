"""Whether models and rules are up to date with the loads: a mark written in the transaction that brought them there.

The mark makes a run that finds nothing new cheap, and lets a run that follows a kill between a load and its models
catch up. Rules look at the clock as well (what had an hour to settle, what is stale by now), so that the mark holds for
an hour only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from leat.pipelines.load import state
from leat.pipelines.load.verdict import may_be_published
from leat.warehouse.clock import is_within
from leat.warehouse.session import Session

HOLDS_FOR = timedelta(hours=1)


def files_fingerprint(files: Iterable[Path]) -> str:
    """Return a hash of the names and contents of the files that define models and rules."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def is_refreshed(session: Session, fingerprint: str, now: datetime) -> bool:
    """Return whether models and rules reflect every applied load and these files, and have looked at the clock."""
    if not state.exists(session):
        return True
    if "checked_at" not in session.columns(state.SCHEMA, "refreshed"):  # of an earlier version of leat
        return False
    rows = session.execute("SELECT mark, checked_at FROM leat.refreshed")
    same = [mark for mark, _at in rows] == [_mark(session, fingerprint)]
    return same and is_within(rows[0][1], now, HOLDS_FOR) and may_be_published(session)


def mark_refreshed(session: Session, fingerprint: str, now: datetime) -> None:
    """Note, in the open transaction, that models and rules are up to date at this time, UTC."""
    session.execute("DELETE FROM leat.refreshed")
    state.insert(session, "refreshed", [(_mark(session, fingerprint), now)])


def _mark(session: Session, fingerprint: str) -> str:
    count, newest = session.execute("SELECT count(*), max(load_id) FROM leat.loads")[0]
    return f"{count} {newest} {fingerprint}"
