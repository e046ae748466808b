"""Webhooks that leat sends: how endpoints are, and the messages to them, which the outbox sends.

A message is stored together with an action of the outbox, in one transaction. When that is over, the message takes the
outcome, and the action is deleted. The message stays for 30 days, so that it can be sent again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session

from leat.control.action_lease import Lease, check_fence
from leat.control.action_tables import Action
from leat.control.audit_events import note
from leat.control.engine import storable, writing
from leat.control.outbox import NEVER, NewAction, insert_actions
from leat.control.webhook_attempts import MOST, attempts_of, entry_of
from leat.control.webhook_tables import WebhookEndpoint, WebhookMessage

SCOPE = "@webhooks"
"""The name under which events are read; ``@webhooks.NAME`` is that of an endpoint."""
RETENTION = timedelta(days=30)
"""How long messages that are over stay in the store."""
OPEN = "open"
"""The status of a message that the outbox has."""
_SENT, _FAILED = ("done", "confirmed", "diverged"), ("failed", "expired", "cancelled", "rejected", "asking")
_CHUNK = 500  # databases take no query of any length


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """A message to be stored; ``id`` is the same for the same event and endpoint."""

    id: str
    endpoint: str
    event_type: str
    target: str
    body: str


@dataclass(frozen=True, slots=True)
class EndpointState:
    """How an endpoint is, see :class:`leat.control.webhook_tables.WebhookEndpoint`."""

    name: str
    since: datetime
    watermark: datetime
    failures: int = 0
    paused_until: datetime | None = None
    disabled_at: datetime | None = None
    error: str | None = None
    paused_by: str | None = None
    paused_at: datetime | None = None


def scope_of(endpoint: str) -> str:
    """Return the name under which the messages to an endpoint are sent."""
    return f"{SCOPE}.{endpoint}"


def endpoint_states(engine: Engine, names: Collection[str], now: datetime) -> dict[str, EndpointState]:
    """Return how endpoints are. One that is new gets what happens from now on."""
    with Session(engine) as session:
        rows = {row.name: row for row in session.scalars(select(WebhookEndpoint)) if row.name in names}
        states = {row.name: _state(row) for row in rows.values()}
    if states.keys() != set(names):
        with writing(engine) as session:
            for name in names - states.keys():
                if session.get(WebhookEndpoint, name) is None:
                    session.add(WebhookEndpoint(name=name, since=now, watermark=now, failures=0))
                states[name] = EndpointState(name, now, now)
    return states


def forget_endpoints(engine: Engine, declared: Collection[str]) -> None:
    """Forget endpoints that aren't declared any more, and give up what wasn't sent to them."""
    with Session(engine) as session:
        gone = set(session.scalars(select(WebhookEndpoint.name))) - set(declared)
    if gone:
        with writing(engine, durable=True) as session:
            waiting = WebhookMessage.endpoint.in_(gone), WebhookMessage.status == OPEN
            values = {"status": "failed", "error": "its endpoint isn't declared any more"}
            session.execute(update(WebhookMessage).where(*waiting).values(values))
            session.execute(delete(Action).where(Action.integration.in_([scope_of(name) for name in gone])))
            session.execute(delete(WebhookEndpoint).where(WebhookEndpoint.name.in_(gone)))


def _state(row: WebhookEndpoint) -> EndpointState:
    health = row.failures, row.paused_until, row.disabled_at, row.error
    return EndpointState(row.name, row.since, row.watermark, *health, row.paused_by, row.paused_at)


def note_health(engine: Engine, state: EndpointState) -> None:
    """Store whether an endpoint fails."""
    with writing(engine) as session:
        session.execute(update(WebhookEndpoint).filter_by(name=state.name).values(_health(state)))


def _health(state: EndpointState) -> dict[str, Any]:
    return {"failures": state.failures, "paused_until": state.paused_until, "disabled_at": state.disabled_at,
            "error": state.error and storable(state.error)}  # fmt: skip


def pause(engine: Engine, name: str, by: str, now: datetime) -> None:
    """Send nothing to an endpoint until somebody enables it; its messages wait."""
    with writing(engine, durable=True) as session:
        session.execute(update(WebhookEndpoint).filter_by(name=name).values(paused_by=by, paused_at=now))
        note(session, "endpoint.paused", {"endpoint": name})


def enable(engine: Engine, name: str) -> None:
    """Let an endpoint get messages again at once: it was disabled, or is paused."""
    healthy = {"failures": 0, "paused_until": None, "disabled_at": None, "error": None}
    with writing(engine, durable=True) as session:
        values = {**healthy, "paused_by": None, "paused_at": None}
        session.execute(update(WebhookEndpoint).filter_by(name=name).values(values))
        note(session, "endpoint.enabled", {"endpoint": name})


def add_webhooks(
    engine: Engine, lease: Lease, endpoint: str, new: Sequence[NewWebhook], watermark: datetime, now: datetime
) -> int:
    """Store the messages that aren't there yet, to be sent at once, and up to when events were read; return how many.

    Raises:
        Fenced: another process has taken over.
    """
    with writing(engine, durable=True) as session:
        check_fence(session, lease)
        added = _without_stored(session, new)
        _open(session, added, "", now)
        session.execute(update(WebhookEndpoint).filter_by(name=endpoint).values(watermark=watermark))
        old = WebhookMessage.created_at < now - RETENTION, WebhookMessage.status != OPEN
        session.execute(delete(WebhookMessage).where(*old))
    return len(added)


def not_stored(engine: Engine, new: Sequence[NewWebhook]) -> list[NewWebhook]:
    """Return the messages that aren't there yet."""
    with Session(engine) as session:
        return _without_stored(session, new)


def _without_stored(session: Session, new: Sequence[NewWebhook]) -> list[NewWebhook]:
    there: set[str] = set()
    for at in range(0, len(new), _CHUNK):
        ids = [each.id for each in new[at : at + _CHUNK]]
        there |= set(session.scalars(select(WebhookMessage.id).where(WebhookMessage.id.in_(ids))))
    return [each for each in new if each.id not in there]


def _open(session: Session, added: Sequence[NewWebhook], suffix: str, now: datetime) -> None:
    actions = [action_of(each, suffix) for each in added]
    for at in range(0, len(actions), _CHUNK):
        insert_actions(session, actions[at : at + _CHUNK], datetime.now(UTC))
    for each, action in zip(added, actions, strict=True):
        row = WebhookMessage(id=each.id, endpoint=each.endpoint, event_type=each.event_type, body=storable(each.body))
        row.status, row.action_id, row.created_at, row.attempts = OPEN, action.id, now, 0
        session.add(row)


def action_of(new: NewWebhook, suffix: str) -> NewAction:
    """Return the action that sends a message; the suffix is another one for each time that it is sent again."""
    payload = {"id": new.id, "body": storable(new.body)}
    return NewAction(
        dedupe_key=f"webhook/{new.id}{suffix}",
        integration=scope_of(new.endpoint),
        verb="post",
        guarantee="guarded",
        money=False,
        title=new.event_type,
        target=new.target,
        parameters={},
        plan={"changes": [], "payload": payload, "precondition": {}, "people": [], "warnings": [], "bodies": {}},
        digest=hashlib.sha256(new.body.encode()).hexdigest(),
        created_by="leat",
        expires_at=NEVER,
        state="approved",
    )


def settle_webhooks(engine: Engine, endpoint: str, now: datetime) -> None:
    """Let the messages to an endpoint that are over take their outcome."""
    over = Action.integration == scope_of(endpoint), Action.state.in_((*_SENT, *_FAILED))
    with Session(engine) as session:
        if session.scalar(select(Action.id).where(*over).limit(1)) is None:
            return
    with writing(engine, durable=True) as session:
        for action in session.scalars(select(Action).where(*over).with_for_update()).all():
            sent = action.state in _SENT
            values: dict[str, Any] = {"status": "sent" if sent else "failed", "attempts": action.attempts}
            values |= {"ended_at": now, "error": None if sent else action.reason}
            row = session.scalar(select(WebhookMessage).filter_by(action_id=action.id, status=OPEN))
            if row is not None:
                log = [*(row.attempt_log or ()), *map(entry_of, attempts_of(session, action))]
                session.execute(update(WebhookMessage).filter_by(id=row.id).values(attempt_log=log[-MOST:], **values))
            session.execute(delete(Action).where(Action.id == action.id))


def open_endpoints(engine: Engine) -> set[str]:
    """Return the endpoints for which a message is open."""
    wanted = select(WebhookMessage.endpoint).where(WebhookMessage.status == OPEN).distinct()
    with Session(engine) as session:
        return set(session.scalars(wanted))
