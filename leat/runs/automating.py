"""Automations of a project: planning what they have to do, and whether they may."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from leat.actions.automations.automation import Automation
from leat.actions.automations.file import automation_paths, cached_automations
from leat.actions.automations.plan import plan_automations
from leat.actions.automations.simulate import Simulation
from leat.actions.automations.simulate import simulate as simulated
from leat.actions.automations.targets import read_targets
from leat.actions.automations.undo import Undoing, effective_actions, undo_actions
from leat.control.automations import Mode, ModeRow, RunRow, automation_runs, read_modes, set_mode
from leat.control.outbox import ActionRow, read_actions
from leat.control.store import user_name
from leat.runs.acting import office_of
from leat.runs.workspace import Workspace

__all__ = ["Automation", "Mode", "ModeRow", "RunRow", "Simulation", "Undoing"]


def plan(workspace: Workspace, only: Collection[str] | None = None) -> list[RunRow]:
    """Plan what automations have to do, from what readers see; an automation with a mistake does nothing."""
    if not automation_paths(workspace.project) and not read_modes(workspace.store):
        return []
    automations, _ = cached_automations(workspace.project, workspace.declarations)
    broken = {path.stem for path in automation_paths(workspace.project)} - automations.keys()
    return plan_automations(office_of(workspace), workspace.warehouse, automations, broken, only)


def simulate(workspace: Workspace, automation: Automation, days: int) -> Simulation:
    """Return what an automation would do now and would have done; nothing is stored or sent.

    Raises:
        WarehouseError: its targets can't be read.
    """
    row = ModeRow(automation.name, "simulate", automation.digest, user_name(), datetime.now(UTC))
    with workspace.warehouse.published() as session:
        return simulated(office_of(workspace), session, automation, row, days)


def actions_of(workspace: Workspace, automation: str, limit: int = 20) -> list[ActionRow]:
    """Return the last actions of an automation, the newest first."""
    return read_actions(workspace.store, automation=automation, limit=limit)


def effective(workspace: Workspace, name: str, only: ActionRow | None = None) -> list[ActionRow]:
    """Return the actions of an automation that had an effect; with ``only``, those of the target of that action."""
    return effective_actions(workspace.store, name, only)


def undo(workspace: Workspace, rows: Sequence[ActionRow]) -> Undoing:
    """Plan what takes back actions of an automation, for each target the last step first."""
    return undo_actions(office_of(workspace), rows, user_name())


def modes_of(workspace: Workspace) -> dict[str, ModeRow]:
    """Return the automations that leat has seen, by name."""
    return read_modes(workspace.store)


def last_runs_of(workspace: Workspace, name: str | None = None, limit: int = 20) -> list[RunRow]:
    """Return the last runs of an automation, or of all, the newest first."""
    return automation_runs(workspace.store, name, limit)


def enable(workspace: Workspace, automation: Automation, *, baseline: bool = True) -> int:
    """Let an automation plan actions; returns how many rows are there already and so aren't new.

    Args:
        workspace: the project.
        automation: the automation.
        baseline: whether rows that are there now count as seen, where each new row is a target.

    Raises:
        WarehouseError: its targets can't be read.
    """
    now, seen = datetime.now(UTC), []
    row = ModeRow(automation.name, "enabled", automation.digest, user_name(), now, since=now)
    if baseline and automation.declared.when.rows:
        with workspace.warehouse.published() as session:
            seen = [target.identity[:16] for target in read_targets(session, automation, row, now).listed]
    set_mode(workspace.store, ModeRow(automation.name, "enabled", automation.digest, user_name(), now, now, seen))
    return len(seen)


def disable(workspace: Workspace, automation: str) -> int:
    """Let an automation do nothing; returns how many of its actions were withdrawn."""
    before = read_modes(workspace.store).get(automation)
    digest = "" if before is None else before.digest
    row = ModeRow(automation, "disabled", digest, user_name(), datetime.now(UTC))
    return set_mode(workspace.store, row, "its automation was disabled")
