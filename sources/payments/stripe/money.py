"""Stripe's own units: where they are not the minor unit of ISO 4217 (docs.stripe.com/currencies, "Special cases").

Stripe writes ISK and UGX with two decimals that are always zero, and MGA without decimals. Everything else is the minor
unit: JPY has no decimals, EUR two, KWD three (in Stripe the last one is always zero).
"""

from __future__ import annotations

from decimal import Decimal

from leat.sources.money import as_text, exponent, to_minor

_LARGEST = 100
_DEVIATING = {"ISK": 2, "UGX": 2, "MGA": 0}


def stripe_exponent(currency: str) -> int:
    """Return how many decimals Stripe writes a currency with.

    Raises:
        ValueError: there is no such currency.
    """
    digits = exponent(currency)
    return _DEVIATING.get(currency.upper(), digits)


def from_stripe(amount: int, currency: str) -> int:
    """Return an amount of Stripe's in minor units: 500 ISK, as Stripe writes 5 krónur, is 5.

    Raises:
        ValueError: there is no such currency, or the amount is no whole number of its minor units.
    """
    return to_minor(Decimal(amount).scaleb(-stripe_exponent(currency)), currency)


def to_stripe(amount: int, currency: str) -> int:
    """Return an amount in minor units as Stripe writes it: 5 ISK are 500, 1.230 KWD are 1230.

    Raises:
        ValueError: there is no such currency, or Stripe can't express the amount.
    """
    scaled = Decimal(amount).scaleb(stripe_exponent(currency) - exponent(currency))
    step = 10 if stripe_exponent(currency) > 2 else 1
    if scaled % step:
        smallest = as_text(step * 10 ** max(0, exponent(currency) - stripe_exponent(currency)), currency)
        msg = f"Stripe takes {currency} only in steps of {smallest}"
        raise ValueError(msg)
    return int(scaled)


def scale_decimal(amount: str, currency: str) -> str:
    """Return a decimal amount of Stripe's in minor units, as text; it may have a fraction: ``"0.5"`` cents stay that.

    Raises:
        ValueError: there is no such currency, or it is no number.
    """
    try:
        exact = Decimal(amount)
    except ArithmeticError:
        msg = "it is no number"
        raise ValueError(msg) from None
    if not exact.is_finite() or abs(exact.adjusted()) > _LARGEST:
        msg = "it is no amount of money"
        raise ValueError(msg)
    return f"{exact.scaleb(exponent(currency) - stripe_exponent(currency)).normalize():f}"
