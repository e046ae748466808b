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
from types import MappingProxyType
from typing import Any

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.table_names import ANALYTICS
from leat.pipelines.load import state
from leat.pipelines.load.results import CheckResult, RebuiltRows
from leat.quality.changed_rows import ChangedRows, pasts
from leat.quality.check_queries import broken_rows, expectations_of, impossible, rows_of
from leat.quality.checks import CheckedTable, TableCheck, declared_tables, stream_checks
from leat.quality.expectations import validate
from leat.quality.guard import guarded
from leat.quality.narrowed import Past
from leat.quality.stored_results import Stored, read_results, store_results
from leat.sources.batch import to_json
from leat.warehouse.session import Session, quote

EVIDENCE_ROWS = 5
SMALL = 100_000
"""A load that has added or changed at most so many rows is checked without Great Expectations."""
_COULD_NOT = "it couldn't run"
_DISAGREE = "Great Expectations says that it doesn't hold, but no row breaks it. Next: report this"


def audit(
    session: Session, declaration: Declaration, declarations: Mapping[str, Declaration]
) -> tuple[CheckResult, ...]:
    """Check the streams of an integration, as they are in this transaction; rows that are deleted aren't looked at.

    Of a stream that was checked before, only what can have changed: see :mod:`leat.quality.changed_rows`.

    Args:
        session: an open transaction.
        declaration: the integration.
        declarations: all that are declared.

    Raises:
        TransactionLost: on DuckDB, a query failed while it ran.
    """
    state.create_tables(session)
    declared = declared_tables(declarations)
    large = state.read_changed(session, declaration.name) > SMALL
    prefix = f"{declaration.name}."
    results: list[Stored] = []
    for past in pasts(session, declaration.name, stream_checks(declaration)):
        versions = dict[str, str | None]()
        checked = _guarded(session, past.table, declared, large, past, versions)
        results += [Stored(each, versions.get(each.check)) for each in checked]
    store_results(session, prefix, [each.result for each in results], [each.version for each in results])
    return tuple(each.result for each in results)


def audit_models(
    session: Session,
    tables: Sequence[CheckedTable],
    declarations: Mapping[str, Declaration],
    unchanged: Collection[str] = (),
    broken: Mapping[str, str] = MappingProxyType({}),
    rebuilt: Mapping[str, RebuiltRows] = MappingProxyType({}),
) -> tuple[CheckResult, ...]:
    """Check models, each row that can break a check by now; see :mod:`leat.quality.narrowed`.

    Args:
        session: an open transaction.
        tables: the models, made by :func:`leat.quality.checks.model_checks`.
        declarations: the declared integrations.
        unchanged: names of models that are as they were when they were checked last: that result is given again,
            unless a check looks at another table as well, which has changed.
        broken: subjects whose checks failed in an earlier attempt, and why; they aren't tried, only reported.
        rebuilt: by model, the rows that were built again if others weren't.

    Raises:
        TransactionLost: on DuckDB, a query failed while it ran.
    """
    state.create_tables(session)
    declared = declared_tables(declarations)
    stored = read_results(session, f"{ANALYTICS}.") if unchanged or rebuilt else {}
    fingerprints = dict(session.execute("SELECT model, fingerprint FROM leat.models"))
    results: list[Stored] = []
    for table in tables:
        earlier = stored.get(table.subject, ())
        same = [check.name for check in table.checks] == [each.result.check for each in earlier]
        by_name = {each.result.check: each for each in earlier} if same else {}
        still = table.table in unchanged
        past = Past(table, by_name, fingerprints.get(table.table), rebuilt.get(table.table), still)
        alone = not any(check.kind == "foreign_key" for check in table.checks)
        if table.subject in broken:
            results += [Stored(each, None) for each in _untried(table, broken[table.subject])]
        elif still and alone and same:
            results += earlier
        else:
            versions = dict[str, str | None]()
            checked = _guarded(session, table, declared, past=past, versions=versions)
            results += [Stored(each, versions.get(each.check)) for each in checked]
    store_results(session, f"{ANALYTICS}.", [each.result for each in results], [each.version for each in results])
    return tuple(each.result for each in results)


def _guarded(
    session: Session,
    table: CheckedTable,
    declared: frozenset[tuple[str, str]],
    large: bool = False,
    past: Past | ChangedRows | None = None,
    versions: dict[str, str | None] | None = None,
) -> list[CheckResult]:
    """Check a table; whatever goes wrong is the outcome of its own checks. ``versions`` takes what results are of."""
    failed: list[str] = []
    with guarded(session, table.subject, failed.append):
        return list(_check(session, table, declared, large, past, versions))
    return _untried(table, failed[0])


def _untried(table: CheckedTable, why: str) -> list[CheckResult]:
    return [_result(table, check, False, 0, f"{_COULD_NOT}: {why}") for check in table.checks]


def _check(
    session: Session,
    table: CheckedTable,
    declared: frozenset[tuple[str, str]],
    large: bool,
    past: Past | ChangedRows | None,
    versions: dict[str, str | None] | None,
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
    seen = {check.name: past.version(session, check) for check in wanted} if past else {}  # before it may change
    if past:
        results |= {check.name: still for check in wanted if (still := past.still(session, check))}
    if rest := [check for check in wanted if check.name not in results]:
        judged = _validate(session, table, rest, types) if large else _count(session, table, rest, types, past)
        results |= {result.check: result for result in judged}
    if versions is not None:
        versions |= {name: version for name, version in seen.items() if _COULD_NOT not in results[name].detail}
    for check in table.checks:
        yield results[check.name]


def _count(
    session: Session,
    table: CheckedTable,
    checks: Sequence[TableCheck],
    types: Mapping[str, str],
    past: Past | ChangedRows | None,
) -> Iterator[CheckResult]:
    """Judge checks by how many rows break them."""
    for check in checks:
        failed: list[str] = []
        counted: CheckResult | None = None
        with guarded(session, table.subject, failed.append):
            counted = _counted(session, table, check, types, past)
        yield counted or _result(table, check, False, 0, f"{_COULD_NOT}: {failed[0]}")


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
            yield _result(table, check, False, 0, f"{_COULD_NOT}: {errors[0]}")
        elif all(verdict.met for verdict in of_check):
            yield _result(table, check, True, 0, "it holds")
        else:
            counted = _counted(session, table, check, types)
            yield _result(table, check, False, 0, _DISAGREE) if counted.ok else counted


def _columns_of_target(session: Session, check: TableCheck) -> Mapping[str, str]:
    return session.columns(*check.target[:2]) if check.target else {}


def _counted(
    session: Session,
    table: CheckedTable,
    check: TableCheck,
    types: Mapping[str, str],
    past: Past | ChangedRows | None = None,
) -> CheckResult:
    """Return how many rows break a check, and the first of them."""
    if check.kind == "row_count":
        total = past.total if past else None
        count = _number_of(session, table) if total is None else total
        least, most = (check.bounds.min, check.bounds.max) if check.bounds else (None, None)
        holds = (least is None or count >= least) and (most is None or count <= most)
        return _result(table, check, holds, 0, "it holds" if holds else f"there are {count} rows")
    among = past.rows(session, check) if past else None
    broken, params = broken_rows(session, table, check, types, _columns_of_target(session, check), among)
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


def _number_of(session: Session, table: CheckedTable) -> int:
    return int(session.execute(f"SELECT count(*) FROM ({rows_of(table)}) AS checked")[0][0])


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
