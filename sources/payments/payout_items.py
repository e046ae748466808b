"""A payout taken apart: its bookings, labelled, and the residual that makes them add up to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RESIDUAL = "residual"

_FEES = ("fee", "tax", "network_cost", "platform_earning")
"""Reporting categories of bookings that are a fee by themselves (docs.stripe.com/reports/reporting-categories)."""


def item_of(payout: str, booking: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of ``payout_items`` for a row of ``balance_transactions``."""
    kind = booking.get("type") or ""
    fee = booking.get("reporting_category") in _FEES or kind.endswith("_fee")
    label = "payout" if kind.startswith("payout") else "fee" if fee else "transaction"
    same = {name: booking.get(name) for name in ("type", "source_id", "amount", "fee", "net", "currency")}
    return {"payout_id": payout, "item": booking["id"], "label": label, **same}


class Residual:
    """What the bookings of a payout leave unexplained of its amount.

    Attributes:
        unread: how many bookings could not be read.
    """

    def __init__(self, payout: Mapping[str, Any]) -> None:
        self._payout = payout
        self._left = payout["amount"] or 0
        self._bookings = 0
        self._foreign = 0
        self.unread = 0

    def take(self, item: Mapping[str, Any]) -> None:
        """Account for an item; the payout's own booking is the other side and doesn't count."""
        if item["label"] == "payout":
            return
        self._bookings += 1
        if item["currency"] != self._payout["currency"]:
            self._foreign += 1
        self._left -= item["net"] or 0

    def row(self) -> dict[str, Any]:
        """Return the residual as a row of ``payout_items``."""
        return {
            "payout_id": self._payout["id"],
            "item": RESIDUAL,
            "label": RESIDUAL,
            "amount": self._left,
            "fee": 0,
            "net": self._left,
            "currency": self._payout["currency"],
            "reason": self._reason(),
        }

    def _reason(self) -> str:
        if not self._payout["automatic"]:
            return "a payout made by hand: the provider doesn't report its transactions"
        if self._foreign:
            return f"{self._foreign} bookings are in another currency"
        if self.unread:
            return f"{self.unread} bookings could not be read"
        if self._left == 0:
            return "reconciled"
        if not self._bookings:
            return f"the provider names no bookings; the payout is {self._payout['status']}"
        return f"{self._bookings} bookings add up to something else"
