"""A shop for which a test says what was charged, invoiced, booked, sent and stored."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.kit.loaded import utc

NOW = utc(2026, 11, 20, 9)
_STREAMS = {
    "payments": (
        *("charges", "refunds", "disputes", "customers", "invoices"),
        *("balance_transactions", "payouts", "payout_items"),
    ),
    "crm_accounting": ("companies", "contacts", "leads", "lead_stages", "invoices", "credit_notes", "payments"),
    "email": ("mailboxes", "messages", "recipients", "bounces"),
    "cloud_storage": ("buckets", "objects", "shares", "quotas", "backup_runs", "restore_tests"),
    "sso": ("users",),
}
_LEDGER = ("journal_entries", "journal_lines")
SHOP = "shop@lamps.example"


@dataclass
class Shop:
    """Rows by integration and stream; ``tables`` is what a load writes."""

    tables: dict[str, dict[str, list[dict[str, Any]]]] = field(
        default_factory=lambda: {
            name: {stream: [] for stream in (*streams, *(_LEDGER if name == "crm_accounting" else ()))}
            for name, streams in _STREAMS.items()
        }
    )

    def add(self, integration: str, stream: str, **row: Any) -> None:
        values = {name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in row.items()}
        self.tables[integration][stream].append(values)

    def customer(self, key: str, email: str | None = None) -> None:
        self.add("crm_accounting", "companies", company_id=key, name=key.title())
        email = email or f"{key}@buyer.example"
        self.add("crm_accounting", "contacts", contact_id=f"c-{key}", company_id=key, name=key, email=email,
                 mechanisms=[{"kind": "email", "value": email}])  # fmt: skip

    def charge(self, order: str | None, amount: int, currency: str = "EUR", days: float = 10, **more: Any) -> str:
        key = f"ch_{len(self.tables['payments']['charges'])}"
        at = NOW - timedelta(days=days)
        row = {"id": key, "created_at": at, "amount": amount, "amount_captured": amount, "currency": currency,
               "status": "succeeded", "captured": True, "balance_transaction_id": f"txn_{key}",
               "metadata": {"order": order} if order else {}, "receipt_email": "ada@buyer.example"}  # fmt: skip
        row |= more
        self.add("payments", "charges", **row)
        if row["status"] == "succeeded":
            self.booked_on_balance(key, "charge", amount, currency, at)
        return key

    def booked_on_balance(self, source: str, kind: str, amount: int, currency: str, at: datetime, **more: Any) -> None:
        row = {"id": f"txn_{source}", "source_id": source, "type": kind, "reporting_category": kind, "amount": amount,
               "fee": 30 if kind == "charge" else 0, "currency": currency, "created_at": at}  # fmt: skip
        self.add("payments", "balance_transactions", **row | more)

    def refund(self, charge: str, amount: int, currency: str = "EUR", days: float = 9, **more: Any) -> None:
        key, at = f"re_{len(self.tables['payments']['refunds'])}", NOW - timedelta(days=days)
        row = {"id": key, "charge_id": charge, "amount": amount, "currency": currency, "created_at": at,
               "status": "succeeded", "balance_transaction_id": f"txn_{key}"} | more  # fmt: skip
        self.add("payments", "refunds", **row)
        if row["status"] != "failed":
            self.booked_on_balance(key, "refund", -amount, currency, at)

    def invoice(self, order: str | None, amount: int, currency: str = "EUR", days: float = 10, **more: Any) -> str:
        key = f"i-{len(self.tables['crm_accounting']['invoices'])}"
        row = {"invoice_id": key, "number": f"n{key}", "reference": order, "customer_id": "ada", "status": "paid",
               "amount": amount, "open_amount": 0, "currency": currency, "issued_on": day(days)}  # fmt: skip
        self.add("crm_accounting", "invoices", **row | more)
        return key

    def booking(self, document: str, amount: int, currency: str = "EUR", days: float = 10, **more: Any) -> None:
        kind = "credit_notes" if document.startswith("cn-") else "invoices"
        key = f"p-{len(self.tables['crm_accounting']['payments'])}"
        row = {"payment_id": key, "document": kind, "document_id": document, "amount": amount, "currency": currency,
               "paid_on": day(days), "method": "Card", "settled": True, "entry_id": f"e-{key}"}  # fmt: skip
        self.add("crm_accounting", "payments", **row | more)

    def credit_note(self, invoice: str, amount: int, currency: str = "EUR", days: float = 8, **more: Any) -> str:
        key = f"cn-{len(self.tables['crm_accounting']['credit_notes'])}"
        row = {"credit_note_id": key, "kind": "customer", "credits": [invoice], "status": "paid", "amount": amount,
               "open_amount": 0, "currency": currency, "issued_on": day(days)}  # fmt: skip
        self.add("crm_accounting", "credit_notes", **row | more)
        return key

    def receipt(self, subject: str, days: float = 9.9, to: str = "ada@buyer.example", **more: Any) -> str:
        number = len(self.tables["email"]["messages"])
        place = {"account": SHOP, "mailbox": "Sent", "uidvalidity": 1, "uid": number}
        row = {"message_id": f"m-{number}", "subject": subject, "from_email": SHOP, "date": NOW - timedelta(days=days)}
        self.add("email", "messages", **place | row | more)
        self.add("email", "recipients", **place, role="to", position=0, email=to)
        return f"m-{number}"

    def file(self, key: str, **more: Any) -> None:
        self.add("cloud_storage", "objects", **{"bucket": "office", "key": key, "last_modified": NOW} | more)

    def sale(self, order: str, amount: int, currency: str = "EUR", days: float = 10, **more: Any) -> tuple[str, str]:
        """Add an order whose documents all fit; returns its charge and invoice."""
        charge = self.charge(order, amount, currency, days, **more)
        invoice = self.invoice(order, amount, currency, days)
        self.booking(invoice, amount, currency, days)
        self.rest(order, days)
        return charge, invoice

    def rest(self, order: str, days: float = 10) -> None:
        """Add receipt and file of an order."""
        self.receipt(f"Receipt for order {order}", days - 0.1)
        self.file(f"invoices/{order}.pdf")

    def payout(self, charges: tuple[str, ...], short: int = 0, days: float = 5, **more: Any) -> None:
        """Pay out charges, and so much less than they are."""
        made = {row["source_id"]: row for row in self.tables["payments"]["balance_transactions"]}
        items = [made[charge] for charge in charges]
        key, currency = f"po_{len(self.tables['payments']['payouts'])}", items[0]["currency"]
        amount = sum(item["amount"] - item["fee"] for item in items) - short
        at = NOW - timedelta(days=days)
        row = {"id": key, "amount": amount, "currency": currency, "status": "paid", "automatic": True,
               "created_at": at, "arrives_at": at + timedelta(days=2),
               "reconciliation_status": "completed"}  # fmt: skip
        self.add("payments", "payouts", **row | more)
        self.booked_on_balance(key, "payout", -amount, currency, at, payout_id=key)
        for item in items:
            item["payout_id"] = key
            fields = {name: item[name] for name in ("type", "amount", "fee", "currency", "source_id")}
            self.add("payments", "payout_items", payout_id=key, item=item["id"], label="transaction",
                     net=item["amount"] - item["fee"], **fields)  # fmt: skip


def day(days: float) -> str:
    return (NOW - timedelta(days=days)).date().isoformat()
