"""Amounts become minor units by the exponent of their currency, and never lose a digit."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leat.sources.money import exponent, to_minor


@pytest.mark.parametrize(
    ("currency", "digits"),
    [("JPY", 0), ("ISK", 0), ("UGX", 0), ("EUR", 2), ("usd", 2), ("MGA", 2), ("KWD", 3), ("TND", 3), ("CLF", 4)],
)
def test_exponent_is_that_of_iso_4217(currency: str, digits: int) -> None:
    assert exponent(currency) == digits


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("500", "JPY", 500),
        (Decimal("500.00"), "JPY", 500),
        ("12.34", "EUR", 1234),
        (12, "eur", 1200),
        ("-0.05", "EUR", -5),
        ("1.234", "KWD", 1234),
        ("1E+3", "JPY", 1000),
        ("0", "EUR", 0),
        ("90071992547409.93", "USD", 9007199254740993),
    ],
)
def test_an_amount_becomes_minor_units(amount: Decimal | str | int, currency: str, minor: int) -> None:
    assert to_minor(amount, currency) == minor


@pytest.mark.parametrize("amount", ["1.001", Decimal("0.999")])
def test_a_digit_that_would_be_lost_is_refused(amount: Decimal | str) -> None:
    with pytest.raises(ValueError, match="more than 2 decimals"):
        to_minor(amount, "EUR")


@pytest.mark.parametrize("currency", ["", "XTS", "EURO", "€"])
def test_an_unknown_currency_is_refused(currency: str) -> None:
    with pytest.raises(ValueError, match="no currency of ISO 4217"):
        to_minor(1, currency)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1,00", ""])
def test_what_is_no_number_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="no amount of money"):
        to_minor(amount, "EUR")


@given(st.integers(-(10**30), 10**30), st.sampled_from(["JPY", "EUR", "KWD", "CLF"]))
def test_every_amount_is_stored_to_the_last_digit(minor: int, currency: str) -> None:
    sign = "-" if minor < 0 else ""
    digits = str(abs(minor)).rjust(exponent(currency) + 1, "0")
    cut = len(digits) - exponent(currency)
    assert to_minor(f"{sign}{digits[:cut]}.{digits[cut:]}", currency) == minor
