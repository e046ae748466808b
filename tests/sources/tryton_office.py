"""A company in a Tryton: parties, leads, invoices and payments are made by its REST API, as somebody at work would."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import requests

Values = dict[str, Any]


def decimal(number: str | int | Decimal) -> Values:
    return {"__class__": "Decimal", "decimal": str(number)}


def day(value: date) -> Values:
    return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}


def coded(value: Any) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode()


@dataclass
class Office:
    """Writes to the database at ``url`` with the key of a user application."""

    url: str
    key: str

    @property
    def today(self) -> date:
        """The day that it is for the company now; one may end while tests run."""
        return datetime.now(self._zone).date()

    @cached_property
    def _zone(self) -> ZoneInfo:
        [company] = self.find("company.company", [["id", "=", 1]], "timezone")
        return ZoneInfo(company["timezone"] or "UTC")

    def ask(self, method: str, path: str, body: Any = None, at: Any = None, **params: Any) -> Any:
        context = {"company": 1, "active_test": False, **({} if at is None else {"_datetime": at})}
        headers = {"Authorization": f"Bearer {self.key}", "X-Tryton-Context": coded(context)}
        url = f"{self.url.rstrip('/')}/rest/model/{path}"
        answer = requests.request(method, url, json=body, params=params, headers=headers, timeout=60)
        assert answer.ok, (method, path, answer.status_code, answer.text[:500])
        return answer.json() if answer.text else None

    def make(self, model: str, /, **values: Any) -> int:
        return int(self.ask("POST", model, values)["id"])

    def change(self, model: str, number: int, /, **values: Any) -> None:
        self.ask("PUT", f"{model}/{number}", values)

    def delete(self, model: str, number: int) -> None:
        self.ask("DELETE", f"{model}/{number}")

    def press(self, model: str, number: int, button: str) -> None:
        self.ask("POST", f"{model}/{number}/{button}", {})

    def find(self, model: str, domain: Any = (), *fields: str) -> list[Values]:
        return list(self.ask("GET", model, d=coded(list(domain)), o=coded([["id", "ASC"]]), f=list(fields)))

    def ids(self, model: str, domain: Any = ()) -> list[int]:
        return [record["id"] for record in self.find(model, domain, "id")]

    def as_it_was(self, model: str, number: int, at: Values) -> Values:
        return dict(self.ask("GET", f"{model}/{number}", at=at, f=["state"]))

    def account(self, flag: str) -> int:
        return self.ids("account.account", [[f"type.{flag}", "=", True], ["closed", "=", False]])[0]

    def cash(self) -> int:
        return self.ids("account.account", [["code", "=", "1.1.1"]])[0]

    def currency(self, code: str) -> int:
        return self.ids("currency.currency", [["code", "=", code]])[0]

    def journal(self, kind: str) -> int:
        return self.ids("account.journal", [["type", "=", kind]])[0]

    def party(self, name: str, person: str = "", mail: str = "", **values: Any) -> int:
        if mail:
            values["contact_mechanisms"] = [["create", [{"type": "email", "value": mail, "name": person}]]]
        return self.make("party.party", name=name, addresses=[["create", [{"city": "Paris"}]]], **values)

    def product(self, name: str, price: str, code: str) -> int:
        unit = self.ids("product.uom", [["symbol", "=", "u"]])[0]
        template = self.make("product.template", name=name, default_uom=unit, type="service", list_price=decimal(price))
        return self.make("product.product", template=template, suffix_code=code)

    def lead(self, name: str, party: int | None = None, amount: str = "10.00", **values: Any) -> int:
        money = {"amount": decimal(amount), "currency": self.currency(values.pop("currency", "EUR"))}
        return self.make("sale.opportunity", description=name, party=party, company=1, **money, **values)

    def invoice(self, party: int, *prices: str, kind: str = "out", currency: str = "EUR", **values: Any) -> int:
        """Make a draft; a negative price gives a credit note."""
        side, account = ("revenue", "receivable") if kind == "out" else ("expense", "payable")
        shared = {"company": 1, "currency": self.currency(currency)}
        lines = [
            {**shared, "invoice_type": kind, "type": "line", "account": self.account(side), "description": "Lamp",
             "quantity": -1 if price.startswith("-") else 1, "unit_price": decimal(price.lstrip("-")),
             **values.pop("line", {})}
            for price in prices
        ]  # fmt: skip
        return self.make(
            "account.invoice",
            **shared,
            type=kind,
            party=party,
            invoice_address=self.ids("party.address", [["party", "=", party]])[0],
            account=self.account(account),
            journal=self.journal("revenue" if kind == "out" else "expense"),
            invoice_date=day(self.today),
            lines=[["create", lines]],
            **values,
        )

    def post(self, invoice: int) -> None:
        self.press("account.invoice", invoice, "post")

    def draft_entry(self, *lines: Values, **values: Any) -> int:
        return self.make(
            "account.move",
            company=1,
            journal=self.journal("cash"),
            period=self.period(),
            date=day(self.today),
            lines=[["create", [{"debit": decimal(0), "credit": decimal(0), **line} for line in lines]]],
            **values,
        )

    def period(self) -> int:
        return self.ids("account.period", [["start_date", "<=", day(self.today)], ["end_date", ">=", day(self.today)]])[
            0
        ]

    def pay(self, invoice: int, amount: str) -> int:
        """Book a payment on a posted invoice of the books' currency; return its line. Only wizards may match them."""
        record = self.find("account.invoice", [["id", "=", invoice]], "party", "account", "type")[0]
        own, theirs = ("credit", "debit") if record["type"] == "out" else ("debit", "credit")
        entry = self.draft_entry(
            {"account": record["account"], "party": record["party"], own: decimal(amount)},
            {"account": self.cash(), theirs: decimal(amount)},
        )
        self.press("account.move", entry, "post")
        mine = self.ids("account.move.line", [["move", "=", entry], ["account", "=", record["account"]]])[0]
        self.change("account.invoice", invoice, payment_lines=[["add", [mine]]])
        return mine
