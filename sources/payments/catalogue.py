"""The streams of what is sold: subscriptions, products, prices; and the events of everything."""

from __future__ import annotations

from leat.sources.payments.columns import (
    CREATED,
    CURRENCY,
    CUSTOMER,
    CUSTOMER_ID,
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
from leat.sources.subject import FREE_TEXT

SUBSCRIPTIONS = Stream(
    name="subscriptions",
    description="A recurring agreement with a customer; ended ones stay.",
    columns=(
        ID,
        CREATED,
        CUSTOMER,
        text("status", "incomplete, incomplete_expired, trialing, active, past_due, canceled, unpaid or paused."),
        CURRENCY,
        text("price_id", "Price of its first item: prices.id."),
        text("product_id", "Product of its first item: products.id."),
        Column("quantity", "integer", "Quantity of its first item."),
        value("items", "All items, with their prices."),
        time("started_at", "When it began."),
        time("current_period_start_at", "Start of the last billed period."),
        time("current_period_end_at", "End of the last billed period."),
        flag("cancel_at_period_end", "Whether it ends with the period."),
        time("cancel_at", "When it will end."),
        time("canceled_at", "When it was cancelled."),
        time("ended_at", "When it ended."),
        time("trial_start_at", "Start of the trial."),
        time("trial_end_at", "End of the trial."),
        text("collection_method", "charge_automatically or send_invoice."),
        text("default_payment_method_id", "Its payment method: payment_methods.id."),
        text("latest_invoice_id", "Its last invoice: invoices.id."),
        text("description", "What it is for.", personal=True, subject=FREE_TEXT),
        METADATA,
        LIVE,
    ),
    key=("id",),
    deletes="full_scan",
)

PRODUCTS = Stream(
    name="products",
    description="A product or service for sale.",
    columns=(
        ID,
        CREATED,
        time("updated_at", "When it was last changed."),
        text("name", "What it is called."),
        text("description", "What it is."),
        flag("active", "Whether it can be bought."),
        text("type", "good or service."),
        text("default_price_id", "Its usual price: prices.id."),
        text("unit_label", "Label of one unit."),
        text("url", "Its page."),
        text("tax_code", "How it is taxed."),
        METADATA,
        LIVE,
    ),
    key=("id",),
    deletes="full_scan",
)

PRICES = Stream(
    name="prices",
    description="A price of a product, one-time or recurring.",
    columns=(
        ID,
        CREATED,
        text("product_id", "The product: products.id."),
        flag("active", "Whether it can be used for new purchases."),
        CURRENCY,
        amount("unit_amount", "Unit price; null if it is below a minor unit or tiered"),
        text("unit_amount_decimal", "Unit price in minor units with up to 12 decimals, as text."),
        text("type", "one_time or recurring."),
        text("billing_scheme", "per_unit or tiered."),
        text("interval", "day, week, month or year."),
        Column("interval_count", "integer", "How many intervals make a period."),
        text("usage_type", "licensed or metered."),
        text("nickname", "The merchant's name for it."),
        text("lookup_key", "The merchant's lookup key."),
        text("tax_behavior", "inclusive, exclusive or unspecified."),
        text("tiers_mode", "graduated or volume."),
        METADATA,
        LIVE,
    ),
    key=("id",),
    deletes="full_scan",
)

EVENTS = Stream(
    name="events",
    description="The provider's notice that something happened; it retains them for 30 days, this table for ever.",
    columns=(
        ID,
        CREATED,
        text("type", "What happened, for example charge.refunded."),
        text("object_type", "Kind of the object, for example charge."),
        text("object_id", "The object that it happened to.", subject=CUSTOMER_ID),
        value("changed", "Names of the fields that changed."),
        text("api_version", "API version of the snapshot."),
        text("request_id", "The request that caused it; null when the provider did."),
        text("idempotency_key", "Key of the request that caused it."),
        value(
            "data", "Snapshot of the object at that time; the object's own table has the current state.", personal=True
        ),
        LIVE,
    ),
    key=("id",),
    deletes="never",
    quirks=("Events of the same second have no order.",),
)
