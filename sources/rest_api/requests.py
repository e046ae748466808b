"""What is asked of an endpoint: the request of its first page, for all rows or for one row of its parent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote

from sources.rest_api.declared import Endpoint
from sources.web.ask import Ask

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def first_request(endpoint: Endpoint, filled: Mapping[str, Any], since: str | None) -> Ask:
    """Return the request of the first page.

    Args:
        endpoint: the declaration.
        filled: values of the placeholders; in a path they are quoted, so that none can lead elsewhere.
        since: value of the incremental parameter; None for everything.
    """
    path = _PLACEHOLDER.sub(lambda found: quote(text_of(filled[found[1]]), safe=""), endpoint.path)
    params = {name: _filled(value, filled) for name, value in endpoint.params.items()}
    if endpoint.incremental is not None and since is not None:
        params[endpoint.incremental.param] = since
    posted = endpoint.method == "POST"
    ask = Ask(path.lstrip("/"), endpoint.method, template=f"/{endpoint.path.lstrip('/')}", repeatable=True)
    if posted:
        return replace(ask, json={**(endpoint.body or {}), **params})
    return replace(ask, params=params)


def with_params(ask: Ask, params: Mapping[str, Any]) -> Ask:
    """Return a request with more parameters: in the body of a POST, in the query of a GET."""
    if ask.method == "POST":
        return replace(ask, json={**ask.json, **params})
    return replace(ask, params={**dict(ask.pairs()), **params})


def _filled(value: Any, filled: Mapping[str, Any]) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return _PLACEHOLDER.sub(lambda found: text_of(filled[found[1]]), value) if isinstance(value, str) else value


def text_of(value: Any) -> str:
    """Return a value of a row as it is written in a URL."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value.tzinfo else value.isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)
