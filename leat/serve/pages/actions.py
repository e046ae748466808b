"""Actions: what waits for a decision, what is under way, what was done; approve, reject, cancel, undo."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from leat.runs import acting
from leat.runs.access import Resource, action
from leat.runs.acting import ActionRow
from leat.serve.api import actions as api
from leat.serve.api.guard import AsGuard, Guard
from leat.serve.api.models import Action, Decision
from leat.serve.pages.csv_file import csv_response
from leat.serve.pages.form import AsForm
from leat.serve.pages.render import HEADERS, page, part_of
from leat.serve.pages.route import PageRoute
from leat.serve.problem import Problem

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_NEWEST = 1000
WAITING = ("planned", "held")
_CANCELLABLE = ("planned", "held", "approved")
_UNDOABLE = ("done", "confirmed", "diverged")
_VIEWS = ("waiting", "open", "all")
Word = Annotated[str, Query(max_length=200)]


def rows_of(guard: Guard, view: str, integration: str = "") -> list[ActionRow]:
    """Return the actions of a view that a caller may see, newest first: waiting for a decision, open, or all."""
    if view == "waiting":
        rows = acting.waiting_actions(guard.workspace)[::-1]
    else:
        rows = acting.list_actions(guard.workspace, every=view == "all", limit=_NEWEST)
    return [row for row in rows if integration in ("", row.integration) and guard.may("read", action(row))]


@router.get("/actions")
def list_actions(
    guard: AsGuard, request: Request, view: Word = "open", integration: Word = "",
    number: Annotated[int, Query(alias="page")] = 1,
) -> Response:  # fmt: skip
    """Show a list."""
    guard.require("read", Resource("overview"))
    view = view if view in _VIEWS else "open"
    rows = [api.shown(guard, row) for row in rows_of(guard, view, integration)]
    counts = {name: len(rows_of(guard, name, integration)) for name in _VIEWS}
    may_export = guard.may("export", Resource("action"))
    return page(request, "actions.html", part=part_of(rows, number), view=view, counts=counts,
                integration=integration, integrations=sorted(guard.workspace.declarations),
                stops=acting.kill_switches(guard.workspace), may_export=may_export)  # fmt: skip


@router.get("/actions.csv")
def export_actions(guard: AsGuard, view: Word = "open", integration: Word = "") -> Response:
    """Return the list as a file."""
    guard.require("export", Resource("action"))
    rows = [api.shown(guard, row).model_dump() for row in rows_of(guard, view, integration)]
    return csv_response("actions.csv", [name for name in Action.model_fields if name != "plan"], rows)


@router.get("/actions/{action_id}")
def show_action(guard: AsGuard, request: Request, action_id: str) -> Response:
    """Show one action: what it would change, and what has happened to it."""
    row = api.row_of(guard, action_id)
    guard.require("read", action(row))
    may_decide = guard.may("approve", action(row))
    second = row.money and row.created_by == guard.principal.name
    return page(request, "action.html", action=api.shown(guard, row), may_decide=may_decide, needs_second=second,
                waits=row.state in WAITING, cancellable=row.state in _CANCELLABLE, undoable=row.state in _UNDOABLE,
                history=acting.history(guard.workspace, row.id), subject=row.subject)  # fmt: skip


@router.post("/actions/{action_id}/{decision}")
def decide(guard: AsGuard, action_id: str, decision: str, form: AsForm) -> Response:
    """Approve, reject, cancel or undo an action."""
    said = Decision(note=form.get("note", "")[:2000])
    if decision == "undo":
        undoing = api.undo_action(guard, Response(), action_id)
        return RedirectResponse(f"/actions/{undoing.id}?done=undo", 303, HEADERS)
    do = {"approve": api.approve_action, "reject": api.reject_action, "cancel": api.cancel_action}.get(decision)
    if do is None:
        guard.require("read", Resource("overview"))
        raise Problem(404, "no-such-decision", "there is no such decision")
    do(guard, action_id, said)
    return RedirectResponse(f"/actions/{action_id}?done={decision}", 303, HEADERS)
