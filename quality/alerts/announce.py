"""One pass of alerts: looks at what is wrong, and tells every channel what it doesn't know yet.

The same pass is made at the end of ``leat run`` and by Dagster's sensors. It asks nothing of its caller but the time,
so that nothing is lost with a process::

    warehouse, control store --problems--> plan --message written down--> Apprise --marked as sent

A message that a killed process may or may not have sent is sent again with the same id; one that was refused is put
together anew by a later pass. So each is delivered at least once.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine

from leat.control.alert_lock import sole_sender
from leat.control.alerts import (
    Message,
    begin_message,
    drop_failed,
    end_message,
    known_problems,
    messages,
    note_problems,
)
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project
from leat.quality.alerts.declaration import Alerts
from leat.quality.alerts.file import load_alerts
from leat.quality.alerts.finding import find_problems
from leat.quality.alerts.in_warehouse import evidence_of
from leat.quality.alerts.plan import News, message_id, note, plan
from leat.quality.alerts.problem import EVIDENCE_ROWS, Problem
from leat.quality.alerts.sending import remember_secrets, send
from leat.quality.alerts.text import Evidence, compose
from leat.sources.retry import RetryPolicy, doubling
from leat.warehouse.clock import is_within
from leat.warehouse.session import Busy, Warehouse

log = logging.getLogger("leat.alerts")

_HOURS = 3600
_RETRIES = RetryPolicy((0, 0, *doubling(600, 8, 6 * _HOURS)), longest=6 * _HOURS, jitter=False, endless=True)
"""The next two passes try again at once; then it takes ten minutes, twenty, … at most six hours."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was sent in this pass; ``error`` is None, or why it wasn't delivered."""

    channel: str
    title: str
    error: str | None


@dataclass(frozen=True, slots=True)
class _Pass:
    """What one pass works with."""

    project: Project
    store: Engine
    warehouse: Warehouse
    alerts: Alerts
    now: datetime


def announce(
    project: Project, store: Engine, warehouse: Warehouse, declarations: Mapping[str, Declaration], now: datetime
) -> list[Sent]:
    """Send what there is to tell; returns the messages, none when nothing is new or no alerts are declared.

    Args:
        project: the project; its ``quality/alerts.yaml`` says who is told.
        store: the control store, which remembers who was told of what.
        warehouse: where violations and checks are.
        declarations: the declared integrations.
        now: the time, UTC.

    Raises:
        DeclarationError: ``quality/alerts.yaml`` has mistakes.
    """
    alerts = load_alerts(project, declarations)
    if alerts is None:
        return []
    at = _Pass(project, store, warehouse, alerts, now)
    problems = find_problems(store, warehouse, declarations, now)
    known = known_problems(store)
    left = messages(store, "sending", "failed")
    if not left and not note(problems, known, now) and not plan(alerts, problems, known, now):
        return []
    try:
        with sole_sender(store):
            return _pass(at, problems)
    except Busy as busy:
        log.info("%s", busy)
        return []


def _pass(at: _Pass, problems: Mapping[str, Problem]) -> list[Sent]:
    remember_secrets(at.alerts, at.project)
    interrupted = messages(at.store, "sending")  # nobody knows whether they were sent: their process ended in between
    sent = [each for message in interrupted for each in _resend(at, message)]
    known = known_problems(at.store)
    changed = note(problems, known, at.now)
    if changed:
        note_problems(at.store, changed, at.now)
        known |= {each.key: each for each in changed}
    waiting = {message.channel: message for message in messages(at.store, "failed")}
    planned = plan(at.alerts, problems, known, at.now)
    drop_failed(at.store, waiting.keys() - planned.keys())
    due = {name: news for name, news in planned.items() if _may_try(waiting.get(name), at.now)}
    evidence = _evidence(at, due)
    still_open = Counter(problem.subject for problem in problems.values())
    sent += [_send(at, _message(at, name, news, evidence, still_open)) for name, news in due.items()]
    return sent


def _resend(at: _Pass, message: Message) -> Iterator[Sent]:
    channel = at.alerts.channels.get(message.channel)
    if channel is None or channel.is_off:
        end_message(at.store, message, at.now, "the channel isn't declared any more")
    else:
        yield _send(at, message)


def _may_try(failed: Message | None, now: datetime) -> bool:
    wait = None if failed is None else _RETRIES.wait(max(failed.attempts, 1))
    if failed is None or failed.tried_at is None or not wait:
        return True
    return not is_within(failed.tried_at, now, timedelta(seconds=wait))


def _evidence(at: _Pass, due: Mapping[str, Sequence[News]]) -> Evidence:
    """Read the rows that messages will show: the first few of each subject."""
    shown: dict[str, Problem] = {}
    for channel, news in due.items():
        seen: Counter[tuple[str, str]] = Counter()
        for item in news if at.alerts.channels[channel].evidence else ():
            seen[item.what, item.known.subject] += 1
            if item.problem is not None and seen[item.what, item.known.subject] <= EVIDENCE_ROWS:
                shown[item.known.key] = item.problem
    if not shown:
        return {}
    with at.warehouse.snapshot() as session:
        read = evidence_of(session, list(shown.values()))
    return {key: (read[key],) if key in read else problem.evidence for key, problem in shown.items()}


def _message(
    at: _Pass, channel: str, news: Sequence[News], evidence: Evidence, still_open: Mapping[str, int]
) -> Message:
    text = compose(news, evidence if at.alerts.channels[channel].evidence else {}, still_open)
    told = tuple((item.known.key, item.what) for item in news)
    return Message(message_id(channel, news), channel, text.title, text.body, text.severity or "", told,
                   "sending", at.now)  # fmt: skip


def _send(at: _Pass, message: Message) -> Sent:
    message = begin_message(at.store, message, at.now)
    error = send(at.alerts.channels[message.channel], message, at.project)
    end_message(at.store, message, at.now, error)
    if error is None:
        log.info("alert sent to %s: %s", message.channel, message.title)
    else:
        log.warning("channel %s, attempt %d: %s", message.channel, message.attempts, error)
    return Sent(message.channel, message.title, error)
