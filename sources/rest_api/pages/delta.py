"""Changes by a token that the API gives with the last page of a list: delta links, sync tokens, cursors of exports."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from leat.sources.errors import UnexpectedShape
from leat.sources.events import Delete, Event
from leat.sources.http.request import HttpRequest
from leat.sources.json_path import parse_path, value_at
from leat.sources.rest_api.answers.page import Page
from leat.sources.rest_api.answers.shapes import joined
from leat.sources.rest_api.declaration.endpoint import Delta, Endpoint
from leat.sources.rest_api.pages.paging import Listing
from leat.sources.rest_api.pages.requests import with_params

_REFRESH = timedelta(days=1)
"""After this long a new token is taken although nothing has changed: tokens get too old."""


@dataclass(slots=True)
class Removed:
    """Takes the records out of pages that say that something is gone.

    Attributes:
        endpoint: the declaration.
        gone: keys whose last record says so.
    """

    endpoint: Endpoint
    gone: dict[str, dict[str, Any]] = field(default_factory=dict)

    def without(self, page: Page) -> Page:
        """Return a page without those records."""
        delta = self.endpoint.delta
        if delta is None or delta.removed is None:
            return page
        path, live = parse_path(delta.removed), []
        for item in page.items:
            record = _parsed(bytes(item))
            key = {name: value_at(record, self.endpoint.where(name)) for name in self.endpoint.key}
            key = {name: value for name, value in key.items() if self.endpoint.columns[name].parent is None}
            mark = value_at(record, path)
            gone = mark not in (None, False) if delta.removed_is is None else str(mark) == delta.removed_is
            self.gone.pop(json.dumps(key, default=str), None)
            if gone:
                self.gone[json.dumps(key, default=str)] = key
            else:
                live.append(item)
        return replace(page, records=joined(live), items=live) if len(live) < page.count else page

    def deletes(self, name: str, scope: Mapping[str, Any]) -> Iterator[Event]:
        """Yield that the records are gone; after all rows."""
        for key in self.gone.values():
            if None not in key.values():
                yield Delete(name, {**key, **{n: v for n, v in scope.items() if n in self.endpoint.key}})


def first_of(endpoint: Endpoint, ask: HttpRequest, token: Any) -> HttpRequest:
    """Return the first request: for everything, or for what has changed since a token was given."""
    delta = endpoint.delta
    if delta is None:
        return ask
    if token is None:
        return with_params(endpoint, ask, delta.start)
    if delta.param is not None:
        return with_params(endpoint, ask, {delta.param: token})
    return replace(ask, path=str(token), params=())


def token_state(
    delta: Delta, listing: Listing, before: Mapping[str, Any], now: datetime, news: bool
) -> Mapping[str, Any]:
    """Return what the cursor holds for the next run; as before where nothing has changed, for a while.

    Raises:
        UnexpectedShape: the last page has no token.
    """
    at = before.get("token_at")
    if not news and at is not None and now - datetime.fromisoformat(at) < _REFRESH:
        return {"token": before["token"], "token_at": at}
    token = value_at(listing.last.rest, parse_path(delta.field)) if listing.last else None
    if not isinstance(token, str | int) or isinstance(token, bool) or token == "":
        asked = listing.last.asked if listing.last else "listing"
        got = f"page {listing.pages}, the last, has no {delta.field}"
        raise UnexpectedShape(listing.client.integration, asked, got, "correct delta.field")
    return {"token": token, "token_at": now.isoformat()}


def _parsed(item: bytes) -> Any:
    try:
        return json.loads(item)
    except (ValueError, RecursionError):
        return None
