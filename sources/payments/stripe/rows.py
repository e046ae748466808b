"""Stripe's objects on their way out: rows in batches, what can't be read in quarantine, children with their parents."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping
from typing import Any, TypeVar

from leat.sources.batch import Batch, to_json
from leat.sources.driver import Sync
from leat.sources.errors import IntegrationError
from leat.sources.events import Delete, Event, Failed, Quarantined
from leat.sources.http.client import Client
from leat.sources.payments.field_mapping import Object
from leat.sources.payments.payout_items import Residual, item_of
from leat.sources.payments.streams import STREAMS
from leat.sources.payments.stripe.api import is_of_one_list, pages
from leat.sources.payments.stripe.embedded import pages_of, whole
from leat.sources.payments.stripe.objects import row_of, unused_fields

T = TypeVar("T")

CHILDREN = {"invoices": {"invoice_lines"}, "payouts": {"payout_items", "balance_transactions"}}
"""Streams that are read with the objects of another one."""


class Outgoing:
    """Rows of the selected streams; memory is bounded by the batches.

    Args:
        client: reads the children that don't come with their parents.
        sync: the extraction.
        version: version of the API that the objects come from.
        replacing: whether children may exist in the warehouse and are replaced; a complete reading proves it instead.

    Attributes:
        replacing: as above.
        has_payouts: whether bookings in the warehouse have the payouts that they went into.
        broken: streams with an object that could not be read and whose row nobody can identify.
        failed: why streams could not be read.
        read: how many lists could be read.
    """

    def __init__(self, client: Client, sync: Sync, version: str, *, replacing: bool) -> None:
        self._client = client
        self._batches = {stream.name: Batch(stream, 2_000) for stream in STREAMS if stream.name in sync.streams}
        self._keys = {stream.name: stream.key for stream in STREAMS}
        self._progress = sync.progress
        self._version = version
        self.replacing = replacing
        self.has_payouts = False
        self.broken: set[str] = set()
        self.read = 0
        self.failed: dict[str, IntegrationError] = {}

    def wants(self, stream: str) -> bool:
        """Return whether objects of that kind have to be read, for their own table or for that of their children."""
        return not self._batches.keys().isdisjoint({stream} | CHILDREN.get(stream, set()))

    def selects(self, stream: str) -> bool:
        """Return whether rows of a stream are wanted."""
        return stream in self._batches

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

    def alone(self, stream: str, events: Generator[Event, None, T]) -> Generator[Event, None, T | None]:
        """Yield what is read of a stream and return what that returns; None when the stream, and no other, failed."""
        try:
            result = yield from events
        except IntegrationError as error:
            if not is_of_one_list(error):
                raise
            yield from self.fail({stream} | self._depending(stream), error)
            return None
        self.read += 1
        return result

    def _depending(self, stream: str) -> set[str]:
        """Return the streams that can't be loaded without another one; bookings without payouts would lose theirs."""
        children = CHILDREN.get(stream, set())
        return children if self.has_payouts else children - {"balance_transactions"}

    def fail(self, streams: Collection[str], error: IntegrationError) -> Iterator[Event]:
        """Yield that streams can't be read."""
        for stream in sorted(set(streams) - self.failed.keys()):
            self.failed[stream] = error
            if stream in self._batches:
                yield Failed(stream, error)

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
            complete = whole(self._client, stream, given, unused_fields(stream))
            row = {**row_of(stream, complete, self._version), **(more or {})}
            if stream in self._batches:
                yield from self._batches[stream].add(row)
        except IntegrationError:
            raise
        except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
            key = given.get("id") if isinstance(given, Mapping) else None
            identity = {"id": key, **(more or {})} if isinstance(key, str) and key else {}
            self.broken |= CHILDREN.get(stream, set()) | (set() if identity else {stream})
            if stream in self._batches:
                name = str(key or f"an object of {stream} without id")
                of_key = {column: identity[column] for column in self._keys[stream] if column in identity}
                yield Quarantined(stream, name, str(error), to_json(given), of_key)
            return None
        return row

    def _lines(self, invoice: str, given: Object) -> Iterator[Event]:
        """Yield the lines of an invoice in place of those of before, which stay when these can't be read."""
        lines = given.get("lines")
        try:
            listed = list(self._listed(invoice, lines))
        except ValueError as error:
            self.broken.add("invoice_lines")
            yield Quarantined("invoice_lines", invoice, str(error), to_json(lines))
            return
        except IntegrationError as error:
            if not is_of_one_list(error):
                raise
            yield from self.fail(CHILDREN["invoices"], error)
            return
        if self.replacing:
            yield Delete("invoice_lines", {"invoice_id": invoice})
        for line in listed:
            yield from self._row("invoice_lines", line, {"invoice_id": invoice})

    def _listed(self, invoice: str, lines: Any) -> Iterator[Any]:
        if lines is not None:
            for page in pages_of(self._client, ("invoices", invoice), "lines", lines):
                yield from page

    def _items(self, payout: Mapping[str, Any]) -> Iterator[Event]:
        if self._batches.keys() & CHILDREN["payouts"] <= self.failed.keys():
            return
        if self.replacing and self.wants("payout_items"):
            yield Delete("payout_items", {"payout_id": payout["id"]})
        residual = Residual(payout)
        asked = [("payout", payout["id"])]
        try:
            for page in pages(self._client, "/v1/balance_transactions", asked) if payout["automatic"] else ():
                for given in page:
                    row = yield from self._row("balance_transactions", given, {"payout_id": payout["id"]})
                    if row is None:
                        residual.unread += 1
                        continue
                    item = item_of(payout["id"], row)
                    residual.take(item)
                    yield from self._item(item)
        except IntegrationError as error:
            if not is_of_one_list(error):
                raise
            yield from self.fail(CHILDREN["payouts"], error)
            return
        yield from self._item(residual.row())

    def _item(self, item: Mapping[str, Any]) -> Iterator[Event]:
        if "payout_items" in self._batches:
            yield from self._batches["payout_items"].add(item)
