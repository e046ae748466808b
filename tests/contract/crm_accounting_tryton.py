"""Tryton with parties, leads, invoices and payments; read back by plain REST."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from leat.demo.tryton.server import start_tryton
from tests.contract.served import served
from tests.contract.world import MAIL, PERSON, REFUSED, SECRET, Keys, Step, World
from tests.sources.tryton_office import Office, decimal

_PLAIN = {
    "companies": ("party.party", "company_id"),
    "leads": ("sale.opportunity", "lead_id"),
    "deals": ("sale.sale", "deal_id"),
    "products": ("product.product", "product_id"),
    "activities": ("ir.note", "activity_id"),
    "company": ("company.company", "entity_id"),
    "accounts": ("account.account", "account_id"),
    "journal_entries": ("account.move", "entry_id"),
    "journal_lines": ("account.move.line", "line_id"),
    "taxes": ("account.tax", "tax_id"),
    "invoice_lines": ("account.invoice.line", "line_id"),
}


@dataclass
class _Company:
    office: Office
    made: dict[str, int] = field(default_factory=dict)

    def seed(self) -> None:
        office = self.office
        party = office.party("Planted Ltd", PERSON, MAIL)
        vendor = office.party("Wires Ltd")
        office.change("party.party", office.party("Archived Ltd"), active=False)
        office.product("Lamp", "12.50", "L-1")
        seller = office.make("company.employee", party=office.party("Seller"), company=1)
        lead = office.lead("Lobby", party, "250.00", employee=seller)
        for button in ("opportunity", "convert"):
            office.press("sale.opportunity", lead, button)
        office.lead("Terrace", currency="JPY", amount="4500")
        office.make("ir.note", resource=f"sale.opportunity,{lead}", message=f"{PERSON} called")
        invoice = office.invoice(party, "100.00", "20.00", reference="1001")
        credit = office.invoice(party, "-20.00")
        bill = office.invoice(vendor, "50.00", kind="in", reference="B-7")
        for each in (invoice, credit, bill):
            office.post(each)
        office.pay(invoice, "120.00")

    def keys(self) -> dict[str, Keys]:
        office = self.office
        expected = {
            stream: _keys((column,), ((number,) for number in office.ids(model)))
            for stream, (model, column) in _PLAIN.items()
        }
        invoices = office.find("account.invoice", [], "type", "total_amount", "party")
        sorts: dict[str, list[tuple[Any, ...]]] = {"invoices": [], "bills": [], "credit_notes": []}
        for each in invoices:
            back = each["total_amount"]["decimal"].startswith("-")
            name = "credit_notes" if back else "invoices" if each["type"] == "out" else "bills"
            sorts[name].append((each["id"],))
        for (stream, rows), column in zip(sorts.items(), ("invoice_id", "bill_id", "credit_note_id"), strict=True):
            expected[stream] = _keys((column,), rows)
        for stream, column, kind in (("customers", "customer_id", "out"), ("vendors", "vendor_id", "in")):
            expected[stream] = _keys((column,), {(each["party"],) for each in invoices if each["type"] == kind})
        paid = office.find("account.invoice-account.move.line", [], "line", "invoice")
        expected["payments"] = _keys(("payment_id", "document_id"), ((each["line"], each["invoice"]) for each in paid))
        return expected | self._people() | {"lead_stages": self._stages()}

    def _people(self) -> dict[str, Keys]:
        people: dict[tuple[int, str], int] = {}
        for each in self.office.find("party.contact_mechanism", [], "party", "name"):
            people.setdefault((each["party"], each["name"] or ""), each["id"])
        return {
            "contacts": _keys(("contact_id",), ((number,) for number in people.values())),
            "associations": _keys(
                ("contact_id", "company_id"), ((number, party) for (party, _), number in people.items())
            ),
        }

    def _stages(self) -> Keys:
        stages: list[tuple[str, int]] = []
        for lead in self.office.ids("sale.opportunity"):
            revisions = self.office.ask("POST", "sale.opportunity/history_revisions", {"ids": [lead]})
            states = [self.office.as_it_was("sale.opportunity", lead, at)["state"] for at, *_ in reversed(revisions)]
            changes = 1 + sum(before != after for before, after in pairwise(states))
            stages += [(str(lead), position) for position in range(changes)]
        return Keys(("lead_id", "position"), frozenset(stages))

    def add(self) -> Step:
        party = self.office.party("New Ltd", "New Person", "new@planted.example")
        invoice = self.office.invoice(party, "9.99", reference="1002")
        self.made = {"party": party, "invoice": invoice}
        seen = [
            ("companies", {"name": "New Ltd", "archived": False}),
            ("contacts", {"email": "new@planted.example", "company_id": str(party)}),
            ("invoices", {"invoice_id": str(invoice), "amount": 999, "currency": "EUR", "status": "draft"}),
            ("invoice_lines", {"document_id": str(invoice), "amount": 999}),
            ("customers", {"customer_id": str(party)}),
        ]
        return Step(self._mine(), seen)

    def change(self) -> Step:
        party, invoice = self.made["party"], self.made["invoice"]
        self.office.change("party.party", party, name="Newer Ltd", active=False)
        line = self.office.ids("account.invoice.line", [["invoice", "=", invoice]])[0]
        self.office.change("account.invoice.line", line, unit_price=decimal("10.01"))
        seen = [
            ("companies", {"name": "Newer Ltd", "archived": True}),
            ("invoices", {"invoice_id": str(invoice), "amount": 1001}),
            ("invoice_lines", {"document_id": str(invoice), "amount": 1001}),
        ]
        return Step(self._mine(), seen, [("companies", {"name": "New Ltd"})])

    def delete(self) -> Step:
        self.office.delete("account.invoice", self.made["invoice"])
        self.office.delete("party.party", self.made["party"])
        gone = [("companies", {"name": "Newer Ltd"}), ("invoices", {"amount": 1001})]
        return Step(self._mine(), gone=gone)

    def _mine(self) -> dict[str, Callable[[Any], bool]]:
        party, invoice = str(self.made["party"]), str(self.made["invoice"])
        of_party = {"companies": "company_id", "contacts": "company_id", "associations": "company_id",
                    "customers": "customer_id"}  # fmt: skip
        of_invoice = {"invoices": "invoice_id", "invoice_lines": "document_id"}
        pairs = [(of_party, party), (of_invoice, invoice)]
        return {
            stream: (lambda row, column=column, value=value: bool(row[column] == value))
            for columns, value in pairs
            for stream, column in columns.items()
        }


def _keys(columns: tuple[str, ...], rows: Any) -> Keys:
    return Keys(columns, frozenset(tuple(str(value) for value in row) for row in rows))


@contextmanager
def open_world(folder: Path, database: Callable[[], str]) -> Iterator[World]:
    """Start Tryton behind a counting proxy."""
    with served(lambda port: start_tryton(folder, [SECRET], port)) as server:
        system = _Company(Office(f"http://127.0.0.1:{server.port}/leat/", SECRET))
        system.seed()
        yield World(
            connection={"url": {"env": "CONTRACT_TRYTON_URL"}, "key": {"env": "CONTRACT_TRYTON_KEY"}},
            environment={
                "CONTRACT_TRYTON_URL": f"{server.url}/leat/",
                "CONTRACT_TRYTON_KEY": SECRET,
            },
            refused={"CONTRACT_TRYTON_KEY": REFUSED},
            keys=system.keys,
            add=system.add,
            change=system.change,
            delete=system.delete,
            stop=server.stop,
            start=server.start,
            requests=server.requests,
        )
