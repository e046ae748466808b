"""DuckDB and Postgres, or a lake, hold the same: every stream, model and rule, from the same servers."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from leat.assets.build import build
from leat.assets.model_files import load_models
from leat.cli.output import counted
from leat.pipelines.declare.project import load_declarations, open_project
from leat.pipelines.declare.sql_file import sql_paths
from leat.warehouse.session import Session, Warehouse, quote
from tests.company.conftest import Both

pytestmark = pytest.mark.timeout(600)  # the whole company has to be started


@pytest.fixture(scope="module", autouse=True)
def up_to_date(both: Both) -> None:
    """Let both see what other tests have done to the servers."""
    for leat in (both.demo.leat, both.leat):
        assert leat("run").returncode == 0


_OF_THE_RUN = {"_load_id", "_synced_at", "_deleted_at", "seen_at", "load_id", "valid_from", "valid_to"}
"""Columns that say when it was loaded, and by which load."""

_OF_THE_RUNS = {"integration_logs", "runs", "api_calls", "api_versions", "rate_limits"}
_OF_THE_RUNS |= {
    "api_latency",
    "api_errors",
    "error_types",
    "integration_reliability",
    "runs_daily",
    "stream_freshness",
}
"""What grows with each run: streams of the control store, and models of them, which other tests look at."""


_EMPTY = {"storage_duplicates", "released_refunds", "action_success", "action_mails", "invitation_replies"}
"""Models that have no rows in the demo; tests with data of their own compare the engines."""

_LEFT_OUT = {("sso", "login_events"): "kind <> 'token_issued'"}
"""What leat itself does to a system, by each run that looks: it is loaded with the next real news."""


class _Done(Exception):
    """Everything is read; nothing of it is to be stored."""


@pytest.fixture(scope="module")
def built(both: Both) -> list[dict[str, tuple[dict[str, str], list[dict[str, Any]]]]]:
    """Build the models of both as if they had been loaded in one moment: ages in days differ from hour to hour."""
    now = datetime.now(UTC)
    return [dict(built_at(warehouse, now)) for warehouse in (both.duckdb, both.other)]


def built_at(warehouse: Warehouse, now: datetime) -> Iterator[tuple[str, Any]]:
    """Yield of each model its columns and its rows; the warehouse stays as it is."""
    project = open_project(_project_files())
    every = load_models(project, load_declarations(project))
    with contextlib.suppress(_Done), warehouse.transaction() as session:
        session.execute("UPDATE leat.loads SET applied_at = ?", (now,))
        session.execute("DELETE FROM leat.models")
        assert {result.status for result in build(session, every, now)} == {"built"}
        for model in every:
            yield model.name, (session.columns("analytics", model.name), read(session, "analytics", model.name))
        raise _Done


def rows(warehouse: Warehouse, schema: str, table: str, where: str = "1 = 1") -> list[dict[str, Any]]:
    """Return the published rows of a table; see :func:`read`."""
    with warehouse.published() as session:
        return read(session, schema, table, where)


def read(session: Session, schema: str, table: str, where: str = "1 = 1") -> list[dict[str, Any]]:
    """Return the rows of a table in one order, JSON parsed, without what depends on the run."""
    columns = session.columns(schema, table)
    assert columns, f"{schema}.{table} is not there"
    rows = session.execute(f"SELECT * FROM {quote(schema, table)} WHERE {where}")
    named = ({n: plain(v, columns[n]) for n, v in zip(columns, row, strict=True)} for row in rows)
    compared = [{n: v for n, v in row.items() if n not in _OF_THE_RUN} for row in named]
    return sorted(compared, key=lambda row: json.dumps(row, sort_keys=True, default=str))


def plain(value: Any, kind: str) -> Any:
    if kind == "json" and isinstance(value, str):
        return json.loads(value)
    if isinstance(value, float):
        return None if math.isnan(value) else float(f"{value:.9g}")  # the engines divide with other last digits
    return value.isoformat() if isinstance(value, datetime | date) else value


def _project_files() -> Path:
    return Path(__file__).parents[2]


def streams() -> Iterable[tuple[str, str]]:
    declared = load_declarations(open_project(_project_files()))
    return [(name, s.name) for name, each in declared.items() for s in each.every_stream()]


def models() -> list[str]:
    """Return the names of the models; every worker asks, so their files aren't parsed."""
    return [path.stem for path in sql_paths(_project_files() / "assets" / "models")]


@pytest.mark.parametrize(("integration", "stream"), streams())
def test_a_stream_is_the_same(both: Both, integration: str, stream: str) -> None:
    where = f"_deleted_at IS NULL AND {_LEFT_OUT.get((integration, stream), '1 = 1')}"
    duckdb, other = (rows(w, integration, stream, where) for w in (both.duckdb, both.other))
    if stream in _OF_THE_RUNS:
        assert [list(row) for row in other[:1]] == [list(row) for row in duckdb[:1]]
    else:
        assert other == duckdb
    with both.duckdb.published() as one, both.other.published() as two:
        assert one.columns(integration, stream) == two.columns(integration, stream)


@pytest.mark.parametrize("model", models())
def test_a_model_is_the_same(built: list[dict[str, Any]], model: str) -> None:
    (columns, duckdb), (other_columns, other) = (each[model] for each in built)
    if model not in _OF_THE_RUNS:
        assert bool(duckdb) != (model in _EMPTY), "an empty model proves nothing"
        assert other == duckdb
    assert other_columns == columns


def test_what_readers_see_of_models_is_the_same(both: Both) -> None:
    """Of those that no time of a load comes into."""
    project = open_project(_project_files())
    dated: set[str] = set()
    plain_models: list[str] = []
    for model in load_models(project, load_declarations(project)):  # inputs come first
        if any(table.schema == "leat" or table.name in dated for table in model.inputs):
            dated.add(model.name)
        elif model.name not in _OF_THE_RUNS:
            plain_models.append(model.name)
    assert len(plain_models) > 20
    for name in plain_models:
        assert rows(both.other, "analytics", name) == rows(both.duckdb, "analytics", name), name


def test_a_model_with_history_can_be_asked_as_of_a_moment(both: Both) -> None:
    for warehouse in (both.duckdb, both.other):
        with warehouse.published() as session:
            rows = session.execute(
                "SELECT (SELECT COUNT(*) FROM analytics.reconciliation_daily), "
                "(SELECT COUNT(*) FROM analytics.reconciliation_daily_as_of(CURRENT_TIMESTAMP) WHERE day_total = 0)"
            )
        assert rows[0][0] == rows[0][1] > 100


def test_rules_find_the_same_and_the_same_is_quarantined(both: Both) -> None:
    """What was resolved, and how often it came back, is of each warehouse alone: of what its runs have seen.

    So is the digest of a broken record, which is keyed by the project's own key.
    """
    of_its_runs = ("first_seen_at", "last_seen_at", "opened_at", "episodes", "flaps", "digest")
    for table, where in (("violations", "resolved_at IS NULL"), ("quarantine", "1 = 1")):
        actual = [rows(warehouse, "leat", table, where) for warehouse in (both.duckdb, both.other)]
        assert actual[0], f"an empty leat.{table} proves nothing"
        plainer = [[{n: v for n, v in row.items() if n not in of_its_runs} for row in each] for each in actual]
        duckdb, other = (sorted(each, key=lambda row: json.dumps(row, sort_keys=True)) for each in plainer)
        assert other == duckdb


def test_the_same_checks_hold(both: Both) -> None:
    """On DuckDB the demo printed how many hold, and for each that does not, how many rows break it."""
    checks = both.said["checks"]
    failed = [check for check in checks if not check["ok"]]
    assert len(checks) > 40
    assert failed, "the demo has something to show"
    lines = both.demo.first.stdout.splitlines()
    assert f"{len(checks) - len(failed)} of {len(checks)} checks hold" in lines
    for check in failed:
        if "." not in check["subject"]:  # a rule: its violations are compared above
            continue
        broken = f" ({counted(check['failing'], 'row')})" if check["failing"] else ""
        start = f"{check['severity']} {check['subject']}: {check['check']}{broken}: "
        assert sum(line.startswith(start) for line in lines) == 1, start
