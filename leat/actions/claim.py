"""Takes actions out of the outbox to send them, and deals with what a sender left that died.

An action is claimed, on the disk, before anything is sent. So whoever comes after a crash knows what may have been
sent. Guarded and natural actions are claimed and recorded in groups: what a crash leaves of them can be sent again. Of
the others, a crash must leave one at most.
"""

from __future__ import annotations

import contextlib
import os
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Engine, and_, bindparam, insert, or_, select, update
from sqlalchemy.orm import Session, aliased

from leat.control.action_history import note_events
from leat.control.action_lease import Lease, check_fence, count_claim
from leat.control.action_moves import mark_sending, move
from leat.control.action_tables import Action, ActionAttempt, ActionStop
from leat.control.engine import writing
from leat.control.outbox import OWN, ActionRow, State, read_actions
from leat.files import make_private

GROUP = 50
"""How many guarded or natural actions are claimed at a time."""
_BY = "leat"


def claim(store: Engine, lease: Lease, folder: Path, now: datetime) -> list[ActionRow]:
    """Take the actions that are sent next: a group of those that may be sent again, or a single other one.

    Args:
        store: the control store.
        lease: the right to send.
        folder: private folder of the integration, for what an old backup of the store doesn't know.
        now: the time.

    Raises:
        Fenced: another process has taken over.
    """
    with writing(store, durable=True) as session:
        check_fence(session, lease)
        wanted = {"integration": lease.integration, "now": now, "scopes": list(scopes_of(lease.integration))}
        due = list(session.execute(_DUE, wanted).tuples())
        if due and due[0][1] in ("guarded", "natural"):
            ids = [row_id for row_id, guarantee in due if guarantee in ("guarded", "natural")]
        else:
            ids = [row_id for row_id, _ in due[:1]]
        if not ids:
            return []
        rows = mark_sending(session, ids, lease.fence, now)
        attempts = [{"action_id": row.id, "number": row.attempts, "fence": lease.fence, "sent_at": now} for row in rows]
        session.connection().execute(_ATTEMPTED, attempts)
        note_events(session, [(each, "sending", "") for each in ids], now, dict.fromkeys(ids, _BY))
        lease.claims += 1
        count_claim(session, lease, lease.claims)
        for row in rows:
            sys.audit("leat.action", "claiming", row.id)
    _write_claims(folder, lease.claims)
    return rows


def _due() -> Any:
    """Return the query for what may be sent now, the oldest first: id and guarantee.

    While nobody knows whether an action on a target had its effect, no other one changes that target: what is
    there afterwards could come from either.
    """
    integration: BindParameter[str] = bindparam("integration")
    now: BindParameter[datetime] = bindparam("now")
    before, doubtful = aliased(Action), aliased(Action)
    in_doubt = select(doubtful.id).where(
        doubtful.integration == integration,
        doubtful.state.in_(("sending", "unknown")),
        doubtful.target == Action.target,
        doubtful.id != Action.id,
    )
    stopped = select(ActionStop.scope).where(
        or_(
            ActionStop.scope.in_(bindparam("scopes", expanding=True)),
            ActionStop.scope == "automation/" + Action.automation,
        )
    )
    done = select(before.id).where(before.id == Action.after_id, before.state.in_(("done", "confirmed")))
    return (
        select(Action.id, Action.guarantee)
        .where(
            Action.integration == integration,
            Action.state == "approved",
            Action.next_at <= now,
            Action.expires_at > now,
            or_(Action.after_id.is_(None), done.exists()),
            ~in_doubt.exists(),
            ~stopped.exists(),
        )
        .order_by(Action.created_at, Action.id)
        .limit(GROUP)
    )


_DUE = _due()
_ATTEMPTED = insert(ActionAttempt.metadata.tables[ActionAttempt.__tablename__])


def scopes_of(integration: str) -> frozenset[str]:
    """Return the scopes of kill switches that hold back what is sent to an integration.

    Messages of leat's own have none: who stops all actions in an emergency needs the alerts about it.
    """
    return frozenset() if integration.startswith(OWN) else frozenset({"*", integration})


def cancel_after_failures(store: Engine, lease: Lease, now: datetime) -> None:
    """Cancel what waits for an action that came to nothing."""
    before = aliased(Action)
    over = ("rejected", "cancelled", "expired", "failed", "diverged", "undone")
    came_to_nothing: ColumnElement[bool] = and_(before.id == Action.after_id, before.state.in_(over))
    waiting: tuple[State, ...] = ("planned", "held", "approved")
    wanted = select(Action.id, before.state).join(before, came_to_nothing).where(
        Action.integration == lease.integration, Action.state.in_(waiting))  # fmt: skip
    with Session(store) as session:
        if session.execute(wanted.limit(1)).first() is None:
            return
    with writing(store, durable=True) as session:
        while rows := session.execute(wanted).tuples().all():  # those that wait for these come next
            for row_id, state in rows:
                why = f"the action before it was {state}"
                move(session, row_id, waiting, "cancelled", now, _BY, why, reason=why, ended_at=now)


def recover(store: Engine, lease: Lease, folder: Path, settles: dict[str, float], now: datetime) -> None:
    """Deal with what a sender left that died while it sent, or that an old backup of the store takes for unsent.

    What can be searched for is searched for, once it has settled, whatever guards it: an action that counts as approved
    has had no effect, so that it may still expire or be cancelled. What can't be searched for is asked of a person.

    Args:
        store: the control store.
        lease: the right to send.
        folder: private folder of the integration.
        settles: seconds after which an effect shows, by verb; a verb that isn't there can't be guarded again.
        now: the time.
    """
    stored = _read_claims(folder)
    restored = stored > lease.claims
    lost: set[str] = {"sending"} | ({"approved", "unknown"} if restored else set())
    rows = read_actions(store, states=lost, integration=lease.integration)
    with writing(store, durable=True) as session:
        check_fence(session, lease)
        for row in rows:
            _recover(session, row, settles.get(row.verb, 60.0), now, restored=restored)
        if restored:
            lease.claims = stored
            count_claim(session, lease, stored)


def _recover(session: Session, row: ActionRow, settle: float, now: datetime, *, restored: bool) -> None:
    lost = ActionAttempt.action_id == row.id, ActionAttempt.ended_at.is_(None)
    session.execute(update(ActionAttempt).where(*lost).values(ended_at=now, outcome="lost"))
    why = "the control store was restored from an older one" if restored else "its sender died while it was sent"
    later = now + timedelta(seconds=settle)
    if "later" in row.plan:
        return  # it is planned again first, and then it is as if it were new
    if row.guarantee == "unprobeable" and (row.attempts or row.state != "approved" or restored):
        if restored and row.state == "approved" and not row.attempts:
            return  # the list of what was sent says whether it was
        move(session, row.id, {row.state}, "asking", now, _BY, why, reason=f"{why}: nobody knows whether it happened")
    else:
        move(session, row.id, {row.state}, "unknown", now, _BY, why, reason=why, next_at=later)


def _read_claims(folder: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        return int((folder / "claims").read_text())
    return 0


def _write_claims(folder: Path, claims: int) -> None:
    """Write the number in place: a restored store and a lost page of this file don't happen at once."""
    make_private(folder)
    descriptor = os.open(folder / "claims", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(descriptor, f"{claims:020d}".encode(), 0)
    finally:
        os.close(descriptor)


def was_sent_before(folder: Path, row: ActionRow) -> bool:
    """Return whether this attempt was made already, whatever the store says; if not, note that it is being made."""
    line = f"{row.id} {row.attempts}\n"
    path = folder / "sent"
    make_private(folder)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+") as file:
        if line in file:
            return True
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    return False
