"""Every model and every rule of this project on a hundred times the rows of the demo, on DuckDB and on Postgres.

    python -m bench.models_and_rules [COPIES]

The demo's servers run for real and are loaded into both. Then, in a transaction that is rolled back, every row is there
as often as asked: each copy is a company of its own, with its own numbers, addresses and people, so that joins find as
much as before. The aim is under a second for each, and under ten for all of them; a limit to compare with is the time
in which the same engine copies the rows. Everything is built three times, and the fastest of each counts.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from dotenv import dotenv_values

from leat.assets.build import build
from leat.assets.model import Model
from leat.assets.model_files import load_models
from leat.demo.company import start_company, stop_company
from leat.demo.servers.process import stop
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import load_declarations, open_project
from leat.quality.rule_files import Rule, load_rules
from leat.warehouse.connect import open_warehouse
from leat.warehouse.dialect import Dialect
from leat.warehouse.session import Session, Warehouse, execute_all, quote
from tests.servers.postgres import postgres_url, start_postgres

ROOT = Path(__file__).parent.parent
WHOLE = {"accounts", "company", "taxes", "lifecycle_rules"}
"""Streams that don't grow with a company."""
WORDS = {
    "_load_id", "access", "account_id", "account_type", "action", "billing_scheme", "brand", "category", "changes_by",
    "code", "collection_method", "country", "currency", "delimiter", "effect", "encoding", "entity_id", "event_type",
    "factor", "failure_code", "funding", "interval", "kind", "language", "member_type", "method", "mode", "object_type",
    "origin", "outcome", "payment_method_type", "permission", "range", "reason", "recurrence_id", "response_status",
    "role", "severity", "stage", "state", "status", "transparency", "trigger", "type", "usage_type", "versioning",
    "zone",
}  # fmt: skip
"""Columns whose values are words, alike in every company."""
NUMBERS = {"id", "number", "order_number", "uid"}
ATTEMPTS = 3
"""Of each model and rule the fastest counts: whatever else the machine does makes it slower only."""


class _Done(Exception):
    """Everything is measured; roll it back."""


def value(column: str, kind: str, dialect: Dialect) -> str:
    """Return the SQL of a column's value in copy ``n`` of the company."""
    name = quote(column)
    if kind == "string" and column not in WORDS:
        return (
            f"CASE WHEN {name} LIKE '%@%' THEN REPLACE({name}, '@', '-' || n || '@') "
            f"WHEN {name} LIKE '%/' THEN {name} || n || '/' WHEN {name} LIKE '%.pdf' "
            f"THEN REPLACE({name}, '.pdf', '-' || n || '.pdf') WHEN {name} = '' THEN '' ELSE {name} || '-' || n END"
        )
    if kind == "json" and column in ("emails", "mechanisms", "metadata", "credits"):
        text, json = dialect.sql_type("string"), dialect.sql_type("json")
        changed = f"REPLACE(CAST({name} AS {text}), '@', '-' || n || '@')"
        for end in ('"}', '"]'):
            changed = f"REPLACE({changed}, '{end}', '-' || n || '{end}')"
        return f"CAST({changed} AS {json})"
    if kind == "integer" and column in NUMBERS:
        return f"{name} * 1000 + CAST(n AS BIGINT)"
    return name


def grow(session: Session, declarations: Mapping[str, Declaration], copies: int) -> tuple[int, float]:
    """Copy every row of every stream so many times; returns the rows that there are then, and the seconds."""
    rows, started = 0, time.perf_counter()
    numbers = f"(SELECT CAST(k AS {session.dialect.sql_type('string')}) AS n FROM generate_series(1, {copies}) AS s(k))"
    for declaration in declarations.values():
        for stream in declaration.selected():
            columns = session.columns(declaration.name, stream.name)
            if not columns or stream.name in WHOLE:
                continue
            table, grown = quote(declaration.name, stream.name), quote(declaration.name, "_grown")
            listed = ", ".join(f"{value(c, kind, session.dialect)} AS {quote(c)}" for c, kind in columns.items())
            session.execute(f"CREATE TABLE {grown} AS SELECT {listed} FROM {table} CROSS JOIN {numbers} AS copies")
            session.execute(f"DROP TABLE {table} CASCADE")
            session.execute(f"ALTER TABLE {grown} RENAME TO {quote(stream.name)}")
            if session.dialect.key_index:  # as the engine makes them
                session.execute(f"CREATE INDEX ON {table} ({', '.join(map(quote, stream.key))})")
            execute_all(session, session.dialect.gather_statistics(quote(declaration.name, stream.name)))
            rows += int(session.execute(f"SELECT count(*) FROM {table}")[0][0])
    return rows, time.perf_counter() - started


def measure(warehouse: Warehouse, project: Path, copies: int) -> None:
    """Print what each model and rule takes, the slowest first."""
    opened = open_project(project)
    declarations = load_declarations(opened)
    models = load_models(opened, declarations)
    rules = load_rules(opened, declarations, tuple(model.name for model in models))
    taken: dict[str, float] = {}
    with contextlib.suppress(_Done), warehouse.transaction() as session:
        rows, copied = grow(session, declarations, copies)
        for _attempt in range(ATTEMPTS):
            session.execute("DELETE FROM leat.models")
            for name, seconds in _times(session, models, rules):
                taken[name] = min(seconds, taken.get(name, seconds))
        _roll_back()
    whole = sum(taken.values())
    print(f"{warehouse.dialect.name}: {rows:,} rows, copied in {copied:.1f} s")
    print(f"{'  all models and rules':44}{whole:7.2f} s   {whole / copied:5.2f} of copying   aim: under 10")
    for name, seconds in sorted(taken.items(), key=lambda each: -each[1])[:8]:
        print(f"  {name:42}{seconds:7.2f} s   aim: under 1")


def _roll_back() -> None:
    raise _Done


def _times(session: Session, models: tuple[Model, ...], rules: tuple[Rule, ...]) -> Iterator[tuple[str, float]]:
    for result in build(session, models, datetime.now(UTC)):
        yield f"analytics.{result.name}", result.seconds
    for rule in rules:
        started = time.perf_counter()
        session.create_temporary("leat_measured", rule.at(datetime.now(UTC), session.dialect))
        yield rule.name, time.perf_counter() - started


@contextlib.contextmanager
def _loaded(folder: Path) -> Iterator[dict[str, str]]:
    """Start the demo and yield the environment in which leat loads it."""
    start_company(folder / "demo", ROOT, (), lambda _what: None)
    try:
        values = {name: text or "" for name, text in dotenv_values(folder / "demo" / "env").items()}
        yield {**os.environ, **values, "PYTHONPATH": str(ROOT)}
    finally:
        for _name in stop_company(folder / "demo"):
            pass


def main() -> None:
    """Load the demo into both engines, and measure."""
    copies = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    leat = [sys.executable, "-m", "leat.cli.main", "--project", str(ROOT), "run"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        postgres = start_postgres(folder / "postgres", fsync=False)
        try:
            with _loaded(folder) as env:
                for url, state in ((None, folder / "duckdb"), (postgres_url(postgres), folder / "pg")):
                    given = {"LEAT_HOME": str(state), **({"LEAT_WAREHOUSE": url} if url else {})}
                    subprocess.run(leat, check=True, env={**env, **given}, stdout=subprocess.DEVNULL)
                    measure(open_warehouse(url, state), ROOT, copies)
        finally:
            stop(postgres.pid)


if __name__ == "__main__":
    main()
