"""The payouts of the demo company: once a week, in each currency, what was booked and is available by then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from leat.demo.story import Story
from leat.demo.story.trade import PAYOUT_SHORT

_DAYS = (49, 42, 35, 28, 21, 14, 7)
"""How many days ago money was paid out."""


@dataclass(frozen=True, slots=True)
class Booking:
    """A booking on the balance.

    Attributes:
        key: its id.
        currency: ISO 4217.
        net: what it adds to the balance, in minor units.
        created: seconds since 1970.
    """

    key: str
    currency: str
    net: int
    created: int


def pay_out(lay: Callable[..., None], bookings: Sequence[Booking], story: Story) -> None:
    """Make the payouts; the last one in EUR lacks some of its bookings' money.

    Args:
        lay: puts an object of a list there: list, id, and its fields.
        bookings: what can be paid out.
        story: when.
    """
    for currency in sorted({booking.currency for booking in bookings}):
        waiting = sorted((each for each in bookings if each.currency == currency), key=lambda each: each.created)
        due: list[tuple[int, list[Booking]]] = []
        for days in _DAYS:
            day = int(story.at(days).timestamp())
            ready = [each for each in waiting if each.created < day - 2 * 86_400]
            if sum(each.net for each in ready) > 0:
                due.append((day, ready))
                waiting = waiting[len(ready) :]
        for number, (day, paid) in enumerate(due, 1):
            short = PAYOUT_SHORT if currency == "EUR" and number == len(due) else 0
            _pay(lay, f"po_{currency.lower()}_{number}", day, paid, short)


def _pay(lay: Callable[..., None], key: str, day: int, paid: Sequence[Booking], short: int) -> None:
    amount = sum(each.net for each in paid) - short
    money: dict[str, Any] = {"currency": paid[0].currency.lower(), "created": day}
    lay("payouts", key, dict(amount=amount, arrival_date=day + 2 * 86_400, balance_transaction=f"txn_{key}", **money))
    lay(
        "balance_transactions",
        f"txn_{key}",
        dict(
            amount=-amount,
            net=-amount,
            available_on=day,
            type="payout",
            reporting_category="payout",
            source=key,
            description="STRIPE PAYOUT",
            _payout=key,
            **money,
        ),
    )
    for each in paid:
        lay("balance_transactions", each.key, dict(_payout=key))
