"""Payments, ledger and bank add up to zero per day and currency, whatever happened; and what is left has a label."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.kit.engines import ENGINES
from tests.kit.loaded import warehouse_of
from tests.models.money_cases import CASES
from tests.models.money_results import Results, open_shop
from tests.models.money_shop import NOW, Shop

Residuals = dict[tuple[str, str], dict[str, int]]


def results_of(shop: Shop, engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Results:
    with warehouse_of(engine, tmp_path, request).transaction() as session:
        return open_shop(session, shop)


def residuals(results: Results) -> Residuals:
    """Return what is left over by step and currency, and by label; amounts that add up to zero are left out."""
    sums: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in results.tables["reconciliation_daily"]:
        if row["side"] == "residual":
            sums[row["step"], row["currency"]][row["label"]] += row["amount"]
    return {place: left for place, each in sums.items() if (left := {k: v for k, v in each.items() if v})}


def assert_closed(results: Results) -> None:
    days: dict[tuple[object, ...], int] = defaultdict(int)
    for row in results.tables["reconciliation_daily"]:
        days[row["step"], row["day"], row["currency"]] += row["amount"]
        assert row["day_total"] == 0
    assert set(days.values()) == {0}


def random_shop(chance: random.Random) -> Shop:
    """Return a shop in which anything may be missing, late, doubled, too much or in another currency."""
    shop = Shop()
    shop.customer("ada")
    for number in range(40):
        order, days = str(5000 + number), chance.uniform(3, 40)
        currency, amount = chance.choice(["EUR", "USD", "JPY", "KWD"]), chance.randrange(1, 9) * 1000
        charges = [shop.charge(order, amount, currency, days + part) for part in range(chance.choice([0, 1, 1, 2]))]
        for charge in charges:
            for _ in range(chance.choice([0, 0, 1, 2])):
                shop.refund(charge, chance.choice([amount, 500]), currency, chance.uniform(0, 3))
        if chance.random() < 0.8:
            billed = amount * chance.choice([1, 1, 1, 2, 100]) + chance.choice([0, 0, 0, 1])
            other = chance.choice([currency, currency, currency, "CHF"])
            invoice = shop.invoice(order, billed, other, days, open_amount=chance.choice([0, 0, billed]))
            for _ in range(chance.choice([0, 1, 1, 2])):
                method = chance.choice(["Card", "Card", "Card", "Bank"])
                shop.booking(invoice, chance.choice([billed, 700]), other, days - chance.random(), method=method)
            if chance.random() < 0.2:
                shop.booking(shop.credit_note(invoice, 500, other), 500, other, days=2)
        if charges and chance.random() < 0.5:
            short, status = chance.choice([0, 0, 300]), chance.choice(["paid", "paid", "in_transit", "failed"])
            shop.payout(tuple(charges), short, 2.5, status=status, automatic=chance.random() < 0.8)
    return shop


@pytest.mark.parametrize(("engine", "seed"), [(engine, seed) for seed, engine in enumerate(ENGINES, 1)])
def test_whatever_happened_adds_up_to_zero(
    engine: str, seed: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    results = results_of(random_shop(random.Random(seed)), engine, tmp_path, request)  # noqa: S311 - test data
    assert_closed(results)
    left = [row for row in results.tables["reconciliation_daily"] if row["side"] == "residual"]
    seen = {"timing", "not_invoiced", "not_booked", "payout_residual", "payout_in_transit", "payout_failed"}
    assert seen <= {row["label"] for row in left}
    assert all(row["entries"] for row in left), (
        "each residual comes from a document, none only from what doesn't add up"
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_left_over_has_a_label(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    shop = Shop()
    shop.customer("ada")
    late = datetime(2026, 11, 3, 23, 30, tzinfo=UTC)  # in Paris the next day
    shop.charge("1", 1000, created_at=late)
    shop.booking(shop.invoice("1", 1000, issued_on="2026-11-04"), 1000, paid_on="2026-11-04")
    shop.sale("2", 500, "JPY")
    shop.charge("3", 16000, "JPY")
    shop.booking(shop.invoice("3", 160, "JPY"), 160, "JPY")
    charge, _ = shop.sale("4", 45500, "KWD")
    shop.refund(charge, 5500, "KWD")
    shop.charge("5", 200, "USD")
    shop.booking(shop.invoice("6", 300, "USD"), 300, "USD")
    short, _ = shop.sale("7", 10000, "CHF")
    shop.booking(shop.invoice("8", 90, "CHF"), 90, "CHF", method="Bank")
    shop.payout((short,), short=30)
    results = results_of(shop, engine, tmp_path, request)
    assert_closed(results)
    assert {place: left for place, left in residuals(results).items() if place[0] in ("ledger", "gateway")} == {
        ("ledger", "JPY"): {"currency_exponent": -15840},
        ("ledger", "KWD"): {"refund_not_credited": 5500},
        ("ledger", "USD"): {"not_invoiced": -200, "booked_without_charge": 300},
        ("ledger", "CHF"): {"paid_otherwise": 90},
    }
    assert residuals(results)["balance", "CHF"] == {"payout_residual": -30}
    moved = [
        row for row in results.tables["reconciliation_daily"] if row["label"] == "timing" and row["step"] == "ledger"
    ]
    assert sorted((str(row["day"]), row["amount"]) for row in moved if row["currency"] == "EUR") == [
        ("2026-11-03", -1000),
        ("2026-11-04", 1000),
    ]
    assert [row["label"] for row in results.tables["payout_reconciliation"]] == ["residual"]
    assert "ledger_differs_from_payments" not in {rule for rules in results.alarms.values() for rule in rules}


@pytest.mark.parametrize("engine", ENGINES)
def test_what_nothing_accounts_for_is_reported_by_the_rule(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    shop = Shop()
    shop.customer("ada")
    shop.charge("1", 10000)
    shop.booking(shop.invoice("1", 10000), 9000)  # settled, says the invoice; of the rest nobody knows
    shop.add("payments", "charges", id="ch_lost", created_at=NOW - timedelta(days=20), amount=70, currency="USD",
             amount_captured=70, status="succeeded", captured=True, metadata={"order": "2"})  # fmt: skip
    shop.booking(shop.invoice("2", 70, "USD", days=20), 70, "USD", days=20)
    results = results_of(shop, engine, tmp_path, request)
    assert_closed(results)
    assert residuals(results)["ledger", "EUR"] == {"unexplained": -1000}
    assert residuals(results)["gateway", "USD"] == {"not_on_balance": -70}
    rule = "ledger_differs_from_payments"
    assert {subject: rules for subject, rules in results.alarms.items() if rule in rules} == {
        "unexplained": [rule],
        "not_on_balance": [rule],
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_a_release_of_what_was_never_captured_is_no_refund(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    shop = Shop()
    shop.customer("ada")
    for order in ("2037", "2038", "2039"):
        CASES[order][0](shop, order)
    results = results_of(shop, engine, tmp_path, request)
    assert_closed(results)
    assert {label for left in residuals(results).values() for label in left} <= {"not_paid_out"}
