"""What is done between runs: loads that are due, actions that can be sent, automations and alerts that are due."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from leat.pipelines.declare.cron import last_due
from leat.pipelines.load.error_message import log_error
from leat.runs.notify import notify
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.quality.alerts.announce import Sent
    from leat.runs.acting import Acted

log = logging.getLogger("leat.runs")


def last_started(workspace: Workspace) -> dict[str, datetime]:
    """Return when the last run of each integration began, UTC; one that ended as busy is none."""
    from leat.control.store import last_runs

    return {name: run.started_at for name, run in last_runs(workspace.store, busy=False).items()}


def due_integrations(
    workspace: Workspace, since: datetime, now: datetime, among: Collection[str] | None = None
) -> list[str]:
    """Return the integrations whose schedule asks for a run.

    That is the case when it was due after the last run began, and no run is under way. One that has never run is due
    from ``since`` on, so that a new declaration waits for its time.

    Args:
        workspace: the project.
        since: when this process began to look after schedules, UTC.
        now: the time, UTC.
        among: look at these only; None for all.
    """
    scheduled = {
        name: declaration
        for name, declaration in workspace.declarations.items()
        if declaration.enabled and declaration.schedule and (among is None or name in among)
    }
    if not scheduled:
        return []
    from leat.control.store import last_runs

    last = last_runs(workspace.store, busy=False)
    result = []
    for name, declaration in scheduled.items():
        run = last.get(name)
        if run is not None and run.status == "running":
            continue
        at = last_due(str(declaration.schedule), declaration.zone, now)
        if at is not None and at > (since if run is None else run.started_at):
            result.append(name)
    return result


def next_due(workspace: Workspace, name: str, now: datetime) -> datetime | None:
    """Return when the schedule of an integration asks for its next run; None if it has none, or not within a year."""
    declaration = workspace.declarations[name]
    if not declaration.enabled or not declaration.schedule:
        return None

    def due_by(minutes: int) -> datetime | None:
        return last_due(str(declaration.schedule), declaration.zone, now + timedelta(minutes=minutes))

    late = 1
    while (due := due_by(late)) is None or due <= now:
        late *= 2
        if late > 2 * 366 * 1440:
            return None
    early = late // 2
    while late - early > 1:  # the first minute by which it is due
        middle = (early + late) // 2
        due = due_by(middle)
        early, late = (early, middle) if due is not None and due > now else (middle, late)
    return due_by(late)


def send_due(workspace: Workspace) -> Acted | None:
    """Send approved actions that are due; None when there is nothing to send."""
    from leat.control.outbox import has_sendable

    if not has_sendable(workspace.store):
        return None
    from leat.runs.acting import send_approved

    return send_approved(workspace)


def plan_due(workspace: Workspace) -> int:
    """Let automations plan; returns how many actions they planned."""
    from leat.control.automations import read_modes

    if not (workspace.project.folder / "automations").is_dir() and not read_modes(workspace.store):
        return 0
    from leat.runs.automating import plan

    return sum(row.planned for row in plan(workspace))


def send_webhooks_due(workspace: Workspace) -> int:
    """Send webhooks about what happened, and those that are due again; returns how many were accepted."""
    from leat.runs.webhooks_out import send_webhooks

    try:
        return send_webhooks(workspace)
    except Exception as error:
        log_error(log, error, "no webhooks were sent")
        return 0


def notify_due(workspace: Workspace) -> list[Sent]:
    """Send the alerts that are due; what goes wrong is logged."""
    try:
        return notify(workspace)
    except Exception as error:
        log_error(log, error, "no alerts were sent")
        return []
