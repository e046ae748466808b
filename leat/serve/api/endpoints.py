"""Webhooks that leat sends: the endpoints, what was delivered to them, and sending it again."""

from __future__ import annotations

import threading
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from leat.hooks.out.declaration import Webhooks
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.runs import webhooks_out
from leat.runs.access import Resource
from leat.runs.webhooks_out import Outcome, Wanted, Webhook
from leat.serve.api.endpoint_models import Attempt, Delivery, DeliveryDetails, Endpoint, EndpointTest, Replay, Replayed
from leat.serve.api.guard import AsGuard, Guard, GuardedRoute
from leat.serve.api.paging import Page, Paging, paging
from leat.serve.api.parameters import Moment
from leat.serve.problem import Problem

router = APIRouter(route_class=GuardedRoute)
Pages = Annotated[Paging, Depends(paging)]
Word = Annotated[str | None, Query(max_length=200)]
_TESTING = threading.BoundedSemaphore(4)
"""An endpoint that doesn't answer holds a thread for half a minute, and there are forty of them for all requests."""


@router.get("/v1/endpoints", tags=["endpoints"])
def list_endpoints(guard: AsGuard, request: Request, response: Response, pages: Pages) -> Page[Endpoint]:
    """List the endpoints that leat sends webhooks to, and how they are."""
    guard.require("read", Resource("endpoint"))
    data, cursor = pages.cut(request, response, visible_endpoints(guard), lambda one: one.name)
    return Page(data=data, next_cursor=cursor)


@router.get("/v1/endpoints/{name}", tags=["endpoints"])
def read_endpoint(guard: AsGuard, name: str) -> Endpoint:
    """Return one endpoint."""
    guard.require("read", Resource("endpoint", name))
    return _endpoint(guard, name)


@router.post("/v1/endpoints/{name}:pause", tags=["endpoints"])
def pause_endpoint(guard: AsGuard, name: str) -> Endpoint:
    """Send nothing to an endpoint until it is enabled; its deliveries wait."""
    guard.require("configure", Resource("endpoint", name))
    if _endpoint(guard, name).state == "off":
        raise Problem(409, "not-allowed", f"endpoint {name} is off", "set its variable first")
    webhooks_out.pause_endpoint(guard.workspace, name, guard.principal.name)
    return _endpoint(guard, name)


@router.post("/v1/endpoints/{name}:enable", tags=["endpoints"])
def enable_endpoint(guard: AsGuard, name: str) -> Endpoint:
    """Send to an endpoint again that is paused or disabled, at once."""
    guard.require("configure", Resource("endpoint", name))
    if _endpoint(guard, name).state == "off":
        raise Problem(409, "not-allowed", f"endpoint {name} is off", "set its variable first")
    webhooks_out.enable_endpoint(guard.workspace, name)
    return _endpoint(guard, name)


@router.post("/v1/endpoints/{name}:test", tags=["endpoints"])
def send_test(guard: AsGuard, name: str) -> EndpointTest:
    """Send a test message to an endpoint, and return whether it accepted it."""
    guard.require("configure", Resource("endpoint", name))
    _endpoint(guard, name)
    if not _TESTING.acquire(blocking=False):
        raise Problem(503, "busy", "four endpoints are being tested", "retry later", headers={"retry-after": "5"})
    try:
        error = webhooks_out.try_endpoint(guard.workspace, declared(guard), name)
    finally:
        _TESTING.release()
    return EndpointTest(accepted=error is None, error=error)


@router.post("/v1/endpoints/{name}:replay", tags=["endpoints"])
def replay_deliveries(guard: AsGuard, name: str, body: Replay | None = None) -> Replayed:
    """Send deliveries to an endpoint again that are over: by default those that were given up; of a range of time."""
    guard.require("configure", Resource("endpoint", name))
    _endpoint(guard, name)
    said = body or Replay()
    wanted = Wanted(name, said.status, said.event_type, said.since, said.until)
    return Replayed(ids=webhooks_out.replay_webhooks(guard.workspace, declared(guard), wanted))


async def wanted_of(
    endpoint: Word = None,
    status: Annotated[Outcome | None, Query(description="`open` is whatever isn't over.")] = None,
    event_type: Word = None,
    since: Annotated[Moment | None, Query(description="Only those of then or later.")] = None,
    until: Annotated[Moment | None, Query(description="Only those before.")] = None,
) -> Wanted:
    """Return which deliveries a request wants."""
    return Wanted(endpoint, status, event_type, since, until)


@router.get("/v1/deliveries", tags=["endpoints"])
def list_sent(
    guard: AsGuard,
    request: Request,
    response: Response,
    pages: Pages,
    wanted: Annotated[Wanted, Depends(wanted_of)],
) -> Page[Delivery]:
    """List what leat has sent to endpoints in the last 30 days, or will send; newest first."""
    guard.require("read", Resource("endpoint", wanted.endpoint or ""))

    def read(after: str | None, limit: int) -> list[Webhook]:
        return webhooks_out.list_webhooks(guard.workspace, wanted, limit, after)

    def visible(row: Webhook) -> bool:
        return guard.may("read", Resource("endpoint", row.endpoint))

    data, cursor = pages.follow(request, response, read, visible, lambda row: row.id)
    return Page(data=[Delivery.model_validate(row) for row in data], next_cursor=cursor)


@router.get("/v1/deliveries/{delivery_id}", tags=["endpoints"])
def read_sent(guard: AsGuard, delivery_id: str) -> DeliveryDetails:
    """Return a delivery with its body and its attempts."""
    read = webhooks_out.read_webhook(guard.workspace, delivery_id)
    if read is None:
        guard.require("read", Resource("endpoint"))
        raise _no_delivery(delivery_id)
    row, body, attempts = read
    guard.require("read", Resource("endpoint", row.endpoint))
    personal = Resource("endpoint", row.endpoint, tags=frozenset({"personal"}))
    may_read = guard.may("read", personal)
    if may_read:
        guard.require("read", personal)  # so that it is in the audit log
    shown = Delivery.model_validate(row).model_dump()
    listed = [Attempt.model_validate(each) for each in attempts]
    return DeliveryDetails(**shown, body=body if may_read else None, log=listed)


@router.post("/v1/deliveries/{delivery_id}:replay", tags=["endpoints"])
def replay_delivery_sent(guard: AsGuard, delivery_id: str) -> Delivery:
    """Send a delivery again that is over, with the same id and body."""
    read = webhooks_out.read_webhook(guard.workspace, delivery_id)
    if read is None:
        guard.require("configure", Resource("endpoint"))
        raise _no_delivery(delivery_id)
    row = read[0]
    guard.require("configure", Resource("endpoint", row.endpoint))
    if not webhooks_out.replay_webhooks(guard.workspace, declared(guard), delivery_id):
        why = f"it isn't over, or no endpoint {row.endpoint} is declared"
        raise Problem(409, "not-allowed", why, "GET the delivery shows its status")
    read = webhooks_out.read_webhook(guard.workspace, delivery_id)
    return Delivery.model_validate(read[0] if read else row)


def declared(guard: Guard) -> Webhooks:
    """Return what is declared; without endpoints when nothing is.

    Raises:
        Problem: the declaration has a mistake.
    """
    try:
        webhooks = webhooks_out.declared_webhooks(guard.workspace)
    except DeclarationError as error:
        raise Problem(503, "not-configured", str(error), "correct quality/webhooks.yaml") from error
    return webhooks or Webhooks.model_construct(endpoints={})


def visible_endpoints(guard: Guard) -> list[Endpoint]:
    """Return the endpoints that a caller may see, by name."""
    listed = webhooks_out.endpoint_list(guard.workspace, declared(guard))
    seen = [each for each in listed if guard.may("read", Resource("endpoint", each.name))]
    return [Endpoint.model_validate(each) for each in sorted(seen, key=lambda each: each.name)]


def _endpoint(guard: Guard, name: str) -> Endpoint:
    for each in webhooks_out.endpoint_list(guard.workspace, declared(guard)):
        if each.name == name:
            return Endpoint.model_validate(each)
    raise Problem(404, "no-such-endpoint", f"no endpoint {name} is declared", "GET /v1/endpoints lists them")


def _no_delivery(delivery_id: str) -> Problem:
    return Problem(404, "no-such-delivery", f"there is no delivery {delivery_id}", "GET /v1/deliveries lists them")
