"""Runs the rules inside an open transaction and keeps the ledger of violations, ``leat.violations``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from pipelines import state
from pipelines.declaration import Declaration
from pipelines.results import CheckResult
from pipelines.sql_file import ANALYTICS, refusal
from quality.audit import EVIDENCE_ROWS
from quality.expectations import TransactionLost, savepoint, unexpected_rows, validate
from quality.ledger import Violation, record, resolve_others, violation_key
from quality.rule_files import Rule
from sources.batch import to_json
from warehouse.session import Session, Warehouse, quote

CANNOT_RUN = "rule_cannot_run"
"""The rule of the rules: one that can't be run is a violation as well."""
_FOUND = "leat_violations_found"


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
            with warehouse.transaction() as session:
                return run_rules(session, rules, declarations, now, stale, broken)
        except TransactionLost as lost:
            broken[lost.rule] = lost.why


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
    state.insert(session, "rules", [*(_told(outcome, now) for outcome in outcomes), _told_of_all(len(failed), now)])
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
    reason = _skipped(session, rule, declarations, stale)
    if reason is not None:
        detail = f"{rule.title}: skipped, {reason}"
        return _Outcome(
            rule, "skipped", CheckResult(rule.name, rule.name, rule.severity, True, 0, detail, skipped=True)
        )
    why = broken or _select(session, rule, now)
    if why is not None:
        return _failed(rule, why)
    query = f"SELECT * FROM {quote(_FOUND)}"
    verdict = validate(session, query, [unexpected_rows("SELECT 1 AS found FROM {batch}")])[0]
    if verdict.error:
        return _failed(rule, verdict.error)
    violations = [] if verdict.met else _violations(session, rule)
    record(session, rule.name, violations, now)
    number = f"{len(violations)} violation{'' if len(violations) == 1 else 's'}" if violations else "it holds"
    evidence = tuple(violation.evidence for violation in violations[:EVIDENCE_ROWS])
    detail = f"{rule.title}: {number}"
    result = CheckResult(rule.name, rule.name, rule.severity, verdict.met, len(violations), detail, evidence)
    return _Outcome(rule, "holds" if verdict.met else "violated", result)


def _failed(rule: Rule, why: str) -> _Outcome:
    detail = f"{rule.title}: {rule.shown} can't be run: {why}. Next: correct the query; the ledger keeps what it knew"
    return _Outcome(rule, "failed", CheckResult(rule.name, rule.name, rule.severity, False, 0, detail), why)


def _cannot_run(outcome: _Outcome) -> Violation:
    rule = outcome.rule
    evidence = {"rule": rule.name, "file": rule.shown, "reason": outcome.why}
    return Violation(violation_key(CANNOT_RUN, [rule.name]), evidence, rule.severity, rule.owner)


def _told(outcome: _Outcome, now: datetime) -> tuple[Any, ...]:
    """Return the row of ``leat.rules``."""
    rule, result = outcome.rule, outcome.result
    said = (rule.title, rule.description, rule.next_step, rule.severity, rule.owner)
    return (rule.name, *said, to_json(rule.needs), outcome.word, result.detail, result.failing, now)


def _told_of_all(failed: int, now: datetime) -> tuple[Any, ...]:
    said = ("Every rule can be run", "A rule that can't be run finds nothing, which isn't the same as nothing to find.")
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


def _select(session: Session, rule: Rule, now: datetime) -> str | None:
    """Keep what a rule selects in a temporary table; returns why that failed."""
    with savepoint(session) as give_up:
        try:
            session.keep(_FOUND, rule.at(now, session.dialect))
        except Exception as error:
            why = refusal(error)
            if why is None:
                raise
            try:
                give_up(why)
            except TransactionLost as lost:
                raise TransactionLost(why, rule.name) from lost
            return why
    return None


def _violations(session: Session, rule: Rule) -> list[Violation]:
    """Return what was found, one violation per key, in the order of the keys."""
    import sqlalchemy

    selected = f"SELECT * FROM {quote(_FOUND)}"
    names = list(session.sqlalchemy().execute(sqlalchemy.text(f"{selected} WHERE 1 = 0")).keys())
    found: dict[str, Violation] = {}
    for row in session.execute(f"{selected} ORDER BY {', '.join(map(quote, rule.key))}"):
        evidence = json.loads(to_json(dict(zip(names, row, strict=True))))
        key = violation_key(rule.name, [evidence[column] for column in rule.key])
        found.setdefault(key, Violation(key, evidence, rule.severity, rule.owner))
    return list(found.values())
