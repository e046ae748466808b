"""The state of integrations by their runs: the last that ended, and one that is said to be running."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from leat.control.runs import newest_first
from leat.control.tables import Integration, Run
from leat.warehouse.clock import is_future


@dataclass(frozen=True, slots=True)
class RunState:
    """What a run says about its integration; ``error`` is None unless it failed or was blocked."""

    status: str
    started_at: datetime
    error_type: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class LatestRuns:
    """The runs by which an integration is judged.

    Attributes:
        integration: its name.
        ended: the last run that ended, except those that ended because another was running.
        running: the newest run, if it hasn't ended; its process may be gone.
    """

    integration: str
    ended: RunState | None
    running: RunState | None


def latest_runs(engine: Engine) -> dict[str, LatestRuns]:
    """Return the state of every integration that has had a run, by name."""
    runs = Run.status == "running"
    order = newest_first()
    ranks = func.row_number().over(partition_by=(Run.integration_id, runs), order_by=order)
    ranked = select(Run.id, ranks.label("place")).where(Run.status != "busy").subquery()
    columns = (Integration.name, Run.status, Run.started_at, Run.error_type, Run.error)
    wanted = select(*columns).select_from(Run).join(Integration).join(ranked, ranked.c.id == Run.id)
    result: dict[str, dict[bool, RunState]] = {}
    with Session(engine) as session:
        for name, *values in session.execute(wanted.where(ranked.c.place == 1)):
            state = RunState(*values)
            result.setdefault(name, {})[state.status == "running"] = state
    return {name: _latest(name, states.get(False), states.get(True)) for name, states in result.items()}


def _latest(name: str, ended: RunState | None, running: RunState | None) -> LatestRuns:
    wrong = ended is not None and is_future(ended.started_at, datetime.now(UTC))
    newest = running is not None and (ended is None or wrong or running.started_at >= ended.started_at)
    return LatestRuns(name, ended, running if newest else None)
