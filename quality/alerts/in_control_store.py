"""The problems in the control store: failed and lost runs, tables that are too old, withheld versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Engine

from leat.control.latest_runs import LatestRuns, latest_runs
from leat.control.publications import current_publications
from leat.control.runs import last_good_runs
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.load.freshness import stale_streams
from leat.quality.alerts.problem import EVIDENCE_ROWS, Problem
from leat.warehouse.clock import is_within
from leat.warehouse.session import Busy, Warehouse

_MAY_PASS = frozenset({"RateLimited", "Unavailable", "TimedOut"})
_STARTING = timedelta(minutes=2)
"""So long a run that has been recorded may not hold its lock yet, or not any more."""


def problems_in_control_store(
    store: Engine, warehouse: Warehouse, declarations: Mapping[str, Declaration], now: datetime
) -> Iterator[Problem]:
    """Yield what is wrong with the runs of the declared integrations."""
    for name, runs in latest_runs(store).items():
        if name in declarations:
            yield from _run(runs, warehouse, now)
    yield from _publish(store)
    enabled = {name: declaration for name, declaration in declarations.items() if declaration.enabled}
    for (integration, stream), age in stale_streams(enabled, last_good_runs(store), now).items():
        yield Problem(
            key=f"freshness:{integration}.{stream}",
            kind="freshness",
            subject=integration,
            title=f"{integration} is older than fresh_within allows",
            severity="error",
            next_step="See whether its runs fail, or whether none are started: cron, systemd or the Dagster daemon.",
            command="leat status",
            integrations=(integration,),
            evidence=({"stream": stream, "age": age},),
        )


def _publish(store: Engine) -> Iterator[Problem]:
    withheld = current_publications(store).withheld
    if withheld is not None:
        yield Problem(
            key="publish",
            kind="publish",
            subject="publication",
            title="Readers stay on the old version, because a check of severity error failed",
            severity="error",
            next_step="Fix what failed, then `leat run`; `leat publish --force` publishes despite it.",
            command="leat status",
            since=datetime.fromisoformat(withheld.data["since"]),
            evidence=tuple(withheld.data["reasons"][:EVIDENCE_ROWS]),
        )


def _run(runs: LatestRuns, warehouse: Warehouse, now: datetime) -> Iterator[Problem]:
    running, ended, name = runs.running, runs.ended, runs.integration
    if running is not None and not is_within(running.started_at, now, _STARTING) and _is_free(warehouse, name):
        run, what, severe = running, "a run's process is gone", True
        error = "the process ended before the run did; nothing is half-applied"
    elif ended is not None and ended.status in ("failed", "blocked"):
        run, error, severe = ended, f"{ended.error_type}: {ended.error}", ended.error_type not in _MAY_PASS
        what = "the last run failed" if ended.status == "failed" else "the last run was stopped by a check"
    else:
        return
    yield Problem(
        key=f"run:{name}",
        kind="run",
        subject=name,
        title=f"{name}: {what}",
        severity="error" if severe else "warn",
        next_step=f"Fix what the error names, then `leat run {name}`; readers stay on what was published.",
        command=f"leat check {name}",
        integrations=(name,),
        evidence=({"started": f"{run.started_at:%Y-%m-%d %H:%M} UTC", "error": error},),
    )


def _is_free(warehouse: Warehouse, integration: str) -> bool:
    """Return whether no process runs the integration, though one has been recorded: the lock ends with its holder."""
    try:
        with warehouse.exclusive(integration):
            return True
    except Busy:
        return False
