"""Tryton's invoices to invoices, bills and credit notes, with their lines and what was paid on them.

In Tryton a credit note is an invoice with a negative total; here its amounts are positive.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from leat.sources.crm_accounting.tryton.api import Record
from leat.sources.crm_accounting.tryton.changes import Part
from leat.sources.crm_accounting.tryton.kinds import Kind, Row
from leat.sources.crm_accounting.tryton.values import day_of, decimal_of, exact, follow, key, money, reference, times


def _rows(record: Record) -> Iterator[Row]:
    currency = follow(record, "currency.code")
    total = decimal_of(record["total_amount"]) or 0
    stream = "credit_notes" if total < 0 else "invoices" if record["type"] == "out" else "bills"
    sign = -1 if total < 0 else 1

    def amount(value: Any) -> int | None:
        minor = money(value, currency)
        return None if minor is None else sign * minor

    yield (
        stream,
        {
            **_whose(stream, record),
            "entity_id": key(record["company"]),
            "number": record["number"],
            "status": record["state"],
            "reference": record["reference"],
            "description": record["description"],
            "issued_on": day_of(record["invoice_date"]),
            "due_on": min(
                filter(None, (day_of(line["maturity_date"]) for line in record["lines_to_pay"])), default=None
            ),
            "paid_on": _paid_on(record),
            "untaxed_amount": amount(record["untaxed_amount"]),
            "tax_amount": amount(record["tax_amount"]),
            "amount": amount(record["total_amount"]),
            "open_amount": amount(record["amount_to_pay"]),
            "currency": currency,
            "entry_id": key(record["move"]),
            "taxes": [
                {"tax_id": key(tax["tax"]), "base": amount(tax["base"]), "amount": amount(tax["amount"])}
                for tax in record["taxes"]
            ],
            **times(record),
        },
    )
    for position, line in enumerate(record["lines"]):
        quantity = line["quantity"]
        yield (
            "invoice_lines",
            {
                "line_id": key(line),
                "document": stream,
                "document_id": key(record),
                "position": position,
                "kind": line["type"],
                "product_id": key(line["product"]),
                "account_id": key(line["account"]),
                "description": line["description"],
                "quantity": None if quantity is None else sign * quantity,
                "unit": follow(line, "unit.rec_name"),
                "unit_price_exact": exact(line["unit_price"]),
                "amount": amount(line["amount"]) if line["type"] == "line" else None,
                "currency": currency,
                "taxes": sorted(str(key(tax)) for tax in line["taxes"]),
            },
        )
    for line in record["payment_lines"]:
        yield "payments", _payment(record, stream, line, sign if record["type"] == "out" else -sign)


def _paid_on(record: Record) -> date | None:
    """Return when a document was paid in full; None when it was cancelled, credited or written off instead.

    Tryton's ``reconciled`` is the day on which what was to be paid was matched with anything: with money, or with
    entries that only take it back.
    """
    day = day_of(record["reconciled"])
    if day is None or record["state"] == "cancelled":
        return None
    matched = [line["move"] for to_pay in record["lines_to_pay"] for line in _matched(to_pay)]
    return day if any(_moves_money(move) for move in matched) else None


def _matched(line: Record) -> list[Record]:
    """Return the lines that a line was matched with, itself among them."""
    return (line["reconciliation"] or {}).get("lines") or []


def _moves_money(move: Record) -> bool:
    """Return whether an entry is money that came or went: no document, no cancellation, nothing written off."""
    kind, _ = reference(move["origin"])
    return follow(move, "journal.type") not in _OF_DOCUMENTS and kind not in _TAKING_BACK


def _is_settled(line: Record) -> bool:
    """Return whether a payment was matched with what it pays, and not with the entry that cancels it."""
    cancelled = f"account.move,{key(line['move'])}"
    return line["reconciliation"] is not None and all(other["move"]["origin"] != cancelled for other in _matched(line))


def _whose(stream: str, record: Record) -> dict[str, Any]:
    if stream == "invoices":
        return {"invoice_id": key(record), "customer_id": key(record["party"])}
    if stream == "bills":
        return {"bill_id": key(record), "vendor_id": key(record["party"])}
    credited = sorted(str(key(each)) for each in record["origin_invoices"])
    kind = "customer" if record["type"] == "out" else "vendor"
    return {"credit_note_id": key(record), "kind": kind, "company_id": key(record["party"]), "credits": credited}


def _payment(record: Record, stream: str, line: Record, sign: int) -> dict[str, Any]:
    """Return what a line of an entry pays: on an invoice a credit of what the customer owes, on a bill a debit."""
    book_currency = follow(record, "company.currency.code")
    other = follow(line, "second_currency.code")
    booked = sign * ((money(line["credit"], book_currency) or 0) - (money(line["debit"], book_currency) or 0))
    paid = -sign * (money(line["amount_second_currency"], other) or 0) if other else booked
    return {
        "payment_id": key(line),
        "document": stream,
        "document_id": key(record),
        "company_id": key(line["party"]),
        "paid_on": day_of(line["date"]),
        "amount": paid,
        "currency": other or book_currency,
        "book_amount": booked,
        "book_currency": book_currency,
        "method": follow(line, "move.journal.rec_name"),
        "description": line["description"] or follow(line, "move.description"),
        "entry_id": key(line["move"]),
        "settled": _is_settled(line),
    }


_LINE = ("type", "product", "account", "description", "quantity", "unit.rec_name", "unit_price", "amount", "taxes")
_PAYMENT = ("party", "date", "debit", "credit", "amount_second_currency", "second_currency.code", "description",
            "reconciliation.lines.move.origin", "move.journal.rec_name", "move.description")  # fmt: skip
_TO_PAY = ("maturity_date", "reconciliation.lines.move.origin", "reconciliation.lines.move.journal.type")
_OF_DOCUMENTS = ("revenue", "expense", "write-off", "situation")
"""Types of journals in which documents and corrections are entered, and no payments."""
_TAKING_BACK = ("account.move", "account.move.reconcile.write_off")
"""What entries come from that cancel another one, or write something off."""

INVOICES = Kind(
    model="account.invoice",
    streams={
        "invoices": "invoice_id",
        "bills": "bill_id",
        "credit_notes": "credit_note_id",
        "invoice_lines": "document_id",
        "payments": "document_id",
    },
    fields=(
        *("type", "number", "state", "reference", "description", "party", "company.currency.code", "currency.code"),
        *("invoice_date", "untaxed_amount", "tax_amount", "total_amount", "amount_to_pay", "reconciled", "move"),
        *("origin_invoices", "taxes.tax", "taxes.base", "taxes.amount", *(f"lines_to_pay.{name}" for name in _TO_PAY)),
        *(f"lines.{name}" for name in _LINE),
        *(f"payment_lines.{name}" for name in _PAYMENT),
        *("create_date", "write_date"),
    ),
    rows=_rows,
    parts=(
        Part("account.invoice.line", "invoice"),
        Part("account.invoice.tax", "invoice"),
        Part("account.invoice-account.move.line", "invoice"),
        Part("account.invoice.line-account.tax", "line.invoice"),
    ),
    lookups=("product.uom", "account.journal"),
)
