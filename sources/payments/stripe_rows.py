"""Stripe's objects on their way out: rows in batches, what can't be read in quarantine, children with their parents."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any

from sources.batch import Batch, to_json
from sources.driver import Sync
from sources.events import Delete, Event, Quarantined
from sources.payments.payout_items import Residual, item_of
from sources.payments.shape import Object
from sources.payments.streams import STREAMS
from sources.payments.stripe_api import address, pages
from sources.payments.stripe_objects import row_of
from sources.web.client import Client

CHILDREN = {"invoices": {"invoice_lines"}, "payouts": {"payout_items", "balance_transactions"}}
"""Streams that are read with the objects of another one."""


class Outgoing:
    """Rows of the selected streams; memory is bounded by the batches.

    Args:
        client: reads the children that don't come with their parents.
        sync: the extraction.
        replacing: whether children may exist in the warehouse and are replaced; a complete reading proves it instead.
    """

    def __init__(self, client: Client, sync: Sync, *, replacing: bool) -> None:
        self._client = client
        self._batches = {stream.name: Batch(stream, 2_000) for stream in STREAMS if stream.name in sync.streams}
        self._progress = sync.progress
        self._replacing = replacing
        self.broken: set[str] = set()

    def wants(self, stream: str) -> bool:
        """Return whether objects of that kind have to be read, for their own table or for that of their children."""
        return not self._batches.keys().isdisjoint({stream} | CHILDREN.get(stream, set()))

    def add(self, stream: str, given: Object) -> Iterator[Event]:
        """Yield what follows from an object: its row, its children, or its quarantine."""
        self._progress(stream, 1)
        row = yield from self._row(stream, given)
        if row is None:
            return
        if stream == "invoices" and self.wants("invoice_lines"):
            yield from self._lines(row["id"], given)
        elif stream == "payouts":
            yield from self._items(row)

    def delete(self, stream: str, key: str) -> Iterator[Event]:
        """Yield that an object is gone, and its children with it."""
        yield from self.flush()  # what was read of it before is older
        yield Delete(stream, {"id": key})
        if stream == "invoices":
            yield Delete("invoice_lines", {"invoice_id": key})
        elif stream == "customers":
            yield Delete("payment_methods", {"customer_id": key})

    def flush(self) -> Iterator[Event]:
        """Yield what has been collected."""
        for batch in self._batches.values():
            yield from batch.flush()

    def _row(
        self, stream: str, given: Object, more: Mapping[str, Any] | None = None
    ) -> Generator[Event, None, dict[str, Any] | None]:
        """Add the row of an object and return it; None when it can't be read."""
        try:
            row = {**row_of(stream, given), **(more or {})}
            if stream in self._batches:
                yield from self._batches[stream].add(row)
        except ValueError as error:
            self.broken |= {stream, *CHILDREN.get(stream, ())}
            key = given.get("id") if isinstance(given, Mapping) else None
            if stream in self._batches:
                yield Quarantined(stream, str(key or f"an object of {stream} without id"), str(error), to_json(given))
            return None
        return row

    def _lines(self, invoice: str, given: Object) -> Iterator[Event]:
        if self._replacing:
            yield Delete("invoice_lines", {"invoice_id": invoice})
        lines = given.get("lines") or {}
        listed: Iterable[list[Any]] = [lines.get("data") or []]
        if lines.get("has_more"):
            listed = pages(
                self._client, address("v1", "invoices", invoice, "lines"), template="/v1/invoices/{id}/lines"
            )
        for page in listed:
            for line in page:
                yield from self._row("invoice_lines", line, {"invoice_id": invoice})

    def _items(self, payout: Mapping[str, Any]) -> Iterator[Event]:
        if not self._batches.keys() & CHILDREN["payouts"]:
            return
        if self._replacing and self.wants("payout_items"):
            yield Delete("payout_items", {"payout_id": payout["id"]})
        residual = Residual(payout)
        asked = [("payout", payout["id"])]
        for page in pages(self._client, "/v1/balance_transactions", asked) if payout["automatic"] else ():
            for given in page:
                row = yield from self._row("balance_transactions", given, {"payout_id": payout["id"]})
                if row is None:
                    residual.unread += 1
                    continue
                item = item_of(payout["id"], row)
                residual.take(item)
                yield from self._item(item)
        yield from self._item(residual.row())

    def _item(self, item: Mapping[str, Any]) -> Iterator[Event]:
        if "payout_items" in self._batches:
            yield from self._batches["payout_items"].add(item)
