"""Refunds a charge, whole or in part; never more than is left, which is asked live when planning and when sending."""

from __future__ import annotations

from typing import NoReturn

from leat.sources.actions import Change, Order, Plan, Receipt, Refused
from leat.sources.money import as_text
from leat.sources.payments.actions import Refund
from leat.sources.payments.stripe.actions.account import NO_REFUND, Account, Row, expect_currency, in_units, money
from leat.sources.payments.stripe.api import pages

_HARMLESS = frozenset({"won", "warning_needs_response", "warning_under_review", "warning_closed"})
"""States of a dispute in which the payer's bank hasn't taken the money."""


def plan(account: Account, action: str, wanted: Refund) -> Plan:
    """Plan a refund.

    Raises:
        Refused: nothing, or too little, is left, or the charge can't be refunded.
    """
    charge, given = account.charge(wanted)
    expect_currency(charge, wanted.currency)
    _refuse_unpaid(charge)
    if charge["disputed"]:
        _refuse_disputed(account, charge)
    left, currency, key = charge["amount_left"], charge["currency"], charge["id"]
    amount = left if wanted.amount is None else wanted.amount
    if left <= 0:
        msg = f"charge {key} is already refunded: nothing is left of {money(charge, 'amount_captured')}"
        raise Refused(msg)
    if amount > left:
        msg = (
            f"amount: {as_text(amount, currency)} is more than what is left of charge {key}, {as_text(left, currency)}"
        )
        raise Refused(msg)
    form = {"charge": key, "amount": in_units(amount, currency)}
    form |= {"reason": wanted.reason} if wanted.reason else {}
    payer = charge["receipt_email"] or (given.get("billing_details") or {}).get("email")
    back = charge["amount_captured"] - left
    return Plan(
        title=f"refund {as_text(amount, currency)} of charge {key}, paid {_by(payer)}",
        target=f"charges/{key}",
        changes=(
            Change("refunded", as_text(back, currency), as_text(back + amount, currency)),
            Change("left", as_text(left, currency), as_text(left - amount, currency)),
        ),
        payload={
            "path": "/v1/refunds",
            "template": "/v1/refunds",
            "form": {**form, "metadata[leat_action]": action},
            "charge": key,
            "amount": amount,
            "currency": currency,
        },
        precondition={"refunds": _of_others(account.refunds(key))},
        people=(payer,) if payer else (),
        warnings=_warnings(charge, wanted),
    )


def _by(payer: str | None) -> str:
    return f"by {payer}" if payer else "by somebody without an e-mail address"


def _refuse_unpaid(charge: Row) -> None:
    if charge["status"] != "succeeded":
        msg = f"charge {charge['id']} was never paid: its status is {charge['status']}"
        raise Refused(msg)
    if not charge["captured"]:
        msg = f"charge {charge['id']} isn't captured, so there is nothing to refund: cancel its payment instead"
        raise Refused(msg)


def _refuse_disputed(account: Account, charge: Row) -> None:
    disputes = [each for page in pages(account.client, "/v1/disputes", [("charge", charge["id"])]) for each in page]
    for each in disputes:
        if each.get("status") not in _HARMLESS:
            msg = (
                f"charge {charge['id']} is disputed ({each.get('id')}, {each.get('status')}): the payer's bank has "
                "taken the money already, and a refund would pay it twice; answer the dispute or accept it"
            )
            raise Refused(msg)


def _warnings(charge: Row, wanted: Refund) -> tuple[str, ...]:
    warnings = ["a refund can't be taken back"]
    if wanted.reason == "fraudulent":
        warnings.append("the card and the e-mail address go on Stripe's block list")
    if charge["invoice_id"]:
        warnings.append(f"it paid invoice {charge['invoice_id']}, which stays as it is: credit it too")
    return tuple(warnings)


def _of_others(refunds: list[Row]) -> list[str]:
    """Return the refunds that people made; those of actions have an approval of their own."""
    return sorted(each["id"] for each in refunds if each["status"] not in NO_REFUND and not _action_of(each))


def _action_of(refund: Row) -> str | None:
    return (refund["metadata"] or {}).get("leat_action")


def send(account: Account, order: Order) -> Receipt:
    """Make the refund.

    Raises:
        Outdated: somebody has refunded since, or too little is left.
        IntegrationError: it failed.
    """
    planned = order.plan.payload
    key, what = planned["charge"], f"refunding charge {planned['charge']}"
    new = set(_of_others(account.refunds(key))) - set(order.plan.precondition["refunds"])
    if new:
        account.outdated(what, f"somebody refunded it meanwhile ({', '.join(sorted(new))})")
    charge, _ = account.find("charges", key)
    if charge["amount_left"] < planned["amount"]:
        account.outdated(what, f"only {money(charge, 'amount_left')} are left")
    made = account.post(order)
    return Receipt({"refund": made["id"], "status": made.get("status")})


def probe(account: Account, order: Order) -> Receipt | None:
    """Return the refund that carries the id of the action."""
    for each in account.refunds(order.plan.payload["charge"]):
        if _action_of(each) == order.id:
            return Receipt({"refund": each["id"], "status": each["status"]})
    return None


def confirm(account: Account, order: Order, receipt: Receipt) -> tuple[Change, ...]:
    """Compare the refund with the plan; one that is still pending is as planned."""
    planned = order.plan.payload
    try:
        refund, _ = account.find("refunds", receipt.data["refund"])
    except Refused:
        return (Change("refund", receipt.data["refund"], None),)
    expected = {"amount": planned["amount"], "currency": planned["currency"], "charge_id": planned["charge"]}
    changes = [Change(name, value, refund[name]) for name, value in expected.items() if refund[name] != value]
    if refund["status"] not in ("succeeded", "pending"):
        changes.append(Change("status", "succeeded", refund["status"]))
    if _action_of(refund) != order.id:
        changes.append(Change("metadata.leat_action", order.id, _action_of(refund)))
    return tuple(changes)


def undo(_account: Account, _order: Order, receipt: Receipt) -> NoReturn:
    """Refuse: money that was given back isn't the merchant's any more."""
    msg = f"refund {receipt.data['refund']} can't be taken back: ask the payer to pay again"
    raise Refused(msg)
