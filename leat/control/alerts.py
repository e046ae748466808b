"""What alerts remember in the control store: problems, and which channels were notified of them.

The messages are in :mod:`leat.control.alert_messages`. The caller has to redact the texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.orm import Session

from leat.control.alert_tables import AlertNotice, AlertProblem
from leat.control.engine import storable, writing

What = Literal["opened", "flapping", "reminded", "escalated", "recovered"]
"""What happened to a problem, as a message says it."""

RETENTION = timedelta(days=30)
"""How long resolved problems stay in the store."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a channel was last notified of about a problem: opened, flapping or recovered."""

    what: str
    notified_at: datetime
    escalated: bool = False


@dataclass(frozen=True, slots=True)
class TrackedProblem:
    """A problem that alerts track.

    Attributes:
        seen_at: when leat noticed the current episode.
        gone_at: when leat noticed that it was resolved; None while it is open.
        flaps: how many times in a row it came back within a day.
        notices: the last notice to each channel.
    """

    key: str
    kind: str
    subject: str
    title: str
    severity: str
    seen_at: datetime
    gone_at: datetime | None = None
    flaps: int = 0
    notices: Mapping[str, Notice] = field(default_factory=dict)


def tracked_problems(engine: Engine) -> dict[str, TrackedProblem]:
    """Return the stored problems by key, including those resolved in the last 30 days."""
    notices: dict[int, dict[str, Notice]] = {}
    with Session(engine) as session:
        columns = (
            AlertNotice.problem_id,
            AlertNotice.channel,
            AlertNotice.what,
            AlertNotice.notified_at,
            AlertNotice.escalated,
        )
        for problem, channel, what, at, escalated in session.execute(select(*columns)):
            notices.setdefault(problem, {})[channel] = Notice(what, at, escalated)
        return {
            row.problem_key: _tracked(row, notices.get(row.id, {})) for row in session.scalars(select(AlertProblem))
        }


def _tracked(row: AlertProblem, notices: Mapping[str, Notice]) -> TrackedProblem:
    return TrackedProblem(row.problem_key, row.kind, row.subject, row.title, row.severity, row.seen_at, row.gone_at,
                          row.flaps, notices)  # fmt: skip


def note_problems(engine: Engine, changed: Sequence[TrackedProblem], now: datetime) -> None:
    """Insert or update problems, without their notices; delete those resolved more than 30 days ago."""
    values: list[dict[str, Any]] = [
        {"problem_key": k.key, "kind": k.kind, "subject": storable(k.subject), "title": storable(k.title),
         "severity": k.severity, "seen_at": k.seen_at, "gone_at": k.gone_at, "flaps": k.flaps}
        for k in changed
    ]  # fmt: skip
    with writing(engine) as session:
        ids = dict(session.execute(select(AlertProblem.problem_key, AlertProblem.id)).tuples().all())
        there = [{**each, "id": ids[each["problem_key"]]} for each in values if each["problem_key"] in ids]
        fresh = [each for each in values if each["problem_key"] not in ids]
        if there:
            session.execute(update(AlertProblem), there)
        if fresh:
            session.execute(insert(AlertProblem), fresh)
        old = now - RETENTION
        session.execute(delete(AlertProblem).where(AlertProblem.gone_at < old))


def note_sent(session: Session, channel: str, news: Sequence[tuple[str, What]], now: datetime) -> None:
    """Store that a channel was notified of what happened to some problems."""
    ids = dict(session.execute(select(AlertProblem.problem_key, AlertProblem.id)).tuples().all())
    rows = {row.problem_id: row for row in session.scalars(select(AlertNotice).filter_by(channel=channel))}
    for key, what in news:
        if key not in ids:
            continue
        row = rows.get(ids[key])
        if row is None:
            row = rows[ids[key]] = AlertNotice(problem_id=ids[key], channel=channel, escalated=False)
            session.add(row)
        row.what = "opened" if what in ("reminded", "escalated") else what
        row.notified_at, row.escalated = now, what == "escalated" or (what == "reminded" and row.escalated)
