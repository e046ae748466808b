"""Commands that look and change nothing: ``status``, ``query``, ``check``, ``doctor``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli.examine import Finding, examine
from cli.opened import FAILED, Opened, UsageMistake
from cli.outcome import drift_json, print_drift
from cli.output import print_json, print_table, say
from cli.publish import print_standing, standing
from cli.rows import Form, print_rows
from cli.run import Json
from pipelines.declaration import Declaration
from pipelines.drift import SHOWN_FOR, changes_since
from pipelines.freshness import stale_streams
from pipelines.project import make_private
from sources.driver import SetupTest, Sync, load_driver
from sources.errors import IntegrationError
from sources.settings import redact
from warehouse.query import Limits, size_in_bytes
from warehouse.session import Session


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(status)
    app.command()(query)
    app.command()(check)
    app.command()(doctor)


def status(context: typer.Context, json: Json = False) -> None:
    """Show what is loaded, how fresh it is, and how the last runs ended."""
    from warehouse.control import last_good_runs, last_runs

    opened: Opened = context.obj()
    runs, good_runs = last_runs(opened.store), last_good_runs(opened.store)
    loaded = _loaded(opened)
    stale = stale_streams(opened.declarations, good_runs, datetime.now(UTC))
    integrations: list[dict[str, Any]] = []
    for name, declaration in opened.declarations.items():
        run = runs.get(name)
        integrations.append(
            {
                "integration": name,
                "source": f"{declaration.source}/{declaration.driver}",
                "schedule": declaration.schedule,
                "last_run": run.started_at if run else None,
                "last_status": run.status if run else None,
                "error": run.error if run else None,
                "streams": [
                    _stream_status(
                        declaration, s.name, loaded, _fresh(declaration, s.name, good_runs, stale) if run else None
                    )
                    for s in declaration.selected()
                ],
            }
        )
    changes = loaded.get("drift", [])
    if json:
        violations = loaded.get("violations", 0)
        print_json(
            command="status",
            integrations=integrations,
            violations=violations,
            drift=drift_json(changes),
            publication=standing(opened),
        )
        return
    rows = [
        (f"{i['integration']}.{s['stream']}", s["rows"], s["quarantined"], s["deletes"], s["last_load"], s["fresh"])
        for i in integrations
        for s in i["streams"]
    ]
    print_table(("stream", "rows", "quarantined", "deletes", "last changed", "fresh"), rows)
    columns = ("integration", "driver", "schedule", "last run", "ended")
    keys = ("integration", "source", "schedule", "last_run", "last_status")
    say()
    print_table(columns, [[i[key] for key in keys] for i in integrations])
    for integration in integrations:
        if integration["error"]:
            say("\n", ("✗", "red"), f" {integration['error']}")
    print_standing(opened)
    if changes:
        say()
        print_drift(changes, dated=True)
    if any(s["quarantined"] for i in integrations for s in i["streams"]):
        say("\nrecords are quarantined: `leat quarantine --reasons` says why")
    violations = loaded.get("violations")
    if violations:
        say(f"\n{_counted(violations, 'open violation')}: `leat violations --open` shows them")


def _fresh(
    declaration: Declaration, stream: str, good_runs: Mapping[str, datetime], stale: Collection[tuple[str, str]]
) -> str | None:
    if declaration.options(stream).fresh_within is None:
        return None
    return "yes" if declaration.name in good_runs and (declaration.name, stream) not in stale else "no"


def _stream_status(declaration: Declaration, stream: str, loaded: dict[Any, Any], fresh: str | None) -> dict[str, Any]:
    total, last_load, quarantined = loaded.get((declaration.name, stream), (None, None, 0))
    deletes = next(s.deletes for s in declaration.selected() if s.name == stream)
    values = {"rows": total, "last_load": last_load, "quarantined": quarantined, "deletes": deletes, "fresh": fresh}
    return {"stream": stream, **values}


def _loaded(opened: Opened) -> dict[Any, Any]:
    """Return (rows, when last changed, quarantined) by (integration, stream), and how many violations are open."""
    if opened.project.warehouse_url is None and not (opened.project.state / "warehouse.duckdb").exists():
        return {}  # nothing has been published yet
    with opened.warehouse.published() as session:
        return _read_loaded(session)


def _read_loaded(session: Session) -> dict[Any, Any]:
    if not session.columns("leat", "load_streams"):
        return {}
    rows = session.execute(
        "SELECT s.integration, s.stream, s.total, l.applied_at, (SELECT count(*) FROM leat.quarantine AS q "
        "WHERE q.integration = s.integration AND q.stream = s.stream) FROM leat.load_streams AS s JOIN leat.loads AS l "
        "ON l.integration = s.integration AND l.load_id = s.load_id WHERE s.load_id = (SELECT max(n.load_id) "
        "FROM leat.load_streams AS n WHERE n.integration = s.integration AND n.stream = s.stream)"
    )
    found: dict[Any, Any] = {(row[0], row[1]): (row[2], row[3], row[4]) for row in rows}
    found["violations"] = session.execute("SELECT count(*) FROM leat.violations WHERE resolved_at IS NULL")[0][0]
    found["drift"] = changes_since(session, datetime.now(UTC) - SHOWN_FOR)
    return found


def query(
    context: typer.Context,
    sql: Annotated[str, typer.Argument(help="One SELECT; - reads it from standard input.")],
    form: Annotated[Form, typer.Option("--format", help="How rows are printed.")] = Form.table,
    json: Json = False,
    timeout: Annotated[float, typer.Option("--timeout", min=0.001, help="Seconds of work that it may take.")] = 600,
    memory: Annotated[str, typer.Option("--memory", help="Memory that it may take.")] = "1GB",
    disk: Annotated[str, typer.Option("--disk", help="Disk for what doesn't fit into memory.")] = "10GB",
) -> None:
    """Run a read-only query on the published version of the warehouse."""
    opened: Opened = context.obj()
    try:
        limits = Limits(timeout, size_in_bytes(memory), size_in_bytes(disk))
    except ValueError as error:
        msg = f"--memory and --disk: {error}"
        raise UsageMistake(msg) from error
    text = typer.get_text_stream("stdin").read() if sql == "-" else sql
    with opened.warehouse.query(text, limits) as answer:
        print_rows(answer.columns, answer.rows, Form.json if json else form)


def check(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="The integration; all when none is given.")] = None,
    json: Json = False,
) -> None:
    """Validate declarations, models and rules, then try each connection for real."""
    from assets.model_files import load_models
    from quality.alerts.file import load_alerts
    from quality.alerts.trial import channel_tests
    from quality.rule_files import load_rules

    opened: Opened = context.obj()
    names = opened.names([name] if name else [])
    models = load_models(opened.project, opened.declarations)
    rules = load_rules(opened.project, opened.declarations, tuple(model.name for model in models))
    alerts = load_alerts(opened.project, opened.declarations)
    tried = {each: list(_setup_tests(opened, opened.declarations[each])) for each in names}
    if alerts is not None and name is None:
        tried["alerts"] = list(channel_tests(alerts, opened.project))
    ok = all(test.ok for tests in tried.values() for test in tests)
    if json:
        found = {each: [asdict(test) for test in tests] for each, tests in tried.items()}
        print_json(command="check", ok=ok, models=len(models), rules=len(rules), setup_tests=found)
    else:
        counts = (
            f"{_counted(len(opened.declarations), 'declaration')}, {_counted(len(models), 'model')} and "
            f"{_counted(len(rules), 'rule')}"
        )
        say(("✓", "green"), f" valid: {counts}")
        for each, tests in tried.items():
            for test in tests:
                say(_mark(test.ok), f" {each}: {test.name}: {test.detail}")
    if not ok:
        raise typer.Exit(FAILED)


def _setup_tests(opened: Opened, declaration: Declaration) -> Iterator[SetupTest]:
    folder = opened.project.state / "sources" / declaration.name
    make_private(folder)
    streams = frozenset(stream.name for stream in declaration.selected())
    sync = Sync(declaration.name, streams, None, opened.project.folder, folder, datetime.now(UTC))
    driver = load_driver(declaration.source, declaration.driver)
    try:
        for test in driver.setup_tests(declaration.connection, sync):
            yield SetupTest(test.name, test.ok, redact(test.detail))
    except IntegrationError as error:
        yield SetupTest(error.asked, ok=False, detail=redact(f"{error.got}. Next: {error.next_step}"))


def doctor(context: typer.Context, json: Json = False) -> None:
    """Look for what keeps leat from working here, and say what to do about it."""
    opened: Opened = context.obj()
    findings: list[Finding] = list(examine(opened))
    ok = all(finding.ok for finding in findings)
    if json:
        print_json(command="doctor", ok=ok, findings=[asdict(finding) for finding in findings])
    else:
        for finding in findings:
            say(_mark(finding.ok), f" {finding.what}: {finding.detail}")
    if not ok:
        raise typer.Exit(FAILED)


def _mark(ok: bool) -> tuple[str, str]:
    return ("✓", "green") if ok else ("✗", "red")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
