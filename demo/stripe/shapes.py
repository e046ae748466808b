"""What the fake of Stripe adds to objects, after the required fields of Stripe's OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

KINDS = {
    "customers": "customer",
    "payment_methods": "payment_method",
    "payment_intents": "payment_intent",
    "charges": "charge",
    "refunds": "refund",
    "disputes": "dispute",
    "balance_transactions": "balance_transaction",
    "payouts": "payout",
    "invoices": "invoice",
    "subscriptions": "subscription",
    "products": "product",
    "prices": "price",
    "events": "event",
}
"""Lists and the ``object`` of what is in them."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "disputes": {
        "balance_transactions": [],
        "evidence": {},
        "evidence_details": {"due_by": None, "has_evidence": False, "past_due": False, "submission_count": 0},
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": None,
        "reason": "general",
        "status": "needs_response",
    },
    "payouts": {
        "automatic": True,
        "balance_transaction": None,
        "description": "STRIPE PAYOUT",
        "destination": "ba_fake",
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "original_payout": None,
        "reconciliation_status": "completed",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": "paid",
        "type": "bank_account",
    },
    "balance_transactions": {
        "description": None,
        "exchange_rate": None,
        "fee": 0,
        "fee_details": [],
        "source": None,
        "status": "available",
    },
    "events": {
        "api_version": "2025-02-24.acacia",
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": None, "idempotency_key": None},
    },
}

Fetch = Callable[[str, str], dict[str, Any] | None]


def complete(name: str, given: dict[str, Any], fetch: Fetch) -> dict[str, Any]:
    """Return an object of localstripe with what Stripe's reference has and localstripe hasn't.

    Args:
        name: the list that it is in.
        given: the object.
        fetch: returns another object of localstripe, by list and id.
    """
    if name == "refunds" and not given.get("payment_intent") and given.get("charge"):
        given["payment_intent"] = (fetch("charges", given["charge"]) or {}).get("payment_intent")
    if name == "charges":
        taken = given.get("captured") and given.get("status") == "succeeded"
        given.setdefault("amount_captured", given.get("amount") if taken else 0)
        _add_payer(given, fetch)
    if name == "charges" and not given.get("invoice") and given.get("payment_intent"):
        given["invoice"] = (fetch("payment_intents", given["payment_intent"]) or {}).get("invoice")
    if name == "payment_intents" and given.get("status") == "succeeded":
        given.setdefault("amount_received", given["amount"])
    if name == "payment_intents":
        given.setdefault("amount_capturable", given["amount"] if given.get("status") == "requires_capture" else 0)
    if name == "balance_transactions" and given.get("exchange_rate") == 1:
        given["exchange_rate"] = None
    if name == "prices" and "interval" in given:
        given = _price(given)
    if name == "subscriptions" and isinstance(given.get("items"), dict):
        for item in given["items"].get("data", ()):
            if isinstance(item.get("plan"), dict):
                item.setdefault("price", _price(item["plan"]))
    return given


def _add_payer(charge: dict[str, Any], fetch: Fetch) -> None:
    method = fetch("payment_methods", charge["payment_method"]) if charge.get("payment_method") else None
    if method:
        kind = method["type"]
        charge.setdefault("billing_details", method.get("billing_details"))
        charge.setdefault("payment_method_details", {"type": kind, kind: method.get(kind)})


def _price(plan: dict[str, Any]) -> dict[str, Any]:
    """Return a plan, the older form, as the price that Stripe makes of it, with the same id."""
    same = ("id", "active", "billing_scheme", "created", "currency", "livemode", "metadata", "nickname", "product")
    recurring = {name: plan[name] for name in ("interval", "interval_count", "usage_type")}
    return {
        **{name: plan.get(name) for name in same},
        "object": "price",
        "type": "recurring",
        "recurring": recurring,
        "tax_behavior": "unspecified",
        "unit_amount": plan["amount"],
        "unit_amount_decimal": str(plan["amount"]),
    }


_NAMES = {"subscription": "customer.subscription", "plan": "price", "invoice": "invoice"}


def events_of(parts: Sequence[str], answer: Any) -> Iterator[tuple[str, str, str]]:
    """Yield type, list and id of the events that Stripe would make of a POST, in no order.

    Args:
        parts: the path, cut at its slashes.
        answer: what localstripe answered.
    """
    kind, key = answer.get("object"), answer.get("id")
    lists = {each: name for name, each in KINDS.items()} | {"plan": "prices"}
    if parts[-1] == "capture" and kind == "payment_intent":
        yield "charge.captured", "charges", answer["latest_charge"]["id"]
        yield "payment_intent.succeeded", "payment_intents", key
        return
    if key and kind in lists:
        action = {"attach": "attached", "detach": "detached", "pay": "paid", "cancel": "canceled"}.get(parts[-1])
        verb = "created" if len(parts) == 2 else action or "updated"
        yield f"{_NAMES.get(kind, kind)}.{verb}", lists[kind], key
    if kind == "payment_intent":
        yield from _charge_events(answer.get("latest_charge"))
        if answer.get("status") == "succeeded":
            yield "payment_intent.succeeded", "payment_intents", key
    elif kind == "refund":
        yield "charge.refunded", "charges", answer["charge"]
    elif kind == "invoice" and answer.get("payment_intent"):
        yield "payment_intent.succeeded", "payment_intents", answer["payment_intent"]
        yield from _charge_events(answer.get("charge"))
    elif isinstance(answer.get("error"), dict) and answer["error"].get("charge"):
        yield "charge.failed", "charges", answer["error"]["charge"]


def _charge_events(charge: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(charge, dict):
        yield f"charge.{charge.get('status', 'updated')}", "charges", charge["id"]
