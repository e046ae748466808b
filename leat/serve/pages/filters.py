"""Filters of the templates: times in the reader's zone, states as badges, numbers with their nouns."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from leat.serve.pages.units import words

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


FILTERS: Mapping[str, Callable[..., Any]] = {
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
"""Those of all templates, by name."""
