"""What has happened so far, from the control store: runs, the log, open problems and the alerts sent for them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from leat.runs.workspace import Workspace

if TYPE_CHECKING:  # SQLAlchemy takes long to import
    from leat.control.alert_messages import Message
    from leat.control.alerts import TrackedProblem
    from leat.control.log_entries import LogEntry
    from leat.control.runs import RunRecord


def recent_runs(
    workspace: Workspace, integration: str | None = None, limit: int = 50, after: str | None = None
) -> list[RunRecord]:
    """Return the last runs, newest first, of one integration or of all; from the one after ``after`` on.

    Raises:
        KeyError: there is no run ``after``.
    """
    from leat.control import runs

    return runs.recent_runs(workspace.store, integration, limit, after)


def logged_names(workspace: Workspace) -> tuple[list[str], list[str]]:
    """Return the integrations that are declared or were logged, and the types of events in the log, both sorted."""
    from leat.control import log_entries

    names, events = log_entries.logged_names(workspace.store)
    return sorted({*names, *workspace.declarations}), events


def read_log(
    workspace: Workspace,
    *,
    integration: str | None = None,
    event: str | None = None,
    since: datetime | None = None,
    after: int = 0,
    limit: int = 50,
) -> list[LogEntry]:
    """Return the last entries of the log, oldest first; see :func:`leat.control.log_entries.log_entries`."""
    from leat.control.log_entries import log_entries

    return log_entries(workspace.store, integration=integration, event=event, since=since, after=after, limit=limit)


def open_problems(workspace: Workspace) -> list[TrackedProblem]:
    """Return the problems that last, by severity and subject."""
    from leat.control.alerts import tracked_problems

    lasting = [each for each in tracked_problems(workspace.store).values() if each.gone_at is None]
    return sorted(lasting, key=lambda each: (each.severity, each.subject, each.seen_at, each.key))


def recent_alerts(workspace: Workspace, limit: int) -> list[Message]:
    """Return the last alerts: sent, on their way, or not taken by their channel; the newest first."""
    from leat.control.alert_messages import messages

    return messages(workspace.store, limit)
