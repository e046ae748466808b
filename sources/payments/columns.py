"""Columns that several streams of a payment system have."""

from __future__ import annotations

from leat.sources.stream import Column
from leat.sources.subject import Subject

ID = Column("id", "string", "Identity of the object at the provider.")
CREATED = Column("created_at", "timestamp", "When it was created; later changes don't affect this.")
CUSTOMER_ID = Subject("customer", "personal")
CUSTOMER = Column("customer_id", "string", "The customer: customers.id.", subject=CUSTOMER_ID)
CURRENCY = Column("currency", "string", "Currency of the amounts, ISO 4217, in capitals.")
METADATA = Column("metadata", "json", "Keys and values that the merchant has attached.")
LIVE = Column("livemode", "boolean", "True for real money, false for test mode.")
INTENT = Column("payment_intent_id", "string", "The payment it belongs to: payment_intents.id.")
CHARGE = Column("charge_id", "string", "The charge it belongs to: charges.id.")
BALANCE = Column("balance_transaction_id", "string", "Its balance transaction: balance_transactions.id.")
METHOD = Column("payment_method_id", "string", "Its payment method: payment_methods.id.")


def amount(name: str, what: str) -> Column:
    """Return the column of an amount."""
    return Column(name, "integer", f"{what}, in minor units of the currency (ISO 4217).")


def text(name: str, description: str, *, personal: bool = False, subject: Subject | None = None) -> Column:
    """Return a column of text."""
    return Column(name, "string", description, personal, subject)


def time(name: str, description: str) -> Column:
    """Return the column of an instant."""
    return Column(name, "timestamp", description)


def flag(name: str, description: str) -> Column:
    """Return the column of a yes or no."""
    return Column(name, "boolean", description)


def value(name: str, description: str, *, personal: bool = False) -> Column:
    """Return the column of a nested value, as JSON the way the provider writes it, amounts included."""
    return Column(name, "json", description, personal)
