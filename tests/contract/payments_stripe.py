"""localstripe behind the fake that adds what it lacks; read back by plain HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from leat.demo.servers.process import running
from leat.demo.stripe.front import start_stripe_front
from leat.demo.stripe.localstripe import start_localstripe
from leat.demo.stripe.shapes import KINDS
from tests.contract.served import served
from tests.contract.world import MAIL, PERSON, REFUSED, SECRET, Keys, Row, Step, World

KEY = f"sk_test_{SECRET}"
_CARD = {"card[number]": "4242424242424242", "card[exp_month]": "12", "card[exp_year]": "2031", "card[cvc]": "123"}


class _Server:
    """What this world does to the server, by plain HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.charge = self.refund = self.leaving = ""

    def ask(self, method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {KEY}"}
        answer = requests.request(method, self.url + path, headers=headers, timeout=30, **more)
        assert answer.ok, (method, path, answer.status_code, answer.text)
        return answer.json()

    def post(self, path: str, **fields: str) -> Any:
        return self.ask("POST", f"/v1/{path}", data=fields)

    def listed(self, path: str) -> list[Any]:
        page = self.ask("GET", f"/v1/{path}", params={"limit": "1000"})
        assert not page["has_more"]
        return list(page["data"])

    def customer(self, name: str) -> tuple[str, str]:
        customer = self.post("customers", name=name, email=MAIL)["id"]
        method = self.post("payment_methods", type="card", **_CARD, **{"billing_details[name]": PERSON})["id"]
        self.post(f"payment_methods/{method}/attach", customer=customer)
        self.post(f"customers/{customer}", **{"invoice_settings[default_payment_method]": method})
        return customer, method

    def seed(self) -> None:
        payer, method = self.customer(PERSON)
        self.leaving, _ = self.customer(PERSON)
        product = self.post("products", name="Lamp care", type="service")["id"]
        plan = self.post("plans", amount="1500", currency="eur", interval="month", product=product)["id"]
        self.post("subscriptions", customer=payer, **{"items[0][plan]": plan})
        paid = {"amount": "5000", "currency": "jpy", "confirm": "true"}
        intent = self.post("payment_intents", customer=payer, payment_method=method, **paid)
        self.charge = intent["latest_charge"]["id"]
        self.refund = self.post("refunds", payment_intent=intent["id"], amount="1000")["id"]
        fields = {"charge": self.charge, "amount": 500, "currency": "jpy"}
        self.ask("PUT", "/_fake/disputes/dp_1?event=charge.dispute.created", json=fields)
        booking = next(each for each in self.listed("balance_transactions") if each["source"] == self.charge)
        fee = {"fee": 180, "net": 4820, "_payout": "po_1"}
        self.ask("PUT", f"/_fake/balance_transactions/{booking['id']}", json=fee)
        payout = {"amount": 4820, "currency": "jpy", "arrival_date": int(time.time())}
        self.ask("PUT", "/_fake/payouts/po_1", json=payout)

    def keys(self) -> dict[str, Keys]:
        lists = {name: self.listed("subscriptions?status=all" if name == "subscriptions" else name) for name in KINDS}
        owned = [self.listed(f"customers/{each['id']}/payment_methods") for each in lists["customers"]]
        lists["payment_methods"] = [method for methods in owned for method in methods]
        lines = {(each["id"], line["id"]) for each in lists["invoices"] for line in each["lines"]["data"]}
        items = {(each["id"], "residual") for each in lists["payouts"]}
        for payout in lists["payouts"]:
            bookings = self.listed(f"balance_transactions?payout={payout['id']}")
            items |= {(payout["id"], booking["id"]) for booking in bookings}
        return {
            "invoice_lines": Keys(("invoice_id", "id"), frozenset(lines)),
            "payout_items": Keys(("payout_id", "item"), frozenset(items)),
            **{name: Keys(("id",), frozenset((each["id"],) for each in objects)) for name, objects in lists.items()},
        }

    def add(self) -> Step:
        refund = self.post("refunds", charge=self.charge, amount="700")

        def its(row: Row) -> bool:
            return refund["id"] in (row["id"], row.get("source_id"))

        touched = {"refunds": its, "balance_transactions": its, "charges": self._charged, "events": _any}
        seen = [
            ("refunds", {"id": refund["id"], "amount": 700, "currency": "JPY", "charge_id": self.charge}),
            ("charges", {"id": self.charge, "amount_refunded": 1700}),
            ("balance_transactions", {"source_id": refund["id"], "net": -700, "type": "refund"}),
        ]
        return Step(touched, seen)

    def change(self) -> Step:
        self.ask("PUT", "/_fake/disputes/dp_1?event=charge.dispute.closed", json={"status": "lost"})
        # no event tells of this one
        self.ask("PUT", f"/_fake/refunds/{self.refund}", json={"status": "failed"})

        def failed(row: Row) -> bool:
            return bool(row["id"] == self.refund)

        seen = [("disputes", {"id": "dp_1", "status": "lost"}), ("refunds", {"id": self.refund, "status": "failed"})]
        return Step({"disputes": _any, "refunds": failed, "events": _any}, seen)

    def delete(self) -> Step:
        self.ask("DELETE", f"/v1/customers/{self.leaving}")

        def its(row: Row) -> bool:
            return self.leaving in (row["id"], row.get("customer_id"))

        gone = [("customers", {"id": self.leaving}), ("payment_methods", {"customer_id": self.leaving})]
        return Step({"customers": its, "payment_methods": its, "events": _any}, gone=gone)

    def _charged(self, row: Row) -> bool:
        return bool(row["id"] == self.charge)


def _any(_row: Row) -> bool:
    return True


@contextmanager
def open_world(folder: Path, database: Callable[[], str]) -> Iterator[World]:
    """Start localstripe, the fake before it, and a counting proxy before that."""
    with (
        running(start_localstripe(folder)) as behind,
        served(lambda port: start_stripe_front(folder, KEY, f"http://127.0.0.1:{behind.port}", port)) as server,
    ):
        system = _Server(f"http://127.0.0.1:{server.port}")
        system.seed()
        yield World(
            connection={"url": {"env": "CONTRACT_PAYMENTS_URL"}, "api_key": {"env": "CONTRACT_PAYMENTS_KEY"}},
            environment={"CONTRACT_PAYMENTS_URL": server.url, "CONTRACT_PAYMENTS_KEY": KEY},
            refused={"CONTRACT_PAYMENTS_KEY": f"sk_test_{REFUSED}"},
            keys=system.keys,
            add=system.add,
            change=system.change,
            delete=system.delete,
            stop=server.stop,
            start=server.start,
            requests=server.requests,
        )
