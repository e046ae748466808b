"""``leat status``: what is loaded, how fresh it is, how the last runs ended."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import typer

from leat.cli.outcome import drift_json, print_drift
from leat.cli.output import Json, counted, print_json, print_table, say
from leat.cli.publish import print_standing, standing
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.load.drift import SHOWN_FOR, changes_since
from leat.pipelines.load.freshness import stale_streams
from leat.runs.workspace import Workspace
from leat.warehouse.session import Session


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(status)


def status(context: typer.Context, json: Json = False) -> None:
    """Show what is loaded, how fresh it is, and how the last runs ended."""
    from leat.control.store import last_good_runs, last_runs

    workspace: Workspace = context.obj()
    runs, good_runs = last_runs(workspace.store), last_good_runs(workspace.store)
    loaded = _loaded(workspace)
    stale = stale_streams(workspace.declarations, good_runs, datetime.now(UTC))
    integrations: list[dict[str, Any]] = []
    for name, declaration in workspace.declarations.items():
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
            publication=standing(workspace),
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
    print_standing(workspace)
    if changes:
        say()
        print_drift(changes, dated=True)
    if any(s["quarantined"] for i in integrations for s in i["streams"]):
        say("\nrecords are quarantined: `leat quarantine --reasons` says why")
    violations = loaded.get("violations")
    if violations:
        say(f"\n{counted(violations, 'open violation')}: `leat violations --open` shows them")


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


def _loaded(workspace: Workspace) -> dict[Any, Any]:
    """Return (rows, when last changed, quarantined) by (integration, stream), and how many violations are open."""
    if workspace.project.warehouse_url is None and not (workspace.project.state / "warehouse.duckdb").exists():
        return {}  # nothing has been published yet
    with workspace.warehouse.published() as session:
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
