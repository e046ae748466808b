"""One pass of alerts: reads the problems, and writes every channel the message with its news.

The same pass is made at the end of ``leat run`` and by Dagster's sensors. It asks nothing of its caller but the time,
so that nothing is lost with a process::

    warehouse, control store --problems--> plan --message written down--> outbox --sent--> channel

A message is written once, and the outbox sends it (:mod:`leat.runs.notify`). While a channel has one that isn't over,
what else is new waits, so that messages don't pile up while the channel is down and come in their order.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine

from leat.control.action_lease import Lease, hold_lease
from leat.control.alert_messages import (
    Message,
    NewMessage,
    add_message,
    failed_messages,
    latest_message,
    open_messages,
    settle,
    withdraw,
)
from leat.control.alerts import TrackedProblem, note_problems, tracked_problems
from leat.control.outbox import ALERTS
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project
from leat.quality.alerts.channels import guarantee_of, remember_secrets
from leat.quality.alerts.declaration import Alerts
from leat.quality.alerts.finding import find_problems
from leat.quality.alerts.in_warehouse import evidence_of
from leat.quality.alerts.plan import News, message_key, note, plan
from leat.quality.alerts.problem import EVIDENCE_ROWS, Problem
from leat.quality.alerts.text import Evidence, compose
from leat.warehouse.clock import is_within
from leat.warehouse.lease import Fenced
from leat.warehouse.session import Busy, Warehouse

log = logging.getLogger("leat.alerts")

_WAIT = 60.0  # seconds for another process that sends
_AGAIN = timedelta(days=1)
"""After that a channel gets another message about what it wasn't notified of, even if nothing is new."""


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
    declarations: Mapping[str, Declaration]
    alerts: Alerts
    now: datetime


def write_messages(
    project: Project,
    store: Engine,
    warehouse: Warehouse,
    declarations: Mapping[str, Declaration],
    alerts: Alerts,
    now: datetime,
) -> None:
    """Write the messages that are due into the outbox.

    Args:
        project: the project.
        store: the control store, which remembers who was notified of what.
        warehouse: where violations and checks are.
        declarations: the declared integrations.
        alerts: who gets alerts.
        now: the time, UTC.
    """
    at = _Pass(project, store, warehouse, declarations, alerts, now)
    problems = find_problems(store, warehouse, declarations, now)
    tracked = tracked_problems(store)
    if not open_messages(store) and not note(problems, tracked, now) and not plan(alerts, problems, tracked, now):
        return
    try:
        with hold_lease(store, ALERTS, _WAIT) as lease:
            _write(at, lease, problems)
    except (Busy, Fenced):
        log.info("another process sends alerts; what is new goes out with its pass or the next")


def _write(at: _Pass, lease: Lease, problems: Mapping[str, Problem]) -> None:
    remember_secrets(at.alerts, at.project)
    settle(at.store, at.now)
    tracked = tracked_problems(at.store)
    changed = note(problems, tracked, at.now)
    if changed:
        note_problems(at.store, changed, at.now)
        tracked |= {each.key: each for each in changed}
    unsent, failed = open_messages(at.store), failed_messages(at.store)
    dropped = {each.id for each in [*unsent, *failed] if each.channel not in at.alerts.channels}
    outdated = dropped | {each.id for each in [*unsent, *failed] if not _is_needed(each, tracked)}
    withdraw(at.store, lease, outdated, at.now, dropped)
    busy = {each.channel for each in open_messages(at.store)} if unsent else set()
    given_up = {each.channel: each for each in failed if each.id not in outdated}
    planned = plan(at.alerts, problems, tracked, at.now)
    due = {name: news for name, news in planned.items()
           if name not in busy and _is_worth_it(given_up.get(name), news, at.now)}  # fmt: skip
    evidence = _evidence(at, due)
    still_open = Counter(problem.subject for problem in problems.values())
    for name, news in due.items():
        add_message(at.store, lease, _message(at, name, news, evidence, still_open), at.now)


def _is_needed(message: Message, tracked: Mapping[str, TrackedProblem]) -> bool:
    """Return whether anything that a message reports is still so."""
    for key, what in message.news:
        is_over = key not in tracked or tracked[key].gone_at is not None
        if is_over == (what == "recovered"):
            return True
    return False


def _is_worth_it(failed: Message | None, news: Sequence[News], now: datetime) -> bool:
    """Return whether a channel gets another message: if something is new since one was given up, or a day later."""
    if failed is None or failed.ended_at is None or not is_within(failed.ended_at, now, _AGAIN):
        return True
    return not {(item.tracked.key, item.what) for item in news} <= set(failed.news)


def _evidence(at: _Pass, due: Mapping[str, Sequence[News]]) -> Evidence:
    """Read the rows that messages will show: the first few of each subject."""
    shown: dict[str, Problem] = {}
    for channel, news in due.items():
        seen: Counter[tuple[str, str]] = Counter()
        for item in news if at.alerts.channels[channel].evidence else ():
            seen[item.what, item.tracked.subject] += 1
            if item.problem is not None and seen[item.what, item.tracked.subject] <= EVIDENCE_ROWS:
                shown[item.tracked.key] = item.problem
    if not shown:
        return {}
    with at.warehouse.snapshot() as session:
        read = evidence_of(session, list(shown.values()))
    return {key: (read[key],) if key in read else problem.evidence for key, problem in shown.items()}


def _message(
    at: _Pass, channel: str, news: Sequence[News], evidence: Evidence, still_open: Mapping[str, int]
) -> NewMessage:
    declared = at.alerts.channels[channel]
    text = compose(news, evidence if declared.evidence else {}, still_open)
    contents = tuple((item.tracked.key, item.what) for item in news)
    key = message_key(channel, latest_message(at.store, channel), news)
    guarantee = guarantee_of(declared, at.declarations)
    return NewMessage(key, channel, text.title, text.body, text.severity or "", contents, guarantee)
