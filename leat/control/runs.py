"""The runs in the control store; callers import these names from :mod:`leat.control.store`."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Engine, ScalarSelect, and_, case, func, literal, or_, select, tuple_
from sqlalchemy.orm import Session

from leat.control.actor import Actor
from leat.control.audit_events import note
from leat.control.engine import find_integration, storable, writing
from leat.control.tables import Integration, Run
from leat.warehouse.clock import SKEW
from leat.warehouse.session import WarehouseError

RunStatus = Literal["loaded", "nothing_new", "failed", "blocked", "busy"]
"""How a run ended; see :class:`leat.pipelines.load.results.IntegrationResult`."""

Trigger = Literal["cli", "dagster", "serve"]


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows that a run touched, over all of its streams."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    quarantined: int = 0


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run; ``status`` is ``running`` or a :data:`RunStatus`, ``seconds`` is None while it runs.

    ``dagster_run`` is the id of the run of Dagster that it was a step of.
    """

    id: str
    integration: str
    trigger: str
    started_at: datetime
    ended_at: datetime | None
    status: str
    counts: Counts
    load_id: str | None
    seconds: float | None
    error_type: str | None
    error: str | None
    dagster_run: str | None = None


def start_run(
    engine: Engine, integration: str, trigger: Trigger, *, holds_lock: bool, dagster_run: str | None = None
) -> str:
    """Record that a run starts and return its id; ids sort by time.

    Args:
        engine: the store.
        integration: its name; it must have been registered.
        trigger: who started the run.
        holds_lock: whether the caller holds the lock of the integration. Then every run that is still ``running`` has
            lost its process, and is closed as ``failed`` with the error type ``Killed``.
        dagster_run: id of the run of Dagster that it is a step of.
    """
    now = datetime.now(UTC)
    run_id = f"{now:%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"
    with writing(engine) as session:
        row = find_integration(session, integration)
        if holds_lock:
            _close_lost(session, row.id, now)
        session.add(
            Run(
                id=run_id,
                integration_id=row.id,
                trigger=trigger,
                started_at=now,
                status="running",
                dagster_run=dagster_run,
            ),
        )
    return run_id


def _close_lost(session: Session, integration_id: int, now: datetime) -> list[str]:
    running = select(Run).filter_by(integration_id=integration_id, status="running")
    runs = session.scalars(running.with_for_update(of=Run)).all()  # one may be about to record how it ended
    for lost in runs:
        lost.error_type, lost.error = "Killed", "the process ended before the run did; nothing is half-applied"
        _close(lost, "failed", now)
    return [lost.id for lost in runs]


def close_lost_runs(engine: Engine, integration: str) -> list[str]:
    """Close the runs of an integration that are still ``running``; the caller holds its lock, so nobody works on them.

    Args:
        engine: the store.
        integration: its name.

    Returns:
        The ids of the runs that were closed.
    """
    with writing(engine) as session:
        return _close_lost(session, find_integration(session, integration).id, datetime.now(UTC))


def running_runs(engine: Engine) -> list[RunRecord]:
    """Return the runs that haven't ended, those whose process is gone included."""
    with engine.connect() as connection:
        running = select(*_COLUMNS).join(Integration).where(Run.status == "running").order_by(Run.started_at)
        return [_of_columns(*row) for row in connection.execute(running)]


def runs_of_dagster(engine: Engine, dagster_run: str, since: datetime) -> list[RunRecord]:
    """Return the runs from a time on that are steps of a run of Dagster, which has this id, the first ones first."""
    steps = select(*_COLUMNS).join(Integration).where(Run.dagster_run == dagster_run, Run.started_at >= since)
    with engine.connect() as connection:
        return [_of_columns(*row) for row in connection.execute(steps.order_by(Run.started_at))]


def end_run(
    engine: Engine,
    run_id: str,
    status: RunStatus,
    counts: Counts | None = None,
    load_id: str | None = None,
    error: tuple[str, str] | None = None,
    by: Actor | None = None,
) -> None:
    """Record how a run ended.

    Args:
        engine: the store.
        run_id: what :func:`start_run` returned.
        status: how it ended.
        counts: rows that it touched; None for no rows.
        load_id: the last load that it applied, if any.
        error: class and message of the error, when it failed.
        by: who started it, for the audit log; the current actor when None.
    """
    counts = counts or Counts()
    with writing(engine) as session:
        run = session.get(Run, run_id, with_for_update={"of": Run})
        if run is None:
            msg = f"the control store has no run {run_id}"
            raise WarehouseError(msg)
        run.rows_inserted, run.rows_updated = counts.inserted, counts.updated
        run.rows_deleted, run.rows_quarantined = counts.deleted, counts.quarantined
        run.load_id = load_id
        run.error_type, run.error = (error[0][:255], storable(error[1])) if error else (None, None)
        _close(run, status, datetime.now(UTC))
        detail = {"integration": run.integration.name, "run": run_id, "trigger": run.trigger, "status": status}
        note(session, "run.ended", detail, by=by)


def _close(run: Run, status: RunStatus, now: datetime) -> None:
    run.status = status
    run.ended_at = max(now, run.started_at)  # clocks are set back at times
    run.seconds = (run.ended_at - run.started_at).total_seconds()


def recent_runs(
    engine: Engine, integration: str | None = None, limit: int = 50, after: str | None = None
) -> list[RunRecord]:
    """Return the last runs, newest first.

    Args:
        engine: the store.
        integration: only those of this one.
        limit: at most so many.
        after: only those that follow the run with this id, in the order of the list.

    Raises:
        KeyError: there is no run ``after``.
    """
    wanted = select(*_COLUMNS).join(Integration).order_by(*newest_first()).limit(limit)
    if integration is not None:
        wanted = wanted.where(Integration.name == integration)
    with engine.connect() as connection:  # an object of the mapper for each row would take ten times as long
        if after is not None:
            believable, *_ = newest_first()
            last = connection.execute(select(believable, Run.started_at).where(Run.id == after)).first()
            if last is None:
                raise KeyError(after)
            older = tuple_(Run.started_at, Run.id) < tuple_(literal(last[1], Run.started_at.type), literal(after))
            wanted = wanted.where(or_(believable > last[0], and_(believable == last[0], older)))
        return [_of_columns(*row) for row in connection.execute(wanted)]


_COLUMNS = (Run.id, Integration.name, Run.trigger, Run.started_at, Run.ended_at, Run.status, Run.rows_inserted,
            Run.rows_updated, Run.rows_deleted, Run.rows_quarantined, Run.load_id, Run.seconds, Run.error_type,
            Run.error, Run.dagster_run)  # fmt: skip


def _of_columns(*row: Any) -> RunRecord:
    run_id, integration, trigger, started_at, ended_at, status, *counts = row[:10]
    return RunRecord(run_id, integration, trigger, started_at, ended_at, status, Counts(*counts), *row[10:])


def newest_first() -> tuple[ColumnElement[Any], ...]:
    """Return the order of runs; those that began in the future, by a clock that was wrong, come last."""
    believable = case((Run.started_at <= datetime.now(UTC) + SKEW, 0), else_=1)
    return (believable, Run.started_at.desc(), Run.id.desc())


def last_runs(engine: Engine, *, busy: bool = True) -> dict[str, RunRecord]:
    """Return the last run of every integration that has had one, by its name; ``busy``: whether such ones count."""
    where = () if busy else (Run.status != "busy",)
    newest = believable_run(*where)
    with engine.connect() as connection:
        runs = connection.execute(select(*_COLUMNS).select_from(Integration).join(Run, Run.id == newest))
        return {run.integration: run for run in (_of_columns(*row) for row in runs)}


def last_good_runs(engine: Engine) -> dict[str, datetime]:
    """Return when the last run that read its system to the end was over, by the name of the integration.

    One that would be over in the future doesn't count: the clock was wrong.
    """
    newest = newest_run(Run.status.in_(("loaded", "nothing_new")), Run.ended_at <= datetime.now(UTC) + SKEW)
    with engine.connect() as connection:
        good = connection.execute(select(Integration.name, Run.ended_at).join(Run, Run.id == newest))
        return {name: ended if ended.tzinfo else ended.replace(tzinfo=UTC) for name, ended in good}


def believable_run(*where: ColumnElement[bool]) -> ColumnElement[str]:
    """Return the id of the newest run of an integration; one that began in the future only if there is no other."""
    return func.coalesce(newest_run(Run.started_at <= datetime.now(UTC) + SKEW, *where), newest_run(*where))


def newest_run(*where: ColumnElement[bool]) -> ScalarSelect[str]:
    """Return the id of the newest run of an integration, looked up in an index: the history may be long."""
    runs = select(Run.id).where(Run.integration_id == Integration.id, *where)
    return runs.order_by(Run.started_at.desc(), Run.id.desc()).limit(1).correlate(Integration).scalar_subquery()
