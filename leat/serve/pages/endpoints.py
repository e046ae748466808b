"""Webhooks that leat sends: the endpoints and how they are, what was delivered, and sending it again."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel

from leat.hooks.out.declaration import EVENT_TYPES
from leat.runs import webhooks_out
from leat.runs.access import Resource
from leat.runs.webhooks_out import Outcome, Wanted
from leat.serve.api import endpoints as api
from leat.serve.api.endpoint_models import EndpointTest, Replay
from leat.serve.api.guard import AsGuard, Guard
from leat.serve.pages.form import AsForm
from leat.serve.pages.render import HEADERS, PER_PAGE, page, zone_of
from leat.serve.pages.route import PageRoute
from leat.serve.pages.webhooks import indented
from leat.serve.problem import Problem

router = APIRouter(route_class=PageRoute, include_in_schema=False)
STATUSES: tuple[Outcome, ...] = ("open", "sent", "failed")
AGAIN = ("sent", "failed")


class Filters(BaseModel):
    """What the address of the list says; times are in the reader's zone."""

    endpoint: str = ""
    status: str = ""
    event: str = ""
    since: str = ""
    until: str = ""
    after: str = ""


AsFilters = Annotated[Filters, Query()]


@router.get("/webhooks/out")
def list_endpoints(guard: AsGuard, request: Request, by: AsFilters) -> Response:
    """Show the endpoints, and the newest deliveries."""
    return _shown(guard, request, by)


@router.get("/webhooks/out/{delivery_id}")
def show_delivery(guard: AsGuard, request: Request, delivery_id: str) -> Response:
    """Show one delivery: its body, and each attempt with its answer."""
    one = api.read_sent(guard, delivery_id)
    declared = one.endpoint in {each.name for each in api.visible_endpoints(guard)}
    may_replay = guard.may("configure", Resource("endpoint", one.endpoint))
    body = None if one.body is None else indented(one.body)
    return page(request, "delivery.html", one=one, body=body, may_replay=may_replay, declared=declared,
                is_over=one.status in ("sent", "failed"))  # fmt: skip


@router.post("/webhooks/out/replay")
def replay_many(guard: AsGuard, request: Request, form: AsForm) -> Response:
    """Send again what the list of the form has, of one status."""
    by = Filters(**{name: form.get(name, "")[:200] for name in Filters.model_fields})
    guard.require("configure", Resource("endpoint", by.endpoint))
    if by.status not in AGAIN:
        raise Problem(422, "invalid", "nothing says which deliveries to send again", "filter by failed or by sent")
    wanted = _wanted(request, by)
    body = Replay(status=by.status, event_type=wanted.event_type, since=wanted.since, until=wanted.until)
    for name in [by.endpoint] if by.endpoint else list(api.declared(guard).endpoints):
        api.replay_deliveries(guard, name, body)
    query = urlencode({**by.model_dump(exclude={"after"}, exclude_defaults=True), "status": "", "done": "sent_again"})
    return RedirectResponse(f"/webhooks/out?{query}", 303, HEADERS)


@router.post("/webhooks/out/{delivery_id}/replay")
def replay(guard: AsGuard, delivery_id: str) -> Response:
    """Send one delivery again."""
    api.replay_delivery_sent(guard, delivery_id)
    return RedirectResponse(f"/webhooks/out/{delivery_id}?done=sent_again", 303, HEADERS)


@router.post("/webhooks/out/endpoints/{name}/{change}")
def change_endpoint(guard: AsGuard, request: Request, name: str, change: str) -> Response:
    """Pause an endpoint, enable it, or send it a test message."""
    if change == "test":
        return _shown(guard, request, Filters(), (name, api.send_test(guard, name)))
    do = {"pause": api.pause_endpoint, "enable": api.enable_endpoint}.get(change)
    if do is None:
        guard.require("read", Resource("endpoint", name))
        raise Problem(404, "no-such-change", "there is no such change")
    do(guard, name)
    return RedirectResponse(f"/webhooks/out?done=endpoint_{change}", 303, HEADERS)


def _shown(guard: Guard, request: Request, by: Filters, tested: tuple[str, EndpointTest] | None = None) -> Response:
    guard.require("read", Resource("endpoint"))
    listed, wanted = api.visible_endpoints(guard), _wanted(request, by)
    try:
        read = webhooks_out.list_webhooks(guard.workspace, wanted, PER_PAGE + 1, by.after or None)
    except KeyError:
        raise Problem(404, "no-such-page", "this part of the list isn't there any more", "begin again") from None
    deliveries = [each for each in read[:PER_PAGE] if guard.may("read", Resource("endpoint", each.endpoint))]
    may = {each.name: guard.may("configure", Resource("endpoint", each.name)) for each in listed}
    concerned = [each for each in may if by.endpoint in ("", each)]
    again = 0
    if by.status in AGAIN and concerned and all(may[each] for each in concerned):
        again = webhooks_out.count_webhooks(guard.workspace, wanted)
    older = read[PER_PAGE - 1].id if read[PER_PAGE:] else None
    return page(request, "endpoints.html", endpoints=listed, deliveries=deliveries, by=by, may=may, again=again,
                statuses=STATUSES, events=EVENT_TYPES, older=older, is_filtered=by != Filters(), tested=tested,
                may_receive=guard.may("read", Resource("hook")))  # fmt: skip


def _wanted(request: Request, by: Filters) -> Wanted:
    outcome: Outcome | None = next((each for each in STATUSES if each == by.status), None)
    since, until = (_time(request, text) for text in (by.since, by.until))
    return Wanted(by.endpoint or None, outcome, by.event or None, since, until)


def _time(request: Request, text: str) -> datetime | None:
    """Return a time that a form says in the reader's zone; None if it says none."""
    with contextlib.suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo is not None else at.replace(tzinfo=zone_of(request))).astimezone(UTC)
    return None
