"""Runs whose process was killed or is frozen: closed while nobody has their lease; those of `leat serve` run again."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from leat.runs.workspace import Workspace
from leat.warehouse.session import Busy

log = logging.getLogger("leat.runs")

_CLOCKS = timedelta(hours=1)
"""So much the clocks of two machines may differ."""


@dataclass(slots=True)
class LostRuns:
    """Finds runs that are recorded as running although nobody works on them.

    A run gives its lease back just before it records how it ended. So it counts as lost when two looks in a row find it
    without a lease.
    """

    _suspected: frozenset[str] = field(default=frozenset())

    def close(self, workspace: Workspace) -> list[str]:
        """Close lost runs as ``failed`` with the error type ``Killed``; return the integrations to run again.

        Those are the ones that `leat serve` ran: whoever started another run sees that it ended, or retries it as
        Dagster does. An integration whose last two runs were lost waits for its schedule, for its load may be what
        kills the process.

        Closing takes the lease, so a frozen process that continues afterwards applies nothing.
        """
        from leat.control.store import close_lost_runs, recent_runs, running_runs

        suspected: set[str] = set()
        again = []
        for run in running_runs(workspace.store):
            try:
                with workspace.warehouse.exclusive(run.integration, wait=0):
                    if run.id not in self._suspected:
                        suspected.add(run.id)
                        continue
                    closed = close_lost_runs(workspace.store, run.integration)
            except Busy:
                continue
            if run.id not in closed:  # it has ended meanwhile, or another server has closed it
                continue
            log.warning("%s: the process of run %s ended before the run did", run.integration, run.id)
            last = [each.error_type for each in recent_runs(workspace.store, run.integration, limit=2)]
            declared = run.integration in workspace.declarations
            if run.trigger == "serve" and declared and last != ["Killed", "Killed"]:
                again.append(run.integration)
        self._suspected = frozenset(suspected)
        return again


def lost_by_dagster(workspace: Workspace, dagster_run: str, since: datetime) -> str | None:
    """Return the integration whose lease a run of Dagster has lost; None while it has lost none.

    Args:
        workspace: the project.
        dagster_run: the id of Dagster's run.
        since: when that run was asked for, UTC.
    """
    from leat.control.store import runs_of_dagster
    from leat.warehouse.postgres.warehouse import PostgresWarehouse

    if not isinstance(workspace.warehouse, PostgresWarehouse):
        return None
    for run in runs_of_dagster(workspace.store, dagster_run, since - _CLOCKS):
        frozen = run.status == "running" and workspace.warehouse.leases.look(run.integration)[1]
        if frozen or run.error_type in ("Killed", "Fenced"):
            return run.integration
    return None
