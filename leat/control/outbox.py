"""The outbox: actions in the control store; :mod:`leat.control.action_moves` changes their state.

Every transaction here is on the disk when it returns, on SQLite too: what was sent must not be forgotten when the power
fails. Texts must have been redacted by the caller.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Engine, func, insert, select
from sqlalchemy.orm import Session

from leat.control.action_history import Decision, note_decision, note_events
from leat.control.action_tables import Action, ActionBody
from leat.control.engine import storable, writing

State = Literal["planned", "held", "approved", "rejected", "cancelled", "expired", "sending", "unknown", "asking",
                "done", "confirmed", "diverged", "failed", "undone"]  # fmt: skip
"""planned → approved | held, by a guard | rejected | cancelled | expired

approved → sending → done | failed | approved again, if nothing was sent | unknown, if nobody knows

unknown → done, if its effect is there | approved again, if it isn't | asking, which only a person can answer

done → confirmed | diverged: the system doesn't show what was planned. All three → undone
"""

UNDECIDED: frozenset[State] = frozenset({"planned", "held"})
"""A person has to approve or reject it."""
WAITING: frozenset[State] = frozenset({"planned", "held", "approved"})
"""Nothing has been sent in these states, so that the action can still be withdrawn."""
OPEN: frozenset[State] = WAITING | {"sending", "unknown", "asking", "done"}
"""Something still has to happen in these states."""
EFFECTIVE: frozenset[State] = frozenset({"done", "confirmed", "diverged"})
"""The effect was made."""


@dataclass(frozen=True, slots=True)
class NewAction:
    """An action to be added; what isn't said here is as in :class:`ActionRow`."""

    dedupe_key: str
    integration: str
    verb: str
    guarantee: str
    money: bool
    title: str
    target: str
    parameters: Mapping[str, Any]
    plan: Mapping[str, Any]
    digest: str
    created_by: str
    expires_at: datetime
    not_before: datetime | None = None
    state: State = "planned"
    reason: str | None = None
    automation: str | None = None
    subject: str | None = None
    subject_opened_at: datetime | None = None
    undo_of: str | None = None
    after_id: str | None = None
    conditions: Mapping[str, Any] | None = None
    bodies: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The identity of the action."""
        return action_id(self.dedupe_key)


@dataclass(frozen=True, slots=True)
class ActionRow:
    """An action as it is stored.

    Attributes:
        id: 26 lower-case letters and digits, a hash of ``dedupe_key``.
        dedupe_key: what it is one of: there is one action for a key.
        integration: name of the declaration.
        verb: what it does.
        guarantee: what makes its effect happen once.
        money: whether it moves money.
        title: what it does, in a line.
        target: what it acts on.
        parameters: what was asked for.
        plan: what was planned: changes, payload, precondition, people, warnings, and the SHA-256 of bodies.
        digest: SHA-256 of all that is sent; an approval is for this.
        state: one of :data:`State`.
        reason: why it is in a state that needs a reason.
        created_at: when it was planned.
        created_by: who planned it: a person's account, or an automation.
        updated_at: when its state last changed.
        not_before: when it may be sent; None for at once.
        expires_at: when it is too late to send it.
        next_at: when it is looked at next.
        attempts: how often it was sent.
        sent_at: when it was sent first.
        ended_at: when it was done or given up.
        fence: the number of the lease under which it was sent last.
        receipt: what the system answered.
        automation: the automation that planned it; None for a person.
        subject: the violation that it is for.
        subject_opened_at: when the episode of that violation began.
        undo_of: the action that it takes back.
        after_id: the action that has to be done before.
        conditions: what the automation wants of its sending, see :mod:`leat.actions.conditions`.
    """

    id: str
    dedupe_key: str
    integration: str
    verb: str
    guarantee: str
    money: bool
    title: str
    target: str
    parameters: Mapping[str, Any]
    plan: Mapping[str, Any]
    digest: str
    state: State
    reason: str | None
    created_at: datetime
    created_by: str
    updated_at: datetime
    not_before: datetime | None
    expires_at: datetime
    next_at: datetime
    attempts: int
    sent_at: datetime | None
    ended_at: datetime | None
    fence: int | None
    receipt: Mapping[str, Any] | None
    automation: str | None
    subject: str | None
    subject_opened_at: datetime | None
    undo_of: str | None
    after_id: str | None
    conditions: Mapping[str, Any] | None


COLUMNS = tuple(getattr(Action, name) for name in ActionRow.__slots__)
"""What an :class:`ActionRow` is read from."""
UNSEEN = {"synchronize_session": False}
"""Options of updates: no session here holds an action as an object."""


NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""``next_at`` of an action that isn't planned yet, because it uses the result of another one."""
OWN = "@"
"""How the names begin under which leat sends its own messages; no integration has such a name. What is sent under them
is in no list of actions, and no kill switch holds it back."""
ALERTS = "@alerts"
"""The name under which alerts are sent."""
CONTENT = "content"
"""The field of a receipt that has the SHA-256 of the bytes that the action has made."""


def action_id(dedupe_key: str) -> str:
    """Return the identity of an action: 26 characters of a-z and 2-7, 130 bits of a SHA-256."""
    return base64.b32encode(hashlib.sha256(dedupe_key.encode()).digest()).decode().lower()[:26]


def add_actions(engine: Engine, actions: Sequence[NewAction], now: datetime) -> list[str]:
    """Add the actions that aren't there yet, and return the ids of those that were added.

    All of them are added, or none. What is added as approved is approved by who planned it.
    """
    with writing(engine, durable=True) as session:
        return insert_actions(session, actions, now)


def insert_actions(session: Session, actions: Sequence[NewAction], now: datetime) -> list[str]:
    """Add actions as :func:`add_actions` does, in a transaction of the caller, which has to be durable."""
    there = set(session.scalars(select(Action.id).where(Action.id.in_([each.id for each in actions]))))
    added = {each.id: each for each in actions if each.id not in there}
    for each in added.values():
        store_bodies(session, each.bodies.values())
    if added:
        session.execute(insert(Action), [_values(each, now) for each in added.values()])
        note_events(session, [(each.id, each.state, each.reason or "") for each in added.values()], now,
                    {each.id: each.created_by for each in added.values()})  # fmt: skip
    for each in added.values():
        if each.state == "approved" and not each.integration.startswith(OWN):
            note_decision(session, each.id, Decision(each.digest, "approved", each.created_by, now, ""))
    return list(added)


def _values(action: NewAction, now: datetime) -> dict[str, Any]:
    values = {name: getattr(action, name) for name in NewAction.__slots__ if name != "bodies"}
    texts = {"title": storable(action.title), "target": storable(action.target)}
    times = {"created_at": now, "updated_at": now, "next_at": action.not_before or now}
    times |= {"next_at": NEVER} if "later" in action.plan else {}
    return {**values, **texts, **times, "id": action.id, "attempts": 0}


def store_bodies(session: Session, bodies: Iterable[bytes]) -> None:
    """Store bytes that actions send or have made, each once."""
    for content in bodies:
        digest = hashlib.sha256(content).hexdigest()
        if session.get(ActionBody, digest) is None:
            session.add(ActionBody(sha256=digest, content=content))
            session.flush()


def read_body(engine: Engine, sha256: str) -> bytes:
    """Return the bytes that an action sends."""
    with Session(engine) as session:
        return session.get_one(ActionBody, sha256).content


def read_actions(
    engine: Engine,
    *,
    ids: Collection[str] | None = None,
    states: Collection[str] | None = None,
    integration: str | None = None,
    automation: str | None = None,
    subjects: Collection[str] | None = None,
    limit: int | None = None,
) -> list[ActionRow]:
    """Return actions, the newest first; only of these ids, states, integration, automation, where they are given.

    ``subjects`` are keys of violations. Messages of leat's own are returned only if ids or their name are given.
    """
    wanted = select(*COLUMNS).order_by(Action.created_at.desc(), Action.id)
    if ids is not None:
        wanted = wanted.where(Action.id.in_(ids))
    if states is not None:
        wanted = wanted.where(Action.state.in_(states))
    if integration is not None:
        wanted = wanted.where(Action.integration == integration)
    elif ids is None:
        wanted = wanted.where(Action.integration.not_like(f"{OWN}%"))
    if automation is not None:
        wanted = wanted.where(Action.automation == automation)
    if subjects is not None:
        wanted = wanted.where(Action.subject.in_(subjects))
    with Session(engine) as session:
        return [ActionRow(*row) for row in session.execute(wanted.limit(limit))]


def count_waiting(engine: Engine) -> int:
    """Return how many actions wait for approval."""
    with Session(engine) as session:
        wanted = select(func.count()).select_from(Action).where(Action.state.in_(UNDECIDED))
        return session.scalar(wanted) or 0


def has_sendable(engine: Engine) -> bool:
    """Return whether there is an action that can be sent, or whose outcome is still open."""
    states = ("approved", "sending", "unknown", "done")
    with Session(engine) as session:
        wanted = select(Action.id).where(Action.state.in_(states), Action.integration.not_like(f"{OWN}%"))
        return session.scalar(wanted.limit(1)) is not None


def count_sendable(engine: Engine) -> dict[str, int]:
    """Return how many actions are approved or being sent, by integration; `@alerts` are alerts."""
    with Session(engine) as session:
        wanted = select(Action.integration, func.count()).where(Action.state.in_(("approved", "sending")))
        return {name: count for name, count in session.execute(wanted.group_by(Action.integration))}


def ids_beginning(engine: Engine, prefix: str) -> list[str]:
    """Return the ids that begin so, at most two."""
    like = prefix.replace("\\", "").replace("%", "").replace("_", "")
    with Session(engine) as session:
        wanted = select(Action.id).where(Action.id.startswith(like), Action.integration.not_like(f"{OWN}%"))
        return list(session.scalars(wanted.order_by(Action.id).limit(2)))
