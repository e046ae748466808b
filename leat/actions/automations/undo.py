"""Takes back what an automation has done: for each target, the last step first."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine

from leat.actions.decide import NotAllowed, cancel, undo
from leat.actions.office import Office, UnknownAction
from leat.control.outbox import EFFECTIVE, OPEN, WAITING, ActionRow, read_actions
from leat.sources.actions import Refused
from leat.sources.errors import IntegrationError


@dataclass(slots=True)
class Undoing:
    """What takes back the actions of an automation.

    Attributes:
        planned: the actions that do it, in the order in which they are sent.
        refused: why others can't be taken back, by the id of the action.
    """

    planned: list[ActionRow] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def effective_actions(store: Engine, automation: str, only: ActionRow | None = None) -> list[ActionRow]:
    """Return the actions of an automation that had an effect, the newest first; with ``only``, those of its target."""
    rows = read_actions(store, automation=automation, states=EFFECTIVE)
    return [row for row in rows if only is None or _target_of(row) == _target_of(only)]


def undo_actions(office: Office, rows: Sequence[ActionRow], by: str) -> Undoing:
    """Plan what takes back actions of an automation.

    If a step can't be taken back, the steps before it stay: they may be what it depends on. Steps of these targets that
    weren't sent are cancelled first; where nobody knows whether one was sent, nothing is taken back yet.

    Args:
        office: what acting needs.
        rows: the actions, as :func:`effective_actions` returns them.
        by: who wants it.
    """
    targets: dict[str, list[ActionRow]] = {}
    for row in rows:
        targets.setdefault(_target_of(row), []).append(row)
    result = Undoing()
    for of_target in targets.values():
        if _is_stopped(office, of_target[0], by, result):
            _undo_target(office, of_target, by, result)
    return result


def _is_stopped(office: Office, row: ActionRow, by: str, result: Undoing) -> bool:
    """Cancel the steps of a target that weren't sent; return whether nothing of it is in doubt then."""
    steps = [each for each in read_actions(office.store, automation=row.automation, states=OPEN)
             if _target_of(each) == _target_of(row)]  # fmt: skip
    for each in sorted(steps, key=_step_of, reverse=True):
        if each.state in WAITING:
            with contextlib.suppress(NotAllowed):  # somebody sends it right now
                cancel(office.store, each, by, "what was done before it is taken back")
    doubtful = read_actions(office.store, ids=[each.id for each in steps], states=("sending", "unknown", "asking"))
    for each in doubtful:
        result.refused[each.id] = f"{each.id[:8]} is {each.state}: once it is clear whether it was done, undo again"
    return not doubtful


def _target_of(row: ActionRow) -> str:
    return row.dedupe_key.split(".")[1]


def _step_of(row: ActionRow) -> int:
    return int(row.dedupe_key.split(".")[2])


def _undo_target(office: Office, rows: list[ActionRow], by: str, result: Undoing) -> None:
    before: str | None = None
    for row in sorted(rows, key=_step_of, reverse=True):
        try:
            inverse = undo(office, row, by, before)
        except (NotAllowed, Refused, UnknownAction, IntegrationError) as error:
            result.refused[row.id] = str(error)
            return
        result.planned.append(inverse)
        before = inverse.id
