"""Runs the Stripe driver directly against a fake in this process, and applies what it yields as the engine promises."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leat.demo.stripe.fake import Fake
from leat.demo.stripe.front import serving
from leat.sources.driver import Sync
from leat.sources.errors import IntegrationError
from leat.sources.events import Cursor, Delete, Event, Failed, FullScan, Quarantined, Rows
from leat.sources.http.calls import ApiCall
from leat.sources.payments.streams import STREAMS
from leat.sources.payments.stripe import driver as stripe

KEY = "sk_test_planted-Stripe-7261"
KEYS = {stream.name: stream.key for stream in STREAMS}
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def at(moment: datetime) -> int:
    """Return a moment as Stripe writes it."""
    return int(moment.timestamp())


@dataclass
class Tables:
    """Rows by stream and key, and the cursor, after any number of runs against a fake.

    Attributes:
        fake: what the driver reads.
        now: the time of the next run, and of what is put into the fake.
    """

    fake: Fake
    connection: stripe.Connection
    folder: Path
    streams: frozenset[str] = frozenset(KEYS)
    now: datetime = NOON
    rows: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = field(default_factory=lambda: {name: {} for name in KEYS})
    cursor: Any = None
    events: list[Event] = field(default_factory=list)
    calls: list[ApiCall] = field(default_factory=list)

    def put(self, name: str, key: str, event: str | None = None, /, **fields: Any) -> None:
        """Put an object into the fake, made now unless the fields say otherwise; with an event if one is named."""
        new = key not in self.fake.objects[name]
        self.fake.put(name, key, ({"created": at(self.now)} if new else {}) | fields)
        if event:
            self.fake.add_event(
                event, {"object": self.fake.objects[name][key]["object"], "id": key}, created=at(self.now)
            )

    def sync(self) -> Sync:
        return Sync("payments", self.streams, self.cursor, self.folder, self.folder, self.now, called=self.calls.append)

    def run(self, later: timedelta = timedelta(0)) -> list[Event]:
        """Extract once, so much later, and apply it; a failure applies nothing."""
        self.now += later
        self.calls.clear()
        self.events = list(stripe.extract(self.connection, self.sync()))
        scanned: dict[str, set[tuple[Any, ...]]] = {}
        failed = self.failed()
        for event in self.events:
            if getattr(event, "stream", None) not in failed:
                self._apply(event, scanned)
        return self.events

    def failed(self) -> dict[str, IntegrationError]:
        """Return the streams that could not be read, and why; nothing of them is applied."""
        return {event.stream: event.error for event in self.events if isinstance(event, Failed)}

    def one(self, stream: str, *key: str) -> dict[str, Any]:
        return self.rows[stream][key]

    def quarantined(self) -> list[Quarantined]:
        return [event for event in self.events if isinstance(event, Quarantined)]

    def asked(self) -> list[str]:
        return [call.path.removeprefix("/v1/") for call in self.calls]

    def _apply(self, event: Event, scanned: dict[str, set[tuple[Any, ...]]]) -> None:
        if isinstance(event, Rows):
            for row in event.table.to_pylist():
                key = tuple(row[name] for name in KEYS[event.stream])
                scanned.setdefault(event.stream, set()).add(key)
                self.rows[event.stream][key] = row
        elif isinstance(event, Delete):
            table = self.rows[event.stream]
            for key in [k for k, row in table.items() if all(row[c] == v for c, v in event.where.items())]:
                del table[key]
        elif isinstance(event, FullScan):
            table = self.rows[event.stream]
            broken = [q.identity for q in self.quarantined() if q.stream == event.stream]
            spared = {tuple(one.get(name) for name in KEYS[event.stream]) for one in broken}
            for key in table.keys() - scanned.get(event.stream, set()) - spared:
                del table[key]
        elif isinstance(event, Cursor):
            self.cursor = json.loads(json.dumps(event.value))


@contextlib.contextmanager
def opened(folder: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Iterator[Tables]:
    """Serve an empty fake, and give tables that are filled from it."""
    monkeypatch.setenv("PAYMENTS_TEST_KEY", KEY)
    fake = Fake(KEY)
    with serving(fake) as url:
        connection = {"url": url, "api_key": {"env": "PAYMENTS_TEST_KEY"}, "in_flight": 2, **options}
        yield Tables(fake, stripe.Connection.model_validate(connection), folder)


def pay(tables: Tables, number: int, amount: int = 5000, currency: str = "eur", **fields: Any) -> str:
    """Put a charge with its booking into the fake; returns its id."""
    charge, booking = f"ch_{number}", f"txn_{number}"
    money = {"amount": amount, "currency": currency}
    paid = {"amount_captured": amount, "amount_refunded": 0, "status": "succeeded", "payment_intent": f"pi_{number}"}
    tables.put("charges", charge, **money, **{**paid, "balance_transaction": booking, "invoice": None, **fields})
    kind = {"type": "charge", "reporting_category": "charge", "source": charge}
    tables.put("balance_transactions", booking, **money, net=amount, available_on=at(tables.now), **kind)
    return charge
