"""Templates to HTML: pages and parts of them, the menu, and headers that let only leat's own files run."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from leat.runs.access import Principal, Resource
from leat.runs.workspace import Workspace
from leat.serve.dagster_ui.rights import UI
from leat.serve.pages.filters import FILTERS
from leat.serve.session import cookie_of

_HERE = Path(__file__).parent
ASSETS = _HERE / "assets"
THEMES = ("auto", "light", "dark")
PER_PAGE = 50

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'",
    "referrer-policy": "same-origin",  # with no-referrer, browsers send forms with the Origin `null`
}

_MENU: Sequence[tuple[str, str, Resource]] = (
    ("/", "Overview", Resource("overview")),
    ("/reports", "Reports", Resource("report")),
    ("/query", "Query", Resource("query")),
    ("/catalog", "Catalog", Resource("catalog")),
    ("/violations", "Violations", Resource("violation")),
    ("/actions", "Actions", Resource("action")),
    ("/integrations", "Integrations", Resource("overview")),
    ("/runs", "Runs", Resource("overview")),
    ("/webhooks", "Webhooks", Resource("hook")),
    ("/dagster/", "Dagster", UI),
    ("/people", "People", Resource("person")),
    ("/audit", "Audit", Resource("audit")),
)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a long list.

    Attributes:
        items: what is shown.
        total: how many there are.
        number: which part, from 1.
        parts: how many parts there are.
    """

    items: Sequence[Any]
    total: int
    number: int
    parts: int


def part_of(items: Sequence[Any], number: int) -> Part:
    """Return a part of a list; the last one for numbers beyond."""
    parts = max(1, math.ceil(len(items) / PER_PAGE))
    number = min(max(1, number), parts)
    return Part(items[(number - 1) * PER_PAGE : number * PER_PAGE], len(items), number, parts)


def zone_of(request: Request) -> ZoneInfo:
    """Return the reader's zone: the one they chose, that of their browser, or UTC."""
    for name in ("leat_zone", "leat_browser_zone"):
        zone = find_zone(cookie_of(request, name))
        if zone is not None:
            return zone
    return ZoneInfo("UTC")


def find_zone(name: str) -> ZoneInfo | None:
    """Return a zone by its name; None if there is none."""
    try:
        return ZoneInfo(name) if re.fullmatch(r"[A-Za-z0-9_+/-]{2,64}", name) else None
    except (ValueError, OSError):  # not there, or a folder
        return None


def page(request: Request, template: str, status: int = 200, /, **values: Any) -> Response:
    """Render a page."""
    return HTMLResponse(fragment(request, template, **values), status, HEADERS)


def fragment(request: Request, template: str, /, **values: Any) -> str:
    """Render a template to text."""
    guard = getattr(request.state, "guard", None)
    theme = cookie_of(request, "leat_theme") or "auto"
    context = {
        "request": request,
        "path": request.url.path,
        "zone": zone_of(request),
        "zone_chosen": find_zone(cookie_of(request, "leat_zone")) is not None,
        "theme": theme if theme in THEMES else "auto",
        "principal": guard and guard.principal,
        "menu": menu_of(guard.workspace, guard.principal) if guard else (),
        "now": datetime.now(UTC),
        **values,
    }
    return _environment().get_template(template).render(context)


def menu_of(workspace: Workspace, principal: Principal) -> list[tuple[str, str]]:
    """Return the address and the title of each page that somebody may see."""
    return [(at, title) for at, title, on in _MENU if workspace.gate.decide(principal, on, "read").allowed]


def asset_names() -> Mapping[str, str]:
    """Return the name of each file with the hash of its content, by the name of the file."""
    return _assets()


@lru_cache(maxsize=1)
def _assets() -> dict[str, str]:
    named = {}
    for path in sorted(ASSETS.glob("*.*")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        named[path.name] = f"/assets/{digest}/{path.name}"
    return named


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    environment.globals |= {"assets": asset_names(), "path_of": lambda name: name}
    return environment
