"""The verdict on what was written, in the writer's own file: of exactly the loads and models that were judged.

A load that another process applies, or a model that it rebuilds, makes it the verdict on an earlier version; what isn't
judged isn't published.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from leat.pipelines.load import state
from leat.warehouse.session import Session


def version_of(session: Session) -> str:
    """Return what identifies the version of streams and models in this transaction."""
    loads, newest = session.execute("SELECT count(*), max(load_id) FROM leat.loads")[0]
    models = session.execute("SELECT model, fingerprint FROM leat.models ORDER BY model")
    return f"{loads} {newest} {hashlib.sha256(repr([tuple(row) for row in models]).encode()).hexdigest()}"


def note_verdict(session: Session, *, passed: bool, now: datetime) -> None:
    """Note, in the open transaction, whether readers may have what is in it."""
    state.create_tables(session)
    session.execute("DELETE FROM leat.verdicts")
    state.insert(session, "verdicts", [(version_of(session), passed, now)])


def may_be_published(session: Session) -> bool:
    """Return whether exactly what is written was judged and passed."""
    if not session.columns(state.SCHEMA, "verdicts"):
        return False
    return session.execute("SELECT version, passed FROM leat.verdicts") == [(version_of(session), True)]
