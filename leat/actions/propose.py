"""Plans an action: reads the system, freezes what would be sent, and adds it to the outbox. Nothing is sent."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from leat.actions.office import Office, read_parameters
from leat.actions.suppressed import refuse_suppressed
from leat.control.outbox import ActionRow, NewAction, State, action_id, add_actions, read_actions, read_body
from leat.pipelines.load.cells import holds_cell
from leat.sources.actions import Change, Order, Parameters, Plan, Refused, Verb

LASTS = timedelta(days=7)
"""How long an action waits for its approval, unless something else is declared."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be done, before it is planned.

    Attributes:
        integration: name of the declaration.
        verb: what it is to do.
        parameters: values by name.
        by: who wants it: a person's account, or ``automation/NAME``.
        dedupe_key: there is one action for a key; None for one that nothing else is the same as.
        not_before: when it may be sent.
        lasts: how long it waits for approval and sending.
        automation: name of the automation that wants it.
        subject: key of the violation that it is for.
        subject_opened_at: when the episode of that violation began.
        undo_of: the action that it takes back.
        after_id: the action that has to be done before.
        conditions: what must hold when it is sent, see :mod:`leat.actions.conditions`.
    """

    integration: str
    verb: str
    parameters: Mapping[str, Any]
    by: str
    dedupe_key: str | None = None
    not_before: datetime | None = None
    lasts: timedelta = LASTS
    automation: str | None = None
    subject: str | None = None
    subject_opened_at: datetime | None = None
    undo_of: str | None = None
    after_id: str | None = None
    conditions: Mapping[str, Any] | None = None


def draft(office: Office, wish: Wish, system: Any = None) -> NewAction:
    """Plan an action without adding it to the outbox.

    Args:
        office: what acting needs.
        wish: what is to be done.
        system: the system, if it is open already.

    Raises:
        UnknownAction: nobody can do this, or a parameter is wrong.
        Refused: it can't be done, for a reason that the system gives.
        IntegrationError: the system can't be read.
    """
    verb, action = office.verb(wish.integration, wish.verb)
    for name, value in wish.parameters.items():
        if holds_cell(value):
            msg = f"{name} is an encrypted value, and actions take none. Next: give another value, or don't encrypt it"
            raise Refused(msg)
    parameters = read_parameters(verb, f"{wish.integration}.{wish.verb}", wish.parameters)
    key = wish.dedupe_key or f"hand:{secrets.token_hex(16)}"
    if system is not None:
        plan = action.plan(system, action_id(key), parameters)
    else:
        with office.connected(wish.integration) as opened:
            plan = action.plan(opened, action_id(key), parameters)
    refuse_suppressed(office.store, verb, plan.payload)
    return _new(wish, key, verb, parameters, plan)


def propose(office: Office, wish: Wish) -> ActionRow:
    """Plan an action and add it to the outbox; the one that is there for its key, if there is one.

    Raises:
        UnknownAction: nobody can do this, or a parameter is wrong.
        Refused: it can't be done, for a reason that the system gives.
        IntegrationError: the system can't be read.
    """
    if wish.dedupe_key is not None:
        there = read_actions(office.store, ids=[action_id(wish.dedupe_key)])
        if there:
            return there[0]
    return add(office, draft(office, wish))


def add(office: Office, action: NewAction, *, state: State = "planned", reason: str | None = None) -> ActionRow:
    """Add a planned action to the outbox, or return the one that is there for its key."""
    add_actions(office.store, [replace(action, state=state, reason=reason)], datetime.now(UTC))
    return read_actions(office.store, ids=[action.id])[0]


def _new(wish: Wish, key: str, verb: Verb, parameters: Parameters, plan: Plan) -> NewAction:
    now = datetime.now(UTC)
    wanted = [each for each in (wish.not_before, plan.not_before) if each is not None]
    not_before = max(wanted, default=None)
    return NewAction(
        dedupe_key=key,
        integration=wish.integration,
        verb=wish.verb,
        guarantee=verb.guarantee,
        money=verb.money,
        title=plan.title,
        target=plan.target,
        parameters=parameters.model_dump(mode="json"),
        plan=plan_as_json(plan),
        digest=digest_of(wish.integration, wish.verb, plan),
        created_by=wish.by,
        expires_at=max(now, not_before or now) + wish.lasts,
        not_before=not_before,
        automation=wish.automation,
        subject=wish.subject,
        subject_opened_at=wish.subject_opened_at,
        undo_of=wish.undo_of,
        after_id=wish.after_id,
        conditions=wish.conditions,
        bodies=plan.bodies,
    )


def digest_of(integration: str, verb: str, plan: Plan) -> str:
    """Return the SHA-256 of all that would be sent; an approval is for this."""
    stored = plan_as_json(plan)
    sent = {"integration": integration, "verb": verb, "target": plan.target}
    sent |= {name: stored[name] for name in ("payload", "precondition", "bodies")}
    return digest_of_json(sent)


def digest_of_json(value: Any) -> str:
    """Return the SHA-256 of a JSON value."""
    return hashlib.sha256(_canonical(value)).hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as the outbox stores it; the bytes are stored apart, by their SHA-256."""
    return {
        "changes": [[change.what, change.before, change.after] for change in plan.changes],
        "payload": dict(plan.payload),
        "precondition": dict(plan.precondition),
        "people": list(plan.people),
        "warnings": list(plan.warnings),
        "bodies": {name: hashlib.sha256(body).hexdigest() for name, body in plan.bodies.items()},
    }


def order_of(store: Engine, verb: Verb, row: ActionRow) -> Order:
    """Return a stored action as a driver takes it."""
    stored = row.plan
    plan = Plan(
        title=row.title,
        target=row.target,
        changes=tuple(Change(*each) for each in stored["changes"]),
        payload=stored["payload"],
        precondition=stored["precondition"],
        people=tuple(stored["people"]),
        warnings=tuple(stored["warnings"]),
        bodies={name: read_body(store, digest) for name, digest in stored["bodies"].items()},
    )
    return Order(row.id, verb.parameters.model_validate(dict(row.parameters)), plan, row.attempts, row.sent_at)
