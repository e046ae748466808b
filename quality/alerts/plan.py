"""Decides which news each channel gets now, from the problems, their earlier state, the declaration and the time.

::

    problems now      \
    tracked problems   +--> changes of tracked problems, then news by channel
    declaration       /

A channel gets news of a problem when it opens, once when it flaps, and when it is resolved; reminders only if declared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from leat.control.alerts import Notice, TrackedProblem, What
from leat.quality.alerts.declaration import Alerts, Escalation, Route
from leat.quality.alerts.problem import Problem
from leat.quality.alerts.routes import route_of
from leat.quality.alerts.times import is_quiet, last_digest
from leat.quality.ledger import FLAPPING_FROM, FLAPS_WITHIN
from leat.warehouse.clock import is_future, is_within

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class News:
    """News for one channel about one problem; ``problem`` is None when it is resolved."""

    what: What
    tracked: TrackedProblem
    problem: Problem | None = None


def note(problems: Mapping[str, Problem], tracked: Mapping[str, TrackedProblem], now: datetime) -> list[TrackedProblem]:
    """Return the tracked problems that changed: new, back, different or resolved."""
    changed = []
    for key, problem in problems.items():
        before = tracked.get(key)
        at, flaps = now, 0
        if before is not None and before.gone_at is None:
            at, flaps = now if is_future(before.seen_at, now) else before.seen_at, before.flaps
        elif before is not None and before.gone_at is not None and is_within(before.gone_at, now, FLAPS_WITHIN):
            flaps = before.flaps + 1
        notices = {} if before is None else before.notices
        after = TrackedProblem(key, problem.kind, problem.subject, problem.title, problem.severity, at, None,
                      max(flaps, problem.flaps), notices)  # fmt: skip
        if after != before:
            changed.append(after)
    gone = (each for key, each in tracked.items() if each.gone_at is None and key not in problems)
    return [*changed, *(replace(each, gone_at=now) for each in gone)]


def plan(
    alerts: Alerts, problems: Mapping[str, Problem], tracked: Mapping[str, TrackedProblem], now: datetime
) -> dict[str, list[News]]:
    """Return the news by channel, sorted by severity and subject; `note` has updated ``tracked``."""
    on = {name for name, channel in alerts.channels.items() if not channel.is_off}
    result: dict[str, list[News]] = {}
    for key, noted in tracked.items():
        problem, each = problems.get(key), _believed(noted, now)
        for channel, what in dict(_news(alerts, problem, each, now)).items():
            if channel in on:
                result.setdefault(channel, []).append(News(what, each, problem))
    for news in result.values():
        news.sort(key=lambda item: (item.tracked.severity, item.tracked.subject, item.tracked.key))  # error, then warn
    return result


def _believed(tracked: TrackedProblem, now: datetime) -> TrackedProblem:
    """Return a problem without times in the future: nobody can have been notified then."""
    notices = {
        name: replace(each, notified_at=_LONG_AGO) if is_future(each.notified_at, now) else each
        for name, each in tracked.notices.items()
    }
    gone = now if tracked.gone_at is not None and is_future(tracked.gone_at, now) else tracked.gone_at
    return replace(tracked, notices=notices, gone_at=gone)


def message_key(channel: str, before: str, news: Sequence[News]) -> str:
    """Return what a message is one of: the same for the same news to the same channel after the same message."""
    notices = [
        [n.tracked.key, n.what, str(n.tracked.gone_at or n.tracked.seen_at), str(_last(n.tracked.notices.get(channel)))]
        for n in news
    ]
    return "alert/" + hashlib.sha256(json.dumps([channel, before, *notices]).encode()).hexdigest()


def _last(notices: Notice | None) -> datetime | None:
    return None if notices is None else notices.notified_at


def _news(
    alerts: Alerts, problem: Problem | None, tracked: TrackedProblem, now: datetime
) -> Iterator[tuple[str, What]]:
    hours = alerts.quiet_hours
    if hours is not None and tracked.severity not in hours.unless and is_quiet(hours, now):
        return
    if problem is None:
        yield from _over(alerts, tracked, now)
        return
    until = problem.acknowledged_until
    if until is not None and until > now:
        return
    route = route_of(alerts, problem)
    for channel in route.channels:
        notices = tracked.notices.get(channel)
        what = _open(alerts, problem, tracked, notices, now)
        if what is not None and _is_due(alerts, route, tracked, notices, now):
            yield channel, what
    escalation = route.escalate or alerts.escalate
    if escalation is not None and not _flaps(tracked, problem, now):
        yield from _escalated(escalation, route, tracked, max(tracked.seen_at, until or tracked.seen_at), now)


def _open(
    alerts: Alerts, problem: Problem, tracked: TrackedProblem, notices: Notice | None, now: datetime
) -> What | None:
    if _flaps(tracked, problem, now):
        return "flapping" if notices is None or notices.what != "flapping" else None
    if notices is None or notices.what != "opened":
        return "opened"
    until = problem.acknowledged_until
    if until is not None and notices.notified_at < until:
        return "reminded"  # the acknowledgement has ended, the problem hasn't
    return "reminded" if alerts.remind is not None and now - notices.notified_at >= alerts.remind else None


def _over(alerts: Alerts, tracked: TrackedProblem, now: datetime) -> Iterator[tuple[str, What]]:
    if tracked.kind == "drift":
        return  # drift is news for a while, then the new normal; nobody resolves it
    gone = tracked.gone_at or now
    if tracked.flaps >= FLAPPING_FROM and now - gone < FLAPS_WITHIN:
        return  # it may be back any moment
    for channel, notices in tracked.notices.items():
        waits = alerts.digest is not None and tracked.severity == "warn" and not notices.escalated
        if notices.what != "recovered" and not (waits and alerts.digest and last_digest(alerts.digest, now) < gone):
            yield channel, "recovered"


def _escalated(
    escalation: Escalation, route: Route, tracked: TrackedProblem, since: datetime, now: datetime
) -> Iterator[tuple[str, What]]:
    for channel in escalation.to if now - since >= escalation.after else ():
        notices = tracked.notices.get(channel)
        knows = notices is not None and notices.what == "opened"
        if knows != (channel not in route.channels) and not (notices is not None and notices.escalated and knows):
            yield channel, "escalated"


def _is_due(alerts: Alerts, route: Route, tracked: TrackedProblem, notices: Notice | None, now: datetime) -> bool:
    if alerts.digest is None or tracked.severity == "error" or not route.digest:
        return True
    after = tracked.seen_at if notices is None else max(tracked.seen_at, notices.notified_at)
    return last_digest(alerts.digest, now) >= after


def _flaps(tracked: TrackedProblem, problem: Problem, now: datetime) -> bool:
    changed = max(tracked.seen_at, problem.since) if problem.since is not None else tracked.seen_at
    return tracked.flaps >= FLAPPING_FROM and now - changed < FLAPS_WITHIN
