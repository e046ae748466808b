"""Webhooks that leat sends: how endpoints are, and the messages to them, which the outbox sends.

A message is stored together with an action of the outbox, in one transaction. When that is over, the message takes the
outcome, and the action is deleted. The message stays for 30 days, so that it can be sent again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session

from leat.control.action_lease import Lease, check_fence
from leat.control.action_tables import Action
from leat.control.engine import storable, writing
from leat.control.outbox import NEVER, NewAction, insert_actions
from leat.control.webhook_tables import WebhookEndpoint, WebhookMessage

Status = Literal["waiting", "sending", "retrying", "sent", "failed"]
SCOPE = "@webhooks"
"""The name under which events are read; ``@webhooks.NAME`` is that of an endpoint."""
RETENTION = timedelta(days=30)
"""How long messages that are over stay in the store."""
_OPEN = "open"
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


@dataclass(frozen=True, slots=True)
class Webhook:
    """A message as it is now; ``next_at`` says when one that is retrying is sent again."""

    id: str
    endpoint: str
    event_type: str
    status: Status
    created_at: datetime
    attempts: int
    ended_at: datetime | None
    error: str | None
    next_at: datetime | None = None


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
            waiting = WebhookMessage.endpoint.in_(gone), WebhookMessage.status == _OPEN
            values = {"status": "failed", "error": "its endpoint isn't declared any more"}
            session.execute(update(WebhookMessage).where(*waiting).values(values))
            session.execute(delete(Action).where(Action.integration.in_([scope_of(name) for name in gone])))
            session.execute(delete(WebhookEndpoint).where(WebhookEndpoint.name.in_(gone)))


def _state(row: WebhookEndpoint) -> EndpointState:
    return EndpointState(row.name, row.since, row.watermark, row.failures, row.paused_until, row.disabled_at)


def note_health(engine: Engine, state: EndpointState) -> None:
    """Store whether an endpoint fails."""
    values = {"failures": state.failures, "paused_until": state.paused_until, "disabled_at": state.disabled_at}
    with writing(engine) as session:
        session.execute(update(WebhookEndpoint).filter_by(name=state.name).values(values))


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
        old = WebhookMessage.created_at < now - RETENTION, WebhookMessage.status != _OPEN
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
    actions = [_action(each, suffix) for each in added]
    for at in range(0, len(actions), _CHUNK):
        insert_actions(session, actions[at : at + _CHUNK], datetime.now(UTC))
    for each, action in zip(added, actions, strict=True):
        row = WebhookMessage(id=each.id, endpoint=each.endpoint, event_type=each.event_type, body=storable(each.body))
        row.status, row.action_id, row.created_at, row.attempts = _OPEN, action.id, now, 0
        session.add(row)


def _action(new: NewWebhook, suffix: str) -> NewAction:
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


def replay(engine: Engine, ids: Collection[str], endpoints: Collection[str], now: datetime) -> list[str]:
    """Send messages to some endpoints again that are over, with the same id and body; return the ids of those."""
    replayed = []
    with writing(engine, durable=True) as session:
        wanted = select(WebhookMessage).where(WebhookMessage.id.in_(ids), WebhookMessage.endpoint.in_(endpoints))
        for row in session.scalars(wanted.with_for_update()).all():
            if row.status == _OPEN:
                continue
            again = NewWebhook(row.id, row.endpoint, row.event_type, f"replay/{row.id}", row.body)
            action = _action(again, f"/{now.isoformat()}")
            insert_actions(session, [action], datetime.now(UTC))
            row.status, row.action_id, row.ended_at, row.error = _OPEN, action.id, None, None
            replayed.append(row.id)
    return replayed


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
            session.execute(update(WebhookMessage).filter_by(action_id=action.id, status=_OPEN).values(values))
            session.execute(delete(Action).where(Action.id == action.id))


def open_endpoints(engine: Engine) -> set[str]:
    """Return the endpoints for which a message is open."""
    wanted = select(WebhookMessage.endpoint).where(WebhookMessage.status == _OPEN).distinct()
    with Session(engine) as session:
        return set(session.scalars(wanted))


def webhooks(
    engine: Engine, *, endpoint: str | None = None, failed: bool = False, prefix: str = "", limit: int | None = 50
) -> list[Webhook]:
    """Return messages, the newest first: to one endpoint, only failed ones, or those whose id begins so."""
    wanted = select(WebhookMessage, Action).outerjoin(Action, Action.id == WebhookMessage.action_id)
    wanted = wanted.order_by(WebhookMessage.created_at.desc(), WebhookMessage.id)
    if endpoint is not None:
        wanted = wanted.where(WebhookMessage.endpoint == endpoint)
    if failed:
        wanted = wanted.where(WebhookMessage.status == "failed")
    if prefix:
        wanted = wanted.where(WebhookMessage.id.startswith(prefix, autoescape=True))
    with Session(engine) as session:
        return [_webhook(row, action) for row, action in session.execute(wanted.limit(limit))]


def _webhook(row: WebhookMessage, action: Action | None) -> Webhook:
    same = row.id, row.endpoint, row.event_type
    if row.status != _OPEN or action is None:
        status: Status = "sent" if row.status == "sent" else "failed"
        return Webhook(*same, status, row.created_at, row.attempts, row.ended_at, row.error)
    waits = action.state == "approved"
    status = "retrying" if waits and action.attempts else "waiting" if waits else "sending"
    next_at = action.next_at if waits and action.attempts else None
    return Webhook(*same, status, row.created_at, action.attempts, None, action.reason, next_at)
