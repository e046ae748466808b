"""Runs the rules inside an open transaction and keeps the ledger of violations, ``leat.violations``."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

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

_FOUND = "leat_violations_found"


def check_rules(
    warehouse: Warehouse, rules: Sequence[Rule], declarations: Mapping[str, Declaration], now: datetime
) -> tuple[CheckResult, ...]:
    """Run the rules in a transaction of their own, which a rule that fails can't take with it.

    Raises:
        Busy: another process has been writing for too long.
    """
    broken: dict[str, str] = {}
    while True:
        try:
            with warehouse.transaction() as session:
                return run_rules(session, rules, declarations, now, broken)
        except TransactionLost as lost:
            broken[lost.rule] = lost.why


def run_rules(
    session: Session,
    rules: Sequence[Rule],
    declarations: Mapping[str, Declaration],
    now: datetime,
    broken: Mapping[str, str] | None = None,
) -> tuple[CheckResult, ...]:
    """Run the rules on the rows as they are in this transaction, and bring the ledger up to date.

    Args:
        session: an open transaction.
        rules: all rules of the project; the violations of others are resolved.
        declarations: the declared integrations; a rule that needs another one is skipped.
        now: the time of the run, UTC.
        broken: rules that failed in an earlier attempt, and why; they aren't run, only reported.

    Raises:
        TransactionLost: on DuckDB, a rule failed while it ran. The attempt can be repeated with the rule in ``broken``.
    """
    state.create_tables(session)
    results = [_run(session, rule, declarations, now, (broken or {}).get(rule.name)) for rule in rules]
    resolve_others(session, [rule.name for rule in rules], now)
    return tuple(results)


def _run(
    session: Session, rule: Rule, declarations: Mapping[str, Declaration], now: datetime, broken: str | None
) -> CheckResult:
    reason = _skipped(session, rule, declarations)
    if reason is not None:
        return CheckResult(rule.name, rule.name, rule.severity, True, 0, f"{rule.title}: skipped, {reason}")
    why = broken or _select(session, rule)
    if why is not None:
        return _failed(rule, why)
    verdict = validate(session, f"SELECT * FROM {quote(_FOUND)}", [unexpected_rows("SELECT 1 AS found FROM {batch}")])[
        0
    ]
    if verdict.error:
        return _failed(rule, verdict.error)
    violations = [] if verdict.met else list(_violations(session, rule))
    record(session, rule.name, rule.severity, violations, now)
    number = f"{len(violations)} violation{'' if len(violations) == 1 else 's'}" if violations else "it holds"
    evidence = tuple(violation.evidence for violation in violations[:EVIDENCE_ROWS])
    detail = f"{rule.title}: {number}"
    return CheckResult(rule.name, rule.name, rule.severity, verdict.met, len(violations), detail, evidence)


def _failed(rule: Rule, why: str) -> CheckResult:
    detail = f"{rule.title}: {rule.shown} can't be run: {why}. Next: correct the query; the ledger keeps what it knew"
    return CheckResult(rule.name, rule.name, rule.severity, False, 0, detail)


def _skipped(session: Session, rule: Rule, declarations: Mapping[str, Declaration]) -> str | None:
    for integration in rule.needs:
        if integration not in declarations:
            return f"integration {integration} isn't declared"
        if not session.execute("SELECT 1 FROM leat.streams WHERE integration = ? LIMIT 1", (integration,)):
            return f"integration {integration} hasn't been loaded yet"
    for table in rule.inputs:
        if not session.columns(table.schema, table.name):
            what = "built" if table.schema == ANALYTICS else "loaded"
            return f"{table} hasn't been {what} yet"
    return None


def _select(session: Session, rule: Rule) -> str | None:
    """Keep what a rule selects in a temporary table; returns why that failed."""
    with savepoint(session) as give_up:
        try:
            session.keep(_FOUND, rule.sql[session.dialect])
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


def _violations(session: Session, rule: Rule) -> Collection[Violation]:
    """Return what was found, one violation per key, in the order of the keys."""
    import sqlalchemy

    selected = f"SELECT * FROM {quote(_FOUND)}"
    names = list(session.sqlalchemy().execute(sqlalchemy.text(f"{selected} WHERE 1 = 0")).keys())
    found: dict[str, Violation] = {}
    for row in session.execute(f"{selected} ORDER BY {', '.join(map(quote, rule.key))}"):
        evidence = json.loads(to_json(dict(zip(names, row, strict=True))))
        key = violation_key(rule.name, [evidence[column] for column in rule.key])
        found.setdefault(key, Violation(key, evidence))
    return found.values()
