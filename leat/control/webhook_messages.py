"""The messages to endpoints: lists of them, one with its body and its attempts, and sending some again."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from leat.control.action_tables import Action
from leat.control.audit_events import note
from leat.control.engine import writing
from leat.control.outbox import insert_actions
from leat.control.webhook_attempts import Attempt, all_attempts
from leat.control.webhook_lists import Status, Wanted, Webhook
from leat.control.webhook_tables import WebhookMessage
from leat.control.webhooks import OPEN, NewWebhook, action_of


def webhooks(engine: Engine, wanted: Wanted, limit: int | None = 50, after: str | None = None) -> list[Webhook]:
    """Return messages, the newest first, from the one after a message on.

    Raises:
        KeyError: there is no message ``after``.
    """
    row = WebhookMessage
    query = _apply(wanted, select(row, Action).outerjoin(Action, Action.id == row.action_id))
    with Session(engine) as session:
        if after is not None:
            at = session.scalar(select(row.created_at).filter_by(id=after))
            if at is None:
                raise KeyError(after)
            query = query.where(or_(row.created_at < at, and_(row.created_at == at, row.id > after)))
        query = query.order_by(row.created_at.desc(), row.id).limit(limit)
        return [_webhook(message, action) for message, action in session.execute(query)]


def count_webhooks(engine: Engine, wanted: Wanted) -> int:
    """Return how many messages there are."""
    with Session(engine) as session:
        return session.scalar(_apply(wanted, select(func.count()).select_from(WebhookMessage))) or 0


def read_webhook(engine: Engine, message_id: str) -> tuple[Webhook, str, list[Attempt]] | None:
    """Return a message, its body, and its attempts, the first one first; None if there is none."""
    query = select(WebhookMessage, Action).outerjoin(Action, Action.id == WebhookMessage.action_id)
    with Session(engine) as session:
        pair = session.execute(query.where(WebhookMessage.id == message_id)).tuples().first()
        if pair is None:
            return None
        message, action = pair
        return _webhook(message, action), message.body, all_attempts(session, message, action)


def replay(engine: Engine, wanted: Wanted | str, endpoints: Collection[str], now: datetime) -> list[str]:
    """Send messages to some endpoints again that are over, with the same id and body; return the ids of those.

    Args:
        engine: the control store.
        wanted: which, or the id of one.
        endpoints: to these only.
        now: the time.
    """
    query = select(WebhookMessage).where(WebhookMessage.endpoint.in_(endpoints), WebhookMessage.status != OPEN)
    query = query.where(WebhookMessage.id == wanted) if isinstance(wanted, str) else _apply(wanted, query)
    replayed = []
    with writing(engine, durable=True) as session:
        for row in session.scalars(query.order_by(WebhookMessage.created_at).with_for_update()).all():
            again = NewWebhook(row.id, row.endpoint, row.event_type, f"replay/{row.id}", row.body)
            action = action_of(again, f"/{now.isoformat()}")
            insert_actions(session, [action], datetime.now(UTC))
            row.status, row.action_id, row.ended_at, row.error = OPEN, action.id, None, None
            replayed.append((row.id, row.endpoint))
        if replayed:
            to = sorted({endpoint for _, endpoint in replayed})
            note(session, "webhooks.replayed", {"endpoints": to, "messages": len(replayed)})
    return [each for each, _ in replayed]


def _webhook(row: WebhookMessage, action: Action | None) -> Webhook:
    same = row.id, row.endpoint, row.event_type
    if row.status != OPEN or action is None:
        status: Status = "sent" if row.status == "sent" else "failed"
        return Webhook(*same, status, row.created_at, row.attempts, row.ended_at, row.error)
    waits = action.state == "approved"
    status = "retrying" if waits and action.attempts else "waiting" if waits else "sending"
    next_at = action.next_at if waits and action.attempts else None
    return Webhook(*same, status, row.created_at, action.attempts, None, action.reason, next_at)


def _apply(wanted: Wanted, query: Select[Any]) -> Select[Any]:
    """Return a query of only those messages."""
    row = WebhookMessage
    equal = (row.endpoint, wanted.endpoint), (row.status, wanted.outcome), (row.event_type, wanted.event_type)
    for column, value in equal:
        query = query if value is None else query.where(column == value)
    query = query if wanted.since is None else query.where(row.created_at >= wanted.since)
    query = query if wanted.until is None else query.where(row.created_at < wanted.until)
    return query.where(row.id.startswith(wanted.prefix, autoescape=True)) if wanted.prefix else query
