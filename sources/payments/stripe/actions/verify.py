"""Verifies a payment: reads it again and compares it with what is expected. Nothing is changed.

A payment that isn't as expected can't be planned, and the differences are the reason. One that is as expected is
read again when it is sent: so it serves as a condition for the actions that come after it.
"""

from __future__ import annotations

from typing import NoReturn

from leat.sources.actions import Change, Order, Plan, Receipt, Refused
from leat.sources.money import as_text
from leat.sources.payments.actions import Verify
from leat.sources.payments.stripe.actions.account import NO_REFUND, Account, Row, money


def plan(account: Account, _action: str, wanted: Verify) -> Plan:
    """Compare a payment with what is expected.

    Raises:
        Refused: with the differences.
    """
    charge, _ = account.charge(wanted)
    expected = {name: value for name, value in _expected(wanted).items() if value is not None}
    differences = _differences(account, charge, expected)
    if differences:
        msg = f"charge {charge['id']} isn't as expected: {_in_words(differences)}"
        raise Refused(msg)
    title = f"verify charge {charge['id']}: {money(charge, 'amount_captured')}, {charge['status']}, as expected"
    payload = {"charge": charge["id"], "expected": expected}
    return Plan(title, f"charges/{charge['id']}", (), payload)


def _expected(wanted: Verify) -> dict[str, object]:
    return {
        "status": wanted.status,
        "amount_captured": wanted.amount,
        "currency": wanted.currency,
        "amount_refunded": wanted.refunded,
    }


def _differences(account: Account, charge: Row, expected: dict[str, object]) -> tuple[Change, ...]:
    """Return what differs from what is expected, and whether the refunds add up to what the charge says."""
    back = charge["amount_refunded"] - charge["amount_released"]
    now = {**charge, "amount_refunded": back}
    changes = [Change(name, value, now[name]) for name, value in expected.items() if now[name] != value]
    if charge["amount_released"] == 0 and charge["amount_refunded"]:
        listed = sum(each["amount"] for each in account.refunds(charge["id"]) if each["status"] not in NO_REFUND)
        if listed != back:
            changes.append(Change("sum of its refunds", back, listed))
    currency = charge["currency"]
    return tuple(Change(c.what, _shown(c.before, currency), _shown(c.after, currency)) for c in changes)


def _shown(value: object, currency: str) -> object:
    return as_text(value, currency) if isinstance(value, int) else value


def _in_words(differences: tuple[Change, ...]) -> str:
    return "; ".join(f"{each.what}: expected {each.before}, is {each.after}" for each in differences)


def send(account: Account, order: Order) -> Receipt:
    """Read the payment again.

    Raises:
        Outdated: it isn't as expected any more.
    """
    key = order.plan.payload["charge"]
    differences = confirm(account, order, Receipt({}))
    if differences:
        account.outdated(f"verifying charge {key}", _in_words(differences))
    return Receipt({"charge": key})


def probe(account: Account, order: Order) -> Receipt | None:
    """Return whether the payment is as expected."""
    return None if confirm(account, order, Receipt({})) else Receipt({"charge": order.plan.payload["charge"]})


def confirm(account: Account, order: Order, _receipt: Receipt) -> tuple[Change, ...]:
    """Compare the payment with what is expected."""
    charge, _ = account.find("charges", order.plan.payload["charge"])
    return _differences(account, charge, dict(order.plan.payload["expected"]))


def undo(_account: Account, _order: Order, _receipt: Receipt) -> NoReturn:
    """Refuse: nothing was changed."""
    msg = "verifying a payment changes nothing, so there is nothing to undo"
    raise Refused(msg)
