"""``leat run`` and ``leat reset``: load, check, rebuild models, publish, report."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from leat.cli.names import check_stream, complete_integration, complete_stream, complete_target, read_names
from leat.cli.on_ray import check_cluster, run_as_jobs
from leat.cli.outcome import (
    drift_json,
    print_changes,
    print_drift,
    print_quarantined,
    print_results,
    print_would,
    result_json,
)
from leat.cli.output import Json, ReaderGone, counted, err, print_checks, print_json, say
from leat.cli.progress import Display, shown_progress
from leat.cli.usage import EXIT_CODES
from leat.pipelines.load.engine import Request
from leat.quality.violation_report import summaries
from leat.runs.access import Resource, integrations, require
from leat.runs.publish import Published
from leat.runs.refresh import Refreshed
from leat.runs.result import RunResult
from leat.runs.run import run as run_project
from leat.runs.workspace import Workspace

_LISTED = 12
"""So many models that were rebuilt are listed; of more, only how many there are."""


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(run)
    app.command()(reset)


def run(  # noqa: PLR0913, PLR0917 - each is an option of the command
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME[.STREAM]",
            help="Integrations, or single streams of them; all integrations when none is given.",
            autocompletion=complete_target,
        ),
    ] = None,
    allow_deletes: Annotated[
        bool, typer.Option("--allow-deletes", help="Let full scans delete any share of a table.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="DATE", help="Read again what changed since this date; delete nothing."),
    ] = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and write nothing.")] = False,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Build all rows of all models, not only those that changed.")
    ] = False,
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="URL", help="Run as jobs of the Ray cluster with this dashboard."),
    ] = None,
    json: Json = False,
) -> None:
    """Load what is new, check it, rebuild models and publish."""
    from leat.cli.part import read_part

    workspace: Workspace = context.obj()
    part = read_part(workspace, names or (), since)
    if not json and not dry:
        for note in part.notes:
            say(note, style="dim")
    request = Request(allow_deletes=allow_deletes, only=part.only, since=part.since, dry=dry, full_refresh=full_refresh)
    if on is not None:
        check_cluster(workspace, on, dry=dry)
    execute(workspace, part.names, request, as_json=json, on=on)


def reset(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The integration.", autocompletion=complete_integration)],
    stream: Annotated[
        list[str] | None,
        typer.Option("--stream", help="Only this stream; may be repeated.", autocompletion=complete_stream),
    ] = None,
    json: Json = False,
) -> None:
    """Load an integration from the start again. Readers see the old rows until the new ones replace them."""
    workspace: Workspace = context.obj()
    read_names(workspace, [name])
    declaration = workspace.declarations[name]
    for wanted in stream or ():
        check_stream(declaration, wanted)
    names = [s.name for s in declaration.selected()]
    execute(workspace, [name], Request(reset=frozenset(stream or names)), as_json=json)


def execute(
    workspace: Workspace,
    names: Sequence[str],
    request: Request,
    *,
    as_json: bool,
    command: Literal["run", "publish"] = "run",
    reason: str = "",
    on: str | None = None,
) -> None:
    """Run integrations, print the outcome and exit with its code when it isn't 0.

    ``reason`` is why failed checks are to count for nothing, where the request is forced. ``on`` is the dashboard of
    the Ray cluster whose machines run them; None for this machine.
    """
    require(workspace, "force" if request.forced else command, integrations(names) or Resource("catalog"))
    with shown_progress() as progress:
        observer = Display(progress).observer
        if on is None:
            result = run_project(workspace, names, request, observer, reason=reason)
        else:
            result = run_as_jobs(on, workspace, names, request, observer)
    if on is None and not request.dry and result.changed:  # a job has reported its own
        from leat.dagster_project.command_line import report_run

        report_run(workspace, result)
    if as_json:
        _print_as_json(result, request, command)
    else:
        with contextlib.suppress(ReaderGone):  # how the run ended counts, whoever reads of it
            _print_dry(result) if request.dry else _print(result, request, command)
    if result.outcome != "ok":
        raise typer.Exit(EXIT_CODES[result.outcome])


def _print_as_json(result: RunResult, request: Request, command: str) -> None:
    withheld, refreshed = result.publication.withheld, result.refreshed
    print_json(
        command=command,
        dry_run=request.dry,
        published=result.publication.published,
        withheld=None if withheld is None else withheld.data,
        forced=request.forced,
        errors=list(refreshed.errors) if refreshed else [],
        seconds=result.seconds,
        integrations=[result_json(each, result.quarantined) for each in result.integrations],
        models=[asdict(model) for model in refreshed.models] if refreshed else [],
        checks=[asdict(check) for check in result.checks],
        violations=[asdict(each) for each in summaries(result.violations, result.started_at, datetime.now(UTC))],
        drift=drift_json(result.drift),
        alerts=[asdict(each) for each in result.sent],
        automations=[asdict(each) for each in result.planned],
        actions=[asdict(each) for each in result.acted.actions] if result.acted else [],
    )
    _print_not_sent(result)


def _print(result: RunResult, request: Request, command: str) -> None:
    from leat.cli.alerts import print_sent
    from leat.cli.violations import print_summary

    print_results(result.integrations, again=bool(request.reset) or request.since is not None)
    print_quarantined(result.quarantined)
    print_drift(result.drift)
    _print_refreshed(result.refreshed)
    print_checks(result.checks)
    print_summary(result.violations, result.started_at)
    _print_publication(result.publication, result.refreshed, command)
    print_sent(result.sent)
    _print_not_sent(result)
    if result.planned:
        from leat.cli.automations import print_planned

        print_planned(result.planned, result.waiting)
    if result.acted is not None:
        from leat.cli.action_text import print_acted

        print_acted(result.acted)
        if result.failed_actions:
            failed = counted(len(result.failed_actions), "action")
            say(("✗", "red"), f" {failed} failed; `leat actions show ID` says what happened to one")


def _print_not_sent(result: RunResult) -> None:
    if result.not_sent is not None:
        err.print(f"no alerts were sent: {result.not_sent}", style="red")


def _print_dry(result: RunResult) -> None:
    print_changes(result.integrations)
    for each in result.integrations:
        print_would(each)
    print_quarantined(result.quarantined)
    print_drift(result.drift)
    print_checks(result.checks)
    say(("dry run", "bold"), ": nothing was written")


def _print_refreshed(refreshed: Refreshed | None) -> None:
    models = refreshed.models if refreshed else ()
    built = [model for model in models if model.status == "built"]
    if len(built) > _LISTED:
        say(("✓", "green"), f" {len(built)} models rebuilt ({counted(sum(model.rows for model in built), 'row')})")
    for model in models:
        if model.status == "built":
            if len(built) <= _LISTED:
                say(("✓", "green"), f" analytics.{model.name}: {counted(model.rows, 'row')}")
        elif model.status == "failed":
            say(("✗", "red"), f" analytics.{model.name}: {model.reason}; it stays as it was built last")
        elif model.status != "unchanged":
            say(f"- analytics.{model.name}: {model.reason}", style="dim")


def _print_publication(publication: Published, refreshed: Refreshed | None, command: str) -> None:
    if publication.explanation is not None:
        say(("not published", "red"), f": {publication.explanation}")
    elif refreshed is not None and refreshed.accepted:
        say(("published", "yellow"), " in spite of failed checks: `leat status` says so until they hold")
    elif command == "publish":
        say("published" if publication.published else "nothing to publish: readers have the newest version")
