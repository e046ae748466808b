"""Preferences of a browser: the zone of times, and light or dark."""

from __future__ import annotations

from zoneinfo import available_timezones

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from leat.runs.access import Resource
from leat.serve.api.guard import AsGuard, Guard
from leat.serve.pages.form import AsForm
from leat.serve.pages.render import HEADERS, THEMES, find_zone, page
from leat.serve.pages.route import PageRoute
from leat.serve.problem import Problem
from leat.serve.session import cookie_name, cookie_of, is_secure

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_YEAR = 31_536_000


@router.get("/preferences")
def show_preferences(guard: AsGuard, request: Request) -> Response:
    """Show them."""
    _require(guard)
    chosen = cookie_of(request, "leat_zone")
    return page(request, "preferences.html", zones=sorted(available_timezones()), chosen=chosen, themes=THEMES)


@router.post("/preferences")
def save_preferences(guard: AsGuard, request: Request, form: AsForm) -> Response:
    """Store them in cookies of this browser."""
    _require(guard)
    zone, theme = form.get("zone", ""), form.get("theme", "auto")
    if (zone and find_zone(zone) is None) or theme not in THEMES:
        raise Problem(422, "invalid", f"there is no zone {zone}", "choose one of the list, such as Europe/Berlin")
    response = RedirectResponse("/preferences?done=saved", 303, HEADERS)
    for name, value in (("leat_zone", zone), ("leat_theme", theme)):
        response.set_cookie(
            cookie_name(request, name), value, _YEAR if value else 0, path="/", secure=is_secure(request),
            httponly=True, samesite="lax",
        )  # fmt: skip
    return response


def _require(guard: Guard) -> None:
    guard.require("read", Resource("person", guard.principal.person, owner=guard.principal.person))
