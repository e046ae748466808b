"""Writes invoices and credit notes as drafts; ``leat:<id of the action>`` is their reference.

A credit note is made of the same fields and lines as Tryton's own wizard makes it of
(``trytond/modules/account_invoice/invoice.py``, ``_credit``), which the REST API doesn't call.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from leat.sources.actions import Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.crm_accounting.actions import CreateInvoice, CreditInvoice, InvoiceLine
from leat.sources.crm_accounting.tryton.actions.database import Database, day, differences, number, whole
from leat.sources.crm_accounting.tryton.values import follow, key, money
from leat.sources.money import as_text, to_minor

_MODEL = "account.invoice"
_LINES = ("type", "quantity", "unit_price", "account", "description", "product", "unit", "taxes", "sequence", "amount",
          "taxes_deductible_rate", "invoice_type")  # fmt: skip
_CREDITED = ("number", "state", "type", "party.name", "invoice_address", "account", "journal", "currency.code",
             "payment_term", "total_amount", "description", *(f"lines.{name}" for name in _LINES))  # fmt: skip


def plan_invoice(database: Database, action: str, wanted: CreateInvoice) -> Plan:
    """Plan an invoice.

    Raises:
        Refused: the customer, the currency or an account isn't there.
    """
    party = database.get("party.party", wanted.company, ["name", "active"], "company")
    if not party["active"]:
        msg = f"company {wanted.company} is archived"
        raise Refused(msg)
    addresses = database.find("party.address", ["id"], [["party", "=", wanted.company], ["active", "=", True]])
    if not addresses:
        msg = f"company {wanted.company} has no address: an invoice needs one"
        raise Refused(msg)
    receivable = _account(database, None, "default_account_receivable", "receivable")
    journal = database.only("account.journal", [["type", "=", "revenue"]], None, "journal", "journal for revenue")
    currencies = database.find("currency.currency", ["id"], [["code", "=", wanted.currency]])
    if not currencies:
        msg = f"currency: Tryton has no {wanted.currency}"
        raise Refused(msg)
    shared = {"company": database.company, "currency": currencies[0]["id"]}
    lines = [{**shared, **_line(database, each, wanted.currency)} for each in wanted.lines]
    total = sum(_untaxed(each, wanted.currency) for each in wanted.lines)
    values = {
        **shared,
        "type": "out",
        "party": wanted.company,
        "invoice_address": addresses[0]["id"],
        "account": receivable,
        "journal": journal["id"],
        "reference": f"leat:{action}",
        "lines": [["create", lines]],
        **({"description": wanted.description} if wanted.description else {}),
        **_days(wanted.issued_on, wanted.due_on),
    }
    taxes = ", plus taxes" if any(each.taxes for each in wanted.lines) else ""
    title = f"write an invoice of {as_text(total, wanted.currency)}{taxes} to {party['name']}, as a draft"
    changes = [Change("invoice", None, f"{as_text(total, wanted.currency)}{taxes}")]
    changes += [Change(f"line {each.description}", None, _in_words(each, wanted.currency)) for each in wanted.lines]
    expected = {"party": wanted.company, "currency": wanted.currency, "untaxed": total}
    return Plan(title, f"companies/{wanted.company}/invoices", tuple(changes), {"values": values, "expected": expected})


def _days(issued_on: date | None, due_on: date | None = None) -> dict[str, Any]:
    given = {"invoice_date": issued_on, "payment_term_date": due_on}
    return {name: day(value) for name, value in given.items() if value is not None}


def _in_words(line: InvoiceLine, currency: str) -> str:
    return f"{line.quantity.normalize():f} x {as_text(line.unit_price, currency)}"


def _untaxed(line: InvoiceLine, currency: str) -> int:
    """Return the amount of a line; Tryton rounds each half to even, as Python does."""
    exact = line.quantity * whole(line.unit_price, currency)
    return to_minor(exact.quantize(whole(1, currency)), currency)


def _account(database: Database, code: str | None, default: str, kind: str) -> int:
    """Return the account with a code, or the one that Tryton's configuration of accounting names."""
    if code is None:
        configured = database.find("account.configuration", [default], [])
        if configured and configured[0][default]:
            return int(str(key(configured[0][default])))
    domain = [[f"type.{kind}", "=", True], ["company", "=", database.company], ["closed", "!=", True]]
    return int(database.only("account.account", domain, code, "lines.account", f"account for {kind}")["id"])


def _line(database: Database, line: InvoiceLine, currency: str) -> dict[str, Any]:
    account = _account(database, line.account, "default_category_account_revenue", "revenue")
    return {
        "invoice_type": "out",
        "type": "line",
        "account": account,
        "description": line.description,
        "quantity": float(line.quantity),
        "unit_price": number(whole(line.unit_price, currency)),
        **({"taxes": [["add", list(line.taxes)]]} if line.taxes else {}),
    }


def plan_credit(database: Database, action: str, wanted: CreditInvoice) -> Plan:
    """Plan a credit note.

    Raises:
        Refused: it can't be credited, or only less.
    """
    record = database.get(_MODEL, wanted.invoice, _CREDITED, "invoice")
    currency, name = str(follow(record, "currency.code")), record["number"] or wanted.invoice
    if record["state"] not in ("posted", "paid"):
        msg = f"invoice {name} isn't posted, it is {record['state']}: void it instead"
        raise Refused(msg)
    lines = [line for line in record["lines"] if line["type"] == "line"]
    credited = _credited(database, lines, currency)
    total = money(record["total_amount"], currency) or 0
    if total <= 0:
        msg = f"{name} is a credit note itself"
        raise Refused(msg)
    left = total - credited
    amount = left if wanted.amount is None else wanted.amount
    if left <= 0:
        msg = f"invoice {name} is already credited"
        raise Refused(msg)
    if amount > left:
        msg = f"amount: {as_text(amount, currency)} is more than what isn't credited yet, {as_text(left, currency)}"
        raise Refused(msg)
    shared = {"company": database.company, "currency": record["currency"]["id"]}
    made = _credit_lines(lines, record, amount, currency, whole_of=amount == total)
    copied = {field: key_of(record[field]) for field in ("invoice_address", "account", "journal", "payment_term")}
    values = {
        **shared,
        **{field: value for field, value in copied.items() if value is not None},
        "type": record["type"],
        "party": record["party"]["id"],
        "reference": f"leat:{action}",
        "lines": [["create", [{**shared, **line} for line in made]]],
        **({"description": record["description"]} if record["description"] else {}),
        **_days(wanted.issued_on),
    }
    who, shown = record["party"]["name"], as_text(amount, currency)
    title = f"write a credit note of {shown} for invoice {name} to {who}, as a draft"
    change = Change("credited", as_text(credited, currency), as_text(credited + amount, currency))
    expected = {"party": record["party"]["id"], "currency": currency, "total": -amount}
    payload = {"values": values, "expected": expected, "credits": [line["id"] for line in lines]}
    return Plan(title, f"invoices/{wanted.invoice}", (change,), payload, {"credited": credited})


def key_of(value: Any) -> int | None:
    """Return the id that a field refers to."""
    text = key(value)
    return None if text is None else int(text)


def _credited(database: Database, lines: Sequence[dict[str, Any]], currency: str) -> int:
    """Return how much credit notes, drafts among them, credit of an invoice already: with taxes."""
    origins = [f"account.invoice.line,{line['id']}" for line in lines]
    domain = [["origin", "in", origins], ["invoice.state", "!=", "cancelled"]]
    notes = {key_of(each["invoice"]) for each in database.find("account.invoice.line", ["invoice"], domain)}
    records = database.find(_MODEL, ["total_amount"], [["id", "in", sorted(n for n in notes if n)]]) if notes else []
    return -sum(money(each["total_amount"], currency) or 0 for each in records)


def _credit_lines(
    lines: Sequence[dict[str, Any]], record: dict[str, Any], amount: int, currency: str, *, whole_of: bool
) -> list[dict[str, Any]]:
    if whole_of:
        return [_mirrored(line) for line in lines]
    if any(line["taxes"] for line in lines):
        msg = f"amount: invoice {record['number']} has taxes: leat credits it whole or not at all"
        raise Refused(msg)
    line = {name: value for name, value in _mirrored(lines[0]).items() if name not in ("product", "unit", "sequence")}
    price = number(whole(amount, currency))
    return [{**line, "quantity": -1, "unit_price": price, "description": f"Credit for invoice {record['number']}"}]


def _mirrored(line: dict[str, Any]) -> dict[str, Any]:
    plain = ("type", "unit_price", "description", "sequence", "taxes_deductible_rate", "invoice_type")
    mirrored = {name: line[name] for name in plain if line[name] is not None}
    mirrored |= {name: key_of(line[name]) for name in ("account", "product", "unit") if line[name] is not None}
    if line["taxes"]:
        mirrored["taxes"] = [["add", [key_of(tax) for tax in line["taxes"]]]]
    return {**mirrored, "quantity": -(line["quantity"] or 0), "origin": f"account.invoice.line,{line['id']}"}


def send(database: Database, order: Order) -> Receipt:
    """Make the draft.

    Raises:
        Outdated: somebody has credited the invoice since.
        IntegrationError: it failed.
    """
    planned = order.plan.payload
    if "credits" in planned:
        lines = [{"id": each} for each in planned["credits"]]
        credited = _credited(database, lines, planned["expected"]["currency"])
        if credited != order.plan.precondition["credited"]:
            database.outdated(f"crediting {order.plan.target}", "somebody credited it meanwhile")
    return Receipt({"invoice": database.make(_MODEL, planned["values"])})


def probe(database: Database, order: Order) -> Receipt | None:
    """Return the document whose reference is the id of the action."""
    records = database.find(_MODEL, ["id"], [["reference", "=", f"leat:{order.id}"]])
    return Receipt({"invoice": records[0]["id"]}) if records else None


def confirm(database: Database, order: Order, receipt: Receipt) -> tuple[Change, ...]:
    """Compare customer, currency and amount with the plan; somebody may have posted it by then."""
    fields = ("state", "party", "currency.code", "untaxed_amount", "total_amount")
    records = database.find(_MODEL, fields, [["id", "=", receipt.data["invoice"]]])
    if not records:
        return (Change("invoice", receipt.data["invoice"], None),)
    currency = str(follow(records[0], "currency.code"))
    now: dict[str, Any] = {
        "party": key_of(records[0]["party"]),
        "currency": currency,
        "untaxed": money(records[0]["untaxed_amount"], currency),
        "total": money(records[0]["total_amount"], currency),
    }
    changes = differences(now, order.plan.payload["expected"])
    return (*changes, *([Change("state", "draft", "cancelled")] if records[0]["state"] == "cancelled" else []))


def undo(database: Database, _order: Order, receipt: Receipt) -> Undo:
    """Return the cancellation of the draft.

    Raises:
        Refused: it is posted.
    """
    number_ = receipt.data["invoice"]
    record = database.get(_MODEL, number_, ["state"], "invoice")
    if record["state"] in ("posted", "paid"):
        msg = f"invoice {number_} is {record['state']} by now: credit it"
        raise Refused(msg)
    return Undo("void_invoice", {"invoice": number_})
