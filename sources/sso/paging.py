"""A listing of SCIM resources, page by page, that believes nothing of what the server says about its pages.

RFC 7644, 3.4.2.4 has ``startIndex``, ``count``, ``itemsPerPage`` and ``totalResults``. Servers leave them out, count
wrongly, ignore ``startIndex`` or fail on ``count``. So the next page begins after what came, whatever was promised; the
listing ends where a page brings nothing new; and it is complete only when nothing says otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sources.errors import UnexpectedShape
from sources.sso.access import Access

MAX_PAGES = 100_000


@dataclass(frozen=True, slots=True)
class Ended:
    """How a listing ended.

    Attributes:
        count: how many different resources came.
        repeated: how many came again.
        complete: whether nothing says that there is more, or that it changed meanwhile.
    """

    count: int
    repeated: int
    complete: bool


def list_resources(
    access: Access, path: str, page_size: int | None, condition: str | None = None
) -> Generator[Any, None, Ended]:
    """Yield each resource of a listing once, as the server gave it; returns how it ended.

    Args:
        access: the service.
        path: ``Users`` or ``Groups``.
        page_size: ``count`` to ask for; None to leave it to the server.
        condition: ``filter`` to ask for.

    Raises:
        UnexpectedShape: a page isn't a ListResponse, or the pages go in a circle.
    """
    seen: set[bytes] = set()
    start, repeated = 1, 0
    totals: list[int] = []
    for _ in range(MAX_PAGES):
        params = {"startIndex": start if start > 1 else None, "count": page_size, "filter": condition}
        page, total = _page(access, path, params)
        totals += [] if total is None else [total]
        before = len(seen)
        for resource in page:
            key = _identity(resource)
            if key not in seen:
                seen.add(key)
                yield resource
        repeated += len(page) - (len(seen) - before)
        start += len(page)
        if len(seen) == before:
            more = bool(totals) and totals[-1] > len(seen)
            if page and more:
                got = f"the same {len(page)} again from startIndex={start - len(page)} on, of {totals[-1]}"
                raise _wrong(access, path, got)
            return Ended(len(seen), repeated, not more and len(set(totals)) < 2)
    raise _wrong(access, path, f"more than {MAX_PAGES} pages")


def _page(access: Access, path: str, params: dict[str, Any]) -> tuple[list[Any], int | None]:
    answer = {name.lower(): value for name, value in access.read(path, params).items()}
    resources, total = answer.get("resources"), answer.get("totalresults")
    known = isinstance(total, int) and not isinstance(total, bool)
    if resources is None and known:  # RFC 7644, 3.4.2: left out when there is none
        resources = []
    if not isinstance(resources, list):
        raise _wrong(access, path, "JSON that is no list of resources")
    return resources, total if known else None


def _identity(resource: Any) -> bytes:
    """Return what tells one resource from another: its id; all of it when it has none."""
    name = resource.get("id") if isinstance(resource, dict) else None
    return sha256((f"id:{name}" if isinstance(name, str) else json.dumps(resource, sort_keys=True)).encode()).digest()


def _wrong(access: Access, path: str, got: str) -> UnexpectedShape:
    return UnexpectedShape(access.client.integration, f"GET {path}", got, access.client.advice.shape)
