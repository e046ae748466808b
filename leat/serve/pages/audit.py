"""The audit log: its events with filters, whether it is as it was sealed, and as a file."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse
from pydantic import BaseModel

from leat.runs import auditing, callers, health
from leat.runs.access import Resource, checkpoint_file, record, seal
from leat.serve.api.guard import AsGuard, Guard
from leat.serve.api.models import AuditEvent
from leat.serve.pages.csv_file import csv_response
from leat.serve.pages.render import HEADERS, PER_PAGE, page
from leat.serve.pages.route import PageRoute
from leat.serve.problem import Problem
from leat.sources.errors import NotConfigured

router = APIRouter(route_class=PageRoute, include_in_schema=False)
KINDS = ("access", "sign_in", "session", "link", "person", "token", "run", "publish", "action", "actions", "audit")
DAYS = (1, 7, 30, 365)
_LOG = Resource("audit")
_EXPORTED = 100_000
_EMPTY: tuple[Any, ...] = (None, [], "")


class Filters(BaseModel):
    """What the address of the list says."""

    kind: str = ""
    by: str = ""
    days: str = ""
    before: int | None = None


AsFilters = Annotated[Filters, Query()]


@router.get("/audit")
def list_audit(guard: AsGuard, request: Request, by: AsFilters) -> Response:
    """Show the newest events, and the result of the last verification."""
    guard.require("read", _LOG)
    unsealed = health.unsealed_seconds(guard.workspace)
    seal(guard.workspace)  # the list continues by the numbers that sealing gives
    rows = _rows(guard, by, PER_PAGE + 1)
    following = rows[PER_PAGE - 1].seq if len(rows) > PER_PAGE else None
    return page(request, "audit.html", rows=rows[:PER_PAGE], by=by, following=following, kinds=KINDS, days=DAYS,
                in_words=in_words, verified=getattr(request.app.state, "verified", None),
                size=auditing.size(guard.workspace), unsealed=unsealed,
                checkpoints=_has_checkpoints(guard), may_export=guard.may("export", _LOG))  # fmt: skip


@router.post("/audit/verify")
def verify(guard: AsGuard, request: Request) -> Response:
    """Verify the whole log, and show the result until the next verification."""
    guard.require("read", _LOG)
    begun = time.monotonic()
    try:
        verdict = auditing.verify(guard.workspace)
    except NotConfigured as error:
        raise Problem(409, "not-configured", str(error)) from error
    request.app.state.verified = verdict, datetime.now(UTC), guard.principal.name, time.monotonic() - begun
    return RedirectResponse("/audit", 303, HEADERS)


@router.get("/audit.csv")
def export_list(guard: AsGuard, by: AsFilters) -> Response:
    """Return the list as a file."""
    guard.require("export", _LOG)
    rows = [AuditEvent.model_validate(row).model_dump() for row in _rows(guard, by, _EXPORTED)]
    record(guard.workspace, "audit.exported", {"format": "csv"}, guard.principal)
    return csv_response("audit.csv", list(AuditEvent.model_fields), rows)


@router.get("/audit.jsonl")
def export_all(guard: AsGuard) -> Response:
    """Return the whole log for another system: OCSF 1.4, one JSON object a line."""
    guard.require("export", _LOG)
    headers = {"content-disposition": 'attachment; filename="audit.jsonl"'}
    events = auditing.export(guard.workspace)
    lines = (json.dumps(event, ensure_ascii=False).encode() + b"\n" for event in events)
    return StreamingResponse(lines, media_type="application/x-ndjson", headers=headers)


def in_words(event: str, detail: Mapping[str, Any]) -> str:
    """Return what an event says more: who was permitted or refused what, or names and values."""
    resource = detail.get("resource")
    if event.startswith("access.") and isinstance(resource, dict):
        on = " ".join(str(resource[name]) for name in ("kind", "integration", "stream", "name") if resource.get(name))
        tags = f" with {', '.join(resource['tags'])} data" if resource.get("tags") else ""
        rule = detail.get("rule") or "no rule permits it"
        return f"{detail.get('verb')} {on}{tags}, as {detail.get('role') or 'nobody'} ({rule})"
    return " · ".join(
        f"{name.replace('_', ' ')} {_flat(value)}" for name, value in detail.items() if value not in _EMPTY
    )


def _flat(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _rows(guard: Guard, by: Filters, limit: int) -> list[Any]:
    if by.days and not by.days.isdigit():
        raise Problem(404, "no-such-page", "the address of this page has a mistake")
    since = datetime.now(UTC) - timedelta(days=int(by.days)) if by.days else None
    kind = f"{by.kind}." if by.kind else None
    return callers.audit_events(guard.workspace, kind, by.before, limit, since=since, by=by.by or None)


def _has_checkpoints(guard: Guard) -> bool:
    try:
        return checkpoint_file(guard.workspace) is not None
    except NotConfigured:
        return False
