"""The ledger of violations, ``leat.violations``: when each was first and last seen, and when it was resolved.

One that comes back is the same violation: ``first_seen_at`` is kept and ``resolved_at`` cleared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from pipelines.results import Severity
from pipelines.state import TABLES
from sources.batch import to_json
from warehouse.session import Session, sql_type

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Violation:
    """A violation as a rule found it: its stable key, and the row that the rule selected, as a JSON value."""

    key: str
    evidence: Mapping[str, Any]


def violation_key(rule: str, values: Iterable[Any]) -> str:
    """Return the stable name of a violation: the first 32 hexadecimal digits of a SHA-256 over rule and key."""
    return hashlib.sha256(to_json([rule, *values]).encode()).hexdigest()[:32]


def record(session: Session, rule: str, severity: Severity, found: Sequence[Violation], now: datetime) -> None:
    """Bring the ledger of one rule up to date with what it found now."""
    rows = session.execute(
        "SELECT violation_key, severity, evidence, resolved_at FROM leat.violations WHERE rule = ?", (rule,)
    )
    known = {key: (old, _json(evidence), resolved) for key, old, evidence, resolved in rows}
    seen = {violation.key for violation in found}
    _update(
        session,
        "resolved_at = ?",
        (now,),
        [key for key, entry in known.items() if entry[2] is None and key not in seen],
    )
    _update(session, "resolved_at = NULL", (), [key for key in seen if key in known and known[key][2] is not None])
    for violation in found:
        if violation.key in known and known[violation.key][:2] != (severity, violation.evidence):
            text = (severity, to_json(violation.evidence))
            kind = sql_type("json", session.dialect)
            _update(session, f"severity = ?, evidence = CAST(? AS {kind})", text, [violation.key])
    if any(key in known for key in seen):
        session.change(
            "UPDATE leat.violations SET last_seen_at = ? WHERE rule = ? AND resolved_at IS NULL", (now, rule)
        )
    fresh = [violation for violation in found if violation.key not in known]
    _insert(session, [(rule, v.key, severity, to_json(v.evidence), now, now, None) for v in fresh])


def resolve_others(session: Session, rules: Iterable[str], now: datetime) -> None:
    """Resolve the open violations of rules that there are no longer."""
    kept = set(rules)
    for (name,) in session.execute("SELECT DISTINCT rule FROM leat.violations WHERE resolved_at IS NULL"):
        if name not in kept:
            record(session, name, "warn", [], now)


def _update(session: Session, change: str, values: Sequence[Any], keys: Sequence[str]) -> None:
    for part in _chunks(keys):
        marks = ", ".join("?" * len(part))
        session.change(f"UPDATE leat.violations SET {change} WHERE violation_key IN ({marks})", (*values, *part))


def _insert(session: Session, rows: Sequence[Sequence[Any]]) -> None:
    kinds = TABLES["violations"].values()
    row = "(" + ", ".join(f"CAST(? AS {sql_type(kind, session.dialect)})" for kind in kinds) + ")"
    for part in _chunks(rows):
        values = [value for entry in part for value in entry]
        session.change(f"INSERT INTO leat.violations VALUES {', '.join([row] * len(part))}", values)


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]


def _json(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", json.loads(value) if isinstance(value, str) else value)
