"""How far behind a project is, for whoever watches it: runs that are due, queues, the lag of each integration.

Four queries of the control store and some arithmetic; the warehouse is not asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from leat.pipelines.declare.cron import last_due
from leat.runs import requests
from leat.runs.between import last_started, next_due
from leat.runs.workspace import Workspace

_QUEUES = {"@alerts": "alerts", "@webhooks": "webhooks"}
"""What the outbox has apart from actions, by how the name of its integration begins."""


@dataclass(frozen=True, slots=True)
class Behind:
    """How far behind a project is.

    Attributes:
        due: seconds since the schedule has asked for a run that hasn't begun, by integration.
        lag: seconds since an integration should have been loaded and wasn't, by integration; 0 if it is on time.
        queues: how much waits, by queue: runs (due, or requested), actions, webhooks, alerts.
    """

    due: Mapping[str, float]
    lag: Mapping[str, float]
    queues: Mapping[str, int]


def how_far_behind(workspace: Workspace, since: datetime, now: datetime) -> Behind:
    """Return how far behind a project is.

    Args:
        workspace: the project.
        since: when this process began; an integration that has never run is due from then on.
        now: the time, UTC.
    """
    from leat.control.outbox import count_sendable
    from leat.control.store import last_good_runs

    started, good = last_started(workspace), last_good_runs(workspace.store)
    due, lag = {}, {}
    for name, declaration in workspace.declarations.items():
        if declaration.enabled and declaration.schedule:
            began = _late(workspace, name, started.get(name, since), now)
            if began > 0:
                due[name] = began
            lag[name] = _late(workspace, name, good.get(name, since), now)
    queues = {"runs": len(due) + requests.count_queued(workspace), "actions": 0, "webhooks": 0, "alerts": 0}
    for integration, count in count_sendable(workspace.store).items():
        starts = (queue for start, queue in _QUEUES.items() if integration.startswith(start))
        queues[next(starts, "actions")] += count
    return Behind(due, lag, queues)


def _late(workspace: Workspace, name: str, after: datetime, now: datetime) -> float:
    """Return for how many seconds a run has been due after a moment."""
    declaration = workspace.declarations[name]
    latest = last_due(str(declaration.schedule), declaration.zone, now)
    if (
        latest is None or latest <= after
    ):  # nearly always; looking for the first time it was due takes ten times as long
        return 0.0
    due = next_due(workspace, name, after)
    return 0.0 if due is None else max(0.0, (now - due).total_seconds())
