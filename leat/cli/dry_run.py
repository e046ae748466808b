"""``leat run --dry-run``: what a run would change; all that was written for it is taken back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

import typer

from leat.cli.outcome import drift_json, print_changes, print_drift, print_ending, print_quarantined, result_json
from leat.cli.output import print_checks, print_json, say
from leat.cli.progress import Display, shown_progress
from leat.cli.run import auditor, exit_code
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.load.drift import Change, changes_since
from leat.pipelines.load.quarantined import Choice, Reason, count_reasons
from leat.pipelines.load.results import CheckResult, IntegrationResult
from leat.pipelines.load.run import Engine, Request, run_integrations
from leat.runs.workspace import Workspace
from leat.warehouse.session import Session


@dataclass(slots=True)
class _Found:
    """What is seen inside of the transactions, before they are rolled back."""

    since: datetime
    reasons: dict[tuple[str, str], Sequence[Reason]] = field(default_factory=dict)
    changes: dict[str, list[Change]] = field(default_factory=dict)

    def look(self, session: Session, declaration: Declaration) -> None:
        """Take note of what a load has quarantined, and of fields that came or went."""
        for stream in declaration.selected():
            counted = count_reasons(session, Choice(declaration.name, stream.name, since=self.since))
            self.reasons[declaration.name, stream.name] = counted
        own = [each for each in changes_since(session, self.since) if each.integration == declaration.name]
        self.changes[declaration.name] = own


def dry_run(workspace: Workspace, names: Sequence[str], request: Request, *, as_json: bool) -> None:
    """Run integrations up to the end of their transactions, roll these back, and print what was seen.

    Nothing is recorded, published or sent; models and rules aren't looked at.
    """
    started = time.monotonic()
    found = _Found(datetime.now(UTC))
    check = auditor(workspace, None)

    def look(session: Session, declaration: Declaration) -> tuple[CheckResult, ...]:
        found.look(session, declaration)
        return check(session, declaration)

    with shown_progress() as progress:
        display = Display(progress)
        engine = Engine(
            workspace.project,
            workspace.warehouse,
            workspace.declarations,
            audit=look,
            observe=display.on_phase,
            progress=display.on_progress,
        )
        ran = run_integrations(engine, names, request, display.on_result)
    results = [replace(result, load_id=None) for result in ran]
    reasons = {key: counted for key, counted in found.reasons.items() if counted}
    changes = [change for listed in found.changes.values() for change in listed]
    checks = [check for result in results for check in result.checks]
    if as_json:
        print_json(
            command="run",
            dry_run=True,
            published=False,
            withheld=None,
            forced=False,
            errors=[],
            seconds=round(time.monotonic() - started, 3),
            integrations=[result_json(result, reasons) for result in results],
            models=[],
            checks=[asdict(each) for each in checks],
            violations=[],
            drift=drift_json(changes),
            alerts=[],
        )
    else:
        print_changes(results)
        for result in results:
            _print(result)
        print_quarantined(reasons)
        print_drift(changes)
        print_checks(checks)
        say(("dry run", "bold"), ": nothing was written")
    code = exit_code(results, failed=False, withheld=None)
    if code:
        raise typer.Exit(code)


def _print(result: IntegrationResult) -> None:
    if result.error:
        print_ending(result)
        return
    counts = {
        "insert": sum(stream.inserted for stream in result.streams),
        "update": sum(stream.updated for stream in result.streams),
        "delete": sum(stream.deleted for stream in result.streams),
        "quarantine": sum(stream.quarantined for stream in result.streams),
    }
    would = ", ".join(f"{what} {count:,}" for what, count in counts.items() if count)
    say(("✓", "green"), f" {result.integration}: {f'would {would}' if would else 'nothing new'}")
