"""What the ledger of violations says now: each violation with its rule, and how many each rule has."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from leat.pipelines.load.state import SCHEMA
from leat.quality.ledger import FLAPPING_FROM, FLAPS_WITHIN
from leat.warehouse.clock import is_within
from leat.warehouse.session import Session

State = Literal["open", "acknowledged", "flapping", "resolved"]

_COLUMNS = (  # in the order of Entry; what is null is of an earlier version of leat, or of a rule that is gone
    "v.rule, v.violation_key, COALESCE(r.title, v.rule), v.severity, COALESCE(v.owner, ''), v.evidence, "
    "v.first_seen_at, COALESCE(v.opened_at, v.first_seen_at), v.last_seen_at, v.resolved_at, COALESCE(v.episodes, 1), "
    "COALESCE(v.flaps, 0), v.acknowledged_by, v.acknowledged_until, v.acknowledged_note, COALESCE(r.next_step, '')"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger; see docs/consistency.md for what its times mean."""

    rule: str
    key: str
    title: str
    severity: str
    owner: str
    evidence: Mapping[str, Any]
    first_seen_at: datetime
    opened_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None
    episodes: int
    flaps: int
    acknowledged_by: str | None
    acknowledged_until: datetime | None
    acknowledged_note: str | None
    next_step: str

    def state(self, now: datetime) -> State:
        """Return its state: flapping means that it came and went at least twice within a day."""
        if self.flaps >= FLAPPING_FROM and is_within(
            max(self.opened_at, self.resolved_at or self.opened_at), now, FLAPS_WITHIN
        ):
            return "flapping"
        if self.resolved_at is not None:
            return "resolved"
        return "acknowledged" if self.acknowledged_until is not None and now < self.acknowledged_until else "open"


@dataclass(frozen=True, slots=True)
class RuleSummary:
    """How many open violations a rule has, how many of them are new since a time, and how many are acknowledged."""

    rule: str
    title: str
    severity: str
    owner: str
    open: int
    new: int
    acknowledged: int


def entries(session: Session, *, only_open: bool = False, rule: str | None = None) -> list[Entry]:
    """Return the ledger, open violations first, by rule and first sight; empty before the first run of rules."""
    if "opened_at" not in session.columns(SCHEMA, "violations"):
        return []
    where = " AND ".join(
        ["1 = 1", *(["v.resolved_at IS NULL"] if only_open else []), *(["v.rule = ?"] if rule else [])]
    )
    rows = session.execute(
        f"SELECT {_COLUMNS} FROM leat.violations AS v LEFT JOIN leat.rules AS r ON r.rule = v.rule WHERE {where} "
        "ORDER BY CASE WHEN v.resolved_at IS NULL THEN 0 ELSE 1 END, v.rule, v.first_seen_at, v.violation_key",
        (rule,) if rule else (),
    )
    return [_entry(row) for row in rows]


def summaries(all_entries: Iterable[Entry], since: datetime, now: datetime) -> list[RuleSummary]:
    """Return one summary per rule that has open violations, errors first, then by name."""
    by_rule: dict[str, list[Entry]] = {}
    for entry in all_entries:
        if entry.resolved_at is None:
            by_rule.setdefault(entry.rule, []).append(entry)
    result = [
        RuleSummary(
            rule=rule,
            title=listed[0].title,
            severity=listed[0].severity,
            owner=listed[0].owner,
            open=len(listed),
            new=sum(entry.opened_at >= since for entry in listed),
            acknowledged=sum(entry.state(now) == "acknowledged" for entry in listed),
        )
        for rule, listed in by_rule.items()
    ]
    return sorted(result, key=lambda each: (each.severity != "error", each.rule))


def matching(listed: Sequence[Entry], prefix: str) -> list[Entry]:
    """Return the entries whose key begins like that."""
    return [entry for entry in listed if entry.key.startswith(prefix.lower())]


def _entry(row: Sequence[Any]) -> Entry:
    rule, key, title, severity, owner, evidence, *rest = row
    details = json.loads(evidence) if isinstance(evidence, str) else evidence
    return Entry(rule, key, title, severity, owner, details, *rest)
