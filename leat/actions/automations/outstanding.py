"""Which targets have no action yet, and which actions that wait have no target any more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import Engine

from leat.actions.automations.automation import Automation
from leat.actions.automations.targets import Target
from leat.actions.conditions import NO_LONGER_NEEDED
from leat.control.action_moves import move
from leat.control.engine import writing
from leat.control.outbox import WAITING, ActionRow, action_id, read_actions

_CHUNK = 500


def dedupe_key(target: Target, step: int, generation: int) -> str:
    """Return the key of an action; ``generation`` is how many of its plans were withdrawn before they were sent."""
    return f"automation.{target.identity}.{step}" + (f".{generation}" if generation else "")


def without_action(store: Engine, targets: list[Target]) -> list[tuple[Target, int]]:
    """Return the targets without an action, each with how many of its plans were withdrawn before they were sent."""
    result, left = [], [(target, 0) for target in targets]
    while left:
        ids = {action_id(dedupe_key(target, 0, generation)): (target, generation) for target, generation in left}
        rows = [row for part in _chunks(list(ids)) for row in read_actions(store, ids=part)]
        there = {row.id for row in rows}
        result += [each for row_id, each in ids.items() if row_id not in there]
        outdated = [row.id for row in rows if row.state == "expired" and row.reason]  # else it was only too late
        left = [(ids[row_id][0], ids[row_id][1] + 1) for row_id in outdated]
    places = {target.identity: place for place, target in enumerate(targets)}
    return sorted(result, key=lambda each: places[each[0].identity])


def _chunks(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]


def expire_gone(store: Engine, automation: Automation, targets: list[Target]) -> int:
    """Let actions expire that nothing was sent of and whose target is no longer there; return how many."""
    wanted = {target.identity for target in targets}
    rows = read_actions(store, automation=automation.name, states=WAITING)
    gone = {row.id: row for row in rows if row.dedupe_key.split(".")[1] not in wanted}
    first = [row for row in gone.values() if row.after_id is None and not row.attempts]
    if not first:
        return 0
    now, why = datetime.now(UTC), f"{NO_LONGER_NEEDED}: {_why_gone(automation)}"
    with writing(store, durable=True) as session:
        over: list[ActionRow] = []
        for row in first:
            if move(session, row.id, WAITING, "expired", now, "leat", why, reason=why, ended_at=now):
                over.append(row)
        for row in over:  # the list grows by the steps that wait for it
            later = [each for each in gone.values() if each.after_id == row.id]
            for each in later:
                if move(session, each.id, WAITING, "expired", now, "leat", why, reason=why, ended_at=now):
                    over.append(each)
    return len(over)


def _why_gone(automation: Automation) -> str:
    when = automation.declared.when
    if when.violation_opened is not None:
        return "its violation is resolved, or its row is gone"
    return "its violation is open again" if when.violation_resolved is not None else "its row is gone"
