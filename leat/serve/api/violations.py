"""Violations, and who looks after them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from leat.quality.violation_report import Entry, entries
from leat.runs.access import Resource
from leat.runs.acknowledge import acknowledge
from leat.serve.api.etag import IfMatch, require_match, tag
from leat.serve.api.guard import AsGuard, Guard, GuardedRoute, repeatable
from leat.serve.api.models import Acknowledgement, Violation
from leat.serve.api.paging import Page, Paging, paging
from leat.serve.problem import Problem

router = APIRouter(route_class=GuardedRoute)
Pages = Annotated[Paging, Depends(paging)]


@router.get("/v1/violations", tags=["violations"])
@repeatable
def list_violations(
    guard: AsGuard,
    request: Request,
    response: Response,
    pages: Pages,
    rule: Annotated[str | None, Query(description="Only those of this rule.")] = None,
    open_only: Annotated[bool, Query(alias="open", description="Leave out resolved ones.")] = True,
) -> Page[Violation]:
    """List violations with their evidence, open ones first."""
    guard.require("read", Resource("overview"))
    listed = [each for each in entries_of(guard, rule, open_only=open_only) if guard.may("read", resource_of(each))]
    data, cursor = pages.cut(request, response, listed, lambda each: each.key)
    return Page(data=[shown(guard, each) for each in data], next_cursor=cursor)


@router.get("/v1/violations/{key}", tags=["violations"])
@repeatable
def read_violation(guard: AsGuard, response: Response, key: str) -> Violation:
    """Return one violation."""
    entry = entry_of(guard, key)
    guard.require("read", resource_of(entry))
    violation = shown(guard, entry)
    tag(response, violation)
    return violation


@router.post("/v1/violations/{key}:acknowledge", tags=["violations"])
def acknowledge_violation(guard: AsGuard, key: str, body: Acknowledgement, if_match: IfMatch = None) -> Violation:
    """Say that you look after a violation, and until when there are no alerts about it."""
    entry = entry_of(guard, key)
    guard.require("acknowledge", resource_of(entry))
    require_match(if_match, tag(Response(), shown(guard, entry)))
    if body.until.tzinfo is None or body.until <= datetime.now(UTC):
        raise Problem(422, "invalid", "until isn't a time in the future, with its zone")
    acknowledge(guard.workspace, [entry.key], guard.principal.name, body.until, body.note)
    guard.recent.forget("violations")
    return shown(guard, entry_of(guard, key))


def entries_of(guard: Guard, rule: str | None = None, *, open_only: bool = False) -> list[Entry]:
    """Return the ledger as readers see it, open violations first."""

    def read() -> list[Entry]:
        with guard.workspace.warehouse.published() as session:
            return entries(session)

    listed = guard.recent.get("violations", read)
    return [each for each in listed if rule in (None, each.rule) and not (open_only and each.resolved_at)]


def entry_of(guard: Guard, key: str) -> Entry:
    """Return a violation; the caller asks for access to it.

    Raises:
        Problem: there is none.
    """
    for entry in entries_of(guard):
        if entry.key == key:
            return entry
    guard.require("read", Resource("overview"))
    raise Problem(404, "no-such-violation", f"there is no violation {key}", "GET /v1/violations lists them")


def resource_of(entry: Entry, *tags: str) -> Resource:
    """Return a violation as a resource."""
    return Resource("violation", entry.rule, tags=frozenset(tags))


def shown(guard: Guard, entry: Entry) -> Violation:
    """Return a violation; its evidence is what may be personal."""
    values: dict[str, Any] = {name: getattr(entry, name) for name in Violation.model_fields if name != "state"}
    if not guard.may("read", resource_of(entry, "personal")):
        values["evidence"] = None
    else:
        values["evidence"] = guard.reveal(resource_of(entry)).row(entry.evidence or {})
    return Violation(**values, state=entry.state(datetime.now(UTC)))
