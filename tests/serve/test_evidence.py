"""Evidence of a violation as people read it."""

from __future__ import annotations

from leat.serve.pages.evidence import readable, summary

ORDER = {
    "charge_id": "ch_1",
    "charged_amount": 790000,
    "charged_at": "2026-10-21T12:00:00+00:00",
    "charges": 1,
    "currency": "EUR",
    "difference": -1,
    "invoice_currency": "JPY",
    "invoiced_amount": 7901,
    "invoiced_on": "2026-10-21",
    "order_key": "1009",
    "order_number": "1009",
    "payer_email": "ada@acorn.example",
}


def test_amounts_have_their_currency_and_days_their_month() -> None:
    shown = readable(ORDER)
    amounts = shown["charged_amount"], shown["difference"], shown["invoiced_amount"]
    assert amounts == ("7,900.00 EUR", "-0.01 EUR", "7,901 JPY")
    assert (shown["invoiced_on"], shown["charged_at"], shown["charges"]) == ("21 Oct 2026", ORDER["charged_at"], 1)
    assert "order_key" not in shown, "the number of the order says the same"


def test_sizes_are_read_in_their_unit_and_amounts_without_a_currency_are_as_they_are() -> None:
    evidence = {"used_bytes": 180000, "amount": 5, "missing_amount": 7, "currency": "no such"}
    assert readable(evidence) == {**evidence, "used_bytes": "180.0 kB"}
    assert readable({"amount": 5, "difference": None, "bytes": True}) == {
        "amount": 5,
        "difference": None,
        "bytes": True,
    }


def test_a_summary_has_what_names_a_violation() -> None:
    assert summary(ORDER) == "order number 1009 · payer email ada@acorn.example · charged amount 7,900.00 EUR"
    leaver = {"email": "gus@x.example", "last_session": "1d765020", "name": "Gus", "owner_email": "gus@x.example"}
    assert summary(leaver) == "email gus@x.example · name Gus"
    assert summary({"charge_id": "ch_1", "runs": 0}) == "charge id ch_1 · runs 0", "what is left names it"
    assert summary({}) == ""
