"""Money as integer minor units plus currency: how many decimals a currency has (ISO 4217, list one, "minor unit").

It includes currencies withdrawn since 2014, because old amounts are still in them.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

_NONE = "BIF BYR CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_TWO = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF "
    "CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HRK "
    "HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL LTL MAD MDL MGA MKD MMK MNT MOP MRO MRU "
    "MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK "
    "SGD SHP SLE SLL SOS SRD SSP STD STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VEF VES "
    "WST XAD XCD XCG YER ZAR ZMW ZWG ZWL"
)
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"
_LARGEST = 100
"""Digits of an amount; a number such as 1e999999999 would fill the memory when it is written out."""
_EXPONENTS = {
    code: digits for digits, codes in ((0, _NONE), (2, _TWO), (3, _THREE), (4, _FOUR)) for code in codes.split()
}


def exponent(currency: str) -> int:
    """Return how many decimals a currency has: 0 for JPY, 2 for EUR, 3 for KWD.

    Args:
        currency: its ISO 4217 code, upper or lower case.

    Raises:
        ValueError: there is no such currency.
    """
    digits = _EXPONENTS.get(currency.upper())
    if digits is None:
        msg = "the currency is no currency of ISO 4217"
        raise ValueError(msg)
    return digits


def to_minor(amount: Decimal | str | int, currency: str) -> int:
    """Return an amount, given in whole units as people write it, in minor units: ``"1.234"`` KWD is 1234, 5 JPY is 5.

    Raises:
        ValueError: there is no such currency, the amount is no number, or it has more digits than the currency.
    """
    digits = exponent(currency)
    try:
        exact = Decimal(amount)
    except InvalidOperation:
        exact = Decimal("NaN")
    if not exact.is_finite():
        msg = "it is no amount of money"
        raise ValueError(msg)
    if abs(exact.adjusted()) > _LARGEST or int(exact.as_tuple().exponent) < -_LARGEST:
        msg = f"it has more than {_LARGEST} digits"
        raise ValueError(msg)
    sign, figures, scale = exact.as_tuple()
    shift = int(scale) + digits
    value = int("".join(map(str, figures)))
    minor, lost = divmod(value * 10 ** max(shift, 0), 10 ** max(-shift, 0))
    if lost:
        msg = f"it has more than {digits} decimals"
        raise ValueError(msg)
    return -int(minor) if sign else int(minor)


def as_text(amount: int, currency: str) -> str:
    """Return an amount in minor units as people read it: 1200 EUR is ``12.00 EUR``, 500 JPY is ``500 JPY``.

    Raises:
        ValueError: there is no such currency.
    """
    code = currency.upper()
    return f"{Decimal(amount).scaleb(-exponent(code)):.{exponent(code)}f} {code}"
