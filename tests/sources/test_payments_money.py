"""Stripe's units become minor units of ISO 4217, and what can't is quarantined."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leat.demo.stripe.replies import Reply
from leat.sources.money import exponent
from leat.sources.payments.stripe.money import from_stripe, scale_decimal, stripe_exponent
from tests.sources.payments_tables import Tables, at, opened, pay


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tables]:
    with opened(tmp_path, monkeypatch) as opened_tables:
        yield opened_tables


@pytest.mark.parametrize(
    ("currency", "written", "minor"),
    [
        ("jpy", 500, 500),  # ¥500: Stripe writes no decimals, nor has the currency any
        ("krw", 50000, 50000),
        ("eur", 1234, 1234),
        ("kwd", 5120, 5120),  # 5.120 dinars; Stripe keeps the last digit at zero
        ("bhd", 10, 10),
        ("isk", 500, 5),  # Stripe writes two decimals that are always zero
        ("ugx", 370000, 3700),
        ("mga", 300, 30000),  # Stripe writes none, ISO 4217 has two
        ("huf", 100000, 100000),
        ("jpy", -500, -500),
    ],
)
def test_amounts_are_not_a_hundredfold_in_currencies_without_decimals(currency: str, written: int, minor: int) -> None:
    """Pain: 100× amounts in zero-decimal currencies."""
    assert from_stripe(written, currency) == minor
    assert scale_decimal(str(written), currency) == str(minor)


def test_every_amount_of_a_row_is_converted(tables: Tables) -> None:
    for number, currency in enumerate(("jpy", "eur", "kwd", "isk", "ugx"), 1):
        pay(tables, number, 45000, currency, amount_captured=45000, amount_refunded=10000)
        tables.put("balance_transactions", f"txn_{number}", fee=1000, net=44000, _payout=f"po_{number}")
        tables.put("payouts", f"po_{number}", amount=44000, currency=currency, arrival_date=at(tables.now))
    tables.run()
    charges = {row["currency"]: row for row in tables.rows["charges"].values()}
    amounts = {code: (row["amount"], row["amount_refunded"], row["amount_left"]) for code, row in charges.items()}
    full, small = (45000, 10000, 35000), (450, 100, 350)
    assert amounts == {"JPY": full, "EUR": full, "KWD": full, "ISK": small, "UGX": small}
    bookings = {row["currency"]: (row["amount"], row["fee"], row["net"]) for row in tables.rows["payout_items"].values()
                if row["label"] == "transaction"}  # fmt: skip
    assert bookings["ISK"] == (450, 10, 440)
    assert bookings["JPY"] == (45000, 1000, 44000)
    assert {row["net"] for row in tables.rows["payout_items"].values() if row["label"] == "residual"} == {0}


def test_prices_below_a_minor_unit_preserve_their_decimals(tables: Tables) -> None:
    price: dict[str, Any] = {"product": "prod_1", "currency": "eur", "unit_amount": None}
    tables.put("prices", "price_1", **price, unit_amount_decimal="0.0125")
    tables.put("prices", "price_2", **price | {"currency": "isk", "unit_amount": 500}, unit_amount_decimal="500")
    tables.run()
    assert tables.one("prices", "price_1")["unit_amount_decimal"] == "0.0125"
    assert tables.one("prices", "price_1")["unit_amount"] is None
    assert tables.one("prices", "price_2")["unit_amount_decimal"] == "5"
    assert tables.one("prices", "price_2")["unit_amount"] == 5


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"currency": "isk", "amount": 550}, "more than 0 decimals"),
        ({"currency": "eurr"}, "no currency of ISO 4217"),
        ({"amount": "50.00"}, "no amount in whole units"),
        ({"amount": 50.5}, "no amount in whole units"),
        ({"created": "yesterday-ish"}, "no time in seconds"),
        ({"customer": ["cus_1"]}, "no reference"),
        ({"currency": None}, "no currency"),
    ],
)
def test_what_cannot_be_read_is_quarantined_and_the_rest_loaded(
    tables: Tables, fields: dict[str, Any], reason: str
) -> None:
    pay(tables, 1)
    broken = pay(tables, 2)
    tables.run()
    good = tables.one("charges", broken)
    tables.cursor = None
    pages = {"/v1/charges": {**tables.fake.objects["charges"][broken], **fields}}
    tables.fake.before = lambda call: _with(tables, pages.get(call.path))
    tables.run()
    assert [(q.stream, q.key) for q in tables.quarantined()] == [("charges", broken)]
    assert reason in tables.quarantined()[0].reason
    assert broken in tables.quarantined()[0].record
    assert tables.one("charges", broken) == good, "a row that was good stays"
    assert ("ch_1",) in tables.rows["charges"]


def _with(tables: Tables, broken: dict[str, Any] | None) -> Any:
    if broken is None:
        return None
    return Reply(200, {"object": "list", "has_more": False, "data": [tables.fake.objects["charges"]["ch_1"], broken]})


def test_stripe_deviates_in_three_currencies_only() -> None:
    zero = "BIF CLP DJF GNF JPY KMF KRW PYG RWF VND VUV XAF XOF XPF MGA"
    assert {code for code in zero.split() if stripe_exponent(code)} == set()
    assert {stripe_exponent(code) for code in ("BHD", "JOD", "KWD", "OMR", "TND")} == {3}
    codes = (*zero.split(), "ISK", "UGX", "EUR", "KWD")
    assert {code for code in codes if stripe_exponent(code) != exponent(code)} == {"ISK", "UGX", "MGA"}
