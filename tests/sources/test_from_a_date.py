"""Reading from a date on: each driver that can asks for no more than that, and leaves its cursor to others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from leat.sources.driver import Sync
from leat.sources.events import Rows
from leat.sources.payments.stripe import driver as stripe
from leat.sources.rest_api.http.driver import Connection, extract, since_streams
from leat.sources.sso.scim import driver as scim
from tests.sources.payments_tables import opened, pay
from tests.sources.rest_answers import Asked, answering
from tests.sources.scim_fake import Fake, serving

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


def test_stripe_is_asked_for_what_was_made_since(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path, monkeypatch) as tables:
        for number, month in enumerate((1, 5, 6)):
            tables.now = datetime(2026, month, 2, tzinfo=UTC)
            pay(tables, number)
        events = list(stripe.extract(tables.connection, replace(tables.sync(), since=SINCE)))
    assert rows_of(events, "charges", "id") == {"ch_1", "ch_2"}
    assert {type(event) for event in events} == {Rows}
    assert not {"balance_transactions", "payouts", "events"} & set(tables.asked())


def test_scim_is_asked_by_last_modified(tmp_path: Path) -> None:
    with serving(Fake(filters=True, honours=True)) as fake:
        fake.user("ada", at="2026-03-01T00:00:00Z")
        fake.user("bob", at="2026-06-01T00:00:00Z")
        fake.group("admins", "id-ada", "id-bob", at="2026-06-01T00:00:00Z")
        connection = scim.Connection.model_validate({"url": f"{fake.url}/scim"})
        streams = scim.since_streams(connection)
        sync = Sync("sso", streams, None, tmp_path, tmp_path, datetime.now(UTC), since=SINCE)
        events = list(scim.extract(connection, sync))
    assert rows_of(events, "users", "id") == {"id-bob"}
    assert rows_of(events, "group_members", "member_id") == {"id-ada", "id-bob"}
    assert {type(event) for event in events} == {Rows}


def rows_of(events: list[Any], stream: str, column: str) -> set[Any]:
    """Return the values of a column in the rows of a stream."""
    tables = [event.table for event in events if isinstance(event, Rows) and event.stream == stream]
    return {row[column] for table in tables for row in table.to_pylist()}
