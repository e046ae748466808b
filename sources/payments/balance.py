"""The streams of the merchant's balance: bookings, payouts to the bank, and what each payout consists of."""

from __future__ import annotations

from leat.sources.payments.columns import (
    BALANCE,
    CREATED,
    CURRENCY,
    ID,
    LIVE,
    METADATA,
    amount,
    flag,
    text,
    time,
    value,
)
from leat.sources.stream import Column, Stream

BALANCE_TRANSACTIONS = Stream(
    name="balance_transactions",
    description="A transaction on the merchant's balance: every charge, refund, dispute, fee and payout creates one.",
    columns=(
        ID,
        CREATED,
        time("available_at", "From when on the money can be paid out."),
        amount("amount", "Gross amount; negative when money leaves the balance"),
        amount("fee", "Fees taken from it"),
        amount("net", "amount less fee"),
        CURRENCY,
        Column("exchange_rate", "float", "Rate from the currency that was charged; null when it is the same."),
        text("type", "For example charge, refund, adjustment, stripe_fee, payout."),
        text("reporting_category", "The provider's own grouping of types."),
        text("status", "available or pending."),
        text("source_id", "Its object: id of a charge, refund, dispute, payout."),
        text("payout_id", "The payout that transferred it to the bank: payouts.id; null until it is paid out."),
        text("description", "What it is for.", personal=True),
        value("fee_details", "The fees one by one."),
    ),
    key=("id",),
    deletes="full_scan",
)

PAYOUTS = Stream(
    name="payouts",
    description="A transfer from the balance to the merchant's bank.",
    columns=(
        ID,
        CREATED,
        time("arrives_at", "When the bank has it, or is expected to."),
        amount("amount", "Amount transferred; negative if money is taken from the bank"),
        CURRENCY,
        text("status", "pending, in_transit, paid, failed or canceled."),
        flag("automatic", "Whether the provider made it by its schedule; only then can it be split."),
        text("method", "standard or instant."),
        text("type", "bank_account or card."),
        text("reconciliation_status", "completed, in_progress or not_applicable."),
        BALANCE,
        text("failure_balance_transaction_id", "The balance transaction that reversed it if it failed."),
        text("failure_code", "Why it failed, as a code."),
        text("failure_message", "Why it failed, in words."),
        text("destination_id", "The account at the bank."),
        text("original_payout_id", "The payout that this one reverses."),
        text("reversed_by_id", "The payout that reverses this one."),
        text("statement_descriptor", "Text on the bank statement."),
        text("description", "What it is for."),
        METADATA,
        LIVE,
    ),
    key=("id",),
    deletes="full_scan",
)

PAYOUT_ITEMS = Stream(
    name="payout_items",
    description="The transactions of a payout: one row for each, and one row for the unexplained rest.",
    columns=(
        text("payout_id", "The payout: payouts.id."),
        text("item", "The transaction: balance_transactions.id; or residual."),
        text("label", "transaction, fee (charged separately), payout (its own transaction), or residual."),
        text("type", "Type of the transaction; null for the residual."),
        text("source_id", "Its object; null for the residual."),
        amount("amount", "Gross amount of the transaction"),
        amount("fee", "Fees taken from it"),
        amount("net", "Net amount that it contributes to the payout"),
        CURRENCY,
        text("reason", "For a residual: reconciled, or why it isn't zero."),
    ),
    key=("payout_id", "item"),
    deletes="full_scan",
    quirks=(
        "The net amounts of a payout, without its own booking (label payout), always add up to payouts.amount, for the "
        "residual takes what is left. A payout reconciles when its residual is zero.",
    ),
)
