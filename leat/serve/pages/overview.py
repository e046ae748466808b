"""The overview: whether today's numbers can be trusted, and what waits for the reader."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from leat.runs.access import Resource, action
from leat.runs.status import IntegrationStatus, Status
from leat.serve.api.guard import AsGuard, Guard
from leat.serve.api.integrations import status_of
from leat.serve.pages.actions import rows_of
from leat.serve.pages.charts import Point, bars
from leat.serve.pages.filters import count
from leat.serve.pages.render import page
from leat.serve.pages.route import PageRoute
from leat.serve.pages.rules import integrations_of
from leat.serve.pages.units import words
from leat.serve.pages.violations import Filters, filtered

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Tile:
    """A number that leads to its evidence.

    Attributes:
        label: what is counted.
        value: the number, or a word.
        detail: a few words more.
        tone: good, warn or bad.
        reason: why its tone isn't good, as a part of a sentence.
        at: the page with the evidence.
    """

    label: str
    value: str
    detail: str
    tone: str
    at: str
    reason: str = ""


@router.get("/")
def show_overview(guard: AsGuard, request: Request) -> Response:
    """Show it."""
    guard.require("read", Resource("overview"))
    status = status_of(guard)
    listed = [one for one in status.integrations if may_read(guard, one)]
    violations = [each for each in filtered(guard, Filters()) if each.state != "acknowledged"]
    waiting = [row for row in rows_of(guard, "waiting") if guard.may("approve", action(row))]
    by_integration = Counter(name for each in violations for name in integrations_of(guard.workspace, each.rule))
    errors = sum(each.severity == "error" for each in violations)
    tiles = _tiles(status, listed, len(violations), errors, len(waiting))
    rules = Counter(each.rule for each in violations).most_common(8)
    titles = {each.rule: each.title for each in violations}
    chart = bars(
        "Rules with the most open violations",
        [Point(titles[rule], count, f"{count:,}", f"/violations?rule={rule}") for rule, count in rules],
    )
    return page(request, "overview.html", verdict=verdict(tiles), tiles=tiles, integrations=listed,
                freshness={one.integration: freshness(one) for one in listed}, by_integration=by_integration,
                waiting=waiting[:5], chart=chart, withheld=status.withheld,
                may_add=guard.may("configure", Resource("integration")))  # fmt: skip


def may_read(guard: Guard, one: IntegrationStatus) -> bool:
    """Return whether a caller may see an integration."""
    return guard.may("read", Resource("integration", one.integration, integration=one.integration))


def freshness(one: IntegrationStatus) -> str:
    """Return how fresh an integration is: fresh, stale, never loaded, or no age limit is declared."""
    declared = [stream.fresh for stream in one.streams if stream.fresh is not None]
    if one.last_run is None or all(stream.rows is None for stream in one.streams):
        return "never"
    if "no" in declared:
        return "stale"
    return "fresh" if declared else "no age limit"


def verdict(tiles: list[Tile]) -> tuple[str, str, str]:
    """Return the tone, the answer and the reasons: the worst tile decides."""
    reasons = [tile.reason for tile in tiles if tile.tone == "bad"]
    cares = [tile.reason for tile in tiles if tile.tone == "warn"]
    if reasons:
        return "bad", "Not all of them.", "; ".join(reasons)
    if cares:
        return "warn", "Mostly, with care.", "; ".join(cares)
    return "good", "Yes.", "everything was loaded in time, and no rule is violated"


def _tiles(status: Status, listed: list[IntegrationStatus], violations: int, errors: int, waiting: int) -> list[Tile]:
    states = Counter(freshness(one) for one in listed)
    late = states["stale"] + states["never"]
    fine = len(listed) - late
    failed = [one.integration for one in listed if one.last_status in ("failed", "blocked")]
    worst = count(errors, "of them is an error", "of them are errors") if errors else "none of them is an error"
    return [
        Tile("Freshness", f"{fine} of {len(listed)}",
             "integrations are up to date" if not late else f"{late} late or never loaded",
             "bad" if states["stale"] else "warn" if late else "good", "/integrations",
             f"{count(late, 'integration is', 'integrations are')} late or never loaded"),
        Tile("Last runs", f"{len(failed)} failed" if failed else "all ok",
             ", ".join(map(words, failed[:3])) if failed else "no integration failed last",
             "bad" if failed else "good", "/integrations",
             f"the last run of {', '.join(map(words, failed[:3]))} failed"),
        Tile("Violations", f"{violations:,}", f"{count(errors, 'error')} among them" if errors else
             "open, none is an error" if violations else "no differences between systems",
             "bad" if errors else "warn" if violations else "good", "/violations",
             f"{count(violations, 'violation is', 'violations are')} open, {worst}"),
        _readers(status, loaded=states["never"] < len(listed)),
        Tile("Waits for you", f"{waiting:,}", "to approve or reject" if waiting else "nothing to decide",
             "quiet", "/actions?view=waiting"),
    ]  # fmt: skip


def _readers(status: Status, *, loaded: bool) -> Tile:
    if not loaded:
        return Tile("For readers", "nothing", "nothing was loaded yet", "warn", "/integrations",
                    "nothing was loaded yet")  # fmt: skip
    if status.withheld:
        return Tile("For readers", "withheld", "the newest version waits for its checks", "warn", "/runs",
                    "readers see an older version, because checks of the newest one failed")  # fmt: skip
    return Tile("For readers", "published", "readers see the newest version", "good", "/runs")
