"""What alerts remember in the control store: problems, what each channel was told of them, messages and their fate.

A message is written down before it is sent and marked when it was, so that a crash in between is seen afterwards.
Texts must have been redacted by the caller.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.orm import Session

from leat.control.alert_tables import AlertMessage, AlertProblem, AlertTold
from leat.control.engine import storable, writing

What = Literal["opened", "flapping", "reminded", "escalated", "recovered"]
"""What a message tells of a problem."""

KEPT = timedelta(days=30)
"""How long problems that are gone, and messages, stay in the store."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a channel was last told of a problem: opened, flapping or recovered."""

    what: str
    told_at: datetime
    escalated: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """A problem as alerts know it.

    Attributes:
        seen_at: when the present episode was noticed.
        gone_at: when it was noticed to be gone; None while it lasts.
        flaps: how often in a row it came back within a day.
        told: what each channel was told of it.
    """

    key: str
    kind: str
    subject: str
    title: str
    severity: str
    seen_at: datetime
    gone_at: datetime | None = None
    flaps: int = 0
    told: Mapping[str, Told] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one channel; ``status``: sending, sent, failed, or replaced by a later one."""

    id: str
    channel: str
    title: str
    body: str | None
    severity: str
    news: tuple[tuple[str, What], ...]
    status: str
    created_at: datetime
    attempts: int = 0
    tried_at: datetime | None = None
    sent_at: datetime | None = None
    error: str | None = None


def known_problems(engine: Engine) -> dict[str, Known]:
    """Return the problems of the store by key, those too that went in the last 30 days."""
    told: dict[int, dict[str, Told]] = {}
    with Session(engine) as session:
        columns = (AlertTold.problem_id, AlertTold.channel, AlertTold.what, AlertTold.told_at, AlertTold.escalated)
        for problem, channel, what, at, escalated in session.execute(select(*columns)):
            told.setdefault(problem, {})[channel] = Told(what, at, escalated)
        return {row.problem_key: _known(row, told.get(row.id, {})) for row in session.scalars(select(AlertProblem))}


def _known(row: AlertProblem, told: Mapping[str, Told]) -> Known:
    return Known(row.problem_key, row.kind, row.subject, row.title, row.severity, row.seen_at, row.gone_at, row.flaps,
                 told)  # fmt: skip


def note_problems(engine: Engine, changed: Sequence[Known], now: datetime) -> None:
    """Add problems, or set what is known of them but for what channels were told; those long gone are forgotten."""
    values: list[dict[str, Any]] = [
        {"problem_key": k.key, "kind": k.kind, "subject": storable(k.subject), "title": storable(k.title),
         "severity": k.severity, "seen_at": k.seen_at, "gone_at": k.gone_at, "flaps": k.flaps}
        for k in changed
    ]  # fmt: skip
    with writing(engine) as session:
        known = dict(session.execute(select(AlertProblem.problem_key, AlertProblem.id)).tuples().all())
        there = [{**each, "id": known[each["problem_key"]]} for each in values if each["problem_key"] in known]
        fresh = [each for each in values if each["problem_key"] not in known]
        if there:
            session.execute(update(AlertProblem), there)
        if fresh:
            session.execute(insert(AlertProblem), fresh)
        old = now - KEPT
        session.execute(delete(AlertProblem).where(AlertProblem.gone_at < old))
        session.execute(delete(AlertMessage).where(AlertMessage.created_at < old, AlertMessage.status != "sending"))


def begin_message(engine: Engine, message: Message, now: datetime) -> Message:
    """Write down that a message is about to be sent; it takes the place of those of its channel that failed."""
    with writing(engine) as session:
        failed = AlertMessage.channel == message.channel, AlertMessage.status == "failed"
        tried = session.scalar(select(AlertMessage.attempts).where(*failed).order_by(AlertMessage.tried_at.desc()))
        session.execute(update(AlertMessage).where(*failed).values(status="replaced", body=None))
        row = session.get(AlertMessage, message.id)
        if row is None:
            news = [list(pair) for pair in message.news]
            row = AlertMessage(id=message.id, channel=message.channel, news=news, created_at=now, attempts=0)
            session.add(row)
        row.title, row.body, row.severity = storable(message.title), storable(message.body or ""), message.severity
        row.status, row.tried_at, row.attempts = "sending", now, max(row.attempts, tried or 0) + 1
        session.flush()
        return _message(row)


def end_message(engine: Engine, message: Message, now: datetime, error: str | None = None) -> None:
    """Mark a message as sent, and what its channel knows now; or as failed, for the next pass to try again."""
    with writing(engine) as session:
        row = session.get_one(AlertMessage, message.id)
        row.body, row.error = None, None if error is None else storable(error)
        row.status = "sent" if error is None else "failed"
        if error is None:
            row.sent_at = now
            _tell(session, message, now)


def _tell(session: Session, message: Message, now: datetime) -> None:
    ids = dict(session.execute(select(AlertProblem.problem_key, AlertProblem.id)).tuples().all())
    rows = {row.problem_id: row for row in session.scalars(select(AlertTold).filter_by(channel=message.channel))}
    for key, what in message.news:
        if key not in ids:
            continue
        row = rows.get(ids[key])
        if row is None:
            row = rows[ids[key]] = AlertTold(problem_id=ids[key], channel=message.channel, escalated=False)
            session.add(row)
        row.what = "opened" if what in ("reminded", "escalated") else what
        row.told_at, row.escalated = now, what == "escalated" or (what == "reminded" and row.escalated)


def drop_failed(engine: Engine, channels: Collection[str]) -> None:
    """Give up the failed messages of channels that have nothing to be told any more."""
    if channels:
        failed = AlertMessage.channel.in_(channels), AlertMessage.status == "failed"
        with writing(engine) as session:
            session.execute(update(AlertMessage).where(*failed).values(status="replaced"))


def messages(engine: Engine, *statuses: str, limit: int = 1000) -> list[Message]:
    """Return messages, the newest first; of these statuses, or all."""
    wanted = select(AlertMessage).order_by(AlertMessage.created_at.desc(), AlertMessage.id).limit(limit)
    if statuses:
        wanted = wanted.where(AlertMessage.status.in_(statuses))
    with Session(engine) as session:
        return [_message(row) for row in session.scalars(wanted)]


def _message(row: AlertMessage) -> Message:
    news = tuple((key, what) for key, what in row.news)
    return Message(row.id, row.channel, row.title, row.body, row.severity, news, row.status, row.created_at,
                   row.attempts, row.tried_at, row.sent_at, row.error)  # fmt: skip
