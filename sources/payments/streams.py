"""The streams of a payment system, the same for every provider."""

from __future__ import annotations

from leat.sources.payments.balance import BALANCE_TRANSACTIONS, PAYOUT_ITEMS, PAYOUTS
from leat.sources.payments.billing import CUSTOMERS, INVOICE_LINES, INVOICES, PAYMENT_METHODS
from leat.sources.payments.catalogue import EVENTS, PRICES, PRODUCTS, SUBSCRIPTIONS
from leat.sources.payments.movements import CHARGES, DISPUTES, PAYMENT_INTENTS, REFUNDS

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
