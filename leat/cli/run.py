"""``leat run`` and ``leat reset``: load, check, rebuild models, publish, report."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from leat.cli.names import check_stream, complete_integration, complete_target, read_names
from leat.cli.outcome import drift_json, print_drift, print_quarantined, print_results, reasons_of, result_json
from leat.cli.output import Json, print_checks, print_json, say
from leat.cli.progress import Display, shown_progress
from leat.cli.usage import BLOCKED, BUSY, FAILED
from leat.control.publications import Publication
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.load.drift import changes_since
from leat.pipelines.load.results import CheckResult, IntegrationResult
from leat.pipelines.load.run import Audit, Engine, Request, run_integrations
from leat.quality.violation_report import entries, summaries
from leat.runs.publish import Force, Published, publish
from leat.runs.recorder import Recorder, register
from leat.runs.refresh import Refreshed, refresh
from leat.runs.workspace import Workspace
from leat.warehouse.session import Session

_LISTED = 12
"""So many models that were rebuilt are listed; of more, only how many there are."""


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(run)
    app.command()(reset)


def run(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME[.STREAM]]...",
            help="Integrations, or single streams of them; all integrations when none is given.",
            autocompletion=complete_target,
        ),
    ] = None,
    allow_deletes: Annotated[
        bool, typer.Option("--allow-deletes", help="Let full scans delete any share of a table.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="DATE", help="Read again what has changed from this date on; deletes nothing."),
    ] = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and write nothing.")] = False,
    json: Json = False,
) -> None:
    """Load what is new, check it, rebuild models and publish."""
    from leat.cli.part import read_part

    workspace: Workspace = context.obj()
    part = read_part(workspace, names or (), since)
    request = Request(allow_deletes=allow_deletes, only=part.only, since=part.since, dry=dry)
    if dry:
        from leat.cli.dry_run import dry_run

        dry_run(workspace, part.names, request, as_json=json)
        return
    if not json:
        for note in part.notes:
            say(note, style="dim")
    execute(workspace, part.names, request, as_json=json)


def reset(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The integration.", autocompletion=complete_integration)],
    stream: Annotated[list[str] | None, typer.Option("--stream", help="Only this stream; may be repeated.")] = None,
    json: Json = False,
) -> None:
    """Load an integration anew from the start; readers keep the old rows until the new ones are there."""
    workspace: Workspace = context.obj()
    read_names(workspace, [name])
    declaration = workspace.declarations[name]
    for wanted in stream or ():
        check_stream(declaration, wanted)
    known = [s.name for s in declaration.selected()]
    execute(workspace, [name], Request(reset=frozenset(stream or known)), as_json=json)


def execute(
    workspace: Workspace,
    names: Sequence[str],
    request: Request,
    *,
    as_json: bool,
    command: str = "run",
    reason: str = "",
) -> None:
    """Run integrations, then what follows; prints the outcome and exits with its code when it isn't 0.

    ``reason`` is why failed checks are to count for nothing, where the request is forced.
    """
    from leat.cli.alerts import print_sent, tell
    from leat.cli.violations import print_summary

    started, since = time.monotonic(), datetime.now(UTC)
    results, refreshed = load(workspace, names, request, reason)
    publication = publish(workspace.store, workspace.warehouse, refreshed)
    if refreshed is not None or any(r.status == "loaded" for r in results):
        _tell_dagster(workspace, results, refreshed, publication.told)
    sent = tell(workspace)
    checks = [*(check for r in results for check in r.checks), *(refreshed.checks if refreshed else ())]
    with workspace.warehouse.snapshot() as session:
        found = entries(session)
        reasons = reasons_of(session, results, since)
        changes = changes_since(session, since)
    if as_json:
        print_json(
            command=command,
            dry_run=False,
            published=publication.published,
            withheld=None if publication.withheld is None else publication.withheld.data,
            forced=request.forced,
            errors=list(refreshed.errors) if refreshed else [],
            seconds=round(time.monotonic() - started, 3),
            integrations=[result_json(r, reasons) for r in results],
            models=[asdict(model) for model in refreshed.models] if refreshed else [],
            checks=[asdict(check) for check in checks],
            violations=[asdict(each) for each in summaries(found, since, datetime.now(UTC))],
            drift=drift_json(changes),
            alerts=[asdict(each) for each in sent],
        )
    else:
        with contextlib.suppress(BrokenPipeError):  # how the run ended counts, whoever reads of it
            print_results(results)
            print_quarantined(reasons)
            print_drift(changes)
            _print_refreshed(refreshed)
            print_checks(checks)
            print_summary(found, since)
            _print_publication(publication, refreshed, command)
            print_sent(sent)
    code = exit_code(results, failed=refreshed is not None and bool(refreshed.errors), withheld=publication.withheld)
    if code:
        raise typer.Exit(code)


def load(
    workspace: Workspace, names: Sequence[str], request: Request, reason: str = ""
) -> tuple[list[IntegrationResult], Refreshed | None]:
    """Run integrations and bring models and rules up to date, with a progress display on a terminal."""
    from leat.control.store import last_good_runs

    register(workspace.store, workspace.declarations)
    force = Force(workspace.store, reason) if request.forced else None
    with shown_progress() as progress:
        display = Display(progress, Recorder(workspace.store, "cli"), frozenset(request.only))
        engine = Engine(
            workspace.project,
            workspace.warehouse,
            workspace.declarations,
            audit=auditor(workspace, force),
            observe=display.on_phase,
            progress=display.on_progress,
            called=display.on_call,
        )
        results = run_integrations(engine, names, request, display.on_result)
        task = progress.add_task("models and rules")
        good_runs = last_good_runs(workspace.store)
        refreshed = refresh(workspace.project, workspace.warehouse, workspace.declarations, good_runs, accept=force)
        progress.remove_task(task)
    return results, refreshed


def auditor(workspace: Workspace, force: Force | None) -> Audit:
    """Return what checks the tables of an integration; ``force`` takes failed checks, which then count for nothing."""

    def run_checks(session: Session, declaration: Declaration) -> tuple[CheckResult, ...]:
        from leat.quality.audit import audit

        checks = audit(session, declaration, workspace.declarations)
        if force is not None and any(check.blocks for check in checks):
            force(checks)
        return checks

    return run_checks


def _tell_dagster(
    workspace: Workspace, results: Sequence[IntegrationResult], refreshed: Refreshed | None, withheld: str | None
) -> None:
    """Report to the Dagster instance of the project, where it has one."""
    from leat.dagster_project.instance import has_instance

    if has_instance(workspace.project):
        from leat.dagster_project.report import report

        report(workspace.project, workspace.declarations, results, refreshed, withheld)


def _print_refreshed(refreshed: Refreshed | None) -> None:
    models = refreshed.models if refreshed else ()
    built = [model for model in models if model.status == "built"]
    if len(built) > _LISTED:
        say(("✓", "green"), f" {len(built)} models rebuilt ({sum(model.rows for model in built):,} rows)")
    for model in models:
        if model.status == "built":
            if len(built) <= _LISTED:
                say(("✓", "green"), f" analytics.{model.name}: {model.rows:,} rows")
        elif model.status == "failed":
            say(("✗", "red"), f" analytics.{model.name}: {model.reason}; it stays as it was built last")
        elif model.status != "unchanged":
            say(f"- analytics.{model.name}: {model.reason}", style="dim")


def _print_publication(publication: Published, refreshed: Refreshed | None, command: str) -> None:
    if publication.told is not None:
        say(("not published", "red"), f": {publication.told}")
    elif refreshed is not None and refreshed.accepted:
        say(("published", "yellow"), " in spite of failed checks: `leat status` says so until they hold")
    elif command == "publish":
        say("published" if publication.published else "nothing to publish: readers have the newest version")


def exit_code(results: Sequence[IntegrationResult], *, failed: bool, withheld: Publication | None) -> int:
    """Return the code with which the command ends."""
    statuses = {result.status for result in results}
    if failed or "failed" in statuses:
        return FAILED
    if "blocked" in statuses or withheld is not None:
        return BLOCKED
    return BUSY if "busy" in statuses else 0
