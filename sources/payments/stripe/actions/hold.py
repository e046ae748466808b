"""Captures or cancels a payment that is authorised and not captured yet (docs.stripe.com/payments/place-a-hold)."""

from __future__ import annotations

from typing import NoReturn

from leat.sources.actions import Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.money import as_text
from leat.sources.payments.actions import Cancel, Capture
from leat.sources.payments.stripe.actions.account import Account, Row, expect_currency, in_units, money
from leat.sources.payments.stripe.api import address

_CANCELABLE = (
    "requires_payment_method",
    "requires_confirmation",
    "requires_action",
    "requires_capture",
    "processing",
)
"""States in which Stripe cancels a payment (docs.stripe.com/api/payment_intents/cancel)."""
_TEMPLATE = "/v1/payment_intents/{id}"


def plan_capture(account: Account, action: str, wanted: Capture) -> Plan:
    """Plan the capture of a payment.

    Raises:
        Refused: it isn't waiting for it, or less is authorised.
    """
    payment, _ = account.find("payment_intents", wanted.payment_intent)
    expect_currency(payment, wanted.currency)
    key, status, currency = payment["id"], payment["status"], payment["currency"]
    if status == "succeeded":
        msg = f"payment {key} is already captured: {money(payment, 'amount_received')}"
        raise Refused(msg)
    if status != "requires_capture":
        msg = f"payment {key} isn't waiting to be captured: its status is {status}"
        raise Refused(msg)
    most = payment["amount_capturable"]
    amount = most if wanted.amount is None else wanted.amount
    if amount > most:
        msg = f"amount: {as_text(amount, currency)} is more than what is authorised, {as_text(most, currency)}"
        raise Refused(msg)
    shown = as_text(amount, currency)
    changes = [Change("status", status, "succeeded"), Change("received", as_text(0, currency), shown)]
    warnings = []
    if amount < most:
        changes.append(Change("released", as_text(0, currency), as_text(most - amount, currency)))
        warnings.append(f"the other {as_text(most - amount, currency)} are released and can't be captured later")
    form = {"amount_to_capture": in_units(amount, currency), "metadata[leat_action]": action}
    return _plan(f"capture {shown} of payment {key}", payment, changes, ("capture", form, amount), tuple(warnings))


def plan_cancel(account: Account, _action: str, wanted: Cancel) -> Plan:
    """Plan the cancellation of a payment.

    Raises:
        Refused: it is captured or cancelled already.
    """
    payment, _ = account.find("payment_intents", wanted.payment_intent)
    key, status = payment["id"], payment["status"]
    if status == "canceled":
        msg = f"payment {key} is already cancelled"
        raise Refused(msg)
    if status not in _CANCELABLE:
        msg = f"payment {key} can't be cancelled any more, its status is {status}: refund it instead"
        raise Refused(msg)
    form: dict[str, str] = {"cancellation_reason": wanted.reason} if wanted.reason else {}
    warnings = ("a cancelled payment can't be captured any more",) if status == "requires_capture" else ()
    title = f"cancel payment {key} of {money(payment, 'amount')}"
    changes = [Change("status", status, "canceled")]
    return _plan(title, payment, changes, ("cancel", form, payment["amount"]), warnings)


def _plan(
    title: str, payment: Row, changes: list[Change], sent: tuple[str, dict[str, str], int], warnings: tuple[str, ...]
) -> Plan:
    what, form, amount = sent
    key, payer = payment["id"], payment["receipt_email"]
    return Plan(
        title=title,
        target=f"payment_intents/{key}",
        changes=tuple(changes),
        payload={
            "path": address("v1", "payment_intents", key, what),
            "template": f"{_TEMPLATE}/{what}",
            "form": form,
            "payment_intent": key,
            "amount": amount,
            "currency": payment["currency"],
        },
        precondition={"status": payment["status"], "amount_capturable": payment["amount_capturable"]},
        people=(payer,) if payer else (),
        warnings=warnings,
    )


def _send(account: Account, order: Order, what: str) -> Receipt:
    """Send what was planned, if the payment is still as it was.

    Raises:
        Outdated: it isn't.
    """
    key, before = order.plan.payload["payment_intent"], order.plan.precondition
    payment, _ = account.find("payment_intents", key)
    for name, value in before.items():
        if payment[name] != value:
            account.outdated(f"{what} payment {key}", f"{name} was {value} and is {payment[name]} now")
    made = account.post(order)
    return Receipt({"payment_intent": key, "status": made.get("status")})


def send_capture(account: Account, order: Order) -> Receipt:
    """Capture the payment."""
    return _send(account, order, "capturing")


def send_cancel(account: Account, order: Order) -> Receipt:
    """Cancel the payment."""
    return _send(account, order, "cancelling")


def probe_capture(account: Account, order: Order) -> Receipt | None:
    """Return the capture that carries the id of the action."""
    payment, _ = account.find("payment_intents", order.plan.payload["payment_intent"])
    if payment["status"] != "succeeded" or (payment["metadata"] or {}).get("leat_action") != order.id:
        return None
    return Receipt({"payment_intent": payment["id"], "status": "succeeded"})


def probe_cancel(account: Account, order: Order) -> Receipt | None:
    """Return the cancellation, whoever made it: there can be only one."""
    payment, _ = account.find("payment_intents", order.plan.payload["payment_intent"])
    if payment["status"] != "canceled":
        return None
    return Receipt({"payment_intent": payment["id"], "status": "canceled"})


def confirm_capture(account: Account, order: Order, receipt: Receipt) -> tuple[Change, ...]:
    """Compare the payment with what was to be captured."""
    payment, _ = account.find("payment_intents", receipt.data["payment_intent"])
    expected = {"status": "succeeded", "amount_received": order.plan.payload["amount"]}
    return _differences(payment, expected)


def confirm_cancel(account: Account, _order: Order, receipt: Receipt) -> tuple[Change, ...]:
    """Compare the status of the payment."""
    payment, _ = account.find("payment_intents", receipt.data["payment_intent"])
    return _differences(payment, {"status": "canceled"})


def _differences(payment: Row, expected: dict[str, object]) -> tuple[Change, ...]:
    return tuple(Change(name, value, payment[name]) for name, value in expected.items() if payment[name] != value)


def undo_capture(_account: Account, order: Order, receipt: Receipt) -> Undo:
    """Return the refund of what was captured; it needs the approval of a second person, too."""
    return Undo("refund", {"payment_intent": receipt.data["payment_intent"], "amount": order.plan.payload["amount"]})


def undo_cancel(_account: Account, _order: Order, receipt: Receipt) -> NoReturn:
    """Refuse: a hold that was released is gone."""
    msg = f"payment {receipt.data['payment_intent']} stays cancelled: ask the payer to pay again"
    raise Refused(msg)
