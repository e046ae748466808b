"""Runs the checks of tables inside an open transaction.

After a large load, the verdict is Great Expectations'. After a small one, for which importing it would take longer than
everything else, the verdict is whether the query of the rows that break a check gives any; a test holds that the two
agree. Of a check that failed, how many rows broke it and the first five of them are read by one query each. Evidence
has the key and the columns that the check is about, but no value of a personal or masked column outside the key: it is
in logs and UIs that have other readers than the table.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.table_names import ANALYTICS
from leat.pipelines.load import state
from leat.pipelines.load.results import CheckResult
from leat.quality.check_queries import broken_rows, expectations_of, impossible, rows_of
from leat.quality.checks import CheckedTable, TableCheck, declared_tables, stream_checks
from leat.quality.expectations import validate
from leat.quality.guard import guarded
from leat.sources.batch import to_json
from leat.warehouse.session import Session, quote

EVIDENCE_ROWS = 5
SMALL = 100_000
"""A load that has added or changed at most so many rows is checked without Great Expectations."""
_DISAGREE = "Great Expectations says that it doesn't hold, but no row breaks it. Next: report this"


def audit(
    session: Session, declaration: Declaration, declarations: Mapping[str, Declaration]
) -> tuple[CheckResult, ...]:
    """Check the streams of an integration, as they are in this transaction; rows that are deleted aren't looked at.

    Args:
        session: an open transaction.
        declaration: the integration.
        declarations: all that are declared.

    Raises:
        TransactionLost: on DuckDB, a query failed while it ran.
    """
    declared = declared_tables(declarations)
    tables = stream_checks(declaration)
    large = state.read_changed(session, declaration.name) > SMALL
    results = tuple(result for table in tables for result in _guarded(session, table, declared, large))
    _store_results(session, f"{declaration.name}.", results)
    return results


def audit_models(
    session: Session,
    tables: Sequence[CheckedTable],
    declarations: Mapping[str, Declaration],
    unchanged: Collection[str] = (),
    broken: Mapping[str, str] = MappingProxyType({}),
) -> tuple[CheckResult, ...]:
    """Check models.

    Args:
        session: an open transaction.
        tables: the models, made by :func:`leat.quality.checks.model_checks`.
        declarations: the declared integrations.
        unchanged: names of models that are as they were when they were checked last: that result is given again,
            unless a check looks at another table as well.
        broken: subjects whose checks failed in an earlier attempt, and why; they aren't tried, only reported.

    Raises:
        TransactionLost: on DuckDB, a query failed while it ran.
    """
    declared = declared_tables(declarations)
    stored = _stored_results(session) if unchanged else {}
    results: list[CheckResult] = []
    for table in tables:
        earlier = stored.get(table.subject, ()) if table.table in unchanged else ()
        alone = not any(check.kind == "foreign_key" for check in table.checks)
        same = [check.name for check in table.checks] == [result.check for result in earlier]
        if table.subject in broken:
            results += _untried(table, broken[table.subject])
        else:
            results += earlier if alone and same else _guarded(session, table, declared)
    store_model_results(session, results)
    return tuple(results)


def store_model_results(session: Session, results: Sequence[CheckResult]) -> None:
    """Replace the last results of the checks of models; others among the results are left out."""
    prefix = f"{ANALYTICS}."
    _store_results(session, prefix, [result for result in results if result.subject.startswith(prefix)])


def _stored_results(session: Session) -> dict[str, list[CheckResult]]:
    """Return the last results of the checks of models, in their order."""
    by_subject: dict[str, list[CheckResult]] = {}
    for check, subject, severity, ok, failing, detail, evidence in session.execute(
        "SELECT check_name, subject, severity, ok, failing, detail, evidence FROM leat.checks "
        "WHERE left(subject, ?) = ? ORDER BY place",
        (len(ANALYTICS) + 1, f"{ANALYTICS}."),
    ):
        rows = json.loads(evidence) if isinstance(evidence, str) else evidence
        result = CheckResult(check, subject, severity, ok, failing, detail, tuple(rows))
        by_subject.setdefault(subject, []).append(result)
    return by_subject


def _store_results(session: Session, prefix: str, results: Sequence[CheckResult]) -> None:
    """Replace the last results of all subjects with this prefix in ``leat.checks``."""
    now = datetime.now(UTC)
    state.create_tables(session)
    session.execute("DELETE FROM leat.checks WHERE left(subject, ?) = ?", (len(prefix), prefix))
    rows = [
        (r.subject, r.check, r.severity, r.ok, r.failing, r.detail, to_json(list(r.evidence)), now, place)
        for place, r in enumerate(results)
    ]
    state.insert(session, "checks", rows)


def _guarded(
    session: Session, table: CheckedTable, declared: frozenset[tuple[str, str]], large: bool = False
) -> list[CheckResult]:
    """Check a table; whatever goes wrong is the outcome of its own checks."""
    failed: list[str] = []
    with guarded(session, table.subject, failed.append):
        return list(_check(session, table, declared, large))
    return _untried(table, failed[0])


def _untried(table: CheckedTable, why: str) -> list[CheckResult]:
    return [_result(table, check, False, 0, f"it couldn't run: {why}") for check in table.checks]


def _check(
    session: Session, table: CheckedTable, declared: frozenset[tuple[str, str]], large: bool
) -> Iterator[CheckResult]:
    types = session.columns(table.schema, table.table)
    results: dict[str, CheckResult] = {}
    wanted: list[TableCheck] = []
    for check in table.checks:
        there = session.columns(*check.target[:2]) if check.target else {}
        if not types:
            results[check.name] = _result(table, check, True, 0, "there is no such table yet")
        elif check.target and not there:
            word = "hasn't been loaded yet" if check.target[:2] in declared else "doesn't exist"
            results[check.name] = _result(table, check, True, 0, f"{'.'.join(check.target[:2])} {word}")
        elif wrong := impossible(check, types):
            results[check.name] = _result(table, check, False, 0, wrong)
        else:
            wanted.append(check)
    if wanted:
        judge = _validate if large else _count
        results |= {result.check: result for result in judge(session, table, wanted, types)}
    for check in table.checks:
        yield results[check.name]


def _count(
    session: Session, table: CheckedTable, checks: Sequence[TableCheck], types: Mapping[str, str]
) -> Iterator[CheckResult]:
    """Judge checks by how many rows break them."""
    for check in checks:
        failed: list[str] = []
        counted: CheckResult | None = None
        with guarded(session, table.subject, failed.append):
            counted = _counted(session, table, check, types)
        yield counted or _result(table, check, False, 0, f"it couldn't run: {failed[0]}")


def _validate(
    session: Session, table: CheckedTable, checks: Sequence[TableCheck], types: Mapping[str, str]
) -> Iterator[CheckResult]:
    """Judge checks by Great Expectations, which computes all of them together."""
    wanted = {
        check.name: list(expectations_of(session, check, types, _columns_of_target(session, check))) for check in checks
    }
    listed = [expectation for expectations in wanted.values() for expectation in expectations]
    verdicts = iter(validate(session, rows_of(table), listed))
    for check in checks:
        of_check = [next(verdicts) for _ in wanted[check.name]]
        errors = [verdict.error for verdict in of_check if verdict.error]
        if errors:
            yield _result(table, check, False, 0, f"it couldn't run: {errors[0]}")
        elif all(verdict.met for verdict in of_check):
            yield _result(table, check, True, 0, "it holds")
        else:
            counted = _counted(session, table, check, types)
            yield _result(table, check, False, 0, _DISAGREE) if counted.ok else counted


def _columns_of_target(session: Session, check: TableCheck) -> Mapping[str, str]:
    return session.columns(*check.target[:2]) if check.target else {}


def _counted(session: Session, table: CheckedTable, check: TableCheck, types: Mapping[str, str]) -> CheckResult:
    """Return how many rows break a check, and the first of them."""
    if check.kind == "row_count":
        count = int(session.execute(f"SELECT count(*) FROM ({rows_of(table)}) AS checked")[0][0])
        least, most = (check.bounds.min, check.bounds.max) if check.bounds else (None, None)
        holds = (least is None or count >= least) and (most is None or count <= most)
        return _result(table, check, holds, 0, "it holds" if holds else f"there are {count} rows")
    broken, params = broken_rows(session, table, check, types, _columns_of_target(session, check))
    failing = int(session.execute(f"SELECT count(*) FROM ({broken}) AS broken", params)[0][0])
    if not failing:
        return _result(table, check, True, 0, "it holds")
    shown = [c for c in dict.fromkeys((*table.key, *check.columns)) if c in table.key or c not in table.hidden]
    evidence: tuple[Mapping[str, Any], ...] = ()
    if shown:
        listed = ", ".join(map(quote, shown))
        first = f"SELECT {listed} FROM ({broken}) AS broken ORDER BY {listed} LIMIT {EVIDENCE_ROWS}"
        rows = session.execute(first, params)
        evidence = tuple(json.loads(to_json(dict(zip(shown, row, strict=True)))) for row in rows)
    return _result(table, check, False, failing, f"{failing} row{'' if failing == 1 else 's'} broke it", evidence)


def _result(
    table: CheckedTable,
    check: TableCheck,
    ok: bool,
    failing: int,
    detail: str,
    evidence: tuple[Mapping[str, Any], ...] = (),
) -> CheckResult:
    text = f"{check.description.removesuffix('.')}: {detail}"
    return CheckResult(check.name, table.subject, check.severity, ok, failing, text, evidence)
