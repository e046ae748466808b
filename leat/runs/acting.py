"""Actions of a project: what is needed to plan them, and one pass that sends what is approved."""

from __future__ import annotations

import logging
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from leat.actions.office import Office
from leat.control.action_history import EventRow, events_of
from leat.control.following import integrations_that_follow
from leat.control.kill_switch import Stop, read_stops, start_actions, stop_actions
from leat.control.outbox import OPEN, UNDECIDED, ActionRow, NewAction, ids_beginning, read_actions
from leat.control.store import user_name
from leat.pipelines.load.error_message import log_error
from leat.runs.workspace import Workspace
from leat.warehouse.lease import Fenced
from leat.warehouse.session import Busy

__all__ = ["Acted", "ActionRow", "EventRow", "NewAction", "Stop", "user_name"]

log = logging.getLogger("leat.actions")

_PASSES = 5
"""So often what follows on another integration is sent in the same pass."""
_SENDABLE = ("approved", "sending", "unknown", "done")


@dataclass(slots=True)
class Acted:
    """What a pass over all integrations did.

    Attributes:
        actions: the actions that it worked on, as they are now, in the order in which they were planned.
        shown: what may be shown once and is stored nowhere, by the id of the action.
        next_at: when there is something to do again; None when that depends on people.
        problems: why an integration could not be worked on, by its name.
    """

    actions: list[ActionRow] = field(default_factory=list)
    shown: dict[str, dict[str, str]] = field(default_factory=dict)
    next_at: datetime | None = None
    problems: dict[str, str] = field(default_factory=dict)


def office_of(workspace: Workspace) -> Office:
    """Return what acting on the systems of a project needs."""
    return Office(workspace.store, workspace.project, workspace.declarations)


def send_approved(workspace: Workspace, *, patience: float = 0, integrations: Collection[str] | None = None) -> Acted:
    """Send what is approved and due, and follow up on what was sent, all integrations side by side.

    Args:
        workspace: the project.
        patience: seconds to stay for what becomes due soon.
        integrations: only these; all that have something to send when None.
    """
    office, acted = office_of(workspace), Acted()
    rows = read_actions(workspace.store, states=_SENDABLE)
    names = sorted({row.integration for row in rows if integrations is None or row.integration in integrations})
    if not names:
        return acted
    from leat.actions.deliver import deliver  # only now, for few runs have something to send

    def work(name: str) -> None:
        try:
            done = deliver(office, name, patience=patience)
        except (Busy, Fenced):
            acted.problems[name] = "another process sends its actions"
            return
        except Exception as error:
            log_error(log, error, "actions of %s", name)
            acted.problems[name] = f"{type(error).__name__}: logs/leat.log in the state folder has the details"
            return
        acted.actions += done.actions
        acted.shown |= done.shown
        if done.next_at is not None:
            acted.next_at = done.next_at if acted.next_at is None else min(acted.next_at, done.next_at)

    for _ in range(_PASSES):
        with ThreadPoolExecutor(len(names), thread_name_prefix="leat-actions") as threads:
            list(threads.map(work, names))
        following = integrations_that_follow(workspace.store, datetime.now(UTC)) - acted.problems.keys()
        names = sorted(name for name in following if integrations is None or name in integrations)
        if not names:
            break
    acted.actions = list({row.id: row for row in acted.actions}.values())  # as the last pass left them
    acted.actions.sort(key=lambda row: (row.created_at, row.id))
    return acted


def list_actions(
    workspace: Workspace, *, every: bool = False, integration: str | None = None, limit: int | None = None
) -> list[ActionRow]:
    """Return actions, the newest first: those for which something still has to happen, or every one."""
    states = None if every else OPEN
    return read_actions(workspace.store, states=states, integration=integration, limit=limit)


def open_actions_by_violation(workspace: Workspace, keys: Collection[str]) -> dict[str, list[ActionRow]]:
    """Return the actions that are open for violations, by the key of the violation."""
    result: dict[str, list[ActionRow]] = {}
    for row in reversed(read_actions(workspace.store, states=OPEN)):
        if row.subject in keys:
            result.setdefault(str(row.subject), []).append(row)
    return result


def actions_by_id(workspace: Workspace, ids: Collection[str]) -> list[ActionRow]:
    """Return the actions with these ids, the newest first."""
    return read_actions(workspace.store, ids=ids) if ids else []


def waiting_actions(workspace: Workspace) -> list[ActionRow]:
    """Return the actions that wait for approval, the oldest first."""
    return read_actions(workspace.store, states=UNDECIDED)[::-1]


def matching_ids(workspace: Workspace, prefix: str) -> list[str]:
    """Return the ids of actions that begin so, at most two."""
    return ids_beginning(workspace.store, prefix)


def history(workspace: Workspace, action_id: str) -> list[EventRow]:
    """Return how the state of an action changed, the oldest first."""
    return events_of(workspace.store, action_id)


def kill_switches(workspace: Workspace) -> list[Stop]:
    """Return the kill switches that are on."""
    return read_stops(workspace.store)


def stop(workspace: Workspace, scope: str, note: str) -> None:
    """Stop sending what is of a scope: an integration, ``automation/NAME``, or ``*`` for everything."""
    stop_actions(workspace.store, Stop(scope, user_name(), datetime.now(UTC), note))


def start(workspace: Workspace, scope: str) -> bool:
    """Let actions of a scope be sent again; return whether they were stopped."""
    return start_actions(workspace.store, scope)
