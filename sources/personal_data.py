"""Finds columns that probably hold personal data, by their names and their values, so that people mark them.

These are suggestions: no list of names is complete, and a name may mislead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from ipaddress import ip_address

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")
_WHO = (
    "first|last|middle|given|family|full|maiden|sur|nick|display|user|login|screen|customer|client|contact|person|"
    "employee|member|guest|patient|owner|author|committer|tagger|organi[sz]er|manager|sender|recipient|buyer|payer|payee|"
    "holder|cardholder|formatted|billing|shipping"
)
_NAMES = (
    (r"(.*_)?(e_?mail|mail)(_address)?(es|s)?|(.*_)?email(_.*)?", "an email address"),
    (r"(.*_)?ip(_?v[46])?(_address)?|remote_addr(ess)?", "an IP address"),
    (r"(.*_)?user_?agent", "a person's device"),
    (r"(.*_)?(phone|telephone|mobile|cell|cellphone|fax|msisdn|whatsapp)(s|_(numbers?|no|nr))?", "a phone number"),
    (rf"(.*_)?({_WHO})_?names?|(.*_)?(surname|username|nickname|login)", "a person's name"),
    (r"(.*_)?(author|assignee|requester|reporter|applicant|patient|recipient|sender|employee|owner|manager)s?|"
     r"(created|changed|updated|modified|decided|approved|assigned|invited|signed|closed|deleted)_by", "a person"),
    (r"(.*_)?(street|postal_?code|post_?code|zip|zip_?code)(_.*)?|(.*_)?(address)(es|_?line)?(_?[0-9])?|"
     r"(home|postal|billing|shipping|mailing|delivery)_.*address.*", "a postal address"),
    (r"(.*_)?(birth_?(day|date|year)|date_of_birth|dob|born(_(on|at))?)", "a date of birth"),
    (r"(.*_)?(iban|pan|(card|account)_?(number|no|nr)|bank_?account(_?(number|no|nr))?)", "a bank account or a card"),
    (r"(.*_)?(ssn|social_security(_?(number|no))?|national_id|passport(_?(number|no|id))?|tax_?number|"
     r"driving_licen[cs]e(_?number)?)", "a number of a person"),
    (r"(.*_)?(gender|religion|ethnicity|nationality|marital_status|diagnosis)", "a fact about a person"),
)  # fmt: skip
_PATTERNS = tuple((re.compile(pattern), meaning) for pattern, meaning in _NAMES)
_TEXTS = frozenset({"string", "json", "text"})
_DATED = frozenset({"date", "timestamp", "datetime", "integer"})
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_PHONE = re.compile(r"\+[1-9](?:[ ()./-]*[0-9]){7,14}")
_CARD = re.compile(r"[2-6](?:[ -]?[0-9]){12,18}")
_ENOUGH, _SHARE = 3, 0.8
"""So many values, and this share of them, must have the form."""


def by_name(column: str, kind: str) -> str | None:
    """Return what a column's name says that it holds of a person; None if it says nothing of that kind.

    Args:
        column: its name, in snake_case or camelCase.
        kind: its leat type: a time or a number isn't a name, whatever it is called.
    """
    words = "_".join(part for part in _WORDS.split(column) if part).lower()
    for pattern, meaning in _PATTERNS:
        if pattern.fullmatch(words):
            fits = kind in _TEXTS or (meaning == "a date of birth" and kind in _DATED)
            return meaning if fits or (meaning == "a phone number" and kind == "integer") else None
    return None


def by_values(values: Iterable[object]) -> str | None:
    """Return what most of a column's values are: email addresses, phone numbers, IBANs, card numbers, IP addresses.

    IBANs and card numbers are recognised by their check digits (ISO 7064 mod 97-10, ISO/IEC 7812-1).
    """
    texts = [value.strip() for value in values if isinstance(value, str) and value.strip()]
    if len(texts) < _ENOUGH:
        return None
    for holds, meaning in _FORMS:
        if sum(map(holds, texts)) >= _SHARE * len(texts):
            return meaning
    return None


def _is_iban(text: str) -> bool:
    from stdnum import iban

    return bool(iban.is_valid(text))


def _is_card(text: str) -> bool:
    from stdnum import luhn

    return _CARD.fullmatch(text) is not None and bool(luhn.is_valid(re.sub("[ -]", "", text)))


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


_FORMS: tuple[tuple[Callable[[str], bool], str], ...] = (
    (lambda text: _EMAIL.fullmatch(text) is not None, "email addresses"),
    (lambda text: _PHONE.fullmatch(text) is not None, "phone numbers"),
    (_is_iban, "IBANs"),
    (_is_card, "card numbers"),
    (_is_ip, "IP addresses"),
)
