"""Webhooks: the address of each integration, what arrived and was refused, and reading again what can't be read."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from leat.runs import received_webhooks
from leat.runs.access import Resource
from leat.serve.api.guard import AsGuard
from leat.serve.api.webhooks import list_deliveries, read_delivery, replay_delivery
from leat.serve.pages.render import HEADERS, page
from leat.serve.pages.route import PageRoute
from leat.serve.session import url_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_NEWEST = 100
Word = Annotated[str, Query(max_length=200)]


@router.get("/webhooks")
def list_webhooks(guard: AsGuard, request: Request, endpoint: Word = "", view: Word = "") -> Response:
    """Show the addresses, and the newest webhooks."""
    guard.require("read", Resource("hook"))
    listed = [
        one
        for one in received_webhooks.addresses(guard.workspace, url_of(request))
        if guard.may("read", Resource("hook", one.name, integration=one.name))
    ]
    quarantined = view == "quarantined"
    events = list_deliveries(guard, endpoint or None, quarantined, _NEWEST).data
    return page(request, "webhooks.html", addresses=listed, refused=request.app.state.refused, events=events,
                endpoint=endpoint, quarantined=quarantined, newest=_NEWEST,
                in_quarantine=sum(one.quarantined for one in listed),
                may_send=guard.may("read", Resource("endpoint")))  # fmt: skip


@router.get("/webhooks/{seq}")
def show_webhook(guard: AsGuard, request: Request, seq: int) -> Response:
    """Show one webhook with its body."""
    event = read_delivery(guard, seq)
    may_replay = guard.may("configure", Resource("hook", event.endpoint, integration=event.endpoint))
    return page(request, "webhook.html", event=event, body=indented(event.body), may_replay=may_replay)


@router.post("/webhooks/{seq}/replay")
def replay(guard: AsGuard, seq: int) -> Response:
    """Read a quarantined webhook again, and load its integration."""
    event = replay_delivery(guard, seq)
    return RedirectResponse(
        f"/webhooks/{seq}?done={'replayed' if event.problem is None else 'unreadable'}", 303, HEADERS
    )


def indented(body: str) -> str:
    """Return a body as a person reads it."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body
