"""What is peculiar to payments: what changes late, several events at once, payouts, deletes, what is read again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from leat.sources.events import Delete, FullScan, Logged
from tests.sources.payments_tables import Tables, at, opened, pay

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tables]:
    with opened(tmp_path, monkeypatch) as opened_tables:
        yield opened_tables


def refund(tables: Tables, number: int, charge: str, amount: int, event: str | None = None, **fields: Any) -> str:
    key = f"re_{number}"
    money = {"amount": amount, "currency": "eur", "status": "pending", "balance_transaction": f"txn_re_{number}"}
    tables.put("refunds", key, event, charge=charge, payment_intent="pi_1", **{**money, **fields})
    return key


def payout(tables: Tables, key: str, amount: int, **fields: Any) -> None:
    tables.put("payouts", key, **{"amount": amount, "currency": "eur", "arrival_date": at(tables.now), **fields})


def test_refunds_and_disputes_are_updated_months_after_they_were_made(tables: Tables) -> None:
    """Pain: refunds and disputes never updated. Their ``created`` doesn't move."""
    charge = pay(tables, 1)
    refund(tables, 1, charge, 1000)
    tables.put("disputes", "dp_1", charge=charge, amount=5000, currency="eur")
    tables.run()
    for _ in range(5):
        tables.run(20 * DAY)
    tables.put("refunds", "re_1", status="failed", failure_reason="expired_or_canceled_card")
    tables.put("disputes", "dp_1", "charge.dispute.closed", status="lost")
    tables.run(HOUR)
    assert tables.one("refunds", "re_1")["status"] == "failed", "no event told of it"
    assert tables.one("disputes", "dp_1")["status"] == "lost"


def test_an_old_refund_among_many_is_detected_by_the_daily_sweep(tables: Tables) -> None:
    charge = pay(tables, 1)
    for number in range(1, 121):
        refund(tables, number, charge, 1, created=at(tables.now) + number)
    tables.run()
    tables.put("refunds", "re_1", status="failed")  # not among the newest 100, and no event tells of it
    tables.run(HOUR)
    assert tables.one("refunds", "re_1")["status"] == "pending"
    tables.run(DAY)
    assert tables.one("refunds", "re_1")["status"] == "failed"


def test_more_refunds_than_a_page_since_the_last_run_are_all_detected(tables: Tables) -> None:
    charge = pay(tables, 1)
    refund(tables, 0, charge, 1)
    tables.run()
    tables.now += HOUR
    for number in range(1, 231):
        refund(tables, number, charge, 1)
    tables.run()
    assert len(tables.rows["refunds"]) == 231


def test_links_survive(tables: Tables) -> None:
    charge = pay(tables, 1, customer={"id": "cus_1", "object": "customer", "name": "expanded"})
    refund(tables, 1, charge, 1000)
    tables.put("disputes", "dp_1", charge={"id": charge, "object": "charge"}, amount=1, currency="eur",
               balance_transactions=[{"id": "txn_9", "object": "balance_transaction"}])  # fmt: skip
    tables.put("balance_transactions", "txn_1", exchange_rate=1.25, fee=175, net=4825, _payout="po_1")
    payout(tables, "po_1", 4825)
    tables.run()
    given = tables.one("refunds", "re_1")
    assert (given["charge_id"], given["payment_intent_id"]) == (charge, "pi_1")
    assert given["balance_transaction_id"] == "txn_re_1"
    assert tables.one("disputes", "dp_1")["charge_id"] == charge
    assert tables.one("disputes", "dp_1")["balance_transaction_ids"] == '["txn_9"]'
    assert tables.one("charges", charge)["customer_id"] == "cus_1", "an expanded object stands for its id"
    booking = tables.one("balance_transactions", "txn_1")
    expected = {"amount": 5000, "fee": 175, "net": 4825, "currency": "EUR", "exchange_rate": 1.25}
    expected |= {"payout_id": "po_1", "source_id": charge, "type": "charge"}
    assert {name: booking[name] for name in expected} == expected


def test_payouts_reconcile_or_say_by_how_much_not(tables: Tables) -> None:
    """Pain: payouts that don't reconcile. The residual is labelled, and with it every payout closes."""
    for number, into in ((1, "po_ok"), (2, "po_ok"), (3, "po_short")):
        pay(tables, number)
        tables.put("balance_transactions", f"txn_{number}", fee=100, net=4900, _payout=into)
    tables.put("balance_transactions", "txn_fee", amount=-250, net=-250, fee=0, currency="eur", type="stripe_fee",
               reporting_category="fee", _payout="po_ok", available_on=at(tables.now))  # fmt: skip
    tables.put("balance_transactions", "txn_po", amount=-9550, net=-9550, currency="eur", type="payout",
               source="po_ok", _payout="po_ok", available_on=at(tables.now))  # fmt: skip
    payout(tables, "po_ok", 9550)
    payout(tables, "po_short", 4600)
    payout(tables, "po_hand", 700, automatic=False)
    tables.run()
    items = tables.rows["payout_items"].values()
    for key, row in tables.rows["payouts"].items():
        own = [item for item in items if item["payout_id"] == key[0] and item["label"] != "payout"]
        assert sum(item["net"] for item in own) == row["amount"], "it closes to zero"
    residuals = {item["payout_id"]: (item["net"], item["reason"]) for item in items if item["label"] == "residual"}
    assert residuals == {
        "po_ok": (0, "reconciled"),
        "po_short": (-300, "1 bookings add up to something else"),
        "po_hand": (700, "a payout made by hand: the provider doesn't report its transactions"),
    }
    labels = {item["item"]: item["label"] for item in items if item["payout_id"] == "po_ok"}
    expected = {"txn_1": "transaction", "txn_2": "transaction", "txn_fee": "fee", "txn_po": "payout"}
    assert labels == {**expected, "residual": "residual"}
    booking = {key[0]: row["payout_id"] for key, row in tables.rows["balance_transactions"].items()}
    assert booking == {"txn_1": "po_ok", "txn_2": "po_ok", "txn_3": "po_short", "txn_fee": "po_ok", "txn_po": "po_ok"}


def test_a_booking_stays_with_its_payout_when_newer_ones_arrive(tables: Tables) -> None:
    pay(tables, 1)
    tables.put("balance_transactions", "txn_1", _payout="po_1")
    tables.now += HOUR
    payout(tables, "po_1", 5000)
    tables.run()
    tables.now += HOUR
    pay(tables, 2)
    tables.run()
    assert tables.one("balance_transactions", "txn_1")["payout_id"] == "po_1"
    assert tables.one("balance_transactions", "txn_2")["payout_id"] is None


def test_a_payout_that_gets_another_booking_is_taken_apart_again(tables: Tables) -> None:
    pay(tables, 1)
    tables.put("balance_transactions", "txn_1", _payout="po_1")
    payout(tables, "po_1", 9000, status="in_transit")
    tables.run()
    pay(tables, 2, 4000)
    tables.put("balance_transactions", "txn_2", _payout="po_1")
    tables.put("payouts", "po_1", "payout.paid", status="paid")
    tables.run(HOUR)
    assert tables.one("payout_items", "po_1", "residual")["reason"] == "reconciled"
    assert {key[1] for key in tables.rows["payout_items"]} == {"txn_1", "txn_2", "residual"}


def test_an_over_refund_is_loaded_as_it_is(tables: Tables) -> None:
    """Pain: double refunds. Nothing is cut off or refused; what is left of the charge is below zero."""
    charge = pay(tables, 1, amount_refunded=6000)
    refund(tables, 1, charge, 3000)
    refund(tables, 2, charge, 3000)
    tables.run()
    assert tables.one("charges", charge)["amount_left"] == -1000
    assert sum(row["amount"] for row in tables.rows["refunds"].values()) == 6000


def test_of_several_events_in_one_second_the_object_itself_counts(tables: Tables) -> None:
    charge = pay(tables, 1)
    tables.run()
    tables.now += HOUR
    tables.put("charges", charge, amount_refunded=5000, refunded=True)
    for refunded in (5000, 0, 2000):  # snapshots, in an order that means nothing
        snapshot = {**tables.fake.objects["charges"][charge], "amount_refunded": refunded}
        tables.fake.add_event("charge.updated", snapshot, created=at(tables.now))
    tables.run()
    assert tables.one("charges", charge)["amount_refunded"] == 5000
    assert len(tables.rows["events"]) == 3
    assert tables.asked().count("charges/{id}") == 1, "three events, one object"


def test_an_event_that_appears_late_with_an_earlier_time_is_detected(tables: Tables) -> None:
    charge = pay(tables, 1)
    tables.put("charges", charge, "charge.updated", status="pending")
    tables.run()
    tables.put("charges", charge, status="succeeded")
    tables.fake.add_event("charge.succeeded", {"object": "charge", "id": charge}, created=at(tables.now) - 30)
    tables.run(HOUR)
    assert tables.one("charges", charge)["status"] == "succeeded"


def test_a_cursor_older_than_the_events_leads_to_a_full_sweep(tables: Tables) -> None:
    """Events are stored for 30 days: what happened in between is in none of them any more."""
    charge = pay(tables, 1)
    tables.put("customers", "cus_gone", name="Gone")
    tables.put("charges", charge, "charge.updated", status="pending")
    tables.run()
    tables.fake.objects["events"].clear()
    tables.put("charges", charge, status="succeeded", created=at(tables.now - 400 * DAY))
    tables.fake.take("customers", "cus_gone")
    tables.run(31 * DAY)
    assert [event.data["reason"] for event in tables.events if isinstance(event, Logged)] == [
        "the last run is older than the events that Stripe retains"
    ]
    assert tables.one("charges", charge)["status"] == "succeeded"
    assert not tables.rows["customers"]
    assert len(tables.rows["events"]) == 1, "events that the provider forgot stay"


def test_a_run_without_news_takes_four_requests_and_yields_nothing(tables: Tables) -> None:
    charge = pay(tables, 1)
    refund(tables, 1, charge, 100, "refund.created")
    tables.run()
    for _ in range(3):
        assert tables.run(HOUR) == []
        assert tables.asked() == ["events", "refunds", "disputes", "balance_transactions"]


def test_the_first_run_of_a_day_reads_again_what_is_recent(tables: Tables) -> None:
    charge, old = pay(tables, 1), pay(tables, 2, created=at(tables.now - 100 * DAY))
    tables.run()
    tables.put("charges", charge, description="found")
    tables.put("charges", old, description="too old")
    tables.run(HOUR)
    assert tables.one("charges", charge)["description"] is None
    tables.run(DAY)
    assert tables.one("charges", charge)["description"] == "found"
    assert tables.one("charges", old)["description"] is None
    assert not [event for event in tables.events if isinstance(event, FullScan)], "a part proves nothing"


def test_deleted_objects_go(tables: Tables) -> None:
    """A deleted customer answers with ``deleted``, a deleted product with 404."""
    tables.put("customers", "cus_1", name="Ada")
    tables.put("payment_methods", "pm_1", customer="cus_1", type="card")
    tables.put("products", "prod_1", name="Lamp")
    tables.put("invoices", "in_1", customer="cus_1", currency="eur", total=5,
               lines={"data": [{"id": "il_1", "amount": 5, "currency": "eur"}], "has_more": False})  # fmt: skip
    tables.run()
    assert [len(tables.rows[name]) for name in ("payment_methods", "invoice_lines")] == [1, 1]
    for name, key in (("customers", "cus_1"), ("products", "prod_1"), ("invoices", "in_1")):
        tables.fake.add_event(f"{key}.deleted", tables.fake.objects[name][key], created=at(tables.now))
        tables.fake.take(name, key)
    tables.run(HOUR)
    gone = ("customers", "payment_methods", "products", "invoices", "invoice_lines")
    assert [len(tables.rows[name]) for name in gone] == [0] * 5


def test_a_detached_payment_method_goes(tables: Tables) -> None:
    tables.put("customers", "cus_1", name="Ada")
    tables.put("payment_methods", "pm_1", customer="cus_1", type="card", card={"brand": "visa", "last4": "4242"})
    tables.run()
    assert tables.one("payment_methods", "pm_1")["brand"] == "visa"
    tables.put("payment_methods", "pm_1", "payment_method.detached", customer=None)
    tables.run(HOUR)
    assert not tables.rows["payment_methods"]


def test_a_line_taken_from_a_draft_goes(tables: Tables) -> None:
    lines = [{"id": f"il_{n}", "amount": 5, "currency": "eur"} for n in range(3)]
    tables.put("invoices", "in_1", currency="eur", total=15, lines={"data": lines, "has_more": False})
    tables.run()
    changed = {"data": lines[:1], "has_more": False}
    tables.put("invoices", "in_1", "invoice.updated", total=5, lines=changed)
    tables.run(HOUR)
    assert set(tables.rows["invoice_lines"]) == {("in_1", "il_0")}
    assert any(isinstance(event, Delete) for event in tables.events)


def test_lines_that_do_not_come_with_their_invoice_are_listed(tables: Tables) -> None:
    lines = [{"id": f"il_{n:03}", "amount": 5, "currency": "eur", "created": n} for n in range(130)]
    tables.put("invoices", "in_1", currency="eur", total=650, lines={"data": lines, "has_more": True})
    tables.run()
    assert len(tables.rows["invoice_lines"]) == 130


def test_streams_that_are_not_wanted_are_not_read(tables: Tables) -> None:
    pay(tables, 1)
    tables.streams = frozenset({"refunds"})
    tables.run()
    assert set(tables.asked()) == {"events", "refunds"}
    tables.streams = frozenset({"refunds", "charges"})
    tables.run(HOUR)
    assert set(tables.rows["charges"]) == {("ch_1",)}, "a stream that is added is read from its beginning"


def test_old_events_are_listed_only_for_their_own_table(tables: Tables) -> None:
    for number in range(250):
        tables.fake.add_event("balance.available", {"object": "balance"}, created=at(tables.now) - number * 3600)
    tables.streams = frozenset({"charges"})
    tables.run()
    assert tables.asked() == ["events", "charges"]
    tables.streams = frozenset({"charges", "events"})
    tables.run(HOUR)
    assert tables.asked().count("events") == 3
    assert len(tables.rows["events"]) == 250


def test_an_id_stays_one_part_of_an_address(tables: Tables) -> None:
    tables.run()
    tables.fake.add_event("charge.updated", {"object": "charge", "id": "../customers?limit=9"}, created=at(tables.now))
    paths = []

    def note(call: Any) -> None:
        paths.append(call.path)

    tables.fake.before = note
    tables.run(HOUR)
    assert "/v1/charges/..%2Fcustomers%3Flimit%3D9" in paths


def test_live_and_test_mode_never_mix(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    pay(tables, 1, livemode=False)
    tables.run()
    assert tables.one("charges", "ch_1")["livemode"] is False
    tables.fake.objects["charges"].clear()
    pay(tables, 2, livemode=True)
    tables.fake.key = "sk_live_planted-Stripe-7262"
    monkeypatch.setenv("PAYMENTS_TEST_KEY", tables.fake.key)
    tables.run(HOUR)
    assert {key: row["livemode"] for key, row in tables.rows["charges"].items()} == {("ch_2",): True}
