"""A collection in pages, in the style that the query asks for.

``?page=`` and ``per_page``: numbers from 1. ``?offset=`` and ``limit``. ``?cursor=`` and ``limit``: the next cursor is
in the body; it is the id of the last record, so that what is deleted meanwhile moves nothing. In every style the next
page is also told as ``next`` in the body, as ``Link`` and as ``X-Next-Page``. ``?updated_since=`` and
``order=updated_at`` restrict.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from tests.servers.api_server.state import Record, State


def page_of(
    state: State, path: str, records: list[Record], query: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the body and the headers of a page."""
    matching = _wanted(records, query)
    size = int(query.get("per_page") or query.get("limit") or state.page_size)
    page = int(query.get("page") or 1)
    start = int(query.get("offset") or (page - 1) * size)
    if query.get("cursor"):
        order = [str(record["id"]) for record in matching]
        start = order.index(query["cursor"]) + 1 if query["cursor"] in order else len(order)
    shown = matching[start : start + size]
    more = start + size < len(matching)
    body: dict[str, Any] = {"data": shown, "total": len(matching), "has_more": more, "next_cursor": None, "next": None}
    headers: dict[str, str] = {}
    if more:
        style = {"offset": start + size} if "offset" in query else {"page": page + 1}
        if "cursor" in query or ("limit" in query and "offset" not in query):
            style = {"cursor": shown[-1]["id"]}
        body["next_cursor"] = str(shown[-1]["id"])
        passed_on = {
            name: value for name, value in query.items() if name not in ("page", "offset", "cursor", "api_key")
        }
        body["next"] = f"{path}?{urlencode({**passed_on, **style})}"
        headers = {"Link": f'<{path}?{urlencode({**passed_on, **style})}>; rel="next"', "X-Next-Page": str(page + 1)}
    return body, headers


def _wanted(records: list[Record], query: Mapping[str, str]) -> list[Record]:
    since = query.get("updated_since")
    matching = [record for record in records if not since or str(record.get("updated_at") or "") >= since]
    if query.get("order"):
        matching = sorted(matching, key=lambda record: (str(record.get(query["order"]) or ""), str(record["id"])))
    return matching
