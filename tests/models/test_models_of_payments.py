"""What the shipped models say about payments, worked out by hand, on both engines."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leat.sources.money import _EXPONENTS
from leat.warehouse.session import Warehouse
from tests.kit.engines import ENGINES
from tests.kit.loaded import utc, warehouse_of
from tests.kit.shipped import Rows, built, only, some_models

NOW = utc(2026, 7, 20, 9)


def booking(name: str, at: datetime, amount: int, fee: int = 0, **more: Any) -> dict[str, Any]:
    return {"id": name, "created_at": at, "amount": amount, "fee": fee, "net": amount - fee, "currency": "EUR", **more}


MAY = utc(2026, 5, 4, 10)
BOOKINGS = [
    booking("c1", MAY, 10_000, 300, reporting_category="charge", type="charge"),
    booking("c2", utc(2026, 5, 4, 23, 59, 59), 2_000, 60, reporting_category=None, type="payment"),
    booking("c3", utc(2026, 5, 5), 700, 20, reporting_category="charge"),
    booking("f1", MAY, -500, 0, reporting_category="charge_failure"),
    booking("r1", MAY, -2_500, 0, reporting_category="refund"),
    booking("r2", MAY, 400, 0, reporting_category="refund_failure"),
    booking("d1", MAY, -3_000, 1_500, type="adjustment", source_id="dp_1"),  # no category: an imitation of the API
    booking("d2", MAY, 3_000, -1_500, reporting_category="dispute_reversal"),
    booking("d3", MAY, -800, 1_500, reporting_category="dispute"),
    booking("s1", MAY, -200, 0, reporting_category="fee", type="stripe_fee"),
    booking("o1", MAY, -70, 0, reporting_category="transfer"),
    booking("o2", MAY, 7, 0, type="adjustment"),
    booking("p1", MAY, -6_000, 0, reporting_category="payout"),
    booking("p2", MAY, -1_000, 10, reporting_category="payout"),  # an instant one costs
    booking("t1", MAY, 9_999, 0, reporting_category="topup"),
    booking("p3", utc(2026, 5, 9), -4_000, 0, type="payout"),  # a day with nothing else
    booking("j1", MAY, 5_000, 180, reporting_category="charge", currency="JPY"),
    booking("k1", MAY, 12_345, 371, reporting_category="charge", currency="KWD"),
    booking("x1", MAY, 8_888, 0, reporting_category="charge", _deleted_at=NOW),
    {**booking("w1", utc(2026, 5, 6), 100, 10, reporting_category="charge"), "net": 80},  # doesn't add up
]


def charge(name: str, at: datetime, amount: int = 1_000, status: str = "succeeded", **more: Any) -> dict[str, Any]:
    taken = amount if status == "succeeded" else 0
    given = {"id": name, "created_at": at, "amount": amount, "amount_captured": taken, "status": status}
    return {**given, "currency": "EUR", "captured": True, "payment_method_type": "card", **more}


def refund(name: str, of: str, at: datetime, amount: int, status: str | None = "succeeded", **more: Any) -> Any:
    given = {"id": name, "charge_id": of, "created_at": at, "amount": amount, "status": status, "currency": "EUR"}
    return {**given, **more}


def dispute(name: str, of: str, at: datetime, amount: int, status: str, **more: Any) -> dict[str, Any]:
    given = {"id": name, "charge_id": of, "created_at": at, "amount": amount, "status": status, "currency": "EUR"}
    return {**given, **more}


CHARGES = [
    charge("a1", MAY, status="failed", payment_intent_id="pi", failure_code="card_declined", customer_id="ann",
           outcome=json.dumps({"type": "issuer_declined", "reason": "insufficient_funds"})),
    charge("a2", MAY + timedelta(hours=1), status="failed", payment_intent_id="pi", customer_id="ann",
           outcome=json.dumps({"type": "blocked", "reason": "highest_risk_level"})),
    charge("a3", utc(2026, 5, 5, 1), payment_intent_id="pi", customer_id="ann", payment_method_id="visa"),
    charge("b1", MAY, 2_000, customer_id="bob", payment_method_id="gone"),
    charge("b2", MAY, 500, status="failed", failure_code="expired_card", customer_id="bob"),
    charge("b3", MAY, 500, status="failed", customer_id="bob"),
    charge("b4", MAY, 900, status="pending", payment_method_type="sepa_debit", customer_id="bob"),
    charge("b5", utc(2026, 7, 1), 2_000, customer_id="bob"),
    charge("g1", utc(2026, 6, 30, 23), 3_000, payment_method_type="paypal"),  # a guest
    charge("e1", utc(2026, 6, 2), 4_000, customer_id="eve", payment_method_id="visa"),
    charge("e2", utc(2026, 6, 3), 4_000, captured=False, customer_id="eve"),  # authorised alone
    charge("j1", utc(2026, 6, 2), 5_000, currency="JPY", customer_id="jun", payment_method_id="visa"),
    charge("x1", MAY, customer_id="ann", _deleted_at=NOW),
]  # fmt: skip
REFUNDS = [
    refund("r1", "b1", MAY + timedelta(hours=23, minutes=59), 500),
    refund("r2", "b1", MAY + timedelta(days=1), 1_700),  # more than was charged, with the first
    refund("r3", "a3", utc(2026, 5, 13, 1), 100, status=None),  # 8 days
    refund("r4", "e1", utc(2026, 7, 3), 400, "failed"),
    refund("r5", "e1", utc(2026, 7, 3), 400, "pending"),  # 31 days
    refund("r6", "nobody", utc(2026, 7, 3), 5, currency="JPY"),
]
DISPUTES = [
    dispute("d1", "b1", NOW - timedelta(days=7, hours=23), 2_000, "needs_response",
            evidence_due_at=NOW + timedelta(days=7)),
    dispute("d2", "b1", NOW - timedelta(days=3), 2_000, "needs_response", evidence_due_at=NOW - timedelta(seconds=1)),
    dispute("d3", "a3", NOW - timedelta(days=8), 1_000, "under_review", evidence_due_at=NOW - timedelta(days=1)),
    dispute("d4", "e1", NOW - timedelta(days=20), 4_000, "lost"),
    dispute("d5", "g1", NOW - timedelta(days=20), 3_000, "won"),
    dispute("d6", "b5", NOW - timedelta(days=91), 2_000, "warning_under_review"),
    dispute("d7", "b5", NOW - timedelta(days=91), 2_000, "warning_closed"),
]  # fmt: skip
METHODS = [
    {"id": "visa", "type": "card", "brand": "visa", "funding": "credit", "country": "FR"},
    {"id": "gone", "type": "card", "brand": "amex", "funding": "debit", "country": "US", "_deleted_at": NOW},
]


def price(name: str, amount: str | None, every: str, count: int = 1, **more: Any) -> dict[str, Any]:
    given = {"id": name, "unit_amount_decimal": amount, "interval": every, "interval_count": count, "currency": "EUR"}
    return {**given, "type": "recurring", "billing_scheme": "per_unit", "usage_type": "licensed", **more}


PRICES = [
    price("month", "1000", "month"),
    price("seat", "500", "month"),
    price("quarter", "1000", "month", 3),
    price("year", "12000", "year"),
    price("week", "100", "week"),
    price("day", "1", "day"),
    price("half", "0.5", "month"),
    price("yen", "980", "month", currency="JPY"),
    price("used", "3", "month", usage_type="metered"),
    price("steps", None, "month", billing_scheme="tiered"),
    price("once", "5000", None, type="one_time"),  # type: ignore[arg-type]
]


def subscription(name: str, of: str, price_id: str, began: datetime, status: str = "active", **more: Any) -> Any:
    given = {"id": name, "customer_id": of, "price_id": price_id, "quantity": 1, "status": status, "currency": "EUR"}
    return {**given, "created_at": began, "started_at": began, **more}


def items(*given: tuple[str, str, int | None]) -> str:
    return json.dumps([{"id": name, "price": {"id": of}, "quantity": quantity} for name, of, quantity in given])


JANUARY = utc(2026, 1, 15)
SUBSCRIPTIONS = [
    subscription("s-ann", "ann", "month", JANUARY, items=items(("i1", "month", 1), ("i2", "seat", 2))),
    subscription("s-ann2", "ann", "seat", utc(2026, 3, 9), "canceled", canceled_at=utc(2026, 5, 1),
                 ended_at=utc(2026, 6, 9)),
    # A trial, a year that is paid for, and its end.
    subscription("s-bob", "bob", "year", utc(2026, 1, 20), "canceled", trial_start_at=utc(2026, 1, 20),
                 trial_end_at=utc(2026, 2, 10), canceled_at=utc(2026, 4, 5), ended_at=utc(2026, 4, 5)),
    subscription("s-cat", "cat", "week", utc(2026, 2, 1), "canceled", ended_at=utc(2026, 3, 31, 23)),
    subscription("s-cat2", "cat", "month", utc(2026, 5, 2), "past_due", cancel_at_period_end=True),
    subscription("s-dan", "dan", "month", JANUARY, "unpaid", current_period_start_at=utc(2026, 3, 1)),
    subscription("s-eve", "eve", "month", JANUARY, "incomplete_expired", ended_at=utc(2026, 1, 16)),
    subscription("s-fay", "fay", "month", JANUARY, "paused", trial_end_at=utc(2026, 1, 25)),
    subscription("s-gus", "gus", "month", utc(2026, 7, 15), "trialing", trial_end_at=utc(2026, 8, 1)),
    subscription("s-hal", "hal", "month", JANUARY, "canceled", trial_end_at=utc(2026, 2, 14),
                 ended_at=utc(2026, 2, 1, 12)),  # left while it was free
    subscription("s-ida", "ida", "month", utc(2026, 4, 2), "canceled", ended_at=utc(2026, 4, 20)),  # within a month
    subscription("s-jun", "jun", "yen", utc(2026, 6, 2), currency="JPY", quantity=3),
    subscription("s-kim", "kim", "half", utc(2026, 7, 2), quantity=1001),
    subscription("s-leo", "leo", "used", utc(2026, 7, 2), items=items(("u", "used", None), ("v", "steps", 1))),
    subscription("s-mia", "mia", "yen", utc(2026, 7, 2)),  # EUR, by a price in JPY
    subscription("s-ned", "ned", "day", utc(2026, 7, 2), items="[]"),
    subscription("s-oda", "oda", "quarter", utc(2026, 7, 2)),
    subscription("s-pia", "pia", "once", utc(2026, 7, 2), currency=None),  # EUR, by its price
    subscription("s-quin", "quin", "lost", utc(2026, 7, 2), currency=None),
    subscription("s-old", "old", "month", JANUARY, _deleted_at=NOW),
]  # fmt: skip


@pytest.fixture(params=ENGINES)
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    return warehouse_of(request.param, tmp_path, request)


def tables_of(warehouse: Warehouse, folder: Path, models: str, **given: Any) -> dict[str, Rows]:
    return built(warehouse, some_models(folder, models.split(), ["payments"]), "payments", given, NOW)


def test_bookings_by_day(warehouse: Warehouse, tmp_path: Path) -> None:
    rows = tables_of(warehouse, tmp_path, "payments_daily", balance_transactions=BOOKINGS)["payments_daily"]
    columns = ("day", "currency", "gross", "refunds", "disputes", "fees", "other", "net", "unexplained")
    fees = 300 + 60 + 1_500 - 1_500 + 1_500 + 200 + 10
    assert only(rows, *columns) == [
        (date(2026, 5, 4), "EUR", 11_500, 2_100, 800, fees, -63, 11_500 - 2_100 - 800 - fees - 63, 0),
        (date(2026, 5, 4), "JPY", 5_000, 0, 0, 180, 0, 4_820, 0),
        (date(2026, 5, 4), "KWD", 12_345, 0, 0, 371, 0, 11_974, 0),
        (date(2026, 5, 5), "EUR", 700, 0, 0, 20, 0, 680, 0),
        (date(2026, 5, 6), "EUR", 100, 0, 0, 10, 0, 80, -10),
    ]
    assert only(rows[:1], "charges", "refunds_made", "disputes_booked") == [(2, 1, 2)]


def test_attempts(warehouse: Warehouse, tmp_path: Path) -> None:
    tables = tables_of(warehouse, tmp_path, "payment_success decline_reasons", charges=CHARGES)
    success, declines = tables["payment_success"], tables["decline_reasons"]
    first, second = success[0], success[1]
    assert first["day"] == date(2026, 5, 4)
    assert [first[name] for name in ("attempts", "succeeded", "failed", "pending")] == [6, 1, 4, 1]
    assert (first["success_rate"], first["amount_succeeded"], first["amount_failed"]) == (0.2, 2_000, 3_000)
    # The payment that took three attempts counts on its first day; the charges without one are their own.
    names = ("payments", "payments_succeeded", "payments_retried", "payments_recovered", "payment_success_rate")
    assert [first[name] for name in names] == [5, 2, 1, 1, 0.5]
    assert (second["attempts"], second["payments"], second["payment_success_rate"]) == (1, 0, None)
    columns = ("month", "currency", "method", "reason", "blocked", "declines", "amount", "share", "recovered")
    assert only(declines, *columns) == [
        (date(2026, 5, 1), "EUR", "card", "expired_card", False, 1, 500, 0.25, 0),
        (date(2026, 5, 1), "EUR", "card", "highest_risk_level", True, 1, 1_000, 0.25, 1),
        (date(2026, 5, 1), "EUR", "card", "insufficient_funds", False, 1, 1_000, 0.25, 1),
        (date(2026, 5, 1), "EUR", "card", "unknown", False, 1, 500, 0.25, 0),
    ]


def test_given_back(warehouse: Warehouse, tmp_path: Path) -> None:
    names = "refunds_and_disputes refund_timing dispute_ageing"
    tables = tables_of(
        warehouse, tmp_path, f"released_refunds {names}", charges=CHARGES, refunds=REFUNDS, disputes=DISPUTES
    )
    months, timing, ageing = (tables[name] for name in names.split())
    columns = ("month", "currency", "charges", "charged", "refunded_charges", "refunds", "refunded", "refund_rate")
    assert only(months, *columns) == [
        (date(2026, 5, 1), "EUR", 2, 3_000, 2, 3, 2_300, 1.0),
        (date(2026, 6, 1), "EUR", 2, 7_000, 1, 1, 400, 0.5),
        (date(2026, 6, 1), "JPY", 1, 5_000, 0, 0, 0, 0.0),
        (date(2026, 7, 1), "EUR", 1, 2_000, 0, 0, 0, 0.0),
    ]
    counts = ("disputed_charges", "disputed", "disputes_open", "disputes_won", "disputes_lost", "lost")
    assert only(months, *counts) == [(2, 5_000, 3, 0, 0, 0), (2, 7_000, 0, 1, 1, 4_000), (0,) * 6, (0,) * 6]
    assert months[0]["mean_days_to_refund"] == pytest.approx((1439 / 1440 + 1 + 8) / 3)
    assert only(timing, "currency", "span", "refunds", "refunded", "share") == [
        ("EUR", "1_to_7", 1, 1_700, 0.25),
        ("EUR", "31_to_90", 1, 400, 0.25),
        ("EUR", "8_to_30", 1, 100, 0.25),
        ("EUR", "same_day", 1, 500, 0.25),
        ("JPY", "unknown", 1, 5, 1.0),
    ]
    aged = ("status", "age", "disputes", "disputed", "evidence_overdue", "evidence_due_in_7_days")
    assert only(ageing, *aged) == [
        ("needs_response", "0_to_7", 2, 4_000, 1, 1),
        ("under_review", "8_to_30", 1, 1_000, 0, 0),
        ("warning_under_review", "over_90", 1, 2_000, 0, 0),
    ]
    assert only(ageing, "next_evidence_due_at") == [(NOW + timedelta(days=7),), (None,), (None,)]


def test_what_was_never_captured_is_not_given_back(warehouse: Warehouse, tmp_path: Path) -> None:
    names = "released_refunds refunds_and_disputes refund_timing"
    held = {"amount_captured": 400, "amount_released": 600}
    charges = [charge("c1", MAY, **held), charge("c2", MAY, **held | {"amount_captured": 0}, captured=False)]
    charges[1] |= {"amount_released": 1_000}
    at = MAY + timedelta(hours=1)
    refunds = [refund("r1", "c1", at, 600), refund("r2", "c1", at + timedelta(days=2), 150)]
    refunds += [refund("r3", "c2", at, 300), refund("r4", "c2", at, 700)]
    tables = tables_of(warehouse, tmp_path, names, charges=charges, refunds=refunds)
    released = only(tables["released_refunds"], "refund_id", "charge_id")
    assert released == [("r1", "c1"), ("r3", "c2"), ("r4", "c2")]
    assert only(tables["refunds_and_disputes"], "charges", "charged", "refunds", "refunded") == [(1, 400, 1, 150)]
    assert only(tables["refund_timing"], "span", "refunds", "refunded") == [("1_to_7", 1, 150)]


def test_mix_and_retention(warehouse: Warehouse, tmp_path: Path) -> None:
    names = "payment_method_mix customer_retention"
    tables = tables_of(warehouse, tmp_path, names, charges=CHARGES, payment_methods=METHODS)
    mix, retention = (tables[name] for name in names.split())
    columns = ("month", "currency", "method", "brand", "country", "charges", "customers", "charged", "share")
    assert only(mix, *columns) == [
        (date(2026, 5, 1), "EUR", "card", "amex", "US", 1, 1, 2_000, 0.5),
        (date(2026, 5, 1), "EUR", "card", "visa", "FR", 1, 1, 1_000, 0.5),
        (date(2026, 6, 1), "EUR", "card", "visa", "FR", 1, 1, 4_000, 0.5),
        (date(2026, 6, 1), "EUR", "paypal", "unknown", "unknown", 1, 0, 3_000, 0.5),
        (date(2026, 6, 1), "JPY", "card", "visa", "FR", 1, 1, 5_000, 1.0),
        (date(2026, 7, 1), "EUR", "card", "unknown", "unknown", 1, 1, 2_000, 1.0),
    ]
    cohort = ("cohort", "months_later", "customers", "active", "retention", "complete")
    assert only(retention, *cohort) == [
        (date(2026, 5, 1), 0, 2, 2, 1.0, True),
        (date(2026, 5, 1), 1, 2, 0, 0.0, True),
        (date(2026, 5, 1), 2, 2, 1, 0.5, False),
        (date(2026, 6, 1), 0, 2, 2, 1.0, True),
        (date(2026, 6, 1), 1, 2, 0, 0.0, False),
    ]


def test_prices_by_the_month(warehouse: Warehouse, tmp_path: Path) -> None:
    tables = tables_of(warehouse, tmp_path, "subscription_items", prices=PRICES, subscriptions=SUBSCRIPTIONS)
    rows = tables["subscription_items"]
    reported = {(row["subscription_id"], row["item"]): (row["monthly_amount"], row["unpriced"]) for row in rows}
    assert len(reported) == len(rows) == 21
    assert reported["s-ann", "i2"] == (1_000, None)
    assert reported["s-bob", "first"] == (1_000, None)
    assert reported["s-cat", "first"] == (433, None)  # 100 * 52 / 12
    assert reported["s-jun", "first"] == (2_940, None)
    assert reported["s-kim", "first"] == (501, None)  # 500.5, and up
    assert reported["s-leo", "u"] == (None, "metered")
    assert reported["s-leo", "v"] == (None, "tiered")
    assert reported["s-mia", "first"] == (None, "currency")
    assert reported["s-ned", "first"] == (30, None)  # 365 / 12
    assert reported["s-oda", "first"] == (333, None)
    assert reported["s-pia", "first"] == (None, "unknown")


def test_recurring_revenue(warehouse: Warehouse, tmp_path: Path) -> None:
    names = "subscription_items monthly_recurring_revenue"
    tables = tables_of(warehouse, tmp_path, names, prices=PRICES, subscriptions=SUBSCRIPTIONS)
    rows = tables["monthly_recurring_revenue"]
    columns = ("opening", "new", "reactivated", "expansion", "contraction", "churned", "mrr", "customers", "trialing")
    assert only([row for row in rows if row["currency"] == "EUR"], "month", *columns) == [
        (date(2026, 1, 1), 0, 3_000, 0, 0, 0, 0, 3_000, 2, 2_000),  # ann, dan; bob and hal are in trial
        (date(2026, 2, 1), 3_000, 1_433, 0, 0, 0, 0, 4_433, 4, 0),  # bob, cat
        (date(2026, 3, 1), 4_433, 0, 0, 500, 0, 1_433, 3_500, 2, 0),  # dan and cat leave, ann has one more
        (date(2026, 4, 1), 3_500, 0, 0, 0, 0, 1_000, 2_500, 1, 0),  # bob leaves; ida came and went
        (date(2026, 5, 1), 2_500, 0, 1_000, 0, 0, 0, 3_500, 2, 0),  # cat is back
        (date(2026, 6, 1), 3_500, 0, 0, 0, 500, 0, 3_000, 2, 0),
        (date(2026, 7, 1), 3_000, 864, 0, 0, 0, 0, 3_864, 5, 1_000),  # kim, ned, oda; gus is in trial
    ]
    last = rows[-3]
    assert (last["month"], last["currency"]) == (date(2026, 7, 1), "EUR")
    assert (last["past_due"], last["ending"], last["unpriced_items"]) == (1_000, 1_000, 4)
    assert (last["annualised"], last["subscriptions"]) == (12 * 3_864, 8)
    assert rows[2]["churn_rate"] == pytest.approx(1_433 / 4_433)
    assert rows[2]["past_due"] is None
    assert only(rows[-2:], "currency", "mrr", "new", "unpriced_items") == [("JPY", 2_940, 0, 0), ("unknown", 0, 0, 1)]
    for row in rows:
        moved = row["new"] + row["reactivated"] + row["expansion"] - row["contraction"] - row["churned"]
        assert row["opening"] + moved == row["mrr"]


def test_nothing_was_paid_yet(warehouse: Warehouse, tmp_path: Path) -> None:
    names = "payments_daily payment_success decline_reasons released_refunds refunds_and_disputes refund_timing"
    names += " dispute_ageing"
    names += " payment_method_mix customer_retention subscription_items monthly_recurring_revenue"
    assert tables_of(warehouse, tmp_path, names) == {name: [] for name in names.split()}


@pytest.mark.parametrize("engine", ENGINES)
def test_currencies_are_those_of_iso_4217(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    warehouse = warehouse_of(engine, tmp_path, request)
    models = some_models(tmp_path / "project", ["currencies"], ["payments"])
    rows = built(warehouse, models, "payments", {}, NOW)["currencies"]
    assert {row["currency"]: row["decimals"] for row in rows} == _EXPONENTS
    with warehouse.snapshot() as session:
        shown = "SELECT 7901 / minor_units FROM analytics.currencies WHERE currency IN ('EUR', 'JPY', 'KWD') ORDER BY 1"
        assert [value for (value,) in session.execute(shown)] == [7.901, 79.01, 7901]
