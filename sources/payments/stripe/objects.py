"""Stripe's objects and how each becomes a row (docs.stripe.com/api, version of :data:`VERSION`).

Where a later version has moved a field, the field is looked for in both places, so that ``api_version`` can be raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leat.sources.payments.field_mapping import FieldMapping, Object, to_row
from leat.sources.payments.stripe.adapt import (
    adapt_charge,
    adapt_dispute,
    adapt_event,
    adapt_invoice,
    adapt_method,
    adapt_price,
    adapt_subscription,
    released_of,
)
from leat.sources.payments.stripe.money import from_stripe

VERSION = "2025-02-24.acacia"
"""The last version in which a charge and its invoice name each other; later ones take one more request an invoice."""

COLLECTIONS = {
    "customer": "customers",
    "payment_method": "payment_methods",
    "payment_intent": "payment_intents",
    "charge": "charges",
    "refund": "refunds",
    "dispute": "disputes",
    "balance_transaction": "balance_transactions",
    "payout": "payouts",
    "invoice": "invoices",
    "subscription": "subscriptions",
    "product": "products",
    "price": "prices",
    "plan": "prices",  # the older name of a price, with the same id
}
"""Stream, and name of the list in the API, by an object's ``object``."""


_SHAPES = {
    "customers": FieldMapping(
        plain="id name email phone description address shipping delinquent tax_exempt preferred_locales metadata "
        "livemode",
        references="default_payment_method_id=invoice_settings.default_payment_method",
        amounts="balance",
        times="created_at=created",
        unused="subscriptions sources tax_ids",
    ),
    "payment_methods": FieldMapping(
        plain="id type billing_name=billing_details.name billing_email=billing_details.email billing_details "
        "brand=details.brand country=details.country funding=details.funding expires_month=details.exp_month "
        "expires_year=details.exp_year last4=details.last4 details metadata livemode",
        references="customer_id=customer",
        times="created_at=created",
        adapt=adapt_method,
    ),
    "payment_intents": FieldMapping(
        plain="id status capture_method description receipt_email cancellation_reason shipping metadata livemode "
        "last_error_code=last_payment_error.code last_payment_error",
        references="customer_id=customer payment_method_id=payment_method latest_charge_id=latest_charge "
        "invoice_id=invoice",
        amounts="amount amount_received amount_capturable",
        times="created_at=created canceled_at",
        unused="client_secret charges next_action",
    ),
    "charges": FieldMapping(
        plain="id status paid captured refunded disputed failure_code failure_message description receipt_email "
        "statement_descriptor=calculated_statement_descriptor|statement_descriptor receipt_number receipt_url "
        "billing_details outcome shipping payment_method_type=payment_method_details.type payment_method_details "
        "metadata livemode",
        references="customer_id=customer payment_intent_id=payment_intent invoice_id=invoice "
        "payment_method_id=payment_method balance_transaction_id=balance_transaction",
        amounts="amount amount_captured amount_refunded amount_released amount_left",
        times="created_at=created",
        unused="refunds source",
        adapt=adapt_charge,
    ),
    "refunds": FieldMapping(
        plain="id status reason failure_reason description receipt_number instructions_email destination_details "
        "metadata",
        references="charge_id=charge payment_intent_id=payment_intent balance_transaction_id=balance_transaction "
        "failure_balance_transaction_id=failure_balance_transaction",
        amounts="amount",
        times="created_at=created",
    ),
    "disputes": FieldMapping(
        plain="id status reason is_charge_refundable balance_transaction_ids=balance_transactions evidence "
        "evidence_details payment_method_details metadata livemode",
        references="charge_id=charge payment_intent_id=payment_intent",
        amounts="amount",
        times="created_at=created evidence_due_at=evidence_details.due_by",
        adapt=adapt_dispute,
    ),
    "balance_transactions": FieldMapping(
        plain="id exchange_rate type reporting_category status description fee_details",
        references="source_id=source",
        amounts="amount fee net",
        times="created_at=created available_at=available_on",
    ),
    "payouts": FieldMapping(
        plain="id status automatic method type reconciliation_status failure_code failure_message statement_descriptor "
        "description metadata livemode",
        references="balance_transaction_id=balance_transaction destination_id=destination "
        "failure_balance_transaction_id=failure_balance_transaction original_payout_id=original_payout "
        "reversed_by_id=reversed_by",
        amounts="amount",
        times="created_at=created arrives_at=arrival_date",
    ),
    "invoices": FieldMapping(
        plain="id number customer_name customer_email customer_phone customer_address customer_shipping "
        "customer_tax_ids status billing_reason collection_method attempt_count description hosted_invoice_url "
        "invoice_pdf metadata livemode",
        references="customer_id=customer subscription_id=subscription|parent.subscription_details.subscription "
        "charge_id=charge payment_intent_id=payment_intent",
        amounts="subtotal tax total amount_due amount_paid amount_remaining",
        times="created_at=created period_start_at=period_start period_end_at=period_end due_at=due_date "
        "finalized_at=status_transitions.finalized_at paid_at=status_transitions.paid_at "
        "voided_at=status_transitions.voided_at",
        unused="lines",
        adapt=adapt_invoice,
    ),
    "invoice_lines": FieldMapping(
        plain="id type description quantity metadata livemode "
        "proration=proration|parent.subscription_item_details.proration|parent.invoice_item_details.proration",
        references="invoice_id=invoice price_id=price|pricing.price_details.price|plan "
        "product_id=price.product|pricing.price_details.product|plan.product "
        "subscription_id=subscription|parent.subscription_item_details.subscription "
        "subscription_item_id=subscription_item|parent.subscription_item_details.subscription_item "
        "invoice_item_id=invoice_item|parent.invoice_item_details.invoice_item",
        amounts="amount",
        times="period_start_at=period.start period_end_at=period.end",
    ),
    "subscriptions": FieldMapping(
        plain="id status quantity=first.quantity|quantity items cancel_at_period_end collection_method description "
        "metadata livemode",
        references="customer_id=customer price_id=first.price|first.plan|plan product_id=first.price.product|"
        "first.plan.product default_payment_method_id=default_payment_method latest_invoice_id=latest_invoice",
        times="created_at=created started_at=start_date canceled_at ended_at cancel_at trial_start_at=trial_start "
        "trial_end_at=trial_end current_period_start_at=current_period_start|first.current_period_start "
        "current_period_end_at=current_period_end|first.current_period_end",
        unused="first",
        adapt=adapt_subscription,
    ),
    "products": FieldMapping(
        plain="id name description active type unit_label url metadata livemode",
        references="default_price_id=default_price tax_code",
        times="created_at=created updated_at=updated",
    ),
    "prices": FieldMapping(
        plain="id active unit_amount_decimal type billing_scheme interval=recurring.interval "
        "interval_count=recurring.interval_count usage_type=recurring.usage_type nickname lookup_key tax_behavior "
        "tiers_mode metadata livemode",
        references="product_id=product",
        amounts="unit_amount",
        times="created_at=created",
        adapt=adapt_price,
    ),
    "events": FieldMapping(
        plain="id type object_type=subject.object object_id=subject.id changed api_version request_id=request.id "
        "idempotency_key=request.idempotency_key data livemode",
        times="created_at=created",
        adapt=adapt_event,
    ),
}


_WITHOUT_RELEASES = "2025-03-31"
"""Day of the first version in which releasing what wasn't captured is no refund."""


def row_of(stream: str, given: Object, version: str = VERSION) -> dict[str, Any]:
    """Return the row of one of Stripe's objects.

    Args:
        stream: which.
        given: the object.
        version: version of the API that it came from.

    Raises:
        ValueError: the object isn't what Stripe's reference says.
    """
    if not isinstance(given, Mapping):
        msg = f"it is {type(given).__name__}, not an object"
        raise ValueError(msg)
    if stream == "charges" and version < _WITHOUT_RELEASES:
        given = {**given, "amount_released": released_of(given)}
    row = to_row(_SHAPES[stream], given, from_stripe)
    if not isinstance(row.get("id"), str) or not row["id"]:
        msg = "field id: there is none"
        raise ValueError(msg)
    return row


def unused_fields(stream: str) -> frozenset[str]:
    """Return the fields of an object that no row is made of."""
    return frozenset(_SHAPES[stream].unused.split()) - {"first"}
