"""Money, files and backups of the demo: what is planted is reported, once, and sums are what the servers say."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest
import stripe
from dotenv import dotenv_values

from leat.demo.story.planted import PLANTED
from leat.warehouse.connect import open_warehouse
from leat.warehouse.session import Session
from tests.company.conftest import Demo
from tests.models.money_results import SUBJECTS

pytestmark = pytest.mark.timeout(600)  # the whole company has to be started

RULES = {*SUBJECTS, "ticket_of_unknown_order", "entries_balance"}
DECIMALS = {"EUR": 2, "USD": 2, "JPY": 0, "KWD": 3}
Sums = dict[str, int]


@pytest.fixture
def session(demo: Demo) -> Iterator[Session]:
    assert demo.first.returncode == 0, demo.first.stdout + demo.first.stderr
    with open_warehouse(None, demo.state).published() as opened:
        yield opened


def listed(demo: Demo, name: str) -> list[dict[str, Any]]:
    """Return everything that the payment provider lists, asked by its own library."""
    env = dotenv_values(demo.state / "demo" / "env")
    base = str(env["PAYMENTS_URL"])
    library = stripe.StripeClient(str(env["PAYMENTS_API_KEY"]), base_addresses={"api": base}).v1
    return [json.loads(str(each)) for each in getattr(library, name).list({"limit": 100}).auto_paging_iter()]


def added(rows: list[tuple[str, int]]) -> Sums:
    sums: Sums = defaultdict(int)
    for currency, amount in rows:
        sums[currency.upper()] += amount
    return dict(sums)


def of_planted(session: Session, step: str, side: str, *labels: str) -> Sums:
    marks = ", ".join("?" * len(labels))
    return dict(
        session.execute(
            "SELECT currency, CAST(SUM(amount) AS BIGINT) FROM analytics.reconciliation_daily "
            f"WHERE step = ? AND side = ? AND label IN ({marks}) GROUP BY currency",
            (step, side, *labels),
        )
    )


def test_what_is_planted_is_reported_once_and_nothing_else(session: Session) -> None:
    rows = session.execute("SELECT rule, evidence FROM leat.violations WHERE resolved_at IS NULL")
    subjects = {**SUBJECTS, "ticket_of_unknown_order": "order_number", "payout_residual": "currency"}
    violations = [
        (rule, json.loads(evidence)[subjects[rule]] if rule in subjects else evidence)
        for rule, evidence in rows
        if rule in RULES
    ]
    assert sorted(violations) == sorted((each.kind, each.subject) for each in PLANTED if each.kind in RULES)


def test_charges_refunds_and_payouts_are_those_of_the_provider(session: Session, demo: Demo) -> None:
    charges = [each for each in listed(demo, "charges") if each["status"] == "succeeded"]
    charged = added([(each["currency"], each["amount"]) for each in charges])
    refunded = added([(each["currency"], -each["amount"]) for each in listed(demo, "refunds")])
    paid_out = added([(each["currency"], -each["amount"]) for each in listed(demo, "payouts")])
    assert (
        of_planted(session, "ledger", "payments", "charges")
        == of_planted(session, "gateway", "payments", "charges")
        == charged
    )
    assert of_planted(session, "ledger", "payments", "refunds") == refunded
    assert (
        of_planted(session, "balance", "bank", "payouts") == of_planted(session, "bank", "bank", "arrived") == paid_out
    )
    bookings = listed(demo, "balance_transactions")
    fees = added([(each["currency"], -each["fee"]) for each in bookings])
    assert of_planted(session, "balance", "balance", "fees") == fees
    orders = session.execute("SELECT currency, CAST(SUM(charged_amount) AS BIGINT) FROM analytics.orders GROUP BY 1")
    assert {currency: amount for currency, amount in orders if currency} == charged


def test_bookings_are_those_of_the_books(session: Session, demo: Demo) -> None:
    """The payments of an invoice are lines of entries that Tryton links to it; amounts are decimals there."""
    query = (
        "SELECT c.code, i.type, CAST(i.total_amount_cache AS TEXT), "
        "CAST(COALESCE(l.amount_second_currency, l.debit - l.credit) AS TEXT) "
        'FROM "account_invoice-account_move_line" AS p JOIN account_move_line AS l ON l.id = p.line '
        "JOIN account_invoice AS i ON i.id = p.invoice JOIN currency_currency AS c ON c.id = i.currency "
        "WHERE i.type = 'out'"
    )
    with closing(sqlite3.connect(f"file:{demo.state / 'demo' / 'tryton' / 'leat.sqlite'}?mode=ro", uri=True)) as books:
        lines = [(code, Decimal(total), Decimal(amount)) for code, _, total, amount in books.execute(query)]
    booked = added([(code, minor(code, amount)) for code, total, amount in lines if total >= 0])
    credited = added([(code, minor(code, amount)) for code, total, amount in lines if total < 0])
    assert of_planted(session, "ledger", "ledger", "booked") == booked
    assert of_planted(session, "ledger", "ledger", "credited") == credited


def minor(currency: str, amount: Decimal) -> int:
    return int(amount.scaleb(DECIMALS[currency]))


def test_each_day_adds_up_to_zero_and_nothing_is_unexplained(session: Session) -> None:
    rows = session.execute("SELECT step, day, currency, label, amount FROM analytics.reconciliation_daily")
    days: dict[tuple[Any, ...], int] = defaultdict(int)
    for step, day, currency, label, amount in rows:
        days[step, day, currency] += amount
        assert label != "unexplained"
    assert {step for step, _, _ in days} == {"gateway", "balance", "bank", "ledger"}
    assert set(days.values()) == {0}


def test_each_document_of_the_servers_is_linked_once(session: Session, demo: Demo) -> None:
    rows = session.execute("SELECT document, document_id, confidence FROM analytics.money_links")
    charges = {each["id"] for each in listed(demo, "charges")}
    assert {key for document, key, _ in rows if document == "charge"} == charges
    assert len(rows) == len({(document, key) for document, key, _ in rows})
    assert {confidence for _, _, confidence in rows} == {1}, "every document of the demo names its order"
