"""Which automations may act, and what their runs planned, in the control store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from leat.control.action_moves import move
from leat.control.action_tables import Action
from leat.control.automation_tables import Automation, AutomationRun
from leat.control.engine import storable, writing
from leat.control.outbox import WAITING

Mode = Literal["simulate", "enabled", "disabled"]
"""simulate: it says what it would plan. enabled: it plans. disabled: it does nothing."""


@dataclass(frozen=True, slots=True)
class ModeRow:
    """Whether an automation may act; see :class:`leat.control.automation_tables.Automation`."""

    name: str
    mode: Mode
    digest: str
    changed_by: str
    changed_at: datetime
    since: datetime | None = None
    baseline: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class RunRow:
    """What one run of an automation planned; see :class:`leat.control.automation_tables.AutomationRun`."""

    automation: str
    digest: str
    mode: Mode
    version: str | None
    planned_at: datetime
    targets: int = 0
    planned: int = 0
    approved: int = 0
    held: int = 0
    expired: int = 0
    refused: int = 0
    verdicts: Sequence[str] = ()


def read_modes(engine: Engine) -> dict[str, ModeRow]:
    """Return the automations that leat has seen, by name."""
    with Session(engine) as session:
        rows = session.scalars(select(Automation).order_by(Automation.name))
        return {row.name: ModeRow(*(getattr(row, name) for name in ModeRow.__slots__)) for row in rows}


def set_mode(engine: Engine, row: ModeRow, why: str = "") -> int:
    """Store whether an automation may act. If it may not, its actions that weren't sent are withdrawn.

    Args:
        engine: the store.
        row: the mode, and who set it.
        why: the reason of what is withdrawn.

    Returns:
        how many actions were withdrawn.
    """
    with writing(engine, durable=True) as session:
        session.merge(Automation(**asdict(row)))
        if row.mode == "enabled":
            return 0
        waiting = select(Action.id).where(Action.automation == row.name, Action.state.in_(WAITING))
        at, by = row.changed_at, row.changed_by
        return sum(
            move(session, each, WAITING, "expired", at, by, why, reason=why, ended_at=at)
            for each in list(session.scalars(waiting))
        )


def record_automation_run(engine: Engine, run: RunRow) -> None:
    """Store what a run planned, unless it says the same as the one before and did nothing."""
    with Session(engine) as session:
        wanted = select(AutomationRun).filter_by(automation=run.automation).order_by(AutomationRun.id.desc())
        last = session.scalar(wanted.limit(1))
        same = last is not None and (last.digest, last.mode, last.targets, list(last.verdicts)) == (
            run.digest, run.mode, run.targets, list(run.verdicts))  # fmt: skip
    did = 0 if run.mode == "simulate" else run.planned + run.held + run.expired
    if same and not did:
        return
    verdicts = [storable(each) for each in run.verdicts]
    with writing(engine) as session:
        session.add(AutomationRun(**{**asdict(run), "verdicts": verdicts}))


def automation_runs(engine: Engine, name: str | None = None, limit: int = 20) -> list[RunRow]:
    """Return the last runs of an automation, or of all, the newest first."""
    wanted = select(AutomationRun).order_by(AutomationRun.id.desc()).limit(limit)
    if name is not None:
        wanted = wanted.filter_by(automation=name)
    with Session(engine) as session:
        return [RunRow(*(getattr(row, each) for each in RunRow.__slots__)) for row in session.scalars(wanted)]


def runs_that_planned(engine: Engine, name: str, digest: str) -> int:
    """Return how many runs of an automation, as it is declared now, have planned something."""
    wanted = select(func.count()).select_from(AutomationRun)
    wanted = wanted.filter_by(automation=name, digest=digest, mode="enabled")
    with Session(engine) as session:
        return session.scalar(wanted.where(AutomationRun.planned > 0)) or 0


def targets_planned_since(engine: Engine, name: str, at: datetime) -> int:
    """Return for how many targets an automation has planned actions since a time."""
    wanted = select(func.count()).select_from(Action).filter_by(automation=name, after_id=None)
    with Session(engine) as session:
        return session.scalar(wanted.where(Action.created_at >= at)) or 0


def failures_in_a_row(engine: Engine, name: str, most: int) -> int:
    """Return how many of the last actions of an automation failed, up to the last one that didn't."""
    over = ("done", "confirmed", "undone", "failed", "diverged")
    wanted = select(Action.state).where(Action.automation == name, Action.state.in_(over))
    with Session(engine) as session:
        states = list(session.scalars(wanted.order_by(Action.ended_at.desc(), Action.id).limit(most)))
    return next((n for n, state in enumerate(states) if state not in ("failed", "diverged")), len(states))
