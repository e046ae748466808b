"""Templates to HTML: times in the reader's zone, states as badges, and headers that let only leat's own files run."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from leat.runs.access import Principal, Resource
from leat.runs.workspace import Workspace
from leat.serve.dagster_ui.rights import UI
from leat.serve.pages.units import words
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
_TONES = {
    "good": (
        "ok",
        "accepted",
        "enabled",
        "active",
        "loaded",
        "nothing_new",
        "fresh",
        "confirmed",
        "done",
        "resolved",
        "published",
        "on",
        "sent",
    ),
    "bad": ("failed", "error", "stale", "blocked", "diverged", "interrupted", "withheld"),
    "warn": (
        "warn",
        "flapping",
        "asking",
        "unknown",
        "held",
        "busy",
        "quarantined",
        "never",
        "paused",
        "retrying",
        "failing",
    ),
    "wait": ("planned", "approved", "sending", "queued", "running", "open", "waiting"),
}
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)")


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
    environment.filters |= {
        "when": _when,
        "ago": _ago,
        "badge": badge,
        "plain": plain,
        "number": lambda value: f"{value:,}",
        "words": words,
        "sentence": lambda text: text[:1].upper() + text[1:],
        "seconds": _seconds,
        "count": count,
        "query": _query,
    }
    environment.globals |= {"assets": asset_names(), "path_of": lambda name: name}
    return environment


@pass_context
def _when(context: Context, at: datetime | None) -> Markup:
    """Return a time in the reader's zone, with UTC in its title."""
    if at is None:
        return Markup("<span class=none>–</span>")
    local = at.astimezone(context["zone"])
    same_year = local.year == context["now"].astimezone(context["zone"]).year
    text = f"{local.day} {local:%b %H:%M}" if same_year else f"{local.day} {local:%b %Y %H:%M}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        at.astimezone(UTC).isoformat(timespec="seconds"), f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC", text
    )


@pass_context
def _ago(context: Context, at: datetime | None) -> Markup:
    """Return how long ago a time is, or how far ahead, with UTC in its title."""
    if at is None:
        return Markup("<span class=none>never</span>")
    seconds = (context["now"] - at).total_seconds()
    text = "just now"
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        amount = int(abs(seconds) // size)
        if amount:
            text = f"{amount} {unit}{'' if amount == 1 else 's'}"
            text = f"{text} ago" if seconds > 0 else f"in {text}"
            break
    return Markup('<time data-ago datetime="{}" title="{}">{}</time>').format(
        at.astimezone(UTC).isoformat(timespec="seconds"), f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC", text
    )


def badge(state: str | None) -> Markup:
    """Return a state as a badge; its colour only repeats what its text says."""
    state = state or "never"
    tone = next((tone for tone, states in _TONES.items() if state in states), "quiet")
    return Markup('<span class="badge {}">{}</span>').format(
        tone, {"warn": "warning"}.get(state, state.replace("_", " "))
    )


@pass_context
def plain(context: Context, value: Any) -> Any:
    """Return a value of a row as a person reads it."""
    if value is None:
        return Markup("<span class=none>nothing</span>")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if is_time(value):
        return _when(context, datetime.fromisoformat(value))
    if isinstance(value, datetime):
        return _when(context, value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value


def is_time(value: Any) -> bool:
    """Return whether a value is the text of a time with its zone."""
    return isinstance(value, str) and _ISO.fullmatch(value) is not None


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    minutes, seconds = divmod(value, 60)
    return f"{int(minutes)} min {int(seconds)} s" if minutes else f"{seconds:.1f} s"


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


@pass_context
def _query(context: Context, changed: Mapping[str, Any]) -> str:
    """Return the query of this page's address with some values changed; empty ones are left out."""
    merged = {**context["request"].query_params, **{name: str(value) for name, value in changed.items()}}
    return "?" + urlencode({name: value for name, value in merged.items() if value and name != "done"})
