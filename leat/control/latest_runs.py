"""The state of integrations by their runs: the last that ended, and one that is said to be running."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, select

from leat.control.runs import believable_run, newest_first
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
    columns = (Integration.name, Run.status, Run.started_at, Run.error_type, Run.error)
    ended = believable_run(Run.status.not_in(("running", "busy")))
    with engine.connect() as connection:
        ends = connection.execute(select(*columns).select_from(Integration).join(Run, Run.id == ended)).all()
        running = connection.execute(
            select(*columns).select_from(Run).join(Integration).where(Run.status == "running").order_by(*newest_first())
        ).all()
    result: dict[str, dict[bool, RunState]] = {name: {False: RunState(*values)} for name, *values in ends}
    for name, *values in reversed(running):
        result.setdefault(name, {})[True] = RunState(*values)
    return {name: _latest(name, states.get(False), states.get(True)) for name, states in result.items()}


def _latest(name: str, ended: RunState | None, running: RunState | None) -> LatestRuns:
    wrong = ended is not None and is_future(ended.started_at, datetime.now(UTC))
    newest = running is not None and (ended is None or wrong or running.started_at >= ended.started_at)
    return LatestRuns(name, ended, running if newest else None)
