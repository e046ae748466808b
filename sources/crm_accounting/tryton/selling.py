"""Tryton's opportunities, sales, products and notes to leads with their stages, deals, products and activities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from leat.sources.crm_accounting.tryton.api import Record, Tryton
from leat.sources.crm_accounting.tryton.changes import Part
from leat.sources.crm_accounting.tryton.kinds import Kind, Row
from leat.sources.crm_accounting.tryton.parties import CONTACT, contact_of
from leat.sources.crm_accounting.tryton.values import (
    day_of,
    decimal_of,
    exact,
    follow,
    from_stamp,
    key,
    moment_of,
    money,
    reference,
    stamp,
    times,
)
from leat.sources.money import to_minor

_HISTORY = 100
"""Records whose revisions are asked for at once."""


def _with_stages(tryton: Tryton, records: list[Record]) -> list[Record]:
    """Add the stages that each lead has been in, from Tryton's history of opportunities."""
    by_id = {record["id"]: {**record, "stages": []} for record in records}
    revisions: list[tuple[Any, int, str | None]] = []
    ids = sorted(by_id)
    for first in range(0, len(ids), _HISTORY):
        some = {"ids": ids[first : first + _HISTORY]}
        revisions += tryton.call("sale.opportunity/history_revisions", some)
    revisions.sort(key=lambda revision: stamp(revision[0]) or 0)
    # SQLite compares times as text, in which a time without microseconds comes before itself: a moment later is asked
    moments = [(number, from_stamp((stamp(at) or 0) + 1)) for at, number, _ in revisions]
    states = tryton.at_times("sale.opportunity", ["state"], moments)
    for (at, number, user), state in zip(revisions, states, strict=True):
        stages = by_id[number]["stages"]
        if "state" in state and (not stages or stages[-1]["stage"] != state["state"]):
            stages.append({"stage": state["state"], "entered_at": moment_of(at), "changed_by": user})
    return list(by_id.values())


def _lead_rows(record: Record) -> Iterator[Row]:
    currency = follow(record, "currency.code")
    lead = key(record)
    yield (
        "leads",
        {
            "lead_id": lead,
            "number": record["number"],
            "name": record["description"],
            "stage": record["state"],
            "company_id": key(record["party"]),
            "contact_id": contact_of(record["contact"]),
            "owner": follow(record, "employee.rec_name"),
            "amount": money(record["amount"], currency),
            "currency": currency,
            "probability": record["conversion_probability"],
            "started_on": day_of(record["start_date"]),
            "ended_on": day_of(record["end_date"]),
            "lost_reason": record["lost_reason"],
            "reference": record["reference"],
            "note": record["comment"],
            **times(record),
        },
    )
    stages = record["stages"]
    for position, (stage, following) in enumerate(zip(stages, [*stages, {}][1:], strict=True)):
        left_at = following.get("entered_at")
        yield "lead_stages", {"lead_id": lead, "position": position, **stage, "left_at": left_at}


LEADS = Kind(
    model="sale.opportunity",
    streams={"leads": "lead_id", "lead_stages": "lead_id"},
    fields=(
        *("number", "reference", "description", "state", "party", *CONTACT, "employee.rec_name", "amount"),
        *("currency.code", "conversion_probability", "start_date", "end_date", "lost_reason", "comment"),
        *("create_date", "write_date"),
    ),
    rows=_lead_rows,
    complete=_with_stages,
    lookups=("company.employee",),
)


def _deal_rows(record: Record) -> Iterator[Row]:
    currency = follow(record, "currency.code")
    origin, number = reference(record["origin"])
    yield (
        "deals",
        {
            "deal_id": key(record),
            "number": record["number"],
            "name": record["description"],
            "stage": record["state"],
            "lead_id": number if origin == "sale.opportunity" else None,
            "company_id": key(record["party"]),
            "contact_id": contact_of(record["contact"]),
            "untaxed_amount": money(record["untaxed_amount"], currency),
            "tax_amount": money(record["tax_amount"], currency),
            "amount": money(record["total_amount"], currency),
            "currency": currency,
            "closed_on": day_of(record["sale_date"]),
            "reference": record["reference"],
            "invoice_state": record["invoice_state"],
            **times(record),
        },
    )


DEALS = Kind(
    model="sale.sale",
    streams={"deals": "deal_id"},
    fields=(
        *("number", "reference", "description", "state", "origin", "party", *CONTACT, "untaxed_amount", "tax_amount"),
        *("total_amount", "currency.code", "sale_date", "invoice_state", "create_date", "write_date"),
    ),
    rows=_deal_rows,
    parts=(Part("sale.line", "sale"),),
)


def _with_currency(tryton: Tryton, records: list[Record]) -> list[Record]:
    """Add the currency of the company whose prices they are."""
    company = tryton.page("company.company", ["currency.code"], [["id", "=", tryton.context["company"]]])
    return [{**record, "currency": follow(company[0], "currency.code") if company else None} for record in records]


def _product_rows(record: Record) -> Iterator[Row]:
    currency, price = record["currency"], decimal_of(record["list_price_used"])
    try:
        minor = None if price is None or currency is None else to_minor(price, currency)
    except ValueError:
        minor = None  # a unit price may have more decimals than its currency
    yield (
        "products",
        {
            "product_id": key(record),
            "sku": record["code"] or None,
            "name": record["name"],
            "description": record["description"],
            "kind": record["type"],
            "unit": follow(record, "default_uom.rec_name"),
            "price": minor,
            "price_exact": exact(record["list_price_used"]),
            "cost_exact": exact(record["cost_price"]),
            "currency": currency,
            "archived": not record["active"],
            **times(record),
        },
    )


PRODUCTS = Kind(
    model="product.product",
    streams={"products": "product_id"},
    fields=(
        *("code", "name", "description", "type", "default_uom.rec_name", "list_price_used", "cost_price", "active"),
        *("create_date", "write_date"),
    ),
    rows=_product_rows,
    parts=(
        Part("product.template", "products"),
        Part("product.list_price", "template.products"),
        Part("product.cost_price", "product"),
    ),
    lookups=("product.uom",),
    complete=_with_currency,
)

_ABOUT = {
    "party.party": "companies",
    "sale.opportunity": "leads",
    "sale.sale": "deals",
    "product.product": "products",
    "account.invoice": "invoices",
    "account.move": "journal_entries",
}


def _note_rows(record: Record) -> Iterator[Row]:
    model, number = reference(record["resource"])
    yield (
        "activities",
        {
            "activity_id": key(record),
            "kind": "note",
            "about": _ABOUT.get(model or "", model),
            "about_id": number,
            "body": record["message"],
            "actor": follow(record, "create_uid.name"),
            "happened_at": times(record)["created_at"],
            **times(record),
        },
    )


NOTES = Kind(
    model="ir.note",
    streams={"activities": "activity_id"},
    fields=("resource", "message", "create_uid.name", "create_date", "write_date"),
    rows=_note_rows,
)
