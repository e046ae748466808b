"""The newest objects of what changes without an event in time, and which lists are read whole after a failure."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from typing import Any

from leat.sources.events import Event
from leat.sources.http.client import Client
from leat.sources.payments.stripe.changes import HEADS, UNSEEN, look_at, read_head
from leat.sources.payments.stripe.lists import read_payouts_since
from leat.sources.payments.stripe.rows import CHILDREN, Outgoing


def with_payouts(owed: Collection[str]) -> frozenset[str]:
    """Return the lists that have to be read whole; with bookings payouts, which name their bookings."""
    parents = {parent for parent, children in CHILDREN.items() if not children.isdisjoint(owed)}
    return frozenset(owed) | parents


def read_heads(
    client: Client, before: Mapping[str, Any], out: Outgoing, owed: Collection[str]
) -> Generator[Event, None, dict[str, Any]]:
    """Yield the newest refunds, disputes and bookings where they changed; returns the cursor's part about them."""
    state = yield from looked_at(client, owed, before, out)
    for stream in HEADS:
        if not out.wants(stream) or stream in owed:
            continue
        head = yield from out.alone(stream, read_head(client, stream, before[stream], out))
        state[stream], oldest = head or (before[stream], None)
        yield from out.flush()
        if stream == "balance_transactions" and oldest is not None and "payouts" not in owed:
            # a booking doesn't say which payout it went into; every payout that can hold one of these is younger
            yield from read_payouts_since(client, oldest, out)
            yield from out.flush()
    return state


def looked_at(
    client: Client, streams: Collection[str], before: Mapping[str, Any], out: Outgoing
) -> Generator[Event, None, dict[str, Any]]:
    """Return the cursor's part about lists that are read whole afterwards."""
    state = {}
    for stream in HEADS:
        if out.wants(stream) and stream in streams:
            head = yield from out.alone(stream, look_at(client, stream))
            state[stream] = head or before.get(stream) or UNSEEN
    return state
