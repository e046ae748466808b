"""Violations: the list with filters in its address, one with both sides next to each other, acknowledging."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel

from leat.quality.violation_report import Entry
from leat.runs import acting
from leat.runs.access import Resource, action
from leat.serve.api.guard import AsGuard, Guard
from leat.serve.api.models import Acknowledgement, Violation
from leat.serve.api.violations import acknowledge_violation, entries_of, entry_of, resource_of, shown
from leat.serve.pages.csv_file import csv_response
from leat.serve.pages.evidence import readable, summary
from leat.serve.pages.form import AsForm
from leat.serve.pages.render import HEADERS, page, part_of
from leat.serve.pages.route import PageRoute
from leat.serve.pages.rules import integrations_of, rules_of
from leat.serve.problem import Problem
from leat.warehouse.session import NothingPublished

router = APIRouter(route_class=PageRoute, include_in_schema=False)
STATES = ("open", "acknowledged", "flapping", "resolved")
DAYS = (1, 7, 30, 90)


class Filters(BaseModel):
    """What the address of a list says."""

    state: str = ""
    severity: str = ""
    rule: str = ""
    owner: str = ""
    integration: str = ""
    text: str = ""
    page: int = 1


AsFilters = Annotated[Filters, Query()]


def filtered(guard: Guard, by: Filters) -> list[Violation]:
    """Return the violations that a caller may see and asks for; those that aren't resolved, if no state is given."""
    listed = [shown(guard, each) for each in _readable(guard)]
    return [each for each in listed if _matches(guard, each, by)]


def open_by_integration(guard: Guard) -> Counter[str]:
    """Return how many open violations nobody has acknowledged, by the integrations that their rules compare."""
    return Counter(
        name
        for each in filtered(guard, Filters())
        if each.state != "acknowledged"
        for name in integrations_of(guard.workspace, each.rule)
    )


def _readable(guard: Guard) -> list[Entry]:
    """Return the ledger, as far as a caller may see it; it is empty before the first load."""
    try:
        return [each for each in entries_of(guard) if guard.may("read", resource_of(each))]
    except NothingPublished:
        return []


def _matches(guard: Guard, each: Violation, by: Filters) -> bool:
    return (
        (each.state == by.state if by.state else each.resolved_at is None)
        and by.severity in ("", each.severity)
        and by.rule in ("", each.rule)
        and by.owner in ("", each.owner)
        and (not by.integration or by.integration in integrations_of(guard.workspace, each.rule))
        and by.text.casefold() in " ".join(map(str, (each.title, each.key, *(each.evidence or {}).values()))).casefold()
    )


def sentence(violation: Violation) -> str:
    """Return what a violation is about, by the values of its evidence that name it."""
    if violation.evidence is None:
        return ""
    return summary(violation.evidence)


@router.get("/violations")
def list_violations(guard: AsGuard, request: Request, by: AsFilters) -> Response:
    """Show a list."""
    guard.require("read", Resource("overview"))
    everything = _readable(guard)
    choices = {
        "state": STATES,
        "severity": sorted({each.severity for each in everything}),
        "rule": sorted({each.rule for each in everything}),
        "owner": sorted({each.owner for each in everything}),
        "integration": sorted(guard.workspace.declarations),
    }
    return page(request, "violations.html", part=part_of(filtered(guard, by), by.page), by=by, choices=choices,
                sentence=sentence, may_export=guard.may("export", Resource("violation")),
                any_at_all=bool(everything))  # fmt: skip


@router.get("/violations.csv")
def export_violations(guard: AsGuard, by: AsFilters) -> Response:
    """Return the list as a file."""
    guard.require("export", Resource("violation"))
    rows = [each.model_dump() for each in filtered(guard, by)]
    return csv_response("violations.csv", list(Violation.model_fields), rows)


@router.get("/violations/{key}")
def show_violation(guard: AsGuard, request: Request, key: str) -> Response:
    """Show one violation."""
    entry = entry_of(guard, key)
    guard.require("read", resource_of(entry))
    violation = shown(guard, entry)
    rule = rules_of(guard.workspace).get(entry.rule)
    shared, sides = side_by_side(readable(violation.evidence or {}), rule.sides if rule else {})
    actions = acting.open_actions_by_violation(guard.workspace, [entry.key]).get(entry.key, [])
    return page(request, "violation.html", violation=violation, shared=shared, sides=sides, days=DAYS,
                episodes=entry.episodes, description=rule.description if rule else "",
                actions=[row for row in actions if guard.may("read", action(row))],
                integrations=sorted(integrations_of(guard.workspace, entry.rule)),
                may_acknowledge=guard.may("acknowledge", resource_of(entry)))  # fmt: skip


@router.post("/violations/{key}/acknowledge")
def acknowledge(guard: AsGuard, key: str, form: AsForm) -> Response:
    """Acknowledge it, for a number of days."""
    entry = entry_of(guard, key)
    guard.require("acknowledge", resource_of(entry))
    note, days = form.get("note", ""), form.get("days", "")
    if not note or days not in map(str, DAYS):
        raise Problem(422, "invalid", "an acknowledgement needs a reason and a number of days", "go back and write it")
    until = datetime.now(UTC) + timedelta(days=int(days))
    acknowledge_violation(guard, key, Acknowledgement(until=until, note=note[:2000]))
    return RedirectResponse(f"/violations/{entry.key}?done=acknowledged", 303, HEADERS)


def side_by_side(
    evidence: Mapping[str, Any], sides: Mapping[str, Sequence[str]]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return what evidence has in common, and the values of each side, which may be null there."""
    of_a_side = {column for columns in sides.values() for column in columns}
    shared = {name: value for name, value in evidence.items() if name not in of_a_side and value is not None}
    listed = {side: {name: evidence[name] for name in columns if name in evidence} for side, columns in sides.items()}
    return shared, {side: values for side, values in listed.items() if values}
