"""Automations: what starts each and what its last run planned; enable, disable, and what it would do."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from leat.runs import automating
from leat.runs.access import Resource
from leat.runs.access import action as action_resource
from leat.runs.automating import Automation
from leat.serve.api import actions as api
from leat.serve.api.guard import AsGuard, Guard
from leat.serve.pages.render import HEADERS, page
from leat.serve.pages.route import PageRoute
from leat.serve.problem import Problem
from leat.warehouse.session import WarehouseError

router = APIRouter(route_class=PageRoute, include_in_schema=False)
DAYS = (30, 90, 365)


@router.get("/actions/automations")
def list_automations(guard: AsGuard, request: Request) -> Response:
    """Show all."""
    guard.require("read", Resource("overview"))
    listed = [
        one
        for name, one in sorted(guard.workspace.automations.items())
        if guard.may("read", Resource("automation", name))
    ]
    last = {one.name: next(iter(automating.last_runs_of(guard.workspace, one.name, 1)), None) for one in listed}
    return page(request, "automations.html", automations=listed, modes=automating.modes_of(guard.workspace), last=last,
                trigger=trigger)  # fmt: skip


@router.get("/actions/automations/{name}")
def show_automation(
    guard: AsGuard, request: Request, name: str, days: Annotated[int | None, Query(ge=1, le=3660)] = None
) -> Response:
    """Show one; with a number of days, also what it would do and would have done."""
    guard.require("read", Resource("automation", name))
    one = _declared(guard, name)
    may_simulate = all(guard.may("read", each) for each in _plans(one))
    simulation = None
    if days is not None:
        guard.require("read", _plans(one))
        try:
            simulation = automating.simulate(guard.workspace, one, days)
        except WarehouseError as error:
            raise Problem(409, "unreadable", f"the targets of {name} can't be read: {error}") from error
    row = automating.modes_of(guard.workspace).get(name)
    actions = [
        api.shown(guard, each)
        for each in automating.actions_of(guard.workspace, name)
        if guard.may("read", action_resource(each))
    ]
    return page(request, "automation.html", one=one, row=row, trigger=trigger(one), simulation=simulation, days=days,
                choices=DAYS, may_simulate=may_simulate, actions=actions,
                runs=automating.last_runs_of(guard.workspace, name),
                may_configure=guard.may("configure", Resource("automation", name)))  # fmt: skip


@router.post("/actions/automations/{name}/{change}")
def change_mode(guard: AsGuard, name: str, change: str) -> Response:
    """Enable or disable one."""
    do = {"enable": api.enable_automation, "disable": api.disable_automation}.get(change)
    if do is None:
        guard.require("read", Resource("overview"))
        raise Problem(404, "no-such-change", "there is no such change")
    do(guard, name)
    return RedirectResponse(f"/actions/automations/{name}?done={change}", 303, HEADERS)


def trigger(one: Automation) -> str:
    """Return what starts an automation, in words."""
    when = one.declared.when
    if when.schedule is not None:
        return f"by schedule: {when.schedule}, {when.zone}"
    if when.rows:
        return "for each new row"
    rule = str(when.rule).replace("_", " ")
    return f"while the rule “{rule}” is violated" if when.violation_opened else f"when “{rule}” is resolved"


def _declared(guard: Guard, name: str) -> Automation:
    declared = guard.workspace.automations
    if name not in declared:
        raise Problem(404, "no-such-automation", f"no automation {name} is declared", "look at the list")
    return declared[name]


def _plans(one: Automation) -> list[Resource]:
    """Return what a simulation shows: actions with their parameters."""
    names = sorted({step.integration for step in one.steps})
    return [Resource("action", integration=name, tags=frozenset({"personal"})) for name in names]
