"""What holds an automation back: data that is too old, a kill switch, limits, a person who has to approve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from leat.actions.automations.automation import Automation
from leat.actions.automations.declaration import Approval
from leat.control.automations import runs_that_planned, targets_planned_since
from leat.control.kill_switch import read_stops
from leat.control.publications import current_publications
from leat.control.store import last_good_runs
from leat.sources.templates import TemplateProblem, evaluate, fill
from leat.warehouse.session import Session, literal

DAY = timedelta(hours=24)


def why_not_now(store: Engine, session: Session, automation: Automation, now: datetime) -> str | None:
    """Return why an automation must plan nothing at all now; None if it may. ``session`` is on what readers see."""
    for stop in read_stops(store):
        if stop.scope in ("*", automation.scope):
            return f"stopped by {stop.stopped_by}: {stop.note}".removesuffix(": ")
    required = automation.declared.require_fresh
    if not required:
        return None
    if current_publications(store).withheld is not None:
        return "not fresh: the newest version is withheld from readers"
    read = last_good_runs(store)
    for name, within in required.items():
        integration, _, stream = name.partition(".")
        times = [read.get(integration), _last_load(session, integration, stream) if stream else None]
        at = max((each for each in times if each is not None), default=None)
        if at is None:
            return f"not fresh: {name} hasn't been read yet"
        if now - at > within:
            return f"not fresh: {name} was last read {at:%Y-%m-%d %H:%M} UTC, more than {within} ago"
    return None


def _last_load(session: Session, integration: str, stream: str) -> datetime | None:
    """Return when a stream was last read without an error by a load in which others may have failed."""
    if not session.columns("leat", "load_streams"):
        return None
    at: datetime | None
    [(at,)] = session.execute(
        "SELECT max(l.applied_at) FROM leat.load_streams AS s JOIN leat.loads AS l ON l.load_id = s.load_id "
        f"WHERE s.integration = {literal(integration)} AND s.stream = {literal(stream)} AND s.error IS NULL "
        "AND l.kind IN ('sync', 'reset')"
    )
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


@dataclass(frozen=True, slots=True)
class Amount:
    """How much an automation is about to do, in targets.

    Attributes:
        new: those without an action.
        waiting: those whose action waits for a person.
        rows: the rows of the first table that the targets are read from, if that is limited.
    """

    new: int
    waiting: int
    rows: int | None

    @property
    def count(self) -> int:
        """All of them."""
        return self.new + self.waiting


def limit_passed(store: Engine, automation: Automation, amount: Amount, now: datetime) -> str | None:
    """Return which limit the new targets would pass; None if none."""
    limits, count = automation.declared.limits, amount.count
    if count > limits.per_run:
        return f"{count} targets, more than the {limits.per_run} of per_run"
    if limits.per_day is not None:
        today = targets_planned_since(store, automation.name, now - DAY) + amount.new
        if today > limits.per_day:
            return f"{today} targets within 24 hours, more than the {limits.per_day} of per_day"
    if limits.share_of_target is not None and amount.rows is not None and count > limits.share_of_target * amount.rows:
        table = automation.tables[0]
        return f"{count} targets of {amount.rows} rows of {table}, more than the share of {limits.share_of_target:g}"
    return None


def is_approved(store: Engine, automation: Automation, amount: Amount, context: Mapping[str, Any]) -> bool:
    """Return whether the new actions of a target need no person; ``context`` is what its templates may use.

    Raises:
        TemplateProblem: the expression has no value.
    """
    approval = automation.declared.approve
    if not isinstance(approval, Approval):
        return False
    if approval.auto is not None:
        return bool(evaluate(approval.auto, {**context, "count": amount.count}))
    runs = runs_that_planned(store, automation.name, automation.digest)
    return approval.first_runs is not None and runs >= approval.first_runs


def conditions_of(automation: Automation, step: int, context: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the actions of a step carry along for their sending (:mod:`leat.actions.conditions`).

    Only the first step is looked at again: what comes after it was planned before the first had its effect.

    Raises:
        TemplateProblem: the time zone of the target is none.
    """
    declared = automation.declared
    conditions: dict[str, Any] = {"stop_after_failures": declared.limits.stop_after_failures}
    if declared.recheck == "live" and step == 0:
        conditions["recheck"] = True
    if isinstance(declared.approve, Approval) and declared.approve.least is not None:
        conditions["approver"] = declared.approve.least
    if declared.on_unknown == "ask":
        conditions["on_unknown"] = "ask"
    if declared.quiet_hours is not None:
        hours = declared.quiet_hours
        zone = _zone(hours.zone, context)
        conditions["quiet_hours"] = {"start": f"{hours.start:%H:%M}", "end": f"{hours.end:%H:%M}", "zone": zone}
    return conditions


def _zone(declared: str, context: Mapping[str, Any]) -> str:
    zone = fill(declared, context)
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, TypeError, OSError):
        msg = f"quiet_hours.zone: {str(zone)[:40]!r} is no time zone"
        raise TemplateProblem(msg) from None
    return str(zone)
