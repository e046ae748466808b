"""Stripe's lists read from one end to the other: everything, or everything made since a day."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping
from typing import Any

from leat.sources.events import Event, FullScan
from leat.sources.http.client import Client, HttpRequest
from leat.sources.payments.stripe.api import PAGE, address, ended, page_of, pages
from leat.sources.payments.stripe.rows import Outgoing

LISTS = (
    "products",
    "prices",
    "customers",
    "payment_intents",
    "charges",
    "refunds",
    "disputes",
    "balance_transactions",
    "payouts",
    "invoices",
    "subscriptions",
)
"""In this order: payouts come after the bookings, because only they say which payout a booking is in."""
METHODS = "payment_methods"

_PARAMS: Mapping[str, tuple[tuple[str, Any], ...]] = {"subscriptions": (("status", "all"),)}
_INSIDE = {"invoices": "invoice_lines", "payouts": "payout_items"}
"""Streams that are complete when another one is."""


def read_since(client: Client, created: int, out: Outgoing, but: Collection[str]) -> Iterator[Event]:
    """Yield every object that was made since ``created``, in seconds since 1970, but of some streams."""
    for stream in filter(out.wants, LISTS):
        if stream not in but:
            yield from out.alone(stream, _read(client, stream, [("created[gte]", created)], out))


def read_everything(client: Client, out: Outgoing, lists: Collection[str] = (*LISTS, METHODS)) -> Iterator[Event]:
    """Yield every object there is in some lists, and the proof that there are no others."""
    because: dict[str, str] = {}
    for stream in filter(out.wants, LISTS):
        if stream in lists:
            count = yield from out.alone(stream, _read(client, stream, [], out))
            because[stream] = ended(count or 0)
            if stream in _INSIDE:
                because[_INSIDE[stream]] = f"{stream} were read to their end, and the list of each to its own"
    if METHODS in lists and out.wants(METHODS):
        count = yield from out.alone(METHODS, _methods(client, out))
        because[METHODS] = f"has_more was false for each of {count} customers"
    yield from out.flush()
    for stream, why in because.items():
        if stream not in out.broken and stream not in out.failed and out.selects(stream):
            yield FullScan(stream, because=why)  # the last good row of a record that can't be read stays


def read_payouts_since(client: Client, created: int, out: Outgoing) -> Iterator[Event]:
    """Yield the payouts made since ``created``, and their bookings with them."""
    if out.wants("payouts"):
        yield from out.alone("payouts", _read(client, "payouts", [("created[gte]", created)], out))


def _read(client: Client, stream: str, params: list[tuple[str, Any]], out: Outgoing) -> Generator[Event, None, int]:
    """Yield the objects of a list; returns how many pages there were."""
    count = 0
    for page in pages(client, f"/v1/{stream}", [*_PARAMS.get(stream, ()), *params]):
        count += 1
        for given in page:
            yield from out.add(stream, given)
    return count


def _methods(client: Client, out: Outgoing) -> Generator[Event, None, int]:
    """Yield the payment methods of every customer, whose own can be listed only; returns how many customers."""
    template = "/v1/customers/{id}/payment_methods"
    count = 0
    for customers in pages(client, "/v1/customers"):
        ids = [each.get("id") for each in customers if isinstance(each, Mapping)]
        paths = [address("v1", "customers", key, "payment_methods") for key in ids if isinstance(key, str)]
        count += len(paths)
        if len(paths) < len(customers):
            out.broken.add(METHODS)
        asks = [HttpRequest(path, params=[("limit", PAGE)], template=template) for path in paths]
        for path, answer in zip(paths, client.each(asks), strict=True):
            first, more = page_of(client, answer)
            for page in pages(client, path, template=template) if more else [first]:
                for given in page:
                    yield from out.add(METHODS, given)
    return count
