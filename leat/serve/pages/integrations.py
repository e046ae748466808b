"""Integrations: how the last run ended, what runs now, and when the next run is; their streams; sync now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from leat.runs.access import Resource
from leat.runs.between import next_due
from leat.runs.history import recent_runs
from leat.serve.api.guard import AsGuard, Guard
from leat.serve.api.integrations import read_integration, request_run, status_of
from leat.serve.api.models import NewRun
from leat.serve.pages.overview import freshness, may_read
from leat.serve.pages.render import HEADERS, page
from leat.serve.pages.route import PageRoute
from leat.serve.pages.violations import open_by_integration

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/integrations")
def list_integrations(guard: AsGuard, request: Request) -> Response:
    """Show all."""
    guard.require("read", Resource("overview"))
    listed = [one for one in status_of(guard).integrations if may_read(guard, one)]
    now = datetime.now(UTC)
    return page(request, "integrations.html", integrations=listed, violations=open_by_integration(guard),
                freshness={one.integration: freshness(one) for one in listed},
                running={run.integration: run for run in running_now(guard)},
                next_run={one.integration: next_due(guard.workspace, one.integration, now) for one in listed},
                may_run={one.integration: _may_run(guard, one.integration) for one in listed},
                may_add=guard.may("configure", Resource("integration")))  # fmt: skip


@router.get("/integrations/{name}")
def show_integration(guard: AsGuard, request: Request, name: str) -> Response:
    """Show one with its streams and its last runs."""
    read_integration(guard, name)  # asks for access, and whether it is there
    one = next(each for each in status_of(guard).integrations if each.integration == name)
    status = status_of(guard)
    runs = recent_runs(guard.workspace, name, 10)
    return page(request, "integration.html", one=one, runs=runs, fresh=freshness(one),
                running=next((run for run in runs if run.status == "running"), None),
                next_run=next_due(guard.workspace, name, datetime.now(UTC)),
                drift=[change for change in status.drift if change.integration == name],
                blocked=status.blocked.get(name), may_run=_may_run(guard, name),
                may_query=guard.may("query", Resource("query")))  # fmt: skip


@router.post("/integrations/{name}/run")
def run_now(guard: AsGuard, name: str) -> Response:
    """Ask for a run, and show it live."""
    asked = request_run(guard, Response(), NewRun(integrations=[name]))
    return RedirectResponse(f"/runs/{asked.id}", 303, HEADERS)


def running_now(guard: Guard) -> list[Any]:
    """Return the runs that are under way."""
    return [run for run in recent_runs(guard.workspace, None, 100) if run.status == "running"]


def _may_run(guard: Guard, name: str) -> bool:
    return guard.may("run", Resource("integration", name, integration=name))
