"""The small API server with customers, orders with lines, notes of each customer and a growing list of visits."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.contract.served import served
from tests.contract.world import MAIL, PERSON, REFUSED, SECRET, Keys, Row, Step, World
from tests.servers.api_server import start_api_server

_ENDPOINTS: dict[str, Any] = {
    "customers": {
        "description": "A customer of the shop.",
        "path": "v1/customers",
        "records": "data",
        "paging": {"kind": "pages", "size": 2, "size_param": "per_page", "total": "total"},
        "key": "id",
        "columns": {
            "id": "integer",
            "name": {"type": "string", "personal": True},
            "email": {"type": "string", "personal": True},
            "since": "date",
            "city": {"type": "string", "field": "address.city"},
            "notes": {"type": "json", "personal": True},
            "address": "json",
        },
    },
    "orders": {
        "path": "v1/orders",
        "params": {"limit": 2},
        "records": "data",
        "paging": {"kind": "cursor", "field": "next_cursor", "more": "has_more"},
        "key": "id",
        "columns": {"id": "integer", "customer": "integer", "total": "float", "paid": "boolean", "lines": "json"},
    },
    "order_lines": {
        "path": "v1/orders",
        "nested_in": "orders",
        "records": "lines",
        "key": ["order_id", "position"],
        "columns": {
            "order_id": {"type": "integer", "parent": "id"},
            "position": "integer",
            "sku": "string",
            "quantity": "integer",
        },
    },
    "notes": {
        "path": "v1/customers/{customer}/notes",
        "records": "data",
        "parent": {"endpoint": "customers", "values": {"customer": "id"}},
        "key": ["customer", "id"],
        "columns": {
            "customer": {"type": "integer", "parent": "id"},
            "id": "integer",
            "text": {"type": "string", "personal": True},
            "kind": "string",
        },
    },
    "visits": {
        "path": "v1/visits",
        "params": {"order": "updated_at", "limit": 2},
        "records": "data",
        "paging": {"kind": "link_header"},
        "incremental": {"column": "updated_at", "param": "updated_since"},
        "deletes": "never",
        "key": "id",
        "columns": {"id": "integer", "page": "string", "updated_at": "timestamp"},
    },
}


def _customer(number: int, *notes: str) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"{PERSON} {number}",
        "email": f"{number}.{MAIL}",
        "since": "2026-02-28",
        "address": {"city": "Paris", "zip": "75001"},
        "notes": [{"id": i, "text": f"{PERSON}: {note}", "kind": note} for i, note in enumerate(notes)],
    }


def _order(number: int, lines: int, **more: Any) -> dict[str, Any]:
    positions = [{"position": i, "sku": f"A-{i}", "quantity": i + 1} for i in range(lines)]
    return {
        "id": number,
        "customer": 1,
        "total": number * 1.5,
        "paid": True,
        "lines": positions,
        "channel": "web",
        **more,
    }


def _visit(number: int) -> dict[str, Any]:
    return {"id": number, "page": f"/p/{number}", "updated_at": f"2026-03-29T00:30:{number:02d}.5+01:00"}


@dataclass
class _Server:
    url: str
    collections: dict[str, list[dict[str, Any]]]

    def put(self) -> None:
        """Give the server its content."""
        settings = {"collections": self.collections, "auth": "bearer", "secrets": [SECRET]}
        assert requests.post(f"{self.url}_control", json=settings, timeout=30).ok

    def keys(self) -> dict[str, Keys]:
        collections = requests.get(f"{self.url}_control", timeout=30).json()["collections"]
        lines = [(o["id"], line["position"]) for o in collections["orders"] for line in o["lines"]]
        notes = [(c["id"], note["id"]) for c in collections["customers"] for note in c["notes"]]
        expected = {name: [(each["id"],) for each in collections[name]] for name in ("customers", "orders", "visits")}
        return {
            **{name: Keys(("id",), frozenset(values)) for name, values in expected.items()},
            "order_lines": Keys(("order_id", "position"), frozenset(lines)),
            "notes": Keys(("customer", "id"), frozenset(notes)),
        }

    def add(self) -> Step:
        self.collections["customers"].append(_customer(9, "new"))
        self.collections["orders"].append(_order(9, 2))
        self.collections["visits"].append(_visit(9))
        self.put()
        seen = [("customers", {"id": 9}), ("notes", {"customer": 9, "kind": "new"}), ("visits", {"id": 9})]
        return Step(_only(9), [*seen, ("order_lines", {"order_id": 9, "position": 1})])

    def change(self) -> Step:
        self.collections["orders"][-1] = _order(9, 1, total=99.0)
        self.collections["customers"][-1]["notes"][0]["kind"] = "other"
        self.put()
        seen = [("orders", {"id": 9, "total": 99.0}), ("notes", {"customer": 9, "kind": "other"})]
        return Step(_only(9), seen, [("order_lines", {"order_id": 9, "position": 1})])

    def delete(self) -> Step:
        del self.collections["orders"][0]
        del self.collections["customers"][0]
        self.put()
        gone = [("customers", {"id": 1}), ("orders", {"id": 1}), ("order_lines", {"order_id": 1})]
        return Step(_only(1), gone=[*gone, ("notes", {"customer": 1})])


def _only(number: int) -> dict[str, Callable[[Row], bool]]:
    columns = {"customers": "id", "orders": "id", "visits": "id", "order_lines": "order_id", "notes": "customer"}
    return {name: lambda row, column=column: row[column] == number for name, column in columns.items()}  # type: ignore[misc]


@contextmanager
def open_world(folder: Path, database: Callable[[], str]) -> Iterator[World]:
    """Start the server behind a counting proxy."""
    content = {
        "customers": [_customer(1, "first", "second"), _customer(2), _customer(3, "third")],
        "orders": [_order(number, number) for number in (1, 2, 3)],
        "visits": [_visit(number) for number in (1, 2, 3)],
    }
    with served(lambda port: start_api_server(folder, port)) as server:
        system = _Server(f"http://127.0.0.1:{server.port}/", copy.deepcopy(content))
        system.put()
        yield World(
            connection={
                "url": {"env": "CONTRACT_REST_API_URL"},
                "auth": {"kind": "bearer", "token": {"env": "CONTRACT_REST_API_TOKEN"}},
                "endpoints": _ENDPOINTS,
            },
            environment={
                "CONTRACT_REST_API_URL": server.url,
                "CONTRACT_REST_API_TOKEN": SECRET,
            },
            refused={"CONTRACT_REST_API_TOKEN": REFUSED},
            keys=system.keys,
            add=system.add,
            change=system.change,
            delete=system.delete,
            stop=server.stop,
            start=server.start,
            requests=server.requests,
        )
