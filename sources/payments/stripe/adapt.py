"""Changes to Stripe's objects that make rows of them, where naming a field doesn't suffice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leat.sources.payments.field_mapping import identity
from leat.sources.payments.stripe.money import scale_decimal


def adapt_method(given: dict[str, Any]) -> None:
    """Put the part that is named after the type under ``details``."""
    details = given.pop(str(given.get("type")), None)
    if isinstance(details, Mapping):
        given["details"] = dict(details)


def adapt_charge(given: dict[str, Any]) -> None:
    """Add what is left of it: a refund too many makes it negative."""
    taken, back = given.get("amount_captured"), given.get("amount_refunded")
    released = given.setdefault("amount_released", 0)
    given["amount_left"] = None if taken is None or back is None else taken - (back - released)


def released_of(charge: Mapping[str, Any]) -> int:
    """Return what of ``amount_refunded`` was authorised and never captured, in versions that count it as refunded.

    Capturing a part releases the rest at once, and cancelling a hold releases all of it, as a refund
    (docs.stripe.com/changelog/basil/2025-03-31, "partial capture").
    """
    amounts = [charge.get(name) for name in ("amount", "amount_captured", "amount_refunded")]
    if not all(isinstance(amount, int) and not isinstance(amount, bool) for amount in amounts):
        return 0
    authorised, taken, back = (int(str(amount)) for amount in amounts)
    rest = authorised - taken
    if taken == 0:
        return max(0, min(rest, back))
    return rest if 0 < rest <= back else 0


def adapt_dispute(given: dict[str, Any]) -> None:
    """Remember the ids of its bookings."""
    given["balance_transactions"] = [identity(each) for each in given.get("balance_transactions") or ()]


def adapt_invoice(given: dict[str, Any]) -> None:
    """Find tax and payment where later versions have them."""
    taxes = given.pop("total_taxes", None)
    if given.get("tax") is None and taxes is not None:
        given["tax"] = sum(tax["amount"] for tax in taxes)
    payments = (given.pop("payments", None) or {}).get("data") or ()
    for payment in (each["payment"] for each in payments):
        for name in ("charge", "payment_intent"):
            given[name] = given.get(name) or payment.get(name)


def adapt_subscription(given: dict[str, Any]) -> None:
    """Take the items out of their list."""
    items = given.get("items")
    given["items"] = items.get("data") or [] if isinstance(items, Mapping) else items or []
    given["first"] = next(iter(given["items"]), {})


def adapt_price(given: dict[str, Any]) -> None:
    """Bring the decimal amount to minor units."""
    decimal, currency = given.get("unit_amount_decimal"), given.get("currency")
    if decimal is not None and currency is not None:
        given["unit_amount_decimal"] = scale_decimal(decimal, currency)


def adapt_event(given: dict[str, Any]) -> None:
    """Say what it is about and what changed; leave secrets out of the snapshot."""
    data = given.get("data") or {}
    given["subject"] = {name: (data.get("object") or {}).get(name) for name in ("id", "object")}
    given["changed"] = sorted(data.get("previous_attributes") or ()) or None
    given["data"] = _without_secrets(data)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_secrets(item) for name, item in value.items() if name != "client_secret"}
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value
