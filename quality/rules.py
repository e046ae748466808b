"""Runs the rules inside an open transaction and updates the ledger of violations, ``leat.violations``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.diagnostics import meant
from leat.pipelines.declare.table_names import ANALYTICS
from leat.pipelines.load import state
from leat.pipelines.load.results import CheckResult
from leat.pipelines.load.writing import refreshing
from leat.quality.audit import EVIDENCE_ROWS
from leat.quality.guard import RuleError, TransactionLost, guarded
from leat.quality.ledger import Violation, record, resolve_others, violation_key
from leat.quality.rule_files import Rule
from leat.sources.batch import to_json
from leat.warehouse.session import Session, Warehouse, quote

CANNOT_RUN = "rule_cannot_run"
"""The rule of the rules: one that can't be run is a violation as well."""
_SELECTED = "leat_violations_found"
_MOST = 100_000
"""So many violations of one rule are noted; more is a mistake in the rule, and would fill the memory."""


def check_rules(
    warehouse: Warehouse,
    rules: Sequence[Rule],
    declarations: Mapping[str, Declaration],
    now: datetime,
    stale: Mapping[str, str] = MappingProxyType({}),
) -> tuple[CheckResult, ...]:
    """Run the rules in a transaction of their own, which a rule that fails can't take with it.

    Raises:
        Busy: another process has been writing for too long.
    """
    broken: dict[str, str] = {}
    while True:
        try:
            with refreshing(warehouse) as session:
                return run_rules(session, rules, declarations, now, stale, broken)
        except TransactionLost as lost:
            if not lost.subject or lost.subject in broken:
                raise
            broken[lost.subject] = lost.why


def run_rules(
    session: Session,
    rules: Sequence[Rule],
    declarations: Mapping[str, Declaration],
    now: datetime,
    stale: Mapping[str, str] = MappingProxyType({}),
    broken: Mapping[str, str] = MappingProxyType({}),
) -> tuple[CheckResult, ...]:
    """Run the rules on the rows as they are in this transaction, and bring the ledger up to date.

    Args:
        session: an open transaction.
        rules: all rules of the project; the violations of others are resolved.
        declarations: the declared integrations; a rule that needs another one is skipped.
        now: the time of the run, UTC.
        stale: tables that are older than declared, and how old in words; a rule that reads one is skipped.
        broken: rules that failed in an earlier attempt, and why; they aren't run, only reported.

    Raises:
        TransactionLost: on DuckDB, a rule failed while it ran. The attempt can be repeated with the rule in ``broken``.
    """
    state.create_tables(session)
    outcomes = [_run(session, rule, declarations, now, stale, broken.get(rule.name)) for rule in rules]
    failed = [_cannot_run(outcome) for outcome in outcomes if outcome.word == "failed"]
    record(session, CANNOT_RUN, failed, now)
    resolve_others(session, [*(rule.name for rule in rules), CANNOT_RUN], now)
    session.execute("DELETE FROM leat.rules")
    state.insert(session, "rules", [*(_row(outcome, now) for outcome in outcomes), _row_of_all(len(failed), now)])
    return tuple(outcome.result for outcome in outcomes)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How a rule ended: in a word (holds, violated, skipped or failed), and as a result."""

    rule: Rule
    word: str
    result: CheckResult
    why: str = ""


def _run(
    session: Session,
    rule: Rule,
    declarations: Mapping[str, Declaration],
    now: datetime,
    stale: Mapping[str, str],
    broken: str | None,
) -> _Outcome:
    """Run a rule; whatever goes wrong, from its file to the ledger, is the outcome of this rule alone."""
    why = "; ".join(rule.diagnostics) or broken
    if why:
        return _failed(rule, why)
    failed: list[str] = []
    violations: list[Violation] = []
    with guarded(session, rule.name, failed.append):
        reason = _skipped(session, rule, declarations, stale)
        if reason is not None:
            detail = f"{rule.title}: skipped, {reason}"
            result = CheckResult(rule.name, rule.name, rule.severity, True, 0, detail, skipped=True)
            return _Outcome(rule, "skipped", result)
        violations = _judge(session, rule, now)
    if not failed:
        with guarded(session, rule.name, failed.append, writes=True):
            record(session, rule.name, violations, now)
    return _failed(rule, failed[0]) if failed else _outcome(rule, violations)


def _judge(session: Session, rule: Rule, now: datetime) -> list[Violation]:
    """Return what a rule finds.

    Raises:
        RuleError: it can't be tried.
    """
    session.create_temporary(_SELECTED, rule.at(now, session.dialect))
    return _violations(session, rule)


def _outcome(rule: Rule, violations: list[Violation]) -> _Outcome:
    number = f"{len(violations)} violation{'' if len(violations) == 1 else 's'}" if violations else "it holds"
    evidence = tuple(violation.evidence for violation in violations[:EVIDENCE_ROWS])
    detail, ok = f"{rule.title}: {number}", not violations
    result = CheckResult(rule.name, rule.name, rule.severity, ok, len(violations), detail, evidence)
    return _Outcome(rule, "holds" if ok else "violated", result)


def _failed(rule: Rule, why: str) -> _Outcome:
    """Return the outcome of a rule that can't be run: a warning, for it has judged nothing and withholds nothing."""
    detail = f"{rule.title}: {rule.shown} can't run: {why}. Next: correct the query; its violations stay as they were"
    return _Outcome(rule, "failed", CheckResult(rule.name, rule.name, "warn", False, 0, detail), why)


def _cannot_run(outcome: _Outcome) -> Violation:
    rule = outcome.rule
    evidence = {"rule": rule.name, "file": rule.shown, "reason": outcome.why}
    return Violation(violation_key(CANNOT_RUN, [rule.name]), evidence, rule.severity, rule.owner)


def _row(outcome: _Outcome, now: datetime) -> tuple[Any, ...]:
    """Return the row of ``leat.rules``."""
    rule, result = outcome.rule, outcome.result
    said = (rule.title, rule.description, rule.next_step, rule.severity, rule.owner)
    return (rule.name, *said, to_json(rule.needs), outcome.word, result.detail, result.failing, now)


def _row_of_all(failed: int, now: datetime) -> tuple[Any, ...]:
    said = (
        "Every rule can run",
        "A rule that can't run reports nothing, which doesn't mean that there is nothing to report.",
    )
    word = "violated" if failed else "holds"
    next_step = "Correct the query that the evidence names, then `leat run`."
    return (CANNOT_RUN, *said, next_step, "warn", "", "[]", word, f"{failed} can't be run", failed, now)


def _skipped(
    session: Session, rule: Rule, declarations: Mapping[str, Declaration], stale: Mapping[str, str]
) -> str | None:
    for integration in rule.needs:
        if integration not in declarations:
            return f"integration {integration} isn't declared"
        if not session.execute("SELECT 1 FROM leat.streams WHERE integration = ? LIMIT 1", (integration,)):
            return f"integration {integration} hasn't been loaded yet"
    for table in rule.inputs:
        if not session.columns(table.schema, table.name):
            what = "built" if table.schema == ANALYTICS else "loaded"
            return f"{table} hasn't been {what} yet"
        if str(table) in stale:
            return f"{table} is stale: {stale[str(table)]}"
    return None


def _violations(session: Session, rule: Rule) -> list[Violation]:
    """Return the violations, one per key, in the order of the keys."""
    import sqlalchemy

    selected = f"SELECT * FROM {quote(_SELECTED)}"
    count = session.execute(f"SELECT count(*) FROM {quote(_SELECTED)}")[0][0]
    if count > _MOST:
        msg = f"it selects {count:,} rows, more than the {_MOST:,} that a rule may select; narrow the query"
        raise RuleError(msg)
    names = list(session.sqlalchemy().execute(sqlalchemy.text(f"{selected} WHERE 1 = 0")).keys())
    missing = [column for column in rule.key if column not in names]
    if missing:
        msg = f"key: the query gives no column {missing[0]!r}{meant(missing[0], names)}"
        raise RuleError(msg)
    result: dict[str, Violation] = {}
    for row in session.execute(f"{selected} ORDER BY {', '.join(map(quote, rule.key))}"):
        evidence = json.loads(to_json(dict(zip(names, row, strict=True))))
        key = violation_key(rule.name, [evidence[column] for column in rule.key])
        result.setdefault(key, Violation(key, evidence, rule.severity, rule.owner))
    return list(result.values())
