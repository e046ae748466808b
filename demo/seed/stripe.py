"""Seeds localstripe and the fake before it with what the demo company sold: by Stripe's own library where it can.

What localstripe can't store is laid over its objects: the day on which something happened, fees, payouts, disputes.
"""

from __future__ import annotations

from typing import Any

import requests

from leat.demo.story import Story
from leat.demo.story.trade import Customer
from leat.demo.stripe.balance import Booking, pay_out
from leat.demo.stripe.orders import GOOD, Account, at, charge_order, make_card


def seed_payments(url: str, key: str, story: Story) -> None:
    """Put the story's customers, products, charges, refunds, disputes and payouts there; once.

    Args:
        url: address of the front, without a slash at its end.
        key: the secret key that it accepts.
        story: what to write.
    """
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {key}"
        product = session.get(f"{url}/v1/products/{story.products[0].sku}", timeout=30)
        if product.ok and product.json()["metadata"].get("seeded"):
            return
        session.delete(f"{url}/_fake", timeout=30).raise_for_status()
        import stripe

        library = stripe.StripeClient(key, base_addresses={"api": url}).v1
        _seed(Account(library, url, session), story)


def _seed(account: Account, story: Story) -> None:
    _sell(account, story)
    payers = {customer.key: _welcome(account, customer, story) for customer in story.customers}
    bookings: list[Booking] = []
    for order in story.orders:
        if order.charged:
            bookings += charge_order(account, order, payers[order.customer], story)
    for customer in story.customers:
        if customer.subscribed:
            _subscribe(account, customer, payers[customer.key][0], story)
    pay_out(account.lay, bookings, story)
    account.lay("products", story.products[0].sku, {"metadata": {"seeded": "whole"}})  # the last thing that is done


def _sell(account: Account, story: Story) -> None:
    made = at(story, 70)
    for product in story.products:
        account.library.products.create({"id": product.sku, "name": product.name, "type": "service"})
        account.lay("products", product.sku, dict(created=made))
        for currency, amount in product.prices:
            key = f"price_{product.sku}_{currency}".lower()
            if product.monthly:
                plan = {"id": key, "amount": amount, "currency": currency.lower(), "interval": "month"}
                account.library.plans.create({**plan, "product": product.sku})
                account.lay("prices", key, dict(created=made))
            else:
                price = {"unit_amount": amount, "unit_amount_decimal": str(amount), "currency": currency.lower()}
                account.lay(
                    "prices",
                    key,
                    dict(
                        product=product.sku,
                        type="one_time",
                        active=True,
                        created=made,
                        billing_scheme="per_unit",
                        livemode=False,
                        metadata={},
                        **price,
                    ),
                )


def _welcome(account: Account, customer: Customer, story: Story) -> tuple[str, str]:
    """Make a customer with a card; returns the ids of both."""
    who: dict[str, Any] = {"name": customer.name, "email": customer.email, "description": customer.contact}
    who |= {"address": {"country": customer.country}, "metadata": {"key": customer.key}}
    made = account.library.customers.create(who).id
    card = make_card(account, customer, GOOD, story)
    account.library.payment_methods.attach(card, {"customer": made})
    account.library.customers.update(made, {"invoice_settings": {"default_payment_method": card}})
    account.lay("customers", made, dict(created=at(story, 65)))
    return made, card


def _subscribe(account: Account, customer: Customer, payer: str, story: Story) -> None:
    """Subscribe a customer, still on trial, with a draft of the first invoice: so nothing was charged yet."""
    price = f"price_{customer.subscribed}_{customer.currency}".lower()
    asked = {"customer": payer, "items": [{"plan": price}], "trial_end": at(story, -14)}
    made = account.library.subscriptions.create(asked).id
    began, ends = at(story, 5), at(story, -14)
    trial = {"status": "trialing", "trial_start": began, "trial_end": ends, "start_date": began, "created": began}
    account.lay("subscriptions", made, {**trial, "current_period_start": began, "current_period_end": ends})
    invoice = account.library.invoices.create({"customer": payer, "subscription": made}).id
    account.lay("invoices", invoice, {"created": at(story, 1), "customer_email": customer.email})
