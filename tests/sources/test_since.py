"""Reading from a date on: each driver that can asks for no more than that, and leaves its cursor to others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sources.events import Rows
from sources.rest_api.http import Connection, extract, since_streams
from tests.sources.rest_answers import Asked, answering

SINCE = datetime(2026, 5, 1, tzinfo=UTC)
_ORDERS: dict[str, Any] = {
    "path": "orders",
    "key": "id",
    "columns": {"id": "integer", "changed": "timestamp"},
    "incremental": {"column": "changed", "param": "since"},
}
_LINES = {
    "path": "orders/{o}/lines",
    "parent": {"endpoint": "orders", "values": {"o": "id"}},
    "key": ["order", "id"],
    "columns": {"id": "integer", "order": {"type": "integer", "parent": "id"}},
}
_TAGS = {"path": "tags", "key": "id", "columns": {"id": "integer"}}


@pytest.mark.parametrize(
    ("changed", "asked"),
    [
        ({"type": "timestamp"}, "2026-05-01T00:00:00Z"),
        ({"type": "timestamp", "unix": "s"}, "1777593600"),
        ({"type": "date"}, "2026-05-01"),
    ],
)
def test_an_api_is_asked_from_the_date_on(tmp_path: Path, changed: dict[str, Any], asked: str) -> None:
    written = {"timestamp": "2026-06-01T00:00:00Z", "date": "2026-06-01"}[changed["type"]]
    value = 1780272000 if "unix" in changed else written

    def answer(request: Asked) -> Any:
        return [{"id": 1}] if request.path.endswith("/lines") else [{"id": 7, "changed": value}]

    with answering() as server:
        server.answer = answer
        orders = {**_ORDERS, "columns": {**_ORDERS["columns"], "changed": changed}}
        reader = server.reader(tmp_path, {"orders": orders, "lines": _LINES, "tags": _TAGS})
        connection = reader.connection()
        events = list(extract(connection, replace(reader.sync(), since=SINCE)))
        assert [(each.path, each.query.get("since")) for each in server.asked] == [
            ("/orders", asked), ("/orders/7/lines", None),
        ]  # fmt: skip
    assert since_streams(connection) == {"orders", "lines"}
    assert {event.stream: event.table.num_rows for event in events if isinstance(event, Rows)} == {
        "orders": 1,
        "lines": 1,
    }


def test_lists_that_grow_by_numbers_have_no_dates() -> None:
    orders = {**_ORDERS, "columns": {"id": "integer", "changed": "integer"}}
    assert (
        since_streams(Connection.model_validate({"url": "http://x/", "endpoints": {"orders": orders}})) == frozenset()
    )
