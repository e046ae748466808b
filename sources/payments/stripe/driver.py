"""Driver for Stripe's REST API, in one pinned version; a restricted key with the right to read is enough.

The first run reads every list. Then ``/v1/events`` says what changed, and each object is read again, for an event's
snapshot is of its own moment. Bookings on the balance have no events, and refunds and disputes matter most: the newest
of them are looked at on every run. The first run of a day (UTC) reads again what was made in the last
``reconcile_days``, and every ``full_sweep_days``, or when the cursor is older than the 30 days for which Stripe stores
events, everything is read again, which also proves what is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import Any

from pydantic import Field

from leat.sources.batch import to_json
from leat.sources.driver import ConnectionModel, SetupTest, Sync
from leat.sources.errors import IntegrationError
from leat.sources.events import Cursor, Event, Logged
from leat.sources.http.client import Advice, Client, Limits
from leat.sources.payments.stripe.api import ADVICE, open_stripe
from leat.sources.payments.stripe.changes import HEADS, Seen, read_again, read_events
from leat.sources.payments.stripe.heads import looked_at, read_heads, with_payouts
from leat.sources.payments.stripe.lists import LISTS, read_everything, read_since
from leat.sources.payments.stripe.objects import VERSION
from leat.sources.payments.stripe.rows import Outgoing
from leat.sources.settings import Named, Secret, Setting, read_secret, read_setting
from leat.sources.setup_tests import try_sign_in

FORMAT = 1
"""Raised when the cursor changes its meaning; an older one is then read as none."""

DAY = 86_400
RETENTION = 29 * DAY
"""How long events can be relied upon; Stripe stores them for 30 days (docs.stripe.com/api/events)."""


class Connection(ConnectionModel):
    """Which account to read, with which key, and how often to read it again."""

    url: Setting = Field(default="https://api.stripe.com", description="Address of the API.")
    api_key: Secret = Field(description="Secret or restricted key (sk_…, rk_…); read access is enough.")
    action_key: Secret | None = Field(
        default=None, description="Key for actions, with write access; by default api_key."
    )
    account: Setting | None = Field(
        default=None, description="A connected account (acct_…) to read instead of the key's own."
    )
    api_version: str = Field(default=VERSION, description="API version to request, independent of the account's own.")
    reconcile_days: int = Field(
        default=90,
        ge=0,
        le=3660,
        description="The first run of a day reads everything created in this many days again.",
    )
    full_sweep_days: int = Field(
        default=30,
        ge=1,
        le=3660,
        description="After this many days leat reads everything again, which reveals deletes.",
    )
    in_flight: int = Field(default=4, ge=1, le=20, description="Number of objects to read in parallel.")
    timeout: float = Field(default=30, gt=0, le=600, description="Seconds to wait for a response.")


def setup_tests(connection: Connection, sync: Sync) -> Iterator[SetupTest]:
    """Try the connection step by step; stops at the first step that fails."""
    with _open(connection, sync) as client:
        ask = partial(client.get, "/v1/events", [("limit", 1)])
        answer = yield from try_sign_in(ask, f"{client.url} answers", f"a key for {_mode(connection, sync)}")
        if answer is None:
            return
        served = answer.value.headers.get("Stripe-Version") if answer.value else None
        pinned = served in (None, connection.api_version)
        detail = f"asked for {connection.api_version}, served {served or 'without a word about it'}"
        yield SetupTest("serves the pinned version", pinned, detail)
        for stream in ("events", *LISTS):
            yield _may_read(client, stream)


def _may_read(client: Client, stream: str) -> SetupTest:
    try:
        client.get(f"/v1/{stream}", [("limit", 1)])
    except IntegrationError as error:
        return SetupTest(f"may read {stream}", False, str(error))
    return SetupTest(f"may read {stream}", True, "yes")


def since_streams(_connection: Connection) -> frozenset[str]:
    """Return the lists that can be asked for what was made from a date on.

    Bookings aren't among them: only the payout, which may be older, says which bookings it contains.
    """
    return frozenset(LISTS) - {"balance_transactions", "payouts"} | {"invoice_lines"}


def _made_since(connection: Connection, sync: Sync, created: int) -> Iterator[Event]:
    sync = replace(sync, streams=sync.streams & since_streams(connection))
    with _open(connection, sync) as client:
        out = Outgoing(client, sync, connection.api_version, replacing=True)
        yield from read_since(client, created, out, ())
        yield from out.flush()
        _must_be_of_one_list(out)


def extract(connection: Connection, sync: Sync) -> Iterator[Event]:
    """Yield what changed since ``sync.cursor``.

    Raises:
        IntegrationError: the account can't be read; the cursor then stays where it was.
    """
    now = int(sync.now.timestamp())
    if sync.since is not None:
        yield from _made_since(connection, sync, int(sync.since.timestamp()))
        return
    with _open(connection, sync) as client:
        before = _usable(client, connection, sync)
        why = _full_sweep(connection, before, now)
        seen, out = _seen({} if why else before), Outgoing(client, sync, connection.api_version, replacing=why is None)
        out.has_payouts = bool(before.get("payouts"))
        changed = yield from out.alone("events", read_events(client, seen, out))
        if changed is None:  # without the events nothing says what changed
            seen, why, out.replacing = _seen(before), why or "the events can't be read", False
        state = _identity(client, connection, sync)
        if why:
            if before:
                yield Logged("full_sweep", {"reason": why})
            state |= {"full_at": now, "day": now // DAY, "heads": (yield from looked_at(client, HEADS, {}, out))}
            yield from read_everything(client, out)
        else:
            owed = with_payouts(before.get("owed", ()))
            state |= {"full_at": before["full_at"], "day": now // DAY}
            yield from read_again(client, changed or [], out, owed)
            yield from out.flush()
            state["heads"] = yield from read_heads(client, before["heads"], out, owed)
            yield from out.flush()
            if before["day"] != state["day"] and connection.reconcile_days:
                yield from read_since(client, now - connection.reconcile_days * DAY, out, owed)
            yield from out.flush()
            yield from read_everything(client, out, owed)
        yield from out.flush()
        _must_be_of_one_list(out)
        state |= {"events": seen.state(), "owed": sorted(out.failed)}
        state["payouts"] = out.has_payouts or (out.wants("payouts") and "payouts" not in out.failed)
        if why or any(before.get(name) != value for name, value in state.items()):
            yield Cursor({**state, "at": now})


def _seen(before: Mapping[str, Any]) -> Seen:
    return Seen(before["events"]["newest"], dict(before["events"]["ids"])) if before else Seen()


def _must_be_of_one_list(out: Outgoing) -> None:
    """Raise what went wrong when it went wrong with every list: that is the server's fault and not a stream's."""
    if out.failed and not out.read:
        raise next(iter(out.failed.values()))


def _full_sweep(connection: Connection, before: Mapping[str, Any], now: int) -> str | None:
    """Return why everything has to be read; None when it hasn't."""
    if not before:
        return "no usable state is stored"
    if now - before["at"] > RETENTION:
        return "the last run is older than the events that Stripe retains"
    if now - before["full_at"] >= connection.full_sweep_days * DAY:
        return f"the last full sweep was {connection.full_sweep_days} days ago or more"
    return None


def _open(connection: Connection, sync: Sync) -> AbstractContextManager[Client]:
    limits = Limits(timeout=connection.timeout, in_flight=connection.in_flight)
    return open_account(connection, sync, limits, connection.api_key, ADVICE)


def open_account(
    connection: Connection, sync: Sync, limits: Limits, key: Named, advice: Advice
) -> AbstractContextManager[Client]:
    """Open the declared account, with one of its keys.

    Raises:
        NotConfigured: the key isn't set, or the address is none.
    """
    headers = {}
    if connection.account is not None:
        headers["Stripe-Account"] = read_setting(connection.account, sync.integration, sync.project)
    url = read_setting(connection.url, sync.integration, sync.project)
    return open_stripe(sync, url, key, connection.api_version, headers, limits, advice)


def _mode(connection: Connection, sync: Sync) -> str:
    """Return which data the key is for; rows of both never mix."""
    key = read_secret(connection.api_key, sync.integration, sync.project)
    return "live mode" if "_live_" in key[:9] else "test mode" if "_test_" in key[:9] else "an unknown mode"


def _identity(client: Client, connection: Connection, sync: Sync) -> dict[str, Any]:
    what = [client.url, connection.account and to_json(connection.account), connection.api_version]
    fingerprint = sha256(to_json([*what, _mode(connection, sync)]).encode()).hexdigest()[:16]
    return {"for": fingerprint, "format": FORMAT, "streams": sorted(sync.streams)}


def _usable(client: Client, connection: Connection, sync: Sync) -> Mapping[str, Any]:
    """Return the cursor, or nothing when it was made for another account, mode, version or for fewer streams."""
    cursor, wanted = sync.cursor or {}, _identity(client, connection, sync)
    fits = cursor.get("for") == wanted["for"] and cursor.get("format") == FORMAT
    return cursor if fits and sync.streams <= set(cursor.get("streams") or ()) else {}
