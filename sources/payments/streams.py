"""The streams of a payment system, the same for every provider."""

from __future__ import annotations

from sources.payments.billing import (
    CUSTOMERS,
    EVENTS,
    INVOICE_LINES,
    INVOICES,
    PAYMENT_METHODS,
    PRICES,
    PRODUCTS,
    SUBSCRIPTIONS,
)
from sources.payments.movements import (
    BALANCE_TRANSACTIONS,
    CHARGES,
    DISPUTES,
    PAYMENT_INTENTS,
    PAYOUT_ITEMS,
    PAYOUTS,
    REFUNDS,
)

STREAMS = (
    CUSTOMERS,
    PAYMENT_METHODS,
    PAYMENT_INTENTS,
    CHARGES,
    REFUNDS,
    DISPUTES,
    BALANCE_TRANSACTIONS,
    PAYOUTS,
    PAYOUT_ITEMS,
    INVOICES,
    INVOICE_LINES,
    SUBSCRIPTIONS,
    PRODUCTS,
    PRICES,
    EVENTS,
)
