"""The ledger of violations, ``leat.violations``: when each was first and last seen, resolved, acknowledged.

One that comes back is the same violation: ``first_seen_at`` stays, ``opened_at`` says when its current episode began.
One that comes back within a day of its resolution has flapped; it is not announced each time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from leat.pipelines.load import state
from leat.pipelines.load.results import Severity
from leat.pipelines.load.system_tables import TABLES
from leat.sources.batch import to_json
from leat.warehouse.clock import is_within
from leat.warehouse.session import Session

FLAPS_WITHIN = timedelta(days=1)
"""One that comes back so soon after its resolution has flapped."""
FLAPPING_FROM = 2
"""One that has flapped so often in a row is flapping, until it has stayed as it is for as long."""
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Violation:
    """A violation as a rule selected it.

    Attributes:
        key: its stable name, see :func:`violation_key`.
        evidence: the row that the rule selected, as a JSON value.
        severity: of the rule.
        owner: who is to look at it.
    """

    key: str
    evidence: Mapping[str, Any]
    severity: Severity
    owner: str


@dataclass(frozen=True, slots=True)
class _Stored:
    severity: str
    owner: str | None
    evidence: Mapping[str, Any]
    resolved_at: datetime | None


def violation_key(rule: str, values: Iterable[Any]) -> str:
    """Return the stable name of a violation: the first 32 hexadecimal digits of a SHA-256 over rule and key."""
    return hashlib.sha256(to_json([rule, *values]).encode()).hexdigest()[:32]


def record(session: Session, rule: str, violations: Sequence[Violation], now: datetime) -> None:
    """Bring the ledger of one rule up to date with its current violations."""
    rows = session.execute(
        "SELECT violation_key, severity, owner, evidence, resolved_at FROM leat.violations WHERE rule = ?", (rule,)
    )
    stored = {key: _Stored(severity, owner, _json(evidence), end) for key, severity, owner, evidence, end in rows}
    seen = {violation.key: violation for violation in violations}
    gone = [key for key, old in stored.items() if old.resolved_at is None and key not in seen]
    _update(session, "resolved_at = ?", (now,), gone)
    _reopen(session, [(key, stored[key].resolved_at) for key in seen if key in stored], now)
    kind = session.dialect.sql_type("json")
    for key, v in seen.items():
        old = stored.get(key)
        if old is not None and (old.severity, old.owner, old.evidence) != (v.severity, v.owner, v.evidence):
            values = (v.severity, v.owner, to_json(v.evidence))
            _update(session, f"severity = ?, owner = ?, evidence = CAST(? AS {kind})", values, [key])
    if any(key in stored for key in seen):
        session.change(
            "UPDATE leat.violations SET last_seen_at = ? WHERE rule = ? AND resolved_at IS NULL", (now, rule)
        )
    state.insert(session, "violations", [_row(rule, v, now) for key, v in seen.items() if key not in stored])


def resolve_others(session: Session, rules: Iterable[str], now: datetime) -> None:
    """Resolve the open violations of rules that there are no longer."""
    declared = set(rules)
    for (name,) in session.execute("SELECT DISTINCT rule FROM leat.violations WHERE resolved_at IS NULL"):
        if name not in declared:
            record(session, name, [], now)


def acknowledge(session: Session, keys: Sequence[str], by: str | None, until: datetime | None, note: str) -> None:
    """Store who looks after violations, and until when nobody gets alerts about them.

    Args:
        session: an open transaction.
        keys: the violations.
        by: who; None takes an acknowledgement back.
        until: the end of it, UTC.
        note: what is being done, for others to read.
    """
    change = "acknowledged_by = ?, acknowledged_until = ?, acknowledged_note = ?"
    _update(session, change, (by, until, note or None), keys)


def _reopen(session: Session, seen: Iterable[tuple[str, datetime | None]], now: datetime) -> None:
    came_back = [(key, resolved_at) for key, resolved_at in seen if resolved_at is not None]
    soon = [key for key, resolved_at in came_back if is_within(resolved_at, now, FLAPS_WITHIN)]
    late = [key for key, resolved_at in came_back if not is_within(resolved_at, now, FLAPS_WITHIN)]
    change = "resolved_at = NULL, opened_at = ?, episodes = coalesce(episodes, 1) + 1, flaps = "
    _update(session, change + "coalesce(flaps, 0) + 1", (now,), soon)
    _update(session, change + "0", (now,), late)


def _row(rule: str, violation: Violation, now: datetime) -> tuple[Any, ...]:
    values: dict[str, Any] = {
        "rule": rule,
        "violation_key": violation.key,
        "severity": violation.severity,
        "evidence": to_json(violation.evidence),
        "first_seen_at": now,
        "last_seen_at": now,
        "owner": violation.owner,
        "opened_at": now,
        "episodes": 1,
        "flaps": 0,
    }
    return tuple(values.get(column) for column in TABLES["violations"].types)


def _update(session: Session, change: str, values: Sequence[Any], keys: Sequence[str]) -> None:
    for part in _chunks(keys):
        marks = ", ".join("?" * len(part))
        session.change(f"UPDATE leat.violations SET {change} WHERE violation_key IN ({marks})", (*values, *part))


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]


def _json(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", json.loads(value) if isinstance(value, str) else value)
