"""What is asked of an endpoint: the request of its first page, for all rows or for one row of its parent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote, unquote

from leat.sources.http.request import HttpRequest
from leat.sources.json_path import parse_path
from leat.sources.rest_api.declaration.endpoint import Endpoint
from leat.sources.rest_api.declaration.formats import ACCEPT
from leat.sources.rest_api.declaration.paging_styles import Paged

PLACEHOLDER = re.compile(r"\{(\w+)\}")
_SIZE = re.compile(
    r"(per|max|page)?(page|results?|records?|items|limit|size|count|rows|top|take|max|first)(size|limit)?"
)
_NO_SIZE = frozenset({"page", "results", "result", "records", "record", "items", "first"})


class NoSegment(ValueError):
    """A value can't be a part of the path: the server would be asked for something else."""


def first_request(endpoint: Endpoint, filled: Mapping[str, Any]) -> HttpRequest:
    """Return the request of the first page.

    Args:
        endpoint: the declaration.
        filled: values of the placeholders; in a path they are quoted, so that none can lead elsewhere. Those of
            ``since`` and ``until`` also go into the parameters that are declared for them.

    Raises:
        NoSegment: a part of the path would be empty or made of dots.
    """
    ask = HttpRequest(
        path_of(endpoint.path, filled),
        endpoint.method,
        headers={**_accept(endpoint), **{name: text_of(fill(v, filled)) for name, v in endpoint.headers.items()}},
        json=fill(endpoint.body or {}, filled) if endpoint.method == "POST" else None,
        template=f"/{endpoint.path.lstrip('/')}",
        repeatable=True,
        exact=True,
    )
    ask = with_params(endpoint, ask, {name: fill(value, filled) for name, value in endpoint.params.items()})
    incremental = endpoint.incremental
    bounds = {} if incremental is None else {incremental.param: "since", incremental.until_param: "until"}
    return with_params(endpoint, ask, {p: filled[name] for p, name in bounds.items() if p and name in filled})


def clock(now: datetime) -> dict[str, Any]:
    """Return the placeholders that every request can use: ``today`` and ``now``, in UTC."""
    return {"today": now.astimezone(UTC).date(), "now": now.replace(microsecond=0)}


def _accept(endpoint: Endpoint) -> dict[str, str]:
    kind = endpoint.format.kind
    return {} if kind == "json" else {"Accept": ACCEPT[kind]}


def with_params(endpoint: Endpoint, ask: HttpRequest, params: Mapping[str, Any]) -> HttpRequest:
    """Return a request with more parameters: in the query, or in the body of a POST, where a name is a path."""
    if ask.method != "POST" or endpoint.params_in == "query":
        texts = {name: text_of(value) if isinstance(value, bool) else value for name, value in params.items()}
        return replace(ask, params={**dict(ask.pairs()), **texts})
    body = ask.json
    for name, value in params.items():
        body = _put(body, tuple(map(str, parse_path(name))), value)
    return replace(ask, json=body)


def with_size(endpoint: Endpoint, ask: HttpRequest) -> HttpRequest:
    """Return a request that asks for pages of the declared size."""
    paging = endpoint.paging
    if isinstance(paging, Paged) and paging.size_param and paging.size:
        return with_params(endpoint, ask, {paging.size_param: paging.size})
    return ask


def asked_size(endpoint: Endpoint, ask: HttpRequest) -> tuple[str | None, int | None]:
    """Return the parameter for the number of records per page, declared or recognised by its name, and its value."""
    size, name = getattr(endpoint.paging, "size", None), getattr(endpoint.paging, "size_param", None)
    if size is not None:
        return name, int(size)
    given = [*ask.pairs(), *(ask.json.items() if isinstance(ask.json, dict) else ())]
    for param, value in given:
        word = re.sub(r"[^a-z]", "", str(param).lower())
        if _SIZE.fullmatch(word) and word not in _NO_SIZE and re.fullmatch(r"[1-9]\d{0,8}", str(value)):
            return str(param), int(value)
    return None, None


def fill(value: Any, filled: Mapping[str, Any]) -> Any:
    """Return a declared value with its placeholders filled; one that is only a placeholder has the value's type."""
    if isinstance(value, Mapping):
        return {name: fill(inner, filled) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [fill(inner, filled) for inner in value]
    if not isinstance(value, str):
        return value
    alone = PLACEHOLDER.fullmatch(value)
    if alone and alone[1] in filled:
        return filled[alone[1]] if isinstance(filled[alone[1]], bool | int | float) else text_of(filled[alone[1]])
    return PLACEHOLDER.sub(lambda match: text_of(filled[match[1]]) if match[1] in filled else match[0], value)


def text_of(value: Any) -> str:
    """Return a value of a row as it is written in a URL."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value.tzinfo else value.isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)


def path_of(path: str, filled: Mapping[str, Any]) -> str:
    """Return a declared path with its placeholders filled; values are quoted, so that none can lead elsewhere.

    Raises:
        NoSegment: a part of it would be empty or made of dots.
    """
    return "/".join(_segment(part, filled) for part in path.lstrip("/").split("/"))


def _segment(part: str, filled: Mapping[str, Any]) -> str:
    """Return one segment of a path with its placeholders filled.

    Raises:
        NoSegment: it would be empty, ``.`` or ``..``, however it is escaped, which means another path.
    """
    made = PLACEHOLDER.sub(lambda match: quote(text_of(filled[match[1]]), safe=""), part)
    if made != part:
        plain = made
        for _ in range(4):
            plain = unquote(plain)
        if plain.partition(";")[0].strip("\\/ \t\r\n\0") in ("", ".", ".."):
            holes = ", ".join(f"{{{name}}}" for name in PLACEHOLDER.findall(part))
            msg = f"{holes} in the path would be empty or made of dots alone, which leads to another path"
            raise NoSegment(msg)
    return made


def _put(value: Any, path: tuple[str, ...], inner: Any) -> Any:
    """Return a body with a value at a path; objects that aren't there are made."""
    if not path:
        return inner
    if isinstance(value, list) and path[0].isdigit() and int(path[0]) < len(value):
        at = int(path[0])
        return [*value[:at], _put(value[at], path[1:], inner), *value[at + 1 :]]
    held = value if isinstance(value, dict) else {}
    return {**held, path[0]: _put(held.get(path[0]), path[1:], inner)}
