"""What an automation would do now, and what it would have done in the past, as far as the ledger of violations says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from leat.actions.automations.automation import Automation
from leat.actions.automations.declaration import Limits
from leat.actions.automations.targets import Target, read_targets
from leat.actions.later import results_used, shown_parameters
from leat.actions.office import Office, UnknownAction, read_parameters
from leat.control.automations import ModeRow
from leat.quality.ledger import FLAPPING_FROM
from leat.quality.violation_report import Entry, entries
from leat.sources.templates import TemplateProblem
from leat.warehouse.session import Session

SOON = timedelta(days=2)
"""People resolve a violation soon if it takes them no longer."""


@dataclass(frozen=True, slots=True)
class Would:
    """A target, and what would be done with it, step by step."""

    key: Sequence[Any]
    would: Sequence[str]


@dataclass(frozen=True, slots=True)
class Past:
    """What an automation would have done, with one action for each violation.

    Attributes:
        actions: how many violations were opened.
        resolved_soon: how many of them were resolved within two days, without it.
        resolved_later: how many were resolved later.
        open: how many are still open.
        flapping: how many came and went again within a day, twice at least.
        limited_on: the days (YYYY-MM-DD, UTC) on which a limit would have held it.
    """

    actions: int
    resolved_soon: int
    resolved_later: int
    open: int
    flapping: int
    limited_on: Sequence[str]

    def text(self) -> str:
        """Return it in words."""
        limits = f", limit passed on {', '.join(self.limited_on)}" if self.limited_on else ""
        return (
            f"{self.actions} action{'' if self.actions == 1 else 's'}; of the violations, without it, "
            f"resolved within 2 days: {self.resolved_soon}, later: {self.resolved_later}, still open: {self.open}, "
            f"flapping: {self.flapping}{limits}"
        )


@dataclass(frozen=True, slots=True)
class Simulation:
    """What an automation would do; ``past`` is None when violations don't start it."""

    targets: Sequence[Would]
    problems: Sequence[str]
    past: Past | None


def simulate(office: Office, session: Session, automation: Automation, row: ModeRow, days: int) -> Simulation:
    """Return what an automation would do now and would have done; nothing is stored, and no system is opened.

    Args:
        office: what acting needs.
        session: on what readers see.
        automation: the automation.
        row: how it is at this time.
        days: how far to look back.

    Raises:
        WarehouseError: its targets can't be read.
    """
    now = row.changed_at
    targets = read_targets(session, automation, row, now)
    would, problems = [], list(targets.problems)
    for target in targets.listed:
        try:
            would.append(Would(target.key, [*_steps(office, automation, target)]))
        except (TemplateProblem, UnknownAction) as error:
            problems.append(f"{', '.join(map(str, target.key))}: {error}")
    rule = automation.declared.when.rule
    past = None
    if rule is not None:
        past = look_back(entries(session, rule=rule), automation.declared.limits, now - timedelta(days=days))
    return Simulation(would, problems, past)


def _steps(office: Office, automation: Automation, target: Target) -> list[str]:
    lines, results = [], dict[str, str]()
    for step in automation.steps:
        name = f"{step.integration}.{step.verb}"
        verb, _ = office.verb(step.integration, step.verb)
        used = results_used(step.parameters, results)
        given = shown_parameters(step.parameters, target.context, used)
        if not used:
            given = read_parameters(verb, name, given).model_dump(mode="json", exclude_unset=True)
        results |= {step.result: ""} if step.result is not None else {}
        lines.append(" ".join([name, *(f"{key}={_shown(value)}" for key, value in given.items())]))
    return lines


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def look_back(listed: Sequence[Entry], limits: Limits, since: datetime) -> Past:
    """Return what the ledger says about the violations that were opened since a time.

    What one run of the rules has opened has the same time, so the limit of a run can be applied; the ledger has the
    last episode of a violation only, so earlier ones don't count.
    """
    opened = [entry for entry in listed if entry.opened_at >= since]
    resolved = [entry for entry in opened if entry.resolved_at is not None]
    soon = sum(entry.resolved_at is not None and entry.resolved_at - entry.opened_at <= SOON for entry in resolved)
    runs = Counter(entry.opened_at for entry in opened)
    days = Counter(f"{entry.opened_at:%Y-%m-%d}" for entry in opened)
    limited = {f"{at:%Y-%m-%d}" for at, count in runs.items() if count > limits.per_run}
    limited |= {day for day, count in days.items() if limits.per_day is not None and count > limits.per_day}
    return Past(
        actions=len(opened),
        resolved_soon=soon,
        resolved_later=len(resolved) - soon,
        open=len(opened) - len(resolved),
        flapping=sum(entry.flaps >= FLAPPING_FROM for entry in opened),
        limited_on=sorted(limited),
    )
