"""The problems in the warehouse: open violations, failed checks of tables, fields that came or went."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from leat.pipelines.load.drift import SHOWN_FOR, changes_since
from leat.pipelines.load.state import SCHEMA
from leat.quality.alerts.problem import EVIDENCE_ROWS, Problem
from leat.warehouse.session import Session

_LONGEST_TITLE = 500
_VIOLATIONS = """
SELECT v.rule, v.violation_key, v.severity, v.owner, v.opened_at, v.acknowledged_until, v.flaps,
       r.title, r.next_step, r.integrations
FROM leat.violations AS v
LEFT JOIN leat.rules AS r ON r.rule = v.rule
WHERE v.resolved_at IS NULL
ORDER BY v.rule, v.violation_key
"""
_CHECKS = """
SELECT subject, check_name, severity, detail, evidence
FROM leat.checks
WHERE NOT ok
ORDER BY subject, check_name
"""


def problems_in_warehouse(session: Session, now: datetime) -> Iterator[Problem]:
    """Yield what is wrong with what has been loaded; nothing for a warehouse that an earlier leat wrote last."""
    if session.columns(SCHEMA, "checks"):  # it came with the ledger's other columns, in one transaction
        yield from _violations(session)
        yield from _checks(session)
        yield from _drift(session, now)


def _violations(session: Session) -> Iterator[Problem]:
    for rule, key, severity, owner, opened, until, flaps, title, next_step, integrations in session.execute(
        _VIOLATIONS
    ):
        yield Problem(
            key=f"violation:{key}",
            kind="violation",
            subject=rule,
            title=title or rule,
            severity="error" if severity == "error" else "warn",
            next_step=next_step or "Look at the evidence, and fix what is wrong in the system.",
            command=f"leat violations --rule {rule}",
            integrations=tuple(_json(integrations) or ()),
            owner=owner or "",
            since=opened,
            acknowledged_until=until,
            flaps=flaps or 0,
        )


def _checks(session: Session) -> Iterator[Problem]:
    for subject, check, severity, detail, evidence in session.execute(_CHECKS):
        schema = subject.partition(".")[0]
        yield Problem(
            key=f"check:{subject}:{check}"[:255],
            kind="check",
            subject=subject,
            title=f"{subject}: {detail}",
            severity="error" if severity == "error" else "warn",
            next_step="Fix the rows in the system, or the check in the declaration; then run it again.",
            command=f"leat query \"SELECT * FROM leat.checks WHERE subject = '{subject}'\"",
            integrations=() if schema == "analytics" else (schema,),
            evidence=tuple(_json(evidence) or ())[:EVIDENCE_ROWS],
        )


def _drift(session: Session, now: datetime) -> Iterator[Problem]:
    for each in changes_since(session, now - SHOWN_FOR):
        subject = f"{each.integration}.{each.stream}"
        yield Problem(
            key=f"drift:{subject}:{each.kind}:{each.load_id}"[:255],
            kind="drift",
            subject=subject,
            title=f"{subject}: {each.words}"[:_LONGEST_TITLE],
            severity="warn",
            next_step="See whether the system has changed; declare new fields, and correct what reads the others.",
            command=f"leat query \"SELECT * FROM leat.fields WHERE integration = '{each.integration}'\"",
            integrations=(each.integration,),
            since=each.at,
        )


def evidence_of(session: Session, problems: Sequence[Problem]) -> dict[str, Mapping[str, Any]]:
    """Return the evidence of violations by the key of the problem: of the first few only, all in one query."""
    wanted = [each.key.partition(":")[2] for each in problems if each.kind == "violation"]
    if not wanted:
        return {}
    marks = ", ".join("?" * len(wanted))
    rows = session.execute(
        f"SELECT violation_key, evidence FROM leat.violations WHERE violation_key IN ({marks})", wanted
    )
    return {f"violation:{key}": _json(evidence) or {} for key, evidence in rows}


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
