"""Stripe's lists read from one end to the other: everything, or everything made since a day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sources.events import Event, FullScan
from sources.payments.stripe_api import PAGE, address, page_of, pages
from sources.payments.stripe_rows import Outgoing
from sources.web.client import Ask, Client

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
"""In this order: payouts come after the bookings, for only they tell which payout a booking went into."""

_PARAMS: Mapping[str, tuple[tuple[str, Any], ...]] = {"subscriptions": (("status", "all"),)}
_SCANNED = (*LISTS, "payment_methods", "invoice_lines", "payout_items")


def read_since(client: Client, created: int, out: Outgoing) -> Iterator[Event]:
    """Yield every object that was made since ``created``, in seconds since 1970."""
    for stream in filter(out.wants, LISTS):
        yield from _read(client, stream, [("created[gte]", created)], out)


def read_everything(client: Client, streams: frozenset[str], out: Outgoing) -> Iterator[Event]:
    """Yield every object there is, and the proof that there are no others."""
    for stream in filter(out.wants, LISTS):
        yield from _read(client, stream, [], out)
    if out.wants("payment_methods"):
        yield from _methods(client, out)
    yield from out.flush()
    # a record that can't be read keeps its last good row
    yield from (FullScan(stream) for stream in _SCANNED if stream in streams and stream not in out.broken)


def read_payouts_since(client: Client, created: int, out: Outgoing) -> Iterator[Event]:
    """Yield the payouts made since ``created``, and their bookings with them."""
    if out.wants("payouts"):
        yield from _read(client, "payouts", [("created[gte]", created)], out)


def _read(client: Client, stream: str, params: list[tuple[str, Any]], out: Outgoing) -> Iterator[Event]:
    for page in pages(client, f"/v1/{stream}", [*_PARAMS.get(stream, ()), *params]):
        for given in page:
            yield from out.add(stream, given)


def _methods(client: Client, out: Outgoing) -> Iterator[Event]:
    """Yield the payment methods of every customer; only a customer's own can be listed."""
    template = "/v1/customers/{id}/payment_methods"
    for customers in pages(client, "/v1/customers"):
        ids = [each.get("id") for each in customers if isinstance(each, Mapping)]
        paths = [address("v1", "customers", key, "payment_methods") for key in ids if isinstance(key, str)]
        if len(paths) < len(customers):
            out.broken.add("payment_methods")
        asks = [Ask(path, params=[("limit", PAGE)], template=template) for path in paths]
        for path, answer in zip(paths, client.each(asks), strict=True):
            first, more = page_of(client, answer)
            for page in pages(client, path, template=template) if more else [first]:
                for given in page:
                    yield from out.add("payment_methods", given)
