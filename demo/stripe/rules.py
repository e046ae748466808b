"""What Stripe refuses and localstripe doesn't: refunds beyond what is left, captures and cancels of the wrong payment.

Source: docs.stripe.com/api/refunds/create, /api/payment_intents/capture and /cancel, docs.stripe.com/error-codes. In
the version of the API that this fake serves, what a capture in part leaves and a hold that is cancelled are refunded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

Record = dict[str, Any]
_NO_REFUND = ("failed", "canceled")
_CANCELABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action", "processing")


@dataclass(frozen=True, slots=True)
class Objects:
    """Reads the objects of the account.

    Attributes:
        get: returns an object, by list and id; None when there is none.
        listed: returns the objects of a list that have these fields.
    """

    get: Callable[[str, str], Record | None]
    listed: Callable[[str, Mapping[str, str]], list[Record]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused; ``executed`` unless its parameters alone are wrong."""

    message: str
    code: str
    param: str | None = None
    executed: bool = True
    status: int = 400


@dataclass(frozen=True, slots=True)
class Handled:
    """A request as localstripe takes it, and what is laid over its objects afterwards: by list and id, fields."""

    body: bytes
    laid: Sequence[tuple[str, str, Record]] = ()


def handle(objects: Objects, parts: Sequence[str], body: bytes) -> Refusal | Handled | None:
    """Return what becomes of a POST; None for one that has no rules.

    Args:
        objects: the account.
        parts: the path, cut at its slashes.
        body: parameters, as a form.
    """
    form = dict(parse_qsl(body.decode(errors="replace")))
    match list(parts):
        case ["v1", "refunds"]:
            return _refund(objects, form)
        case ["v1", "payment_intents", key, "capture"]:
            return _capture(objects, key, form)
        case ["v1", "payment_intents", key, "cancel"]:
            return _cancel(objects, key, form)
    return None


def _refund(objects: Objects, form: Record) -> Refusal | Handled:
    charge = _charge(objects, form)
    if isinstance(charge, Refusal):
        return charge
    if charge.get("status") != "succeeded" or not charge.get("captured"):
        return Refusal(f"Charge {charge['id']} has no captured money that could be refunded.", "charge_not_refundable")
    left = _left(objects, charge)
    if left <= 0:
        return Refusal(f"Charge {charge['id']} has already been refunded.", "charge_already_refunded")
    text = form.get("amount", str(left))
    if not text.isdigit() or int(text) < 1:
        return Refusal(f"Invalid integer: {text}", "parameter_invalid_integer", "amount", executed=False)
    if int(text) > left:
        why = f"Refund amount ({text}) is greater than unrefunded amount on charge ({left})"
        return Refusal(why, "amount_too_large", "amount")
    reason = form.pop("reason", None)
    if reason not in (None, "duplicate", "fraudulent", "requested_by_customer"):
        return Refusal("Invalid reason", "parameter_unknown", "reason", executed=False)
    laid = [("refunds", "", {"reason": reason})] if reason else []
    return Handled(urlencode({**form, "amount": text}).encode(), laid)


def _charge(objects: Objects, form: Mapping[str, str]) -> Record | Refusal:
    """Return the charge that is named, alone or by its payment."""
    if ("charge" in form) == ("payment_intent" in form):
        return Refusal("Name a charge or a payment_intent.", "parameter_missing", "charge", executed=False)
    key = form.get("charge")
    if key is None:
        intent = objects.get("payment_intents", form["payment_intent"]) or {}
        latest = intent.get("latest_charge")
        key = latest.get("id") if isinstance(latest, dict) else latest
    charge = objects.get("charges", key) if key else None
    named = form.get("charge") or form["payment_intent"]
    return charge or Refusal(f"No such charge: '{named}'", "resource_missing", "charge", executed=False, status=404)


def _left(objects: Objects, charge: Record) -> int:
    """Return what of a charge hasn't been given back; what a capture in part released isn't counted."""
    refunds = objects.listed("refunds", {"charge": charge["id"]})
    back = sum(each["amount"] for each in refunds if each.get("status") not in _NO_REFUND)
    taken = int(charge["amount_captured"])
    return taken - int(back - (charge["amount"] - taken))


def _capture(objects: Objects, key: str, form: Record) -> Refusal | Handled:
    intent = objects.get("payment_intents", key)
    if intent is None:
        return _no_payment(key)
    if intent["status"] != "requires_capture":
        return _wrong_state("captured", intent, "requires_capture")
    text = form.get("amount_to_capture", str(intent["amount"]))
    if not text.isdigit() or int(text) < 1:
        return Refusal(f"Invalid integer: {text}", "parameter_invalid_integer", "amount_to_capture", executed=False)
    if int(text) > intent["amount"]:
        why = f"The amount to capture ({text}) is greater than the amount that can be captured ({intent['amount']})."
        return Refusal(why, "amount_too_large", "amount_to_capture")
    metadata = {name[9:-1]: value for name, value in form.items() if name.startswith("metadata[")}
    laid: list[tuple[str, str, Record]] = [
        ("payment_intents", key, {"metadata": {**intent["metadata"], **metadata}, "amount_received": int(text)}),
        ("charges", intent["latest_charge"]["id"], {"amount_captured": int(text)}),
    ]
    return Handled(urlencode({"amount_to_capture": text}).encode(), laid)


def _cancel(objects: Objects, key: str, form: Record) -> Refusal | Handled:
    intent = objects.get("payment_intents", key)
    if intent is None:
        return _no_payment(key)
    if intent["status"] not in _CANCELABLE:
        return _wrong_state("canceled", intent, ", ".join(_CANCELABLE))
    reason = form.get("cancellation_reason")
    fields = {"cancellation_reason": reason, "canceled_at": int(time.time())}
    laid: list[tuple[str, str, Record]] = [("payment_intents", key, fields)]
    if intent["status"] == "requires_capture":
        released = {"amount_refunded": intent["amount"], "refunded": True}
        laid.append(("charges", intent["latest_charge"]["id"], released))
    return Handled(b"", laid)


def _no_payment(key: str) -> Refusal:
    return Refusal(f"No such payment_intent: '{key}'", "resource_missing", "intent", executed=False, status=404)


def _wrong_state(what: str, intent: Record, right: str) -> Refusal:
    why = f"This PaymentIntent could not be {what} because it has a status of {intent['status']}"
    return Refusal(f"{why}. Only a PaymentIntent with one of these can: {right}.", "payment_intent_unexpected_state")
