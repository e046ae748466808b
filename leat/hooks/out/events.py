"""What happened since a moment, as events for endpoints: read from state, so that nothing is lost with a process.

Each event has a key that is the same whenever it is read. Events are read again for an hour before the last one,
because what happened earlier may be committed later; an endpoint gets each once, for its messages have ids made of the
keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from sqlalchemy import Engine

from leat.control.happened import action_changes, run_changes
from leat.hooks.out.declaration import Endpoint, EventType
from leat.pipelines.load.cells import placeholder
from leat.warehouse.session import Session, Warehouse

OVERLAP = timedelta(hours=1)
"""Clocks of machines that share a store, and the time that a transaction takes, must differ by less."""
_VIOLATIONS = """
SELECT v.rule, v.violation_key, v.severity, v.owner, v.opened_at, v.resolved_at, v.episodes, v.evidence,
       r.title, r.next_step, r.integrations
FROM leat.violations AS v
LEFT JOIN leat.rules AS r ON r.rule = v.rule
WHERE v.opened_at >= ? OR v.resolved_at >= ?
ORDER BY v.opened_at, v.violation_key
"""
_LOADS = """
SELECT l.integration, l.load_id, l.kind, l.applied_at,
       s.stream, s.inserted, s.updated, s.deleted, s.quarantined, s.total
FROM leat.loads AS l
LEFT JOIN leat.load_streams AS s ON s.integration = l.integration AND s.load_id = l.load_id
WHERE l.applied_at >= ?
ORDER BY l.applied_at, l.load_id, s.stream
"""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        type: what.
        key: identity of what happened, within its type.
        target: what it happened to: its events are sent in their order.
        at: when, UTC.
        data: what the endpoint gets, as JSON.
        integrations: which it concerns.
        evidence: the row of a violation, for endpoints that want it.
    """

    type: EventType
    key: str
    target: str
    at: datetime
    data: Mapping[str, Any]
    integrations: tuple[str, ...] = ()
    evidence: Any = None


def events_since(store: Engine, warehouse: Warehouse, since: datetime) -> list[Event]:
    """Return what happened since a moment, the oldest first."""
    with warehouse.snapshot() as session:
        events = list(_in_warehouse(session, since))
    for run in run_changes(store, since):
        type_: EventType = "run.failed" if run.failed else "run.recovered"
        data: dict[str, Any] = {"integration": run.integration, "run": run.id, "ended_at": run.ended_at.isoformat()}
        data |= {"error_type": run.error_type, "error": run.error} if run.failed else {}
        events.append(Event(type_, run.id, f"run/{run.integration}", run.ended_at, data, (run.integration,)))
    for change in action_changes(store, since):
        data = {"action": change.action, "integration": change.integration, "verb": change.verb, "title": change.title,
                "state": change.state, "detail": change.detail, "automation": change.automation}  # fmt: skip
        key, about = f"{change.action}/{change.number}", (change.integration,)
        events.append(Event("action.changed", key, f"action/{change.action}", change.at, data, about))
    return sorted(events, key=lambda event: event.at)


def _in_warehouse(session: Session, since: datetime) -> Iterator[Event]:
    if session.columns("leat", "checks"):  # it came with the ledger's columns
        yield from _violations(session, since)
    if session.columns("leat", "load_streams"):
        yield from _loads(session, since)


def _violations(session: Session, since: datetime) -> Iterator[Event]:
    rows = session.execute(_VIOLATIONS, (since, since))
    for rule, key, severity, owner, opened, resolved, episodes, evidence, title, next_step, integrations in rows:
        about = tuple(_json(integrations) or ())
        data = {"rule": rule, "violation": key, "title": title, "severity": severity, "owner": owner,
                "next_step": next_step, "integrations": list(about), "opened_at": opened.isoformat()}  # fmt: skip
        episode, target, row = f"{key}/{episodes or 1}", f"violation/{key}", _json(evidence)
        if opened >= since:
            yield Event("violation.opened", episode, target, opened, data, about, row)
        if resolved is not None and resolved >= since:
            ended = {**data, "resolved_at": resolved.isoformat()}
            yield Event("violation.resolved", episode, target, resolved, ended, about, row)


def _loads(session: Session, since: datetime) -> Iterator[Event]:
    loads: dict[tuple[str, str], dict[str, Any]] = {}
    times: dict[tuple[str, str], datetime] = {}
    for integration, load_id, kind, applied, stream, *counts in session.execute(_LOADS, (since,)):
        key = integration, load_id
        data = {"integration": integration, "load": load_id, "kind": kind, "applied_at": applied.isoformat()}
        load, times[key] = loads.setdefault(key, {**data, "streams": []}), applied
        if stream is not None:
            names = ("inserted", "updated", "deleted", "quarantined", "total")
            load["streams"].append({"stream": stream, **dict(zip(names, counts, strict=True))})
    for (integration, load_id), data in loads.items():
        at, target = times[integration, load_id], f"load/{integration}"
        yield Event("load.applied", f"{integration}/{load_id}", target, at, data, (integration,))


def wanted(endpoint: Endpoint, event: Event) -> bool:
    """Return whether an endpoint gets an event."""
    if event.type not in endpoint.events:
        return False
    if endpoint.integration and not {*endpoint.integration} & {*event.integrations}:
        return False
    if not event.type.startswith("violation."):
        return True
    if endpoint.severity and event.data["severity"] not in endpoint.severity:
        return False
    return not endpoint.rule or any(fnmatchcase(event.data["rule"], pattern) for pattern in endpoint.rule)


def body_of(endpoint: Endpoint, event: Event) -> str:
    """Return the body of a message: type, time and data, as Standard Webhooks recommends."""
    data = event.data
    if endpoint.evidence and event.evidence is not None:
        data = {**event.data, "evidence": placeholder(event.evidence)}
    return json.dumps({"type": event.type, "timestamp": event.at.isoformat(), "data": data}, ensure_ascii=False)


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
