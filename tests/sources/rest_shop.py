"""A shop's REST API for tests, a declaration of it, and what an extraction of it yields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leat.sources.driver import Sync
from leat.sources.events import Cursor, Delete, Event, Failed, FullScan, Logged, Quarantined, Rows
from leat.sources.http.calls import ApiCall
from leat.sources.rest_api.http.driver import Connection, extract
from tests.servers.api_server.handler import ApiServer

ORDERS: dict[str, Any] = {
    "path": "v1/orders",
    "records": "data",
    "key": "id",
    "columns": {
        "id": "integer",
        "number": "string",
        "total": "float",
        "paid": "boolean",
        "updated_at": "timestamp",
        "day": "date",
        "local": "datetime",
        "city": {"type": "string", "field": "address.city"},
        "lines": "json",
    },
}


def order(number: int, /, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "number": f"ORD-{number}",
        "total": 10.5 + number,
        "paid": number % 2 == 0,
        "updated_at": f"2026-03-01T10:{number // 60 % 60:02d}:{number % 60:02d}Z",
        "day": "2026-03-01",
        "local": "2026-03-01T12:00:00",
        "address": {"city": "Paris"},
        "lines": [{"sku": "A", "quantity": number}],
        **more,
    }


@dataclass
class Reader:
    """Extracts again and again from its own cursor, and applies the events as the engine does.

    The error of a stream that fails is raised, unless ``lenient``: then the others are applied.
    """

    folder: Path
    endpoints: Mapping[str, Any]
    url: str
    more: Mapping[str, Any] = field(default_factory=dict)
    cursor: Mapping[str, Any] | None = None
    lenient: bool = False
    streams: frozenset[str] | None = None
    events: list[Event] = field(default_factory=list)
    calls: list[ApiCall] = field(default_factory=list)
    tables: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = field(default_factory=dict)

    def connection(self) -> Connection:
        given = {"url": self.url, "endpoints": self.endpoints, "timeout": 5, **self.more}
        made = Connection.model_validate(given)
        assert list(made.diagnostics()) == []
        return made

    def sync(self) -> Sync:
        own = self.folder / "sources" / "shop"
        own.mkdir(parents=True, exist_ok=True)
        names = frozenset(self.endpoints) if self.streams is None else self.streams
        return Sync("shop", names, self.cursor, self.folder, own, datetime.now(UTC), called=self.calls.append)

    def run(self, now: datetime | None = None) -> list[Event]:
        """Extract, apply, and return the events."""
        connection, sync = self.connection(), self.sync()
        self.calls.clear()
        events = list(extract(connection, replace(sync, now=now) if now else sync))
        self.events = events
        failed = [event for event in events if isinstance(event, Failed)]
        if failed and not self.lenient:
            raise failed[0].error
        out = {event.stream for event in failed}
        events = [event for event in events if getattr(event, "stream", None) not in out]
        scanned: dict[str, set[tuple[Any, ...]]] = {}
        for event in events:
            self._apply(connection, event, scanned)
        for event in events:
            if isinstance(event, FullScan):
                table, listed = self.tables.setdefault(event.stream, {}), scanned.get(event.stream, set())
                for key in [k for k, row in table.items() if _matches(row, event.where) and k not in listed]:
                    del table[key]
        return events

    def _apply(self, connection: Connection, event: Event, scanned: dict[str, set[tuple[Any, ...]]]) -> None:
        if isinstance(event, Rows):
            for row in event.table.to_pylist():
                key = tuple(row[name] for name in connection.endpoints[event.stream].key)
                self.tables.setdefault(event.stream, {})[key] = row
                scanned.setdefault(event.stream, set()).add(key)
        elif isinstance(event, Delete):
            table = self.tables.get(event.stream, {})
            for key in [k for k, row in table.items() if _matches(row, event.where)]:
                del table[key]
        elif isinstance(event, Cursor):
            self.cursor = event.value

    def keys(self, stream: str = "orders") -> list[Any]:
        return sorted(key[0] if len(key) == 1 else key for key in self.tables.get(stream, {}))

    def row(self, key: Any, stream: str = "orders") -> dict[str, Any]:
        return self.tables[stream][key if isinstance(key, tuple) else (key,)]

    def refused(self) -> list[Quarantined]:
        return [event for event in self.events if isinstance(event, Quarantined)]

    def logged(self) -> list[str]:
        return [event.event_type for event in self.events if isinstance(event, Logged)]


def _matches(row: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    return all(row[name] == value for name, value in where.items())


def reader(folder: Path, server: ApiServer, orders: Mapping[str, Any] = {}, **more: Any) -> Reader:
    """Return a reader of the orders, with changes to their declaration, and of other endpoints."""
    others = more.pop("others", {})
    return Reader(folder, {"orders": {**ORDERS, **orders}, **others}, server.url, more)


def paths(server: ApiServer) -> Iterable[tuple[str, dict[str, str]]]:
    return [(seen.path, seen.query) for seen in server.state.seen]
