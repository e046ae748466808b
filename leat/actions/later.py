"""Steps that use the result of an earlier one: approved as templates, and planned when that result is there.

What is stored of such a step before, in its plan under ``later``::

    parameters   as declared; templates with the names of results are filled in later
    context      the values of the target that these templates use, as they were
    results      the ids of the earlier actions, by the names that the templates use

Its digest is over this, so an approval is for the template and for this target. When the action before it is done, leat
fills in the template, plans the step, and sends it under that approval: nothing but the result can differ. If the plan
has a warning, or somebody who notices it, that the person wasn't shown, it waits for another approval; what moves money
does so always. Until it is planned, ``next_at`` is :data:`leat.control.outbox.NEVER`, so that nobody sends it.
"""

from __future__ import annotations

import base64
import json
import logging
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leat.actions.office import Office, UnknownAction, read_parameters
from leat.actions.propose import Wish, digest_of, digest_of_json, plan_as_json
from leat.control.action_history import decisions_of
from leat.control.action_lease import Lease, check_fence
from leat.control.action_moves import move
from leat.control.engine import writing
from leat.control.outbox import CONTENT, ActionRow, NewAction, State, read_actions, read_body, store_bodies
from leat.sources.actions import Plan, Refused, Verb
from leat.sources.errors import Permanent, Transient
from leat.sources.settings import redact
from leat.sources.templates import TemplateProblem, Values, as_values, fill, is_template, names_in, plain

log = logging.getLogger("leat.actions")


class Result(Values):
    """The receipt of an earlier step as templates read it; alone it is the Base64 of the bytes that it has made.

    Args:
        receipt: the receipt.
        store: the control store, which has the bytes.
    """

    __slots__ = ("_store",)

    def __init__(self, receipt: Mapping[str, Any], store: Engine) -> None:
        super().__init__(receipt)
        self._store = store

    def __getitem__(self, name: str) -> Any:
        """Return a field of the receipt; ``content`` is Base64."""
        value = super().__getitem__(name)
        return base64.b64encode(read_body(self._store, value)).decode() if name == CONTENT else value


def results_used(parameters: Any, names: Mapping[str, str]) -> dict[str, str]:
    """Return the results that the parameters of a step use: names and the ids of their actions.

    Raises:
        TemplateProblem: a template has a mistake.
    """
    used = {name for name, _ in names_in(parameters)}
    return {name: action for name, action in names.items() if name in used}


def draft_later(
    office: Office, wish: Wish, parameters: Mapping[str, Any], context: Mapping[str, Any], results: Mapping[str, str]
) -> NewAction:
    """Return a step that is planned once earlier ones are done.

    Args:
        office: what acting needs.
        wish: what is wished for; its parameters are those that people see.
        parameters: as they are declared.
        context: what templates may use of the target.
        results: ids of the earlier actions, by name.

    Raises:
        UnknownAction: nobody can do this.
    """
    verb, _ = office.verb(wish.integration, wish.verb)
    used = {name for name, _ in names_in(parameters)}
    frozen = {name: plain(value) for name, value in context.items() if name in used}
    later = {"parameters": plain(parameters), "context": frozen, "results": dict(results)}
    named = ", ".join(results)
    title = f"{wish.verb} with the result of the step {named}"
    plan = Plan(
        title,
        f"after {wish.after_id}",
        (),
        {},
        warnings=(f"leat plans it when {named} is done; an approval is for this template",),
    )
    stored = plan_as_json(plan) | {"later": later}
    stored["changes"] = [[name, None, value] for name, value in wish.parameters.items()]
    return NewAction(
        dedupe_key=str(wish.dedupe_key),
        integration=wish.integration,
        verb=wish.verb,
        guarantee=verb.guarantee,
        money=verb.money,
        title=plan.title,
        target=plan.target,
        parameters={},
        plan=stored,
        digest=digest_of_json({"integration": wish.integration, "verb": wish.verb, "later": later}),
        created_by=wish.by,
        expires_at=datetime.now(UTC) + wish.lasts,
        automation=wish.automation,
        subject=wish.subject,
        after_id=wish.after_id,
        conditions=wish.conditions,
    )


def shown_parameters(
    parameters: Mapping[str, Any], context: Mapping[str, Any], results: Mapping[str, str]
) -> dict[str, Any]:
    """Return the parameters as far as they are certain, and the others as they are declared."""
    return {
        name: value if any(used in results for used, _ in names_in(value)) else fill(value, context)
        for name, value in parameters.items()
    }


def plan_with_results(office: Office, lease: Lease, row: ActionRow, system: Callable[[], Any]) -> State:
    """Plan an approved step whose earlier steps are done, and return its state.

    Args:
        office: what acting needs.
        lease: the right to send.
        row: the step.
        system: returns the open system.

    Raises:
        Transient: the system can't be read now.
        Fenced: another process has taken over.
    """
    sys.audit("leat.action", "planning", row.id)
    try:
        verb, parameters, plan = _plan(office, row, system)
    except (Permanent, Refused, UnknownAction, TemplateProblem) as error:
        return _fail(office.store, lease, row, redact(str(error)))
    except Transient:
        raise
    except Exception as error:
        log.exception("action %s", row.id)
        return _fail(office.store, lease, row, f"{type(error).__name__}: logs/leat.log in the state folder says more")
    return _replace(office.store, lease, row, verb, parameters, plan)


def _plan(office: Office, row: ActionRow, system: Callable[[], Any]) -> tuple[Verb, Mapping[str, Any], Plan]:
    verb, action = office.verb(row.integration, row.verb)
    if (verb.guarantee, verb.money) != (row.guarantee, row.money):
        msg = f"{row.integration}.{row.verb} isn't as it was approved: its guarantee has changed"
        raise Refused(msg)
    later = row.plan["later"]
    before = {each.id: each for each in read_actions(office.store, ids=later["results"].values())}
    results = {name: Result(before[each].receipt or {}, office.store) for name, each in later["results"].items()}
    filled = fill(later["parameters"], as_values(later["context"]) | results)
    given = {name: value[CONTENT] if isinstance(value, Result) else value for name, value in filled.items()}
    parameters = read_parameters(verb, f"{row.integration}.{row.verb}", given)
    return verb, parameters.model_dump(mode="json"), action.plan(system(), row.id, parameters)


def _replace(
    store: Engine, lease: Lease, row: ActionRow, verb: Verb, parameters: Mapping[str, Any], plan: Plan
) -> State:
    now = datetime.now(UTC)
    unseen = _unseen(row, plan)
    values = {
        "parameters": dict(parameters),
        "plan": plan_as_json(plan) | {"template": row.plan["later"]},
        "digest": digest_of(row.integration, row.verb, plan),
        "title": plan.title,
        "target": plan.target,
        "next_at": now,
    }
    with writing(store, durable=True) as session:
        check_fence(session, lease)
        store_bodies(session, plan.bodies.values())
        asks = bool(unseen) and not _approved_itself(session, row)
        to: State = "planned" if verb.money or asks else "approved"
        values["reason"] = f"its plan has what wasn't shown when it was approved: {unseen}" if asks else None
        move(session, row.id, {"approved"}, to, now, "leat", "planned with the results before it", **values)
    return to


def _unseen(row: ActionRow, plan: Plan) -> str:
    """Return what of a plan isn't a value that the template showed: warnings, and people who notice it."""
    shown = json.dumps([after for _, _, after in row.plan["changes"] if not is_template(after)], ensure_ascii=False)
    people = [each for each in plan.people if each.casefold() not in shown.casefold()]
    return "; ".join([*(f"noticed by {each}" for each in people), *plan.warnings])


def _approved_itself(session: Session, row: ActionRow) -> bool:
    """Return whether the automation approved the step that it planned: then nobody was shown anything."""
    decisions = decisions_of(session, row.id)
    return bool(decisions) and decisions[-1].decided_by == row.created_by


def _fail(store: Engine, lease: Lease, row: ActionRow, why: str) -> State:
    now = datetime.now(UTC)
    with writing(store, durable=True) as session:
        check_fence(session, lease)
        move(session, row.id, {"approved"}, "failed", now, "leat", why, reason=why, ended_at=now)
    return "failed"
