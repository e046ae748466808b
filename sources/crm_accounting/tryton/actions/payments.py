"""Books that an invoice was paid: an entry, posted, and its line linked to the invoice.

Four requests, each only if its effect isn't there yet; the entry's description is ``leat:<id of the action>``, by which
it is looked for. Tryton lets only its wizards reconcile the line with the invoice: until somebody does, nothing is left
to pay, and the state of the invoice stays ``posted``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NoReturn

from leat.sources.actions import Change, Order, Plan, Receipt, Refused
from leat.sources.crm_accounting.actions import BookPayment
from leat.sources.crm_accounting.tryton.actions.database import Database, day, number, whole
from leat.sources.crm_accounting.tryton.actions.drafts import key_of
from leat.sources.crm_accounting.tryton.values import decimal_of, follow, money
from leat.sources.errors import Rejected
from leat.sources.money import as_text

_INVOICE, _ENTRY, _LINE = "account.invoice", "account.move", "account.move.line"
_FIELDS = ("number", "state", "type", "party.name", "account", "currency.code", "company.currency.code",
           "amount_to_pay", "total_amount")  # fmt: skip


def plan(database: Database, action: str, wanted: BookPayment) -> Plan:
    """Plan the booking of a payment.

    Raises:
        Refused: nothing, or less, is open, or it is in a foreign currency.
    """
    record = database.get(_INVOICE, wanted.invoice, _FIELDS, "invoice")
    currency, name = str(follow(record, "currency.code")), record["number"] or wanted.invoice
    if record["state"] != "posted":
        msg = f"invoice {name} is {record['state']}: only what is posted can be paid"
        raise Refused(msg)
    if currency != follow(record, "company.currency.code"):
        msg = f"invoice {name} is in {currency}, and the books aren't: book the payment in Tryton, with its rate"
        raise Refused(msg)
    if record["type"] != "out" or (money(record["total_amount"], currency) or 0) < 0:
        msg = f"{name} is no invoice to a customer: book what you pay in Tryton"
        raise Refused(msg)
    left = money(record["amount_to_pay"], currency) or 0
    amount = left if wanted.amount is None else wanted.amount
    if left <= 0:
        msg = f"invoice {name} is already paid: nothing is open"
        raise Refused(msg)
    if amount > left:
        msg = f"amount: {as_text(amount, currency)} is more than what is open, {as_text(left, currency)}"
        raise Refused(msg)
    entry = _entry(database, action, wanted, record, number(whole(amount, currency)))
    changes = (Change("open", as_text(left, currency), as_text(left - amount, currency)),)
    title = f"book that {as_text(amount, currency)} were paid on invoice {name} by {record['party']['name']}"
    title += f" on {wanted.paid_on}"
    payload = {"invoice": wanted.invoice, "entry": entry, "account": key_of(record["account"]), "left": left - amount}
    precondition = {"state": "posted", "amount_to_pay": record["amount_to_pay"]}
    warnings = ("somebody has to reconcile it in Tryton; until then the invoice stays posted, with nothing to pay",)
    return Plan(title, f"invoices/{wanted.invoice}", changes, payload, precondition, warnings=warnings)


def _entry(database: Database, action: str, wanted: BookPayment, record: dict[str, Any], amount: Any) -> dict[str, Any]:
    chosen = database.only("account.invoice.payment.method", [], wanted.method, "method", "payment method")
    fields = ["journal", "debit_account"]
    method = database.get("account.invoice.payment.method", chosen["id"], fields, "payment method")
    paid_on, nothing = day(wanted.paid_on), number(Decimal(0))
    domain = [["start_date", "<=", paid_on], ["end_date", ">=", paid_on], ["company", "=", database.company],
              ["type", "=", "standard"]]  # fmt: skip
    periods = database.find("account.period", ["state"], domain)
    if not periods or periods[0]["state"] != "open":
        msg = f"paid_on: no accounting period is open on {wanted.paid_on}"
        raise Refused(msg)
    owed = {"account": key_of(record["account"]), "party": record["party"]["id"], "debit": nothing, "credit": amount}
    bank = {"account": key_of(method["debit_account"]), "debit": amount, "credit": nothing}
    return {
        "company": database.company,
        "journal": key_of(method["journal"]),
        "period": periods[0]["id"],
        "date": paid_on,
        "description": f"leat:{action}",
        "origin": f"{_INVOICE},{wanted.invoice}",
        "lines": [["create", [owed, bank]]],
    }


def _find(database: Database, order: Order) -> dict[str, Any] | None:
    """Return the entry of an action."""
    records = database.find(_ENTRY, ["state"], [["description", "=", f"leat:{order.id}"]])
    return records[0] if records else None


def _line(database: Database, order: Order, entry: int) -> int:
    """Return the line of an entry that pays the invoice."""
    domain = [["move", "=", entry], ["account", "=", order.plan.payload["account"]]]
    return int(database.find(_LINE, ["id"], domain)[0]["id"])


def _is_linked(database: Database, order: Order, line: int) -> bool:
    invoice = database.find(_INVOICE, ["payment_lines"], [["id", "=", order.plan.payload["invoice"]]])
    return bool(invoice) and line in {key_of(each) for each in invoice[0]["payment_lines"]}


def send(database: Database, order: Order) -> Receipt:
    """Make and post the entry, and link it; goes on where an attempt before stopped.

    Raises:
        Outdated: somebody has booked something on the invoice since.
        IntegrationError: it failed.
    """
    invoice = order.plan.payload["invoice"]
    entry = _find(database, order)
    if entry is None:
        database.must_be(_INVOICE, invoice, order.plan.precondition, "invoice")
        entry = {"id": database.make(_ENTRY, order.plan.payload["entry"]), "state": "draft"}
    if entry["state"] != "posted":
        try:
            database.press(_ENTRY, entry["id"], "post")
        except Rejected:
            database.delete(_ENTRY, entry["id"])
            raise
    line = _line(database, order, entry["id"])
    if not _is_linked(database, order, line):
        database.change(_INVOICE, invoice, {"payment_lines": [["add", [line]]]})
    return Receipt({"invoice": invoice, "entry": entry["id"], "line": line})


def probe(database: Database, order: Order) -> Receipt | None:
    """Return the booking, if it is whole."""
    entry = _find(database, order)
    if entry is None or entry["state"] != "posted":
        return None
    line = _line(database, order, entry["id"])
    if not _is_linked(database, order, line):
        return None
    return Receipt({"invoice": order.plan.payload["invoice"], "entry": entry["id"], "line": line})


def confirm(database: Database, order: Order, receipt: Receipt) -> tuple[Change, ...]:
    """Compare the entry with the plan, and what is open with what was to be left."""
    fields = ["state", "lines.account", "lines.credit"]
    records = database.find(_ENTRY, fields, [["id", "=", receipt.data["entry"]]])
    if not records:
        return (Change("entry", receipt.data["entry"], None),)
    planned = order.plan.payload["entry"]["lines"][0][1][0]
    credits = [each["credit"] for each in records[0]["lines"] if key_of(each["account"]) == planned["account"]]
    changes = [] if records[0]["state"] == "posted" else [Change("state of the entry", "posted", records[0]["state"])]
    if [decimal_of(each) for each in credits] != [decimal_of(planned["credit"])]:
        changes.append(Change("booked", planned["credit"], credits))
    if not _is_linked(database, order, receipt.data["line"]):
        changes.append(Change("linked to the invoice", True, False))
    return tuple(changes)


def undo(_database: Database, _order: Order, receipt: Receipt) -> NoReturn:
    """Refuse: a posted entry is reversed by another one."""
    msg = f"entry {receipt.data['entry']} is posted: reverse it in Tryton (Cancel Moves)"
    raise Refused(msg)
