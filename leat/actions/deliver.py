"""Sends what is approved, once; looks for what may have been sent; confirms by reading the system again.

::

    approved ── claimed, on the disk ──> sending ── sent ──> done ── read again ──> confirmed | diverged
        ^                                   │
        │  certainly                        │ nobody knows
        │  not sent                         v
        └──────────── absent ──────────── unknown ── it is there ──> done

After a crash or without an answer, an action is unknown until it was looked for, so that one that is approved has had
no effect: it may still expire or be cancelled. What is guarded or natural may then be sent again freely, for a second
effect is refused or changes nothing. What is probed is also looked for before it is sent, each time, so that an old
backup of the control store makes no second one. What is unprobeable is sent once, and then a person is asked.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from leat.actions.claim import GROUP, cancel_after_failures, claim, recover, scopes_of
from leat.actions.deadline import within_lease
from leat.actions.later import plan_with_results
from leat.actions.office import Office
from leat.actions.record import Outcome, record
from leat.actions.steps import Delivery, confirm, look, send
from leat.control.action_lease import LASTS, hold_lease
from leat.control.action_moves import expire_actions
from leat.control.following import read_waiting_for_results
from leat.control.kill_switch import read_stops
from leat.control.outbox import ActionRow, State, read_actions
from leat.sources.errors import Transient

_DUE: frozenset[State] = frozenset({"approved", "sending", "unknown", "done"})
"""The states in which there is something to do without a person."""
_SHORTEST_SLEEP = 0.02


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a pass did.

    Attributes:
        actions: the actions that it worked on, as they are now, in the order in which they were planned.
        shown: what may be shown once and is stored nowhere, by the id of the action.
        next_at: when there is something to do again; None when that depends on people.
    """

    actions: Sequence[ActionRow] = ()
    shown: dict[str, dict[str, str]] = field(default_factory=dict)
    next_at: datetime | None = None


def deliver(office: Office, integration: str, *, patience: float = 0, wait: float = 0) -> Delivered:
    """Send what is approved for an integration and due, and follow up on what was sent.

    Args:
        office: what acting needs.
        integration: its name.
        patience: seconds to stay for what becomes due soon: an effect has to settle before it is looked for.
        wait: seconds to wait for another process that sends.

    Raises:
        Busy: another process sends.
        Fenced: another process has taken over.
        UnknownAction: the integration isn't declared, or can't act.
    """
    expire_actions(office.store, datetime.now(UTC))
    if not read_actions(office.store, states=_DUE, integration=integration, limit=1):
        return Delivered()
    actor, until = office.actor(integration), time.monotonic() + patience
    settles = {name: action.settle for name, (_, action) in actor.actions.items()}
    folder = office.project.state / "actions" / integration
    worked_on: set[str] = set()
    with hold_lease(office.store, integration, wait, LASTS) as lease, contextlib.ExitStack() as stack:
        delivery = Delivery(office, lease, folder, actor, stack)
        recover(office.store, lease, folder, settles, datetime.now(UTC))
        while True:
            expire_actions(office.store, datetime.now(UTC))  # else what expires meanwhile would be waited for
            ids = [*_each(delivery, "unknown", look), *_plan_later(delivery), *_send_due(delivery)]
            ids += _each(delivery, "done", confirm)
            worked_on.update(ids)
            cancel_after_failures(office.store, lease, datetime.now(UTC))
            if ids:
                continue
            next_at = _next_at(delivery)
            seconds = (next_at - datetime.now(UTC)).total_seconds() if next_at else 0
            if next_at is None or time.monotonic() + seconds > until:
                break
            time.sleep(max(_SHORTEST_SLEEP, seconds))
    rows = read_actions(office.store, ids=worked_on) if worked_on else []
    return Delivered(sorted(rows, key=lambda row: (row.created_at, row.id)), delivery.shown, next_at)


def _each(delivery: Delivery, state: State, step: Callable[[Delivery, ActionRow], Outcome]) -> list[str]:
    """Take a step with each action of a state that is due, and return their ids."""
    now = datetime.now(UTC)
    rows = read_actions(delivery.office.store, states={state}, integration=delivery.lease.integration)
    due = [row for row in reversed(rows) if row.next_at <= now]
    for at in range(0, len(due), GROUP):  # reading again does no harm, so a crash may lose a group
        with within_lease(delivery.office.store, delivery.lease, LASTS):
            outcomes = _side_by_side(delivery, due[at : at + GROUP], step)
        record(delivery.office.store, delivery.lease, outcomes, datetime.now(UTC))
    return [row.id for row in due]


def _side_by_side(
    delivery: Delivery, rows: Sequence[ActionRow], step: Callable[[Delivery, ActionRow], Outcome]
) -> list[Outcome]:
    """Take a step with each of some actions, as many at a time as the system is asked at a time.

    Those on the same target are taken one after the other, in the order in which they were planned.
    """
    by_target: dict[str, list[ActionRow]] = {}
    for row in rows:
        by_target.setdefault(row.target, []).append(row)
    in_flight = min(delivery.actor.in_flight, len(by_target))
    if in_flight == 1:
        return _in_turn(delivery, rows, step)
    with ThreadPoolExecutor(in_flight, thread_name_prefix="leat-action") as threads:
        taken = threads.map(lambda same: _in_turn(delivery, same, step), by_target.values())
        return [outcome for outcomes in taken for outcome in outcomes]


def _in_turn(
    delivery: Delivery, rows: Sequence[ActionRow], step: Callable[[Delivery, ActionRow], Outcome]
) -> list[Outcome]:
    """Take a step with each action in turn; nothing is sent to a target while an action on it is in doubt."""
    outcomes: list[Outcome] = []
    for row in rows:
        in_doubt = {each.action.target for each in outcomes if each.state == "unknown"}
        if row.state == "sending" and row.target in in_doubt:
            outcomes.append(Outcome(row, "approved", "an action on the same target is in doubt"))
        else:
            outcomes.append(step(delivery, row))
    return outcomes


def _plan_later(delivery: Delivery) -> list[str]:
    """Plan the steps whose results are there, and return their ids."""
    ids = []
    for row in read_waiting_for_results(delivery.office.store, delivery.lease.integration):
        with contextlib.suppress(Transient), within_lease(delivery.office.store, delivery.lease, LASTS):
            state = plan_with_results(delivery.office, delivery.lease, row, delivery.system)
            delivery.count_failure(row, state)
            ids.append(row.id)
    return ids


def _send_due(delivery: Delivery) -> list[str]:
    """Send what is due, up to a group, and return the ids."""
    sent: list[str] = []
    while len(sent) < GROUP and (claimed := _send_claimed(delivery)):
        sent += claimed
    return sent


def _send_claimed(delivery: Delivery) -> list[str]:
    """Claim what may be sent at a time, send it, and return the ids."""
    store, lease = delivery.office.store, delivery.lease
    with within_lease(store, lease, LASTS):
        rows = claim(store, lease, delivery.folder, datetime.now(UTC))
        if not rows:
            return []
        _audit("claimed", rows)
        outcomes = _side_by_side(delivery, rows, send)
    _audit("recording", rows)
    record(store, lease, outcomes, datetime.now(UTC))
    return [row.id for row in rows]


def _audit(event: str, rows: Sequence[ActionRow]) -> None:
    for row in rows:
        sys.audit("leat.action", event, row.id)


def _next_at(delivery: Delivery) -> datetime | None:
    rows = read_actions(delivery.office.store, states=_DUE, integration=delivery.lease.integration)
    stops = {stop.scope for stop in read_stops(delivery.office.store)}
    in_doubt = {row.target for row in rows if row.state in ("sending", "unknown")}
    waiting = [
        row
        for row in rows
        if row.state == "approved"
        and (
            row.after_id
            or row.target in in_doubt
            or stops & (scopes_of(row.integration) | {f"automation/{row.automation}"})
        )
    ]
    return min((row.next_at for row in rows if row not in waiting), default=None)
