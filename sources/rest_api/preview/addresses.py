"""From addresses of lists, as people copy them from a browser or a manual, to endpoints without columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from leat.sources.http.address import is_absolute, origin, url_problem

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


def endpoints_of(url: str, lists: Sequence[str]) -> tuple[str, dict[str, dict[str, Any]]]:
    """Return the address of an API, and an endpoint for each list: its path and the parameters of its query.

    Args:
        url: address of the API; of one list, if no lists are named.
        lists: paths below the address, or whole addresses of the same server.

    Raises:
        ValueError: one of them is no address, or is on another server; the text says which.
    """
    url, listed = url.strip(), [each.strip() for each in lists if each.strip()]
    problem = url_problem(url)
    if problem is not None:
        raise ValueError(problem)
    if not listed:
        listed, path = [url], url.partition("?")[0].rstrip("/")
        url = f"{path.rpartition('/')[0]}/"
        if not urlsplit(path).path:
            msg = "name a list, or give the address of one, such as https://host/v1/orders"
            raise ValueError(msg)
    endpoints: dict[str, dict[str, Any]] = {}
    for each in listed:
        path, _, query = _below(url, each).partition("?")
        endpoint: dict[str, Any] = {"path": path}
        params: dict[str, Any] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            before = params.get(name)
            params[name] = value if before is None else [*(before if isinstance(before, list) else [before]), value]
        if params:
            endpoint["params"] = params
        endpoints[_name(path, endpoints)] = endpoint
    return url, endpoints


def _below(url: str, path: str) -> str:
    """Return a path and its query, relative to the address of the API where it is below that."""
    if not is_absolute(path):
        return path
    problem = url_problem(path)
    if problem is not None:
        msg = f"{path}: {problem}"
        raise ValueError(msg)
    if origin(path) != origin(url):
        msg = f"{path}: it is on another server than {url}; add that one as a system of its own"
        raise ValueError(msg)
    top, parts = urlsplit(url).path.rstrip("/") + "/", urlsplit(path)
    relative = parts.path.removeprefix(top) if parts.path.startswith(top) else parts.path
    return f"{relative}?{parts.query}" if parts.query else relative


def _name(path: str, taken: dict[str, Any]) -> str:
    """Return a name for the stream: the last part of the path that can be one."""
    for part in reversed(unquote(path).split("/")):
        word = re.sub(r"[^a-z0-9]+", "_", part.partition(".")[0].lower()).strip("_")[:38]
        if _NAME.fullmatch(word):
            break
    else:
        word = "records"
    return next(name for name in (word, *(f"{word}_{number}" for number in range(2, 1000))) if name not in taken)
