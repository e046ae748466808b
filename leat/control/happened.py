"""What happened since a moment: runs that began to fail or succeed again, and actions whose state changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leat.control.action_tables import Action, ActionEvent
from leat.control.outbox import OWN
from leat.control.tables import Run

_FAILED = ("failed", "blocked")


@dataclass(frozen=True, slots=True)
class RunChange:
    """A run that failed after a good one, or a good one after one that failed."""

    id: str
    integration: str
    failed: bool
    ended_at: datetime
    error_type: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class ActionChange:
    """A change of an action's state; ``number`` says the how-manieth change of all actions it is."""

    number: int
    action: str
    integration: str
    verb: str
    title: str
    automation: str | None
    state: str
    detail: str
    at: datetime


def run_changes(engine: Engine, since: datetime) -> list[RunChange]:
    """Return the runs since a moment by which an integration began to fail, or to succeed again."""
    judged = Run.ended_at.is_not(None), Run.status.not_in(("busy", "running"))
    changes: list[RunChange] = []
    failed_before: dict[int, bool] = {}
    with Session(engine) as session:
        order = Run.started_at, Run.id
        for run in session.scalars(select(Run).where(*judged, Run.ended_at >= since).order_by(*order)):
            if run.integration_id not in failed_before:
                earlier = select(Run.status).where(
                    *judged, Run.integration_id == run.integration_id, Run.started_at < run.started_at
                )
                last = session.scalar(earlier.order_by(Run.started_at.desc(), Run.id.desc()).limit(1))
                failed_before[run.integration_id] = last in _FAILED
            failed, name = run.status in _FAILED, run.integration.name
            if run.ended_at is not None and failed != failed_before[run.integration_id]:
                changes.append(RunChange(run.id, name, failed, run.ended_at, run.error_type, run.error))
            failed_before[run.integration_id] = failed
    return changes


def action_changes(engine: Engine, since: datetime) -> list[ActionChange]:
    """Return how the states of actions changed since a moment, the oldest first."""
    columns = (ActionEvent.id, Action.id, Action.integration, Action.verb, Action.title, Action.automation,
               ActionEvent.state, ActionEvent.detail, ActionEvent.changed_at)  # fmt: skip
    wanted = select(*columns).join(Action, Action.id == ActionEvent.action_id)
    wanted = wanted.where(ActionEvent.changed_at >= since, Action.integration.not_like(f"{OWN}%"))
    with Session(engine) as session:
        return [ActionChange(*row) for row in session.execute(wanted.order_by(ActionEvent.id))]
