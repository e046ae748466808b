"""The messages of alerts: each is stored with its text and as an action of the outbox, in one transaction.

While a message is open, the outbox has its state (:data:`leat.control.outbox.ALERTS`). When it is over, the message
takes the outcome, its problems get their notices, and the action is deleted with the text, which may hold personal
data. A message is written down once: whoever sends it, and however often, it has the same text and the same id. The
caller has to redact the texts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session

from leat.control.action_lease import Lease, check_fence
from leat.control.action_tables import Action
from leat.control.alert_tables import AlertMessage
from leat.control.alerts import What, note_sent
from leat.control.engine import storable, writing
from leat.control.outbox import ALERTS, NEVER, NewAction, action_id, insert_actions

Status = Literal["waiting", "sending", "retrying", "sent", "uncertain", "failed", "withdrawn", "replaced"]
"""waiting → sending → sent | retrying, after an error | uncertain: nobody knows, and it may not come twice | failed

A message that wasn't sent is withdrawn when its problems are resolved. One that failed is replaced by the next one.
"""

RETENTION = timedelta(days=30)
"""How long messages that are over stay in the store."""
_OPEN = "open"
_OVER: Mapping[str, Status] = {
    "done": "sent",
    "confirmed": "sent",
    "diverged": "sent",
    "asking": "uncertain",
    "failed": "failed",
    "expired": "failed",
    "cancelled": "failed",
    "rejected": "failed",
}


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be stored; its guarantee is one of the outbox, or ``at_least_once``."""

    dedupe_key: str
    channel: str
    title: str
    body: str
    severity: str
    news: tuple[tuple[str, What], ...]
    guarantee: str

    @property
    def id(self) -> str:
        """The identity of the message, which each attempt to send it carries."""
        return action_id(self.dedupe_key)


@dataclass(frozen=True, slots=True)
class Message:
    """A message to a channel, as it is now.

    Attributes:
        id: its identity.
        channel: name of the channel.
        title: its first line.
        severity: error, warn, or nothing for good news.
        news: its content: keys of problems, and what happened to each.
        status: what became of it.
        created_at: when it was written.
        attempts: how often it was sent.
        ended_at: when it was sent or given up; None while it is open.
        error: why it wasn't sent, or not to every recipient.
        next_at: when it is sent again; None unless it is being retried.
    """

    id: str
    channel: str
    title: str
    severity: str
    news: tuple[tuple[str, What], ...]
    status: Status
    created_at: datetime
    attempts: int = 0
    ended_at: datetime | None = None
    error: str | None = None
    next_at: datetime | None = None

    @property
    def sent_at(self) -> datetime | None:
        """When it was sent; None unless it was."""
        return self.ended_at if self.status == "sent" else None


def add_message(engine: Engine, lease: Lease, message: NewMessage, now: datetime) -> None:
    """Store a message, to be sent at once; it replaces those of its channel that failed.

    Raises:
        Fenced: another process has taken over.
    """
    payload = {"title": storable(message.title), "body": storable(message.body), "severity": message.severity}
    plan = {"changes": [], "payload": payload, "precondition": {}, "people": [], "warnings": [], "bodies": {}}
    with writing(engine, durable=True) as session:
        check_fence(session, lease)
        failed = AlertMessage.channel == message.channel, AlertMessage.status == "failed"
        session.execute(update(AlertMessage).where(*failed).values(status="replaced"))
        action = NewAction(
            dedupe_key=message.dedupe_key,
            integration=ALERTS,
            verb=message.channel,
            guarantee=message.guarantee,
            money=False,
            title=message.title,
            target=message.channel,
            parameters={},
            plan=plan,
            digest=hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest(),
            created_by="leat",
            expires_at=NEVER,
            state="approved",
        )
        if insert_actions(session, [action], datetime.now(UTC)):
            row = AlertMessage(id=message.id, channel=message.channel, title=payload["title"], attempts=0)
            row.news, row.severity = [list(pair) for pair in message.news], message.severity
            row.status, row.created_at = _OPEN, now
            session.add(row)
        _delete_old(session, now)


def settle(engine: Engine, now: datetime) -> None:
    """Let messages that are over take the outcome, and note what their channels were notified of.

    Of an uncertain message, the problems count as reported: it may have arrived, and must not come twice.
    """
    with Session(engine) as session:
        ended = select(Action.id).where(Action.integration == ALERTS, Action.state.in_(_OVER))
        if session.scalar(ended.limit(1)) is None:
            return
    with writing(engine, durable=True) as session:
        wanted = select(AlertMessage).where(AlertMessage.status == _OPEN).order_by(AlertMessage.created_at)
        for message in session.scalars(wanted.with_for_update()).all():
            action = session.get(Action, message.id)
            if action is not None and action.state in _OVER:
                _settle(session, message, action, now)


def _delete_old(session: Session, now: datetime) -> None:
    old = AlertMessage.created_at < now - RETENTION, AlertMessage.status != _OPEN
    session.execute(delete(AlertMessage).where(*old))


def _settle(session: Session, message: AlertMessage, action: Action, now: datetime) -> None:
    status = message.status = _OVER[action.state]
    message.attempts, message.sent_at = action.attempts, now
    message.error = action.reason if status != "sent" else (action.receipt or {}).get("refused")
    if status in ("sent", "uncertain"):
        note_sent(session, message.channel, [(key, what) for key, what in message.news], now)
    session.execute(delete(Action).where(Action.id == message.id))


def withdraw(engine: Engine, lease: Lease, ids: Collection[str], now: datetime, dropped: Collection[str] = ()) -> None:
    """Withdraw messages that are no longer needed, if they certainly weren't sent; forget those that failed.

    Args:
        engine: the control store.
        lease: the right to send.
        ids: the messages.
        now: the time.
        dropped: those of them that are withdrawn even if they may have been sent, for their channel is gone.

    Raises:
        Fenced: another process has taken over.
    """
    if not ids:
        return
    with writing(engine, durable=True) as session:
        check_fence(session, lease)
        for message in session.scalars(select(AlertMessage).where(AlertMessage.id.in_(ids))):
            unsent = delete(Action).where(Action.id == message.id)
            if message.id not in dropped:
                unsent = unsent.where(Action.state == "approved")
            result: Any = session.execute(unsent, execution_options={"synchronize_session": False})
            if message.status == "failed" or (message.status == _OPEN and result.rowcount):
                message.status, message.sent_at = "withdrawn", now


def forget_failed(engine: Engine, channel: str) -> None:
    """Let the next pass report again what a channel didn't take, because it works again."""
    failed = AlertMessage.channel == channel, AlertMessage.status == "failed"
    with writing(engine) as session:
        session.execute(update(AlertMessage).where(*failed).values(status="replaced"))


def latest_message(engine: Engine, channel: str) -> str:
    """Return the id of the latest message to a channel; an empty text when there is none."""
    wanted = select(AlertMessage.id).where(AlertMessage.channel == channel)
    with Session(engine) as session:
        return session.scalar(wanted.order_by(AlertMessage.created_at.desc(), AlertMessage.id).limit(1)) or ""


def open_messages(engine: Engine) -> list[Message]:
    """Return the messages that aren't over, the newest first."""
    return _messages(engine, (_OPEN,), 1000)


def failed_messages(engine: Engine) -> list[Message]:
    """Return the messages that were given up and not replaced yet, the newest first."""
    return _messages(engine, ("failed",), 1000)


def messages(engine: Engine, limit: int = 1000) -> list[Message]:
    """Return the messages, the newest first, without those that were withdrawn or replaced."""
    return _messages(engine, (_OPEN, "sent", "uncertain", "failed"), limit)


def _messages(engine: Engine, statuses: Collection[str], limit: int) -> list[Message]:
    wanted = (
        select(AlertMessage, Action)
        .outerjoin(Action, Action.id == AlertMessage.id)
        .where(AlertMessage.status.in_(statuses))
        .order_by(AlertMessage.created_at.desc(), AlertMessage.id)
    )
    with Session(engine) as session:
        return [_message(row, action) for row, action in session.execute(wanted.limit(limit))]


def _message(row: AlertMessage, action: Action | None) -> Message:
    news: tuple[tuple[str, What], ...] = tuple((key, what) for key, what in row.news)
    same = row.id, row.channel, row.title, row.severity, news
    if row.status != _OPEN or action is None:
        return Message(*same, _final(row.status), row.created_at, row.attempts, row.sent_at, row.error)
    retrying = action.state == "approved" and action.attempts > 0
    status: Status = "retrying" if retrying else "waiting" if action.state == "approved" else "sending"
    if action.state in _OVER:
        status = _OVER[action.state]
    next_at = action.next_at if retrying else None
    return Message(*same, status, row.created_at, action.attempts, None, action.reason, next_at)


def _final(status: str) -> Status:
    final: tuple[Status, ...] = ("sent", "uncertain", "failed", "withdrawn", "replaced")
    return next((each for each in final if each == status), "failed")
