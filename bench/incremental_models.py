"""Models rebuilt by their grain against a complete rebuild, when 0.1 % of the rows have changed.

    python -m bench.incremental_models [ROWS …]

Two models over charges: one row for each charge, and the sums of each day and currency. As many charges are new, and
then as many are changed, of the last days, as in a business. Each build runs in a process of its own, which reports its
seconds, on the clock and of processors, and its peak of memory. The processor time has that of all processes of a
Postgres server, the memory hasn't. The share is that of processor time, which others on the machine disturb less. The
numbers of rows are one and ten million unless said. Behind it is the same of the checks of the model, which look at all
rows after a complete rebuild, and else at those that can break them.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from leat.assets.build import build
from leat.assets.model import Model
from leat.assets.model_files import load_models
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project
from leat.pipelines.declare.system_columns import SYSTEM_COLUMNS
from leat.pipelines.load import state
from leat.pipelines.load.results import RebuiltRows
from leat.pipelines.load.table_changes import index_table
from leat.quality.audit import audit_models
from leat.quality.checks import model_checks
from leat.sources.driver import ConnectionModel, load_streams
from leat.warehouse.connect import open_warehouse
from leat.warehouse.session import Session, Warehouse, execute_all, quote
from tests.servers.postgres import postgres_url, start_postgres, stop_postgres

NOW = datetime(2026, 11, 20, tzinfo=UTC)
SIZES = (1_000_000, 10_000_000)
PER_DAY = 5_000
FIRST = "20261119T090000000000"
LATER = "20261120T090000{:06}"
CHECKS = {
    "each_charge": "[{unique: id}, {not_null: [id, currency]}, {accepted_values: {currency: [EUR, USD, GBP]}}, "
    "{range: {amount: {min: 0}}}, {row_count: {min: 1}}]",
    "daily": "[{unique: [day, currency]}, {not_null: [charges, amount]}, {range: {charges: {min: 1}}}]",
}
MODELS = {
    "each_charge": ("id", "SELECT id, UPPER(currency) AS currency, amount, created_at FROM payments.charges"),
    "daily": (
        "day, currency",
        """SELECT CAST(created_at AT TIME ZONE 'UTC' AS DATE) AS day, currency, COUNT(*) AS charges,
            CAST(SUM(amount) AS BIGINT) AS amount
        FROM payments.charges GROUP BY CAST(created_at AT TIME ZONE 'UTC' AS DATE), currency""",
    ),
}


def models(folder: Path, name: str) -> tuple[Model, ...]:
    """Return one of the models."""
    grain, sql = MODELS[name]
    (folder / "assets" / "models").mkdir(parents=True, exist_ok=True)
    for old in (folder / "assets" / "models").iterdir():
        old.unlink()
    text = f"/* ---\ndescription: A.\ngrain: [{grain}]\nchecks: {CHECKS[name]}\n--- */\n{sql}"
    (folder / "assets" / "models" / f"{name}.sql").write_text(text, encoding="utf-8")
    values = {"source": "payments", "driver": "none", "connection": ConnectionModel(), "streams": {}}
    declared = Declaration.model_validate({**values, "name": "payments", "path": Path("pipelines/payments.yaml")})
    return load_models(Project(folder, folder / "state", None, ""), {"payments": declared})


def fill(session: Session, rows: int) -> None:
    """Make the stream with so many charges."""
    state.create_tables(session)
    session.execute("CREATE SCHEMA IF NOT EXISTS payments")
    (stream,) = (each for each in load_streams("payments") if each.name == "charges")
    kinds = {**{c.name: c.type for c in stream.all_columns()}, **SYSTEM_COLUMNS}
    listed = ", ".join(f"{quote(name)} {session.dialect.sql_type(kind)}" for name, kind in kinds.items())
    session.execute(f"CREATE TABLE payments.charges ({listed})")
    insert(session, FIRST, 0, rows)
    index_table(session, "payments", "charges", ("id",))
    execute_all(session, session.dialect.gather_statistics("payments.charges"))
    record(session, FIRST, rows, rows)


def insert(session: Session, load: str, start: int, count: int) -> None:
    """Insert charges in the order in which they were made."""
    session.execute(
        "INSERT INTO payments.charges (id, created_at, currency, amount, customer_id, status, description, _load_id) "
        "SELECT 'ch_' || lpad(CAST(n AS VARCHAR), 12, '0'), TIMESTAMPTZ '2020-01-01 00:00:00+00' "
        f"+ CAST(FLOOR(n / {PER_DAY}.0) AS INTEGER) * INTERVAL '1 day', "
        "CASE n % 3 WHEN 0 THEN 'eur' WHEN 1 THEN 'usd' ELSE 'gbp' END, n % 1000, "
        f"'cus_' || CAST(n % 1000 AS VARCHAR), 'succeeded', 'charge of ' || CAST(n AS VARCHAR), '{load}' "
        f"FROM generate_series({start}, {start + count - 1}) AS t(n)"
    )


def change(session: Session, load: str, rows: int) -> None:
    """Change a thousandth as many charges, the last ones, as a load leaves them: deleted and inserted."""
    count = rows // 1000
    ((there,),) = session.execute("SELECT count(*) FROM payments.charges")
    session.execute(f"DELETE FROM payments.charges WHERE id >= 'ch_' || lpad('{there - count}', 12, '0')")
    insert(session, load, there - count, count)
    record(session, load, there, count)


def add(session: Session, load: str, rows: int) -> None:
    """Add a thousandth as many new charges."""
    ((there,),) = session.execute("SELECT count(*) FROM payments.charges")
    insert(session, load, there, rows // 1000)
    record(session, load, there + rows // 1000, rows // 1000, new=True)


def record(session: Session, load: str, total: int, count: int, *, new: bool = False) -> None:
    """Record a load of new or of changed charges."""
    counts = (count, 0) if new else (0, count)
    state.insert(session, "load_streams", [(load, "payments", "charges", *counts, 0, 0, 0, total, 0, None, None)])
    state.write_load(session, load, "payments", "sync", (NOW, NOW))


def open_one(url: str, folder: Path) -> Warehouse:
    """Open the warehouse of a URL, or the DuckDB one of a folder."""
    return open_warehouse(url or None, folder / "state")


def one(what: str, name: str, url: str, folder: Path, rows: int) -> None:
    """Do one step, in a process of its own, and print its seconds and its peak of memory."""
    warehouse = open_one(url, folder)
    began, busy, reason, seconds, checking = 0.0, 0.0, "", 0.0, 0.0
    with warehouse.transaction() as session:
        if what == "fill":
            fill(session, rows)
        elif what in ("new", "changed"):
            {"new": add, "changed": change}[what](session, name, rows)
        else:
            own = models(folder, name)
            began, busy = time.perf_counter(), processor_seconds(session)
            rebuilt = dict[str, RebuiltRows]()
            (result,) = build(session, own, NOW, whole=what == "whole", rebuilt=rebuilt)
            checking = processor_seconds(session)
            reason, busy, seconds = result.reason, checking - busy, time.perf_counter() - began
            results = audit_models(session, [model_checks(name, own[0].checks)], {}, rebuilt=rebuilt)
            checking = processor_seconds(session) - checking
            reason += "" if all(each.ok for each in results) else ", a check failed"
    warehouse.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "busy": busy, "checks": checking, "peak": peak, "reason": reason}))


def processor_seconds(session: Session) -> float:
    """Return the processor time of this process, and of all processes that a Postgres server has had."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    seconds = own.ru_utime + own.ru_stime
    if session.dialect.name == "postgres":
        ((backend,),) = session.execute("SELECT pg_backend_pid()")
        server = _stat(backend)[1]
        children = [each for each in Path("/proc").iterdir() if each.name.isdigit()]
        running = [stat[11:13] for each in children if (stat := _stat(each.name)) and stat[1] == server]
        seconds += sum(map(sum, running), sum(_stat(server)[11:15])) / os.sysconf("SC_CLK_TCK")
    return seconds


def _stat(process: object) -> list[int]:
    """Return the numbers that Linux has of a process, from its parent (1) on; none if it has ended."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return []
    return [int(each) if each.lstrip("-").isdigit() else 0 for each in text.rpartition(")")[2].split()]


def step(*arguments: object) -> dict[str, float]:
    """Run one step in a process."""
    command = [sys.executable, "-m", "bench.incremental_models", *map(str, arguments)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(json.loads(answer.splitlines()[-1]))


def measure(engine: str, url: str, folder: Path, rows: int) -> None:
    """Measure both models on one engine at one size."""
    step("fill", "-", url, folder, rows)
    number = 0
    for name in MODELS:
        step("whole", name, url, folder, rows)
        whole = step("whole", name, url, folder, rows)
        print(f"{engine:8} {rows:>11,} {name:11} complete {_shown(whole)}   {whole['reason']}", flush=True)
        for what in ("new", "changed"):
            number += 1
            step(what, LATER.format(number), url, folder, rows)
            touched = step("touched", name, url, folder, rows)
            share, of_checks = (touched[each] / whole[each] for each in ("busy", "checks"))
            print(
                f"{engine:8} {rows:>11,} {name:11} {what:8} {_shown(touched)}   {touched['reason']} {share:6.1%}, "
                f"checks {of_checks:6.1%}",
                flush=True,
            )


def _shown(step: Mapping[str, float]) -> str:
    busy = f"{step['busy']:7.3f} s of processors, checks {step['checks']:6.3f} s"
    return f"{step['seconds']:7.2f} s, {busy}, {step['peak']:6.0f} MB"


def main() -> None:
    """Measure both engines at each size."""
    if len(sys.argv) > 1 and not sys.argv[1].isdigit():
        what, name, url, folder, rows = sys.argv[1:]
        one(what, name, url, Path(folder), int(rows))
        return
    for rows in [int(each) for each in sys.argv[1:]] or SIZES:
        with tempfile.TemporaryDirectory() as folder:
            measure("duckdb", "", Path(folder), rows)
        with tempfile.TemporaryDirectory() as folder:
            server = start_postgres(Path(folder) / "server")
            try:
                measure("postgres", postgres_url(server), Path(folder), rows)
            finally:
                stop_postgres(server)


if __name__ == "__main__":
    main()
