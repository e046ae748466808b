"""What an order leaves at Stripe: a payment, refunds, a dispute, and their bookings with day and fee."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests

from leat.demo.story import Story
from leat.demo.story.trade import FEE, Customer, Order
from leat.demo.stripe.balance import Booking

DECLINED = "4000000000000341"
GOOD = "4242424242424242"
_DISPUTE_FEE = 1500


@dataclass(frozen=True, slots=True)
class Account:
    """A running front with its key.

    Attributes:
        library: Stripe's library, pointed at it.
        url: its address.
        session: holds the key.
    """

    library: Any
    url: str
    session: requests.Session

    def lay(self, name: str, key: str, fields: Mapping[str, Any], event: str | None = None) -> None:
        """Lay fields over an object, or make one on a list that localstripe lacks."""
        path = f"{self.url}/_fake/{name}/{key}"
        answer = self.session.put(path, params={"event": event} if event else {}, json=dict(fields), timeout=30)
        answer.raise_for_status()

    def refund(self, payment: str, amount: int, *, beyond: bool) -> Any:
        """Refund a payment, even beyond what is left of it; returns the refund."""
        asked = {"payment_intent": payment, "amount": amount}
        if not beyond:
            return self.library.refunds.create(asked)
        answer = self.session.post(f"{self.url}/_fake/refunds", data=asked, timeout=30)
        answer.raise_for_status()
        return answer.json()


def make_card(account: Account, customer: Customer, number: str, story: Story) -> str:
    """Make a card of a customer's; returns its id."""
    card = {"number": number, "exp_month": 12, "exp_year": story.began_at.year + 3, "cvc": "123"}
    owner = {"name": customer.contact, "email": customer.email}
    made = account.library.payment_methods.create({"type": "card", "card": card, "billing_details": owner})
    account.lay("payment_methods", made.id, dict(created=at(story, 65)))
    return str(made.id)


def charge_order(account: Account, order: Order, payer: tuple[str, str], story: Story) -> Iterator[Booking]:
    """Charge an order, give back, dispute and charge again what the story says; yields the bookings."""
    customer, card = payer
    if order.declined_first:
        _pay(account, order, customer, make_card(account, story.customer(order.customer), DECLINED, story), story)
    intent, charge = _pay(account, order, customer, card, story)
    fee = order.total * FEE[0] // 10_000 + FEE[1]
    yield _book(account, charge, order.total, fee, order, _moment(story, order.days_ago))
    for number, amount in enumerate(order.refunds):
        left = order.total - sum(order.refunds[:number])
        refund = account.refund(intent, amount, beyond=amount > left)
        moment = _moment(story, order.days_ago - 1, hours=number)
        account.lay("refunds", refund["id"], dict(created=moment, reason="requested_by_customer"))
        yield _book(account, refund, -amount, 0, order, moment)
    if order.disputed:
        yield _dispute(account, order, intent, charge.id, story)
    if order.charged_twice:
        _, again = _pay(account, order, customer, card, story, minutes=1)
        yield _book(account, again, order.total, fee, order, _moment(story, order.days_ago, hours=1 / 60))


def _pay(account: Account, order: Order, customer: str, card: str, story: Story, minutes: float = 0) -> tuple[str, Any]:
    """Take the money, so many minutes after the order; returns the id of the payment and its charge."""
    import stripe

    asked = {"amount": order.total, "currency": order.currency.lower(), "customer": customer, "payment_method": card}
    intent = account.library.payment_intents.create({**asked, "metadata": {"order": str(order.number)}})
    try:
        account.library.payment_intents.confirm(intent.id)
        late = -minutes / 60
    except stripe.CardError:
        late = 0.1
    about = {"description": f"Order {order.number}", "metadata": {"order": str(order.number)}}
    moment = _moment(story, order.days_ago, hours=-late)
    account.lay("payment_intents", intent.id, dict(created=moment, **about))
    charge: Any = account.library.payment_intents.retrieve(intent.id).latest_charge
    mail = story.customer(order.customer).email
    account.lay("charges", charge.id, dict(created=moment, receipt_email=mail, disputed=order.disputed, **about))
    return intent.id, charge


def _book(account: Account, source: Any, amount: int, fee: int, order: Order, moment: int) -> Booking:
    """Lay day and fee over a booking."""
    key = source["balance_transaction"]
    fees = [{"amount": fee, "currency": order.currency.lower(), "type": "stripe_fee", "description": "Processing fees"}]
    account.lay(
        "balance_transactions",
        key,
        dict(
            created=moment,
            available_on=moment + 2 * 86_400,
            fee=fee,
            net=amount - fee,
            fee_details=fees if fee else [],
            description=f"Order {order.number}",
        ),
    )
    return Booking(key, order.currency, amount - fee, moment)


def _dispute(account: Account, order: Order, intent: str, charge: str, story: Story) -> Booking:
    moment, key = _moment(story, order.days_ago - 5), f"dp_{order.number}"
    money = {"amount": order.total, "currency": order.currency.lower()}
    net = -order.total - _DISPUTE_FEE
    account.lay(
        "balance_transactions",
        f"txn_{key}",
        dict(
            **money | {"amount": -order.total},
            created=moment,
            net=net,
            available_on=moment,
            fee=_DISPUTE_FEE,
            type="adjustment",
            reporting_category="dispute",
            source=key,
        ),
    )
    due = {"due_by": moment + 7 * 86_400, "has_evidence": False, "past_due": False, "submission_count": 0}
    account.lay(
        "disputes",
        key,
        dict(
            **money,
            charge=charge,
            payment_intent=intent,
            created=moment,
            reason="product_not_received",
            evidence_details=due,
            status="needs_response",
            balance_transactions=[f"txn_{key}"],
        ),
        "charge.dispute.created",
    )
    return Booking(f"txn_{key}", order.currency, net, moment)


def at(story: Story, days: float) -> int:
    """Return a day of the story as Stripe writes it."""
    return int(story.at(days).timestamp())


def _moment(story: Story, days: float, hours: float = 0) -> int:
    """Return a moment, never one to come: what happened today happened before."""
    return min(at(story, days) + round(hours * 3600), int(datetime.now(story.began_at.tzinfo).timestamp()))
