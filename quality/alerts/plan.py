"""Decides what has to be told to whom now: a function of what is wrong, what is known, what is declared, and the time.

::

    problems now  \
    known before   +--> changes of what is known, then news by channel
    declaration   /

A channel is told of a problem when it opens, once when it flaps, when it is over; again only when that is declared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from leat.control.alerts import Known, Told, What
from leat.quality.alerts.declaration import Alerts, Escalation, Route
from leat.quality.alerts.problem import Problem
from leat.quality.alerts.routes import route_of
from leat.quality.alerts.times import is_quiet, last_digest
from leat.quality.ledger import FLAPPING_FROM, FLAPS_WITHIN
from leat.warehouse.clock import is_future, is_within

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class News:
    """What one channel is to be told of one problem; ``problem`` is None when it is gone."""

    what: What
    known: Known
    problem: Problem | None = None


def note(problems: Mapping[str, Problem], known: Mapping[str, Known], now: datetime) -> list[Known]:
    """Return what has changed of what is known: problems that came, came back, changed, or went."""
    changed = []
    for key, problem in problems.items():
        before = known.get(key)
        at, flaps = now, 0
        if before is not None and before.gone_at is None:
            at, flaps = now if is_future(before.seen_at, now) else before.seen_at, before.flaps
        elif before is not None and before.gone_at is not None and is_within(before.gone_at, now, FLAPS_WITHIN):
            flaps = before.flaps + 1
        told = {} if before is None else before.told
        after = Known(key, problem.kind, problem.subject, problem.title, problem.severity, at, None,
                      max(flaps, problem.flaps), told)  # fmt: skip
        if after != before:
            changed.append(after)
    gone = (each for key, each in known.items() if each.gone_at is None and key not in problems)
    return [*changed, *(replace(each, gone_at=now) for each in gone)]


def plan(
    alerts: Alerts, problems: Mapping[str, Problem], known: Mapping[str, Known], now: datetime
) -> dict[str, list[News]]:
    """Return the news by channel, sorted by severity and subject; ``known`` has been brought up to date by `note`."""
    on = {name for name, channel in alerts.channels.items() if not channel.is_off}
    found: dict[str, list[News]] = {}
    for key, noted in known.items():
        problem, each = problems.get(key), _believed(noted, now)
        for channel, what in dict(_news(alerts, problem, each, now)).items():
            if channel in on:
                found.setdefault(channel, []).append(News(what, each, problem))
    for news in found.values():
        news.sort(key=lambda item: (item.known.severity, item.known.subject, item.known.key))  # error, then warn
    return found


def _believed(known: Known, now: datetime) -> Known:
    """Return what is known without times that are still to come: nobody was told of it then."""
    told = {
        name: replace(each, told_at=_LONG_AGO) if is_future(each.told_at, now) else each
        for name, each in known.told.items()
    }
    gone = now if known.gone_at is not None and is_future(known.gone_at, now) else known.gone_at
    return replace(known, told=told, gone_at=gone)


def message_id(channel: str, news: Sequence[News]) -> str:
    """Return 32 hexadecimal digits that are the same whenever the same is told to the same channel."""
    told = [
        [n.known.key, n.what, str(n.known.gone_at or n.known.seen_at), str(_last(n.known.told.get(channel)))]
        for n in news
    ]
    return hashlib.sha256(json.dumps([channel, *told]).encode()).hexdigest()[:32]


def _last(told: Told | None) -> datetime | None:
    return None if told is None else told.told_at


def _news(alerts: Alerts, problem: Problem | None, known: Known, now: datetime) -> Iterator[tuple[str, What]]:
    hours = alerts.quiet_hours
    if hours is not None and known.severity not in hours.unless and is_quiet(hours, now):
        return
    if problem is None:
        yield from _over(alerts, known, now)
        return
    until = problem.acknowledged_until
    if until is not None and until > now:
        return
    route = route_of(alerts, problem)
    for channel in route.channels:
        told = known.told.get(channel)
        what = _open(alerts, problem, known, told, now)
        if what is not None and _is_due(alerts, route, known, told, now):
            yield channel, what
    escalation = route.escalate or alerts.escalate
    if escalation is not None and not _flaps(known, problem, now):
        yield from _escalated(escalation, route, known, max(known.seen_at, until or known.seen_at), now)


def _open(alerts: Alerts, problem: Problem, known: Known, told: Told | None, now: datetime) -> What | None:
    if _flaps(known, problem, now):
        return "flapping" if told is None or told.what != "flapping" else None
    if told is None or told.what != "opened":
        return "opened"
    until = problem.acknowledged_until
    if until is not None and told.told_at < until:
        return "reminded"  # the acknowledgement has ended, the problem hasn't
    return "reminded" if alerts.remind is not None and now - told.told_at >= alerts.remind else None


def _over(alerts: Alerts, known: Known, now: datetime) -> Iterator[tuple[str, What]]:
    if known.kind == "drift":
        return  # a change of fields is news for a while, and then it is how things are
    gone = known.gone_at or now
    if known.flaps >= FLAPPING_FROM and now - gone < FLAPS_WITHIN:
        return  # it may be back any moment
    for channel, told in known.told.items():
        waits = alerts.digest is not None and known.severity == "warn" and not told.escalated
        if told.what != "recovered" and not (waits and alerts.digest and last_digest(alerts.digest, now) < gone):
            yield channel, "recovered"


def _escalated(
    escalation: Escalation, route: Route, known: Known, since: datetime, now: datetime
) -> Iterator[tuple[str, What]]:
    for channel in escalation.to if now - since >= escalation.after else ():
        told = known.told.get(channel)
        knows = told is not None and told.what == "opened"
        if knows != (channel not in route.channels) and not (told is not None and told.escalated and knows):
            yield channel, "escalated"


def _is_due(alerts: Alerts, route: Route, known: Known, told: Told | None, now: datetime) -> bool:
    if alerts.digest is None or known.severity == "error" or not route.digest:
        return True
    after = known.seen_at if told is None else max(known.seen_at, told.told_at)
    return last_digest(alerts.digest, now) >= after


def _flaps(known: Known, problem: Problem, now: datetime) -> bool:
    changed = max(known.seen_at, problem.since) if problem.since is not None else known.seen_at
    return known.flaps >= FLAPPING_FROM and now - changed < FLAPS_WITHIN
