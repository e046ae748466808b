"""The account that is acted on: reads objects as rows of the streams, and makes one request that changes something."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, NoReturn
from urllib.parse import urlencode

from leat.sources.actions import Order, Refused
from leat.sources.driver import Sync
from leat.sources.errors import Outdated, Unavailable, UnexpectedShape
from leat.sources.http.client import Client, HttpRequest, Limits
from leat.sources.money import as_text
from leat.sources.payments.actions import OfCharge
from leat.sources.payments.field_mapping import Object
from leat.sources.payments.stripe.api import ADVICE, address, pages
from leat.sources.payments.stripe.driver import Connection, open_account
from leat.sources.payments.stripe.money import to_stripe
from leat.sources.payments.stripe.objects import row_of

KEY_LASTS = timedelta(hours=24)
"""For how long Stripe remembers an idempotency key at least (docs.stripe.com/api/idempotent_requests)."""

NO_REFUND = frozenset({"failed", "canceled"})
"""States of a refund that gives nothing back."""
_WITHIN = 15.0
"""Seconds that one request may take; a step makes four at most."""

Row = dict[str, Any]


def _code(body: bytes) -> str:
    """Return Stripe's code of an error; its text isn't shown, for it may quote what nobody should read."""
    try:
        error = json.loads(body)["error"]
        code = error.get("code") or error.get("type")
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    return f" {code}" if isinstance(code, str) and code.replace("_", "").isalnum() else ""


_ADVICE = replace(
    ADVICE,
    forbidden="give the key of connection.action_key write access to what is changed, and read access to the rest",
    rejected="look at Stripe's own log of requests (Developers, Logs), and plan it again",
    detail=_code,
)


@dataclass(frozen=True, slots=True)
class Account:
    """An account of Stripe.

    Attributes:
        client: the connection.
        version: the version of the API that it speaks.
    """

    client: Client
    version: str

    def find(self, stream: str, key: str) -> tuple[Row, Object]:
        """Return an object, as a row of the streams and as Stripe has it.

        Raises:
            Refused: there is none.
        """
        ask = HttpRequest(address("v1", stream, key), accept=frozenset({404}), template=f"/v1/{stream}/{{id}}")
        answer = self.client.send(ask)
        if answer.status == 404:
            msg = f"there is no {stream[:-1].replace('_', ' ')} {key}: look at the id, and at the mode of the key"
            raise Refused(msg)
        given = self.client.json(answer)
        try:
            return row_of(stream, given, self.version), given
        except (ValueError, TypeError, ArithmeticError) as error:
            raise UnexpectedShape(self.client.integration, answer.asked, str(error), self.client.advice.shape) from None

    def charge(self, named: OfCharge) -> tuple[Row, Object]:
        """Return the charge that is named by its own id or by that of its payment.

        Raises:
            Refused: there is none.
        """
        if named.charge is not None:
            return self.find("charges", named.charge)
        payment, _ = self.find("payment_intents", str(named.payment_intent))
        if payment["latest_charge_id"] is None:
            msg = f"payment {payment['id']} was never charged: its status is {payment['status']}"
            raise Refused(msg)
        return self.find("charges", payment["latest_charge_id"])

    def refunds(self, charge: str) -> list[Row]:
        """Return the refunds of a charge, the latest first."""
        listed = pages(self.client, "/v1/refunds", [("charge", charge)])
        return [row_of("refunds", each, self.version) for page in listed for each in page]

    def post(self, order: Order) -> Any:
        """Make the request that was planned, once, and return what it answers.

        Raises:
            IntegrationError: it failed.
        """
        planned = order.plan.payload
        headers = {"Idempotency-Key": order.id, "Content-Type": "application/x-www-form-urlencoded"}
        ask = HttpRequest(
            planned["path"],
            "POST",
            headers=headers,
            body=urlencode(planned["form"]),
            accept=frozenset({409}),
            template=planned["template"],
            repeatable=False,
        )
        answer = self.client.send(ask)
        if answer.status == 409:  # an attempt before is still being executed: nobody knows yet what becomes of it
            got = f"HTTP 409{_code(answer.body)}: the same request is under way"
            raise Unavailable(
                self.client.integration, answer.asked, got, "wait; leat looks for its effect and asks again"
            )
        return self.client.json(answer)

    def outdated(self, what: str, got: str) -> NoReturn:
        """Raise that something isn't any more what was planned on."""
        raise Outdated(self.client.integration, what, got, "plan it again")


@contextlib.contextmanager
def connect(connection: Connection, sync: Sync) -> Iterator[Account]:
    """Open an account to act on it; the key is ``action_key``, or ``api_key`` where that isn't given."""
    seconds = min(connection.timeout, _WITHIN)
    limits = Limits(timeout=seconds, total=seconds, attempts=1)
    key = connection.action_key or connection.api_key
    with open_account(connection, sync, limits, key, _ADVICE) as client:
        yield Account(client, connection.api_version)


def money(row: Mapping[str, Any], name: str) -> str:
    """Return an amount of a row as people read it: ``12.00 EUR``."""
    return as_text(row[name], row["currency"])


def in_units(amount: int, currency: str) -> str:
    """Return an amount as Stripe takes it.

    Raises:
        Refused: Stripe can't express it.
    """
    try:
        return str(to_stripe(amount, currency))
    except ValueError as error:
        msg = f"amount: {error}"
        raise Refused(msg) from None


def expect_currency(row: Mapping[str, Any], expected: str | None) -> None:
    """Make sure that a payment is in the currency that somebody expects.

    Raises:
        Refused: it isn't.
    """
    if expected is not None and row["currency"] != expected:
        msg = f"currency: {row['id']} is in {row['currency']}, not in {expected}"
        raise Refused(msg)
