"""Actions: what is planned, under way and done; approve, reject, cancel, undo. And automations, which plan them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from leat.actions import decide
from leat.runs import access, acting, automating, planning
from leat.runs.access import Resource
from leat.runs.acting import ActionRow
from leat.serve.api.etag import IfMatch, require_match, tag
from leat.serve.api.guard import AsGuard, Guard, GuardedRoute, repeatable
from leat.serve.api.models import Action, ActionVerb, Automation, Decision, NewAction
from leat.serve.api.paging import Page, Paging, paging
from leat.serve.problem import Problem
from leat.sources.actions import Refused
from leat.sources.errors import IntegrationError, Transient

router = APIRouter(route_class=GuardedRoute)
Pages = Annotated[Paging, Depends(paging)]
_NEWEST = 1000
_PLANNING = threading.BoundedSemaphore(8)
"""A system that doesn't answer holds a thread for minutes, and there are forty of them for all requests."""


@router.get("/v1/actions", tags=["actions"])
@repeatable
def list_actions(
    guard: AsGuard,
    request: Request,
    response: Response,
    pages: Pages,
    integration: Annotated[str | None, Query(description="Only those of this one.")] = None,
    open_only: Annotated[bool, Query(alias="open", description="Only those for which something has to happen.")] = True,
) -> Page[Action]:
    """List actions, newest first: the newest 1,000."""
    guard.require("read", Resource("overview"))
    rows = acting.list_actions(guard.workspace, every=not open_only, integration=integration, limit=_NEWEST)
    rows = [row for row in rows if guard.may("read", access.action(row))]
    data, cursor = pages.cut(request, response, rows, lambda row: row.id)
    return Page(data=[shown(guard, row) for row in data], next_cursor=cursor)


@router.get("/v1/actions/{action_id}", tags=["actions"])
@repeatable
def read_action(guard: AsGuard, response: Response, action_id: str) -> Action:
    """Return one action with its plan."""
    row = row_of(guard, action_id)
    guard.require("read", access.action(row))
    action = shown(guard, row)
    tag(response, action)
    return action


@router.get("/v1/verbs", tags=["actions"])
@repeatable
def list_verbs(guard: AsGuard, request: Request, response: Response, pages: Pages) -> Page[ActionVerb]:
    """List what leat can do on the declared systems."""
    guard.require("read", Resource("overview"))
    listed = [
        ActionVerb.model_validate(verb)
        for verb in planning.verbs(guard.workspace)
        if guard.may("read", Resource("integration", verb["integration"], integration=verb["integration"]))
    ]
    data, cursor = pages.cut(request, response, listed, lambda verb: f"{verb.integration}.{verb.name}")
    return Page(data=data, next_cursor=cursor)


@router.post("/v1/actions", status_code=201, tags=["actions"], responses={200: {"model": Action}})
def plan_action(
    guard: AsGuard,
    response: Response,
    body: NewAction,
    dry_run: Annotated[bool, Query(description="Return the plan with status 200; store nothing.")] = False,
) -> Action:
    """Plan an action: leat reads the system, and sends nothing. Location has the action, which waits for approval."""
    tags = frozenset({"money"} if planning.moves_money(guard.workspace, body.integration, body.verb) else ())
    guard.require("plan", Resource("action", integration=body.integration, tags=tags))
    planned = _planned(guard, body)
    if dry_run:
        response.status_code, now = 200, datetime.now(UTC)
        values = {name: getattr(planned, name, None) for name in Action.model_fields}
        whole = Action.model_validate({**values, "created_at": now, "updated_at": now, "attempts": 0})
        return _without_personal(guard, whole, tags)
    row = planning.add(guard.workspace, planned)
    response.headers["location"] = f"/v1/actions/{row.id}"
    return shown(guard, row)


def _planned(guard: Guard, body: NewAction) -> acting.NewAction:
    asked = (body.integration, body.verb, body.parameters, guard.principal.name, body.not_before)
    if not _PLANNING.acquire(blocking=False):
        raise Problem(503, "busy", "eight actions are being planned", "retry later", headers={"retry-after": "5"})
    try:
        return planning.plan(guard.workspace, *asked)
    except planning.UnknownAction as error:
        raise Problem(422, "no-such-verb", str(error), "GET /v1/verbs lists verbs and their parameters") from error
    except Refused as error:
        raise Problem(409, "refused", f"{body.integration}.{body.verb}: {error}") from error
    except Transient as error:
        raise Problem(503, "system-unavailable", str(error), error.next_step, headers={"retry-after": "30"}) from error
    except IntegrationError as error:
        raise Problem(424, "system-failed", str(error), error.next_step) from error
    finally:
        _PLANNING.release()


@router.post("/v1/actions/{action_id}:approve", tags=["actions"])
def approve_action(guard: AsGuard, action_id: str, body: Decision | None = None, if_match: IfMatch = None) -> Action:
    """Approve an action as it is planned; the worker sends it. What moves money needs a second person."""
    return _decided(guard, action_id, body, if_match, decide.approve)


@router.post("/v1/actions/{action_id}:reject", tags=["actions"])
def reject_action(guard: AsGuard, action_id: str, body: Decision | None = None, if_match: IfMatch = None) -> Action:
    """Reject an action: it is never sent."""
    return _decided(guard, action_id, body, if_match, decide.reject)


@router.post("/v1/actions/{action_id}:cancel", tags=["actions"])
def cancel_action(guard: AsGuard, action_id: str, body: Decision | None = None, if_match: IfMatch = None) -> Action:
    """Withdraw an action that hasn't been sent."""
    return _decided(guard, action_id, body, if_match, decide.cancel)


@router.post("/v1/actions/{action_id}:undo", status_code=201, tags=["actions"])
def undo_action(guard: AsGuard, response: Response, action_id: str, if_match: IfMatch = None) -> Action:
    """Plan the action that takes another one back; it needs an approval of its own."""
    row = row_of(guard, action_id)
    guard.require("approve", access.action(row))
    require_match(if_match, tag(Response(), shown(guard, row)), f'"{row.digest}"')
    try:
        planned = decide.undo(acting.office_of(guard.workspace), row, guard.principal.name)
    except (decide.NotAllowed, Refused) as error:
        raise Problem(409, "not-allowed", str(error)) from error
    response.headers["location"] = f"/v1/actions/{planned.id}"
    return shown(guard, planned)


@router.get("/v1/automations", tags=["automations"])
@repeatable
def list_automations(guard: AsGuard, request: Request, response: Response, pages: Pages) -> Page[Automation]:
    """List automations and their modes."""
    guard.require("read", Resource("overview"))
    listed = [
        _automation(guard, name)
        for name in sorted(guard.workspace.automations)
        if guard.may("read", Resource("automation", name))
    ]
    data, cursor = pages.cut(request, response, listed, lambda one: one.name)
    return Page(data=data, next_cursor=cursor)


@router.post("/v1/automations/{name}:enable", tags=["automations"])
def enable_automation(guard: AsGuard, name: str) -> Automation:
    """Let an automation plan actions; rows that are there now count as seen."""
    guard.require("configure", Resource("automation", name))
    one = _automation(guard, name)
    automating.enable(guard.workspace, guard.workspace.automations[one.name])
    return _automation(guard, name)


@router.post("/v1/automations/{name}:disable", tags=["automations"])
def disable_automation(guard: AsGuard, name: str) -> Automation:
    """Let an automation do nothing, and withdraw its actions that haven't been sent."""
    guard.require("configure", Resource("automation", name))
    automating.disable(guard.workspace, _automation(guard, name).name)
    return _automation(guard, name)


def row_of(guard: Guard, action_id: str) -> ActionRow:
    """Return an action; the caller asks for access to it.

    Raises:
        Problem: there is none.
    """
    rows = acting.actions_by_id(guard.workspace, [action_id])
    if not rows:
        guard.require("read", Resource("overview"))
        raise Problem(404, "no-such-action", f"there is no action {action_id}", "GET /v1/actions lists them")
    return rows[0]


def _decided(
    guard: Guard, action_id: str, body: Decision | None, if_match: str | None, do: Callable[..., None]
) -> Action:
    row = row_of(guard, action_id)
    guard.require("approve", access.action(row))
    require_match(if_match, tag(Response(), shown(guard, row)), f'"{row.digest}"')
    try:
        do(guard.workspace.store, row, guard.principal.name, "" if body is None else body.note)
    except decide.NotAllowed as error:
        raise Problem(409, "not-allowed", str(error), "GET the action shows its state") from error
    return shown(guard, row_of(guard, action_id))


def shown(guard: Guard, row: ActionRow) -> Action:
    """Return an action, without what the caller may not see of it."""
    return _without_personal(guard, Action.model_validate(row), access.action(row).tags)


def _without_personal(guard: Guard, whole: Action, tags: frozenset[str]) -> Action:
    personal = Resource("action", whole.id, integration=whole.integration, tags=tags | {"personal"})
    if guard.may("read", personal):
        return whole
    return whole.model_copy(update={"parameters": None, "plan": None, "title": None, "target": None})


def _automation(guard: Guard, name: str) -> Automation:
    declared = guard.workspace.automations
    if name not in declared:
        raise Problem(404, "no-such-automation", f"no automation {name} is declared", "GET /v1/automations lists them")
    row = automating.modes_of(guard.workspace).get(name)
    return Automation(
        name=name,
        mode="simulate" if row is None else row.mode,
        changed_by=row and row.changed_by,
        changed_at=row and row.changed_at,
        declared=declared[name].declared.model_dump(mode="json", exclude_none=True),
    )
