"""One run: load, refresh, publish, notify, plan, act. The command line runs all of it, Dagster runs its parts in steps.

::

    load      integrations side by side; one that fails leaves the others alone, a stream that fails its siblings
    refresh   models, their checks and rules, whatever failed: they follow from what was applied
    publish   unless a check of severity error failed
    notify    after that, so that an alert speaks of what readers see; it fails nothing
    plan      after publishing: automations plan from what readers see; it fails nothing
    act       approved actions that are due are sent, and what was sent is confirmed
    report    webhooks about all of it are sent to the declared endpoints; it fails nothing
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.load.drift import Change, changes_since
from leat.pipelines.load.engine import Request
from leat.pipelines.load.error_message import log_error, text_of
from leat.pipelines.load.quarantined import Choice, count_reasons
from leat.pipelines.load.results import CheckResult, IntegrationResult
from leat.pipelines.load.run import run_integrations
from leat.quality.violation_report import entries
from leat.runs.granting import follow_people
from leat.runs.load import SILENT, Observer, auditor, engine_of, load
from leat.runs.notify import notify
from leat.runs.publish import Force, Published, publish
from leat.runs.refresh import Refreshed, refresh
from leat.runs.result import Reasons, RunResult
from leat.runs.workspace import Workspace
from leat.warehouse.session import Session

if TYPE_CHECKING:
    from leat.control.automations import RunRow
    from leat.control.store import Trigger
    from leat.quality.alerts.announce import Sent
    from leat.runs.acting import Acted

log = logging.getLogger("leat.runs")


def run(
    workspace: Workspace,
    names: Sequence[str],
    request: Request,
    observer: Observer = SILENT,
    *,
    reason: str = "",
    trigger: Trigger = "cli",
) -> RunResult:
    """Run integrations from load to alert. What goes wrong with one of them is in the result and isn't raised.

    A dry run (``request.dry``) loads, takes everything back, and records, refreshes, publishes and sends nothing.

    Args:
        workspace: the project.
        names: the integrations; with none, models and rules are refreshed and published.
        request: what is asked of the loads.
        observer: is called while it goes on.
        reason: why failed checks are to count for nothing, where the request is forced; it is recorded.
        trigger: who started it.

    Raises:
        Busy: another process writes the warehouse for too long.
        DeclarationError: models have mistakes that belong to no single file.
    """
    from leat.control.outbox import count_waiting

    if request.dry:
        return _dry_run(workspace, names, request, observer)
    started, since = time.monotonic(), datetime.now(UTC)
    force = Force(workspace.store, reason) if request.forced else None
    results = load(workspace, names, request, observer, force=force, trigger=trigger)
    observer.refreshing()
    refreshed, publication = refresh_and_publish(workspace, whole=request.full_refresh, force=force)
    sent, not_sent = _notify(workspace)
    _learn(workspace)
    planned = _plan(workspace)
    acted = _act(workspace)
    _send_webhooks(workspace)
    _guard(workspace)
    waiting = count_waiting(workspace.store)
    with workspace.warehouse.snapshot() as session:
        return RunResult(
            started_at=since,
            seconds=round(time.monotonic() - started, 3),
            integrations=results,
            refreshed=refreshed,
            publication=publication,
            quarantined=reasons_of(session, results, since),
            drift=changes_since(session, since),
            violations=entries(session),
            sent=sent,
            not_sent=not_sent,
            planned=planned,
            acted=acted,
            waiting=waiting,
        )


def refresh_and_publish(
    workspace: Workspace, *, always: bool = False, whole: bool = False, force: Force | None = None
) -> tuple[Refreshed | None, Published]:
    """Bring models, rules and who may read the warehouse up to date, and let readers have what passes.

    Args:
        workspace: the project.
        always: whether checks and rules run even if nothing is missing.
        whole: whether all rows of all models are built, changed or not.
        force: makes failed checks count for nothing.

    Raises:
        Busy: another process writes the warehouse.
        DeclarationError: models have mistakes that belong to no single file.
    """
    from leat.control.store import last_good_runs

    follow_people(workspace)  # before the rules look at who may read
    good_runs = last_good_runs(workspace.store)
    declarations = workspace.declarations
    refreshed = refresh(
        workspace.project, workspace.warehouse, declarations, good_runs, always=always, whole=whole, accept=force
    )
    return refreshed, publish(workspace.store, workspace.warehouse, refreshed)


def _notify(workspace: Workspace) -> tuple[list[Sent], str | None]:
    """Return what was sent, and why nothing could be: a run fails for no alert."""
    try:
        return notify(workspace), None
    except Exception as error:
        log_error(log, error, "no alerts were sent")
        return [], text_of(error)


def _learn(workspace: Workspace) -> None:
    if any(each.source == "email" for each in workspace.declarations.values()):
        from leat.runs.suppressing import learn_or_log

        learn_or_log(workspace)


def _plan(workspace: Workspace) -> list[RunRow]:
    """Let automations plan; a run fails for none of them, for each run of one says itself how it was."""
    from leat.control.automations import read_modes

    if not (workspace.project.folder / "automations").is_dir() and not read_modes(workspace.store):
        return []
    from leat.runs.automating import plan  # it parses SQL, which takes long to import

    try:
        return plan(workspace)
    except Exception as error:
        log_error(log, error, "automations planned nothing")
        return []


def _act(workspace: Workspace) -> Acted | None:
    """Send what is approved and due; a run fails for no action, for each says itself how it is."""
    from leat.control.outbox import has_sendable

    if not has_sendable(workspace.store):
        return None
    from leat.runs.acting import send_approved

    return send_approved(workspace)


def _send_webhooks(workspace: Workspace) -> None:
    """Send what happened, the changes of actions included; a run fails for no endpoint."""
    from leat.runs.webhooks_out import send_webhooks

    try:
        send_webhooks(workspace)
    except Exception as error:
        log_error(log, error, "no webhooks were sent")


def _guard(workspace: Workspace) -> None:
    """Take access from those who have left, then seal the audit log; a run fails for neither."""
    from leat.runs.access import end_access_of_leavers, seal

    try:
        end_access_of_leavers(workspace)
    except Exception as error:
        log_error(log, error, "people who have left may still have sessions and tokens")
    seal(workspace)


def reasons_of(session: Session, results: Sequence[IntegrationResult], since: datetime) -> Reasons:
    """Return why records of these integrations were quarantined from a time on."""
    return {
        (result.integration, stream.stream): count_reasons(
            session, Choice(result.integration, stream.stream, since=since)
        )
        for result in results
        for stream in result.streams
        if stream.quarantined
    }


def _dry_run(workspace: Workspace, names: Sequence[str], request: Request, observer: Observer) -> RunResult:
    """Load up to the end of the transactions; what is quarantined and drifts is read before they are rolled back."""
    started, since = time.monotonic(), datetime.now(UTC)
    seen: dict[str, tuple[Reasons, list[Change]]] = {}
    check = auditor(workspace)

    def look(session: Session, declaration: Declaration) -> tuple[CheckResult, ...]:
        choices = [Choice(declaration.name, stream.name, since=since) for stream in declaration.selected()]
        counted = {(declaration.name, str(choice.stream)): count_reasons(session, choice) for choice in choices}
        own = [each for each in changes_since(session, since) if each.integration == declaration.name]
        seen[declaration.name] = ({key: reasons for key, reasons in counted.items() if reasons}, own)
        return check(session, declaration)

    engine = replace(engine_of(workspace, None, observer), audit=look)
    results = [replace(each, load_id=None) for each in run_integrations(engine, names, request, observer.result)]
    return RunResult(
        started_at=since,
        seconds=round(time.monotonic() - started, 3),
        integrations=results,
        quarantined={key: reasons for counted, _ in seen.values() for key, reasons in counted.items()},
        drift=[change for _, changes in seen.values() for change in changes],
    )
