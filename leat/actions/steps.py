"""The steps of one action on its system: send, look, confirm. Each ends in an outcome, whatever happens."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from leat.actions.claim import scopes_of, was_sent_before
from leat.actions.conditions import quiet_until, why_not_any_more
from leat.actions.office import Office, UnknownAction
from leat.actions.propose import order_of
from leat.actions.record import Outcome
from leat.actions.suppressed import refuse_suppressed
from leat.control.action_lease import Lease
from leat.control.automations import failures_in_a_row
from leat.control.kill_switch import Stop, read_stops, stop_actions
from leat.control.outbox import ActionRow
from leat.sources.actions import Action, Actor, Order, Receipt, Refused, Unfinished, Verb
from leat.sources.errors import IntegrationError, Outdated, Permanent, RateLimited, Transient, may_have_acted
from leat.sources.retry import RetryPolicy
from leat.sources.settings import redact

log = logging.getLogger("leat.actions")

LONGEST_REQUEST = 60.0
"""Seconds that one step of an action may take; a lease that lasts no longer is renewed before."""
ATTEMPTS = 8
"""How often an action is sent at most."""
RETRY = RetryPolicy((5, 30, 120, 600, 1800, 3600, 7200), longest=86_400, endless=True)
"""Seconds before an action is sent again."""
_STOPS_READ_EVERY = 0.1
_CONFIRMED_WITHIN = 5.0  # times the time to settle


@dataclass(slots=True)
class Delivery:
    """One pass over the actions of an integration, and what its steps need.

    Attributes:
        office: the control store and the project.
        lease: the right to send.
        folder: private folder of the integration.
        actor: what the integration can do.
        stack: closes the system.
        shown: what may be shown once and is stored nowhere, by the id of the action.
    """

    office: Office
    lease: Lease
    folder: Path
    actor: Actor
    stack: contextlib.ExitStack
    shown: dict[str, dict[str, str]] = field(default_factory=dict)
    _system: Any = None
    _stops: frozenset[str] = frozenset()
    _stops_read: float = -1.0
    _failures: dict[str, int] = field(default_factory=dict)
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def system(self) -> Any:
        """Return the system, connected when it is first needed."""
        if self._system is None:
            self._system = self.stack.enter_context(self.office.connected(self.lease.integration))
        return self._system

    def count_failure(self, row: ActionRow, state: str) -> None:
        """Stop an automation whose actions fail too often in a row."""
        most = (row.conditions or {}).get("stop_after_failures")
        if row.automation is None or most is None or state not in ("done", "failed", "diverged"):
            return
        with self._counting:
            if row.automation not in self._failures:
                self._failures[row.automation] = failures_in_a_row(self.office.store, row.automation, most)
            count = 0 if state == "done" else self._failures[row.automation] + 1
            self._failures[row.automation] = count
            if count >= most and not self.is_stopped(row):
                note = f"{count} actions in a row failed"
                stop_actions(self.office.store, Stop(f"automation/{row.automation}", "leat", datetime.now(UTC), note))
                self._stops_read = -1.0

    def is_stopped(self, row: ActionRow) -> bool:
        """Return whether a kill switch is on for an action, as of a tenth of a second ago at most."""
        if time.monotonic() - self._stops_read > _STOPS_READ_EVERY:
            self._stops = frozenset(stop.scope for stop in read_stops(self.office.store))
            self._stops_read = time.monotonic()
        return bool(self._stops & (scopes_of(row.integration) | {f"automation/{row.automation}"}))


def send(delivery: Delivery, row: ActionRow) -> Outcome:
    """Make the effect of a claimed action."""
    outcome = _tried(delivery, row, _send, partial(_not_sent, delivery.actor.retry))
    delivery.count_failure(row, outcome.state)
    return outcome


def look(delivery: Delivery, row: ActionRow) -> Outcome:
    """Look for the effect of an action that may have been sent."""
    return _tried(delivery, row, _look, _again_later)


def confirm(delivery: Delivery, row: ActionRow) -> Outcome:
    """Read the system again and compare it with what was planned."""
    outcome = _tried(delivery, row, _confirm, _again_later)
    if outcome.state == "diverged":
        delivery.count_failure(row, outcome.state)
    return outcome


def _send(delivery: Delivery, row: ActionRow, action: Action, order: Order) -> Outcome:
    if delivery.is_stopped(row):
        return Outcome(row, "approved", "stopped before it was sent")
    if delivery.lease.left() < LONGEST_REQUEST:
        return Outcome(row, "approved", "its sender ran out of time before it was sent")
    if (until := quiet_until(row.conditions, datetime.now(UTC)) or delivery.actor.paused_until()) is not None:
        waits = "waits for the end of quiet hours" if row.conditions else row.reason or "paused: others have failed"
        return Outcome(row, "approved", waits, until)
    system = delivery.system()
    if action.probe is not None and (row.guarantee == "probed" or action.guarded_for is not None):
        receipt = action.probe(system, order)
        if receipt is not None:
            return _done(delivery, row, action, receipt, "its effect was there already")
    try:
        why = why_not_any_more(system, row, action, order)
    except IntegrationError as error:  # it was read and not sent
        return Outcome(row, "approved", _said(error), datetime.now(UTC) + _pause(1, None))
    if why is not None:
        return Outcome(row, "expired", why)
    if row.guarantee == "unprobeable" and was_sent_before(delivery.folder, row):
        return Outcome(row, "asking", "the list of what was sent has it: nobody knows whether it happened")
    refuse_suppressed(delivery.office.store, delivery.actor.actions[row.verb][0], order.plan.payload)
    sys.audit("leat.action", "sending", row.id)
    try:
        receipt = _sent_in_parts(delivery, row, partial(action.send, system, order))
    except Unfinished as part:
        return Outcome(row, "approved", f"stopped when {part}", error_type=type(part).__name__)
    except Outdated:  # perhaps by an earlier attempt whose answer was lost
        there = action.probe(system, order) if action.probe is not None else None
        if there is None:
            raise
        receipt = there
    sys.audit("leat.action", "sent", row.id)
    return _done(delivery, row, action, receipt, "")


def _sent_in_parts(delivery: Delivery, row: ActionRow, send_part: Callable[[], Receipt]) -> Receipt:
    while True:
        try:
            return send_part()
        except Unfinished:
            if delivery.is_stopped(row):
                raise


def _done(delivery: Delivery, row: ActionRow, action: Action, receipt: Receipt, detail: str) -> Outcome:
    if receipt.shown:
        delivery.shown[row.id] = dict(receipt.shown)
    return Outcome(row, "done", detail, datetime.now(UTC), dict(receipt.data), receipt.content)


def _not_sent(retry: RetryPolicy | None, row: ActionRow, action: Action | None, error: Exception) -> Outcome:
    """Return what an error means for an action that was being sent."""
    kind, said, now = type(error).__name__, _said(error), datetime.now(UTC)
    asked = error.retry_after if isinstance(error, RateLimited) else None
    again = now + _pause(row.attempts, asked, retry)
    if action is None or isinstance(error, Refused) or not may_have_acted(error):
        if not isinstance(error, Transient) or row.attempts >= _attempts(retry):
            return Outcome(row, "failed", said, error_type=kind)
        return Outcome(row, "approved", said, again, error_type=kind)
    if row.guarantee == "unprobeable":
        return Outcome(row, "asking", f"{said}; nobody knows whether it happened", error_type=kind)
    return Outcome(row, "unknown", said, now + timedelta(seconds=action.settle), error_type=kind)


def _look(delivery: Delivery, row: ActionRow, action: Action, order: Order) -> Outcome:
    if action.probe is None:
        return _send_again(delivery, row, action, order)
    sys.audit("leat.action", "looking", row.id)
    receipt = action.probe(delivery.system(), order)
    if receipt is not None:
        return _done(delivery, row, action, receipt, "its effect is there")
    if (row.conditions or {}).get("on_unknown") == "ask":
        return Outcome(row, "asking", "its effect isn't there, and the automation leaves it to a person")
    if row.attempts >= _attempts(delivery.actor.retry):
        return Outcome(row, "failed", f"given up after {row.attempts} attempts: {row.reason or 'no effect'}")
    pause = _pause(row.attempts - 1, None) if row.attempts > 1 else timedelta()
    return Outcome(row, "approved", "its effect isn't there", datetime.now(UTC) + pause)


def _send_again(delivery: Delivery, row: ActionRow, action: Action, order: Order) -> Outcome:
    """Send a guarded action whose effect can't be searched for with the key that its system remembers.

    It stays unknown until there is an answer: one that is approved has certainly had no effect.
    """
    now = datetime.now(UTC)
    lasts = timedelta.max if action.guarded_for is None else action.guarded_for
    if row.guarantee != "guarded" or row.sent_at is None or now - row.sent_at >= lasts:
        return Outcome(row, "asking", "nobody knows whether it happened")
    if delivery.is_stopped(row) or delivery.lease.left() < LONGEST_REQUEST:
        return Outcome(row, "unknown", row.reason or "", now + _pause(1, None))
    if (until := quiet_until(row.conditions, now)) is not None:
        return Outcome(row, "unknown", row.reason or "", until)
    sys.audit("leat.action", "looking", row.id)
    try:
        return _done(delivery, row, action, action.send(delivery.system(), order), "its system remembers it")
    except Permanent as error:  # of this request; the one before may have had its effect
        return Outcome(row, "asking", f"{error}; nobody knows whether it happened", error_type=type(error).__name__)


def _confirm(delivery: Delivery, row: ActionRow, action: Action, order: Order) -> Outcome:
    sys.audit("leat.action", "confirming", row.id)
    differences = action.confirm(delivery.system(), order, Receipt(row.receipt or {}))
    if not differences:
        return Outcome(row, "confirmed")
    shown = "; ".join(f"{each.what}: planned {each.before!r}, is {each.after!r}" for each in differences)
    now = datetime.now(UTC)
    if row.ended_at is None or now - row.ended_at < timedelta(seconds=_CONFIRMED_WITHIN * action.settle):
        return Outcome(row, "done", shown, now + timedelta(seconds=action.settle))
    return Outcome(row, "diverged", shown)


def _again_later(row: ActionRow, _action: Action | None, error: Exception) -> Outcome:
    asked = error.retry_after if isinstance(error, RateLimited) else None
    again = datetime.now(UTC) + _pause(1, asked)
    return Outcome(row, row.state, _said(error), again, error_type=type(error).__name__)


_Step = Callable[[Delivery, ActionRow, Action, Order], Outcome]
_OnError = Callable[[ActionRow, "Action | None", Exception], Outcome]


def _tried(delivery: Delivery, row: ActionRow, step: _Step, failed: _OnError) -> Outcome:
    """Return the outcome of a step, whatever it raises: one action that fails stops no other."""
    action: Action | None = None
    try:
        verb, action = _verb(delivery, row)
        return step(delivery, row, action, order_of(delivery.office.store, verb, row))
    except (IntegrationError, UnknownAction, Refused) as error:
        outcome = failed(row, action, error)
    except Exception as error:
        log.exception("action %s", row.id)
        outcome = failed(row, action, error)
    return replace(outcome, detail=redact(outcome.detail))


def _verb(delivery: Delivery, row: ActionRow) -> tuple[Verb, Action]:
    if row.verb not in delivery.actor.actions:
        msg = f"{row.integration} has no verb {row.verb!r} any more"
        raise UnknownAction(msg)
    return delivery.actor.actions[row.verb]


def _attempts(retry: RetryPolicy | None) -> int:
    return ATTEMPTS if retry is None else len(retry.waits) + 1


def _pause(attempts: int, asked: float | None, retry: RetryPolicy | None = None) -> timedelta:
    policy = retry or RETRY
    wait = policy.wait(max(attempts, 1), asked)
    return timedelta(seconds=policy.longest if wait is None else wait)


def _said(error: Exception) -> str:
    """Return what an error says; of another library only the kind, for its text may quote what nobody should read."""
    if isinstance(error, IntegrationError | UnknownAction | Refused):
        return str(error)
    return f"{type(error).__name__}: logs/leat.log in the state folder has the details"
