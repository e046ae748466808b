"""Plans the actions of automations from what readers see, each once, however often and wherever it is killed.

Nothing is an event here: each pass reads what there is to do now, leaves out what has an action, and plans the rest.
The identity of an action is a hash of automation, step, key and episode, so a second one is the same action. All steps
of a target are added in one transaction. What waits and isn't needed any more expires.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from leat.actions.automations.automation import Automation
from leat.actions.automations.guards import Amount, conditions_of, is_approved, limit_passed, why_not_now
from leat.actions.automations.modes import current_modes
from leat.actions.automations.outstanding import dedupe_key, expire_gone, without_action
from leat.actions.automations.targets import Target, Targets, read_targets
from leat.actions.later import draft_later, results_used, shown_parameters
from leat.actions.office import Office, UnknownAction, read_parameters
from leat.actions.propose import Wish, draft
from leat.control.automations import ModeRow, RunRow, record_automation_run
from leat.control.outbox import NewAction, State, action_id, add_actions, read_actions
from leat.sources.actions import Refused
from leat.sources.errors import IntegrationError
from leat.sources.settings import redact
from leat.sources.templates import TemplateProblem
from leat.warehouse.session import Busy, NothingPublished, Session, Warehouse, WarehouseError

log = logging.getLogger("leat.actions")

_PROBLEMS = 5
"""So many problems with targets are stored of one run."""


def plan_automations(
    office: Office,
    warehouse: Warehouse,
    automations: Mapping[str, Automation],
    broken: Collection[str] = (),
    only: Collection[str] | None = None,
) -> list[RunRow]:
    """Plan what automations have to do; returns what each of them did.

    Args:
        office: what acting needs.
        warehouse: where targets are read from.
        automations: those that are declared, by name.
        broken: names of those whose files have mistakes; they do nothing, and nothing changes for them.
        only: names of those that are to plan; all when None.
    """
    done = []
    with contextlib.suppress(Busy, NothingPublished), contextlib.ExitStack() as stack:
        stack.enter_context(warehouse.exclusive("leat"))  # no integration has that name
        modes = current_modes(office.store, automations, broken)
        session = None
        for name, automation in automations.items():
            if modes[name].mode == "disabled" or (only is not None and name not in only):
                continue
            run = RunRow(name, automation.digest, modes[name].mode, None, datetime.now(UTC))
            try:
                session = session or stack.enter_context(warehouse.published())
                run = _run(office, session, automation, modes[name], run)
            except NothingPublished:
                raise
            except Exception as error:
                session = None  # after a failed query, Postgres accepts no other one in the same transaction
                run = replace(run, verdicts=[_said(error, name)])
            record_automation_run(office.store, run)
            done.append(run)
    return done


def _said(error: Exception, name: str) -> str:
    if isinstance(error, WarehouseError | TemplateProblem):
        return redact(str(error))
    log.error("automation %s", name, exc_info=error)
    return f"{type(error).__name__}: logs/leat.log in the state folder says more"


def _run(office: Office, session: Session, automation: Automation, row: ModeRow, run: RunRow) -> RunRow:
    run = replace(run, version=_version(session))
    why = why_not_now(office.store, session, automation, run.planned_at)
    if why is not None:
        return replace(run, verdicts=[why])
    targets = read_targets(session, automation, row, run.planned_at)
    run = replace(run, targets=len(targets.listed), verdicts=targets.problems[:_PROBLEMS])
    run = replace(run, refused=len(targets.problems))
    sys.audit("leat.automation", "read", automation.name)
    if row.mode == "enabled":
        run = replace(run, expired=expire_gone(office.store, automation, targets.listed))
    return _plan(office, automation, targets, run)


def _version(session: Session) -> str | None:
    return session.execute("SELECT max(load_id) FROM leat.loads")[0][0] if session.columns("leat", "loads") else None


def _plan(office: Office, automation: Automation, targets: Targets, run: RunRow) -> RunRow:
    store = office.store
    new = without_action(store, targets.listed)
    if not new:
        return run
    waiting = [
        row
        for row in read_actions(store, automation=automation.name, states=("planned", "held"))
        if row.after_id is None
    ]
    amount = Amount(len(new), len(waiting), targets.rows)
    passed = limit_passed(store, automation, amount, run.planned_at)
    if passed is not None:
        run = replace(run, verdicts=[*run.verdicts, f"held: {passed}"])
        if any(row.state == "held" for row in waiting):
            return run  # a person has enough of them to decide
        new = new[: automation.declared.limits.per_run]
    planned, approved, problems = 0, 0, []
    with contextlib.ExitStack() as stack:
        systems = _Systems(office, stack)
        for target, generation in new:
            try:
                auto = passed is None and is_approved(store, automation, amount, target.context)
                state: State = "held" if passed is not None else "approved" if auto else "planned"
                actions = list(_drafts(office, automation, target, generation, systems, live=run.mode == "enabled"))
                if run.mode == "enabled":
                    actions = [replace(each, state=state, reason=passed) for each in actions]
                    sys.audit("leat.automation", "adding", target.identity)
                    add_actions(store, [_without_auto_money(each) for each in actions], datetime.now(UTC))
                    sys.audit("leat.automation", "added", target.identity)
                planned += 1
                approved += auto
            except (TemplateProblem, UnknownAction, Refused, IntegrationError) as error:
                problems.append(redact(f"{', '.join(map(str, target.key))}: {error}"))
    return replace(
        run,
        planned=planned,
        approved=approved,
        held=planned if passed is not None else 0,
        refused=run.refused + len(problems),
        verdicts=[*run.verdicts, *problems[:_PROBLEMS]],
    )


def _without_auto_money(action: NewAction) -> NewAction:
    return replace(action, state="planned") if action.money and action.state == "approved" else action


class _Systems:
    """The systems that are open, each once."""

    def __init__(self, office: Office, stack: contextlib.ExitStack) -> None:
        self.office = office
        self.stack = stack
        self.opened: dict[str, Any] = {}

    def get(self, integration: str) -> Any:
        if integration not in self.opened:
            self.opened[integration] = self.stack.enter_context(self.office.connected(integration))
        return self.opened[integration]


def _drafts(
    office: Office, automation: Automation, target: Target, generation: int, systems: _Systems, *, live: bool
) -> Iterator[NewAction]:
    """Yield the planned actions of a target; in a simulation nothing but an attempt to fill in the parameters."""
    before: str | None = None
    results: dict[str, str] = {}
    for number, step in enumerate(automation.steps):
        used = results_used(step.parameters, results)
        parameters = shown_parameters(step.parameters, target.context, used)
        if step.result is not None:
            results[step.result] = action_id(dedupe_key(target, number, generation))
        if not live:
            verb, _ = office.verb(step.integration, step.verb)
            if not used:
                read_parameters(verb, f"{step.integration}.{step.verb}", parameters)
            continue
        wish = Wish(
            step.integration,
            step.verb,
            parameters,
            by=automation.scope,
            dedupe_key=dedupe_key(target, number, generation),
            lasts=automation.declared.expire_after,
            automation=automation.name,
            subject=None if target.violation is None else target.violation.key,
            subject_opened_at=None if target.violation is None else target.violation.opened_at,
            after_id=before,
            conditions=conditions_of(automation, number, target.context),
        )
        if used:
            action = draft_later(office, wish, step.parameters, target.context, used)
        else:
            action = draft(office, wish, systems.get(step.integration))
        before = action.id
        yield action
