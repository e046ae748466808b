"""Posts drafts and cancels what isn't posted: Tryton's state machine takes each step only once."""

from __future__ import annotations

from typing import Any, NoReturn

from leat.sources.actions import Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.crm_accounting.actions import OfInvoice
from leat.sources.crm_accounting.tryton.actions.database import Database
from leat.sources.crm_accounting.tryton.values import follow, money
from leat.sources.errors import Rejected
from leat.sources.money import as_text

_MODEL = "account.invoice"
_FIELDS = ("state", "number", "total_amount", "currency.code", "party.name", "allow_cancel", "_timestamp")
_AFTER = {"post": ("posted", "paid"), "cancel": ("cancelled",)}
"""States in which a button has had its effect."""


def _read(database: Database, invoice: int) -> tuple[dict[str, Any], str, str]:
    """Return an invoice, how it is called, and its amount in words."""
    record = database.get(_MODEL, invoice, _FIELDS, "invoice")
    currency = str(follow(record, "currency.code"))
    total = money(record["total_amount"], currency) or 0
    kind = "credit note" if total < 0 else "invoice"
    return record, f"{kind} {record['number'] or invoice}", as_text(abs(total), currency)


def plan_post(database: Database, _action: str, wanted: OfInvoice) -> Plan:
    """Plan the posting of a draft.

    Raises:
        Refused: it is posted already, cancelled, or empty.
    """
    record, name, amount = _read(database, wanted.invoice)
    if record["state"] in _AFTER["post"]:
        msg = f"{name} is already {record['state']}"
        raise Refused(msg)
    if record["state"] == "cancelled":
        msg = f"{name} is cancelled: write it again"
        raise Refused(msg)
    changes = (Change("state", record["state"], "posted"), Change("number", record["number"], "the next one"))
    title = f"post the {name} of {amount} to {record['party']['name']}"
    return _plan(title, record, changes, "post", ("a posted invoice stays in the books and can only be credited",))


def plan_void(database: Database, _action: str, wanted: OfInvoice) -> Plan:
    """Plan the cancellation of an invoice.

    Raises:
        Refused: it is cancelled already, or posted.
    """
    record, name, amount = _read(database, wanted.invoice)
    if record["state"] == "cancelled":
        msg = f"{name} is already cancelled"
        raise Refused(msg)
    if not record["allow_cancel"]:
        msg = f"{name} is {record['state']}, which Tryton doesn't cancel: credit it instead"
        raise Refused(msg)
    change = (Change("state", record["state"], "cancelled"),)
    title = f"cancel the {name} of {amount} to {record['party']['name']}"
    return _plan(title, record, change, "cancel", ("it can't become a draft again by REST",))


def _plan(
    title: str, record: dict[str, Any], changes: tuple[Change, ...], button: str, warnings: tuple[str, ...]
) -> Plan:
    payload = {"invoice": record["id"], "button": button}
    precondition = {name: record[name] for name in ("state", "total_amount", "_timestamp")}
    return Plan(title, f"invoices/{record['id']}", changes, payload, precondition, warnings=warnings)


def send(database: Database, order: Order) -> Receipt:
    """Press the button.

    Raises:
        Outdated: somebody has changed the invoice since.
        IntegrationError: it failed.
    """
    invoice, button = order.plan.payload["invoice"], order.plan.payload["button"]
    database.must_be(_MODEL, invoice, order.plan.precondition, "invoice")
    try:
        database.press(_MODEL, invoice, button)
    except Rejected:
        database.must_be(_MODEL, invoice, order.plan.precondition, "invoice")
        raise
    return Receipt({"invoice": invoice, **_number(database, invoice)})


def _number(database: Database, invoice: int) -> dict[str, Any]:
    records = database.find(_MODEL, ["number"], [["id", "=", invoice]])
    return {"number": records[0]["number"]} if records and records[0]["number"] else {}


def probe(database: Database, order: Order) -> Receipt | None:
    """Return whether the invoice is in the state that was wanted."""
    invoice = order.plan.payload["invoice"]
    return (
        None if confirm(database, order, Receipt({})) else Receipt({"invoice": invoice, **_number(database, invoice)})
    )


def confirm(database: Database, order: Order, _receipt: Receipt) -> tuple[Change, ...]:
    """Compare state and amount: Tryton answers some requests with 200 that change nothing."""
    invoice, states = order.plan.payload["invoice"], _AFTER[order.plan.payload["button"]]
    records = database.find(_MODEL, ["state", "total_amount"], [["id", "=", invoice]])
    if not records:
        return (Change("invoice", invoice, None),)
    wrong = [] if records[0]["state"] in states else [Change("state", states[0], records[0]["state"])]
    planned = order.plan.precondition["total_amount"]
    if records[0]["total_amount"] != planned:
        wrong.append(Change("total_amount", planned, records[0]["total_amount"]))
    return tuple(wrong)


def undo_post(_database: Database, _order: Order, receipt: Receipt) -> Undo:
    """Return the credit note."""
    return Undo("credit_invoice", {"invoice": receipt.data["invoice"]})


def undo_void(_database: Database, _order: Order, receipt: Receipt) -> NoReturn:
    """Refuse: by REST, Tryton makes no draft of what was cancelled."""
    msg = f"invoice {receipt.data['invoice']} stays cancelled: write it again"
    raise Refused(msg)
