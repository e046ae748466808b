"""Webhooks that arrived, and reading quarantined ones again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from leat.runs import received_webhooks, requests
from leat.runs.access import Resource
from leat.serve.api.guard import AsGuard, Guard, GuardedRoute
from leat.serve.api.models import Webhook
from leat.serve.api.paging import Page
from leat.serve.api.parameters import LARGEST
from leat.serve.problem import Problem

router = APIRouter(route_class=GuardedRoute)
Number = Annotated[int, Path(ge=1, le=LARGEST)]


@router.get("/v1/hooks/deliveries", tags=["hooks"])
def list_deliveries(
    guard: AsGuard,
    endpoint: Annotated[str | None, Query(description="Only those of this integration.")] = None,
    quarantined: Annotated[bool, Query(description="Those that can't be read.")] = False,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> Page[Webhook]:
    """List the newest webhooks, newest first."""
    guard.require("read", Resource("hook", endpoint or "", integration=endpoint))
    listed = received_webhooks.list_events(guard.workspace, endpoint=endpoint, quarantined=quarantined, limit=limit)
    allowed = [each for each in listed if guard.may("read", _resource(each))]
    return Page(data=[Webhook.model_validate(each) for each in allowed], next_cursor=None)


@router.get("/v1/hooks/deliveries/{seq}", tags=["hooks"])
def read_delivery(guard: AsGuard, seq: Number) -> Webhook:
    """Return one webhook."""
    event = _event(guard, seq)
    guard.require("read", _resource(event))
    return Webhook.model_validate(event)


@router.post("/v1/hooks/deliveries/{seq}:replay", tags=["hooks"])
def replay_delivery(guard: AsGuard, seq: Number) -> Webhook:
    """Read a quarantined webhook again, as it is declared today, and load its integration."""
    event = _event(guard, seq)
    guard.require("configure", _resource(event))
    [event] = received_webhooks.replay(guard.workspace, [seq]) or [event]
    if event.problem is None and event.endpoint in guard.workspace.declarations:
        requests.request_run(guard.workspace, [event.endpoint], guard.principal.name)
    return Webhook.model_validate(event)


def _event(guard: Guard, seq: int) -> received_webhooks.Event:
    event = received_webhooks.find_event(guard.workspace, seq)
    if event is None:
        guard.require("read", Resource("hook"))
        raise Problem(404, "no-such-webhook", f"no webhook has the number {seq}", "GET /v1/hooks/deliveries lists them")
    return event


def _resource(event: received_webhooks.Event) -> Resource:
    return Resource("hook", event.endpoint, integration=event.endpoint)
