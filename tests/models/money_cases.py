"""Orders of a shop: each is a case that breaks the rules that it names, and no others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from tests.models.money_shop import NOW, SHOP, Shop

Case = Callable[[Shop, str], None]
CASES: dict[str, tuple[Case, list[str]]] = {}


def case(number: int, *alarms: str) -> Callable[[Case], Case]:
    """Register a case under the number of its order, with the rules that have to report it."""

    def register(function: Case) -> Case:
        CASES[str(number)] = (function, sorted(alarms))
        return function

    return register


@case(2001)
def yen_have_no_decimals(shop: Shop, order: str) -> None:
    shop.sale(order, 12000, "JPY")


@case(2002)
def dinars_have_three(shop: Shop, order: str) -> None:
    shop.sale(order, 45500, "KWD")


@case(2003)
def a_part_payment(shop: Shop, order: str) -> None:
    shop.charge(order, 5000)
    invoice = shop.invoice(order, 10000, status="posted", open_amount=5000)
    shop.booking(invoice, 5000)
    shop.rest(order)


@case(2004)
def two_charges_for_one_invoice(shop: Shop, order: str) -> None:
    shop.charge(order, 4000, days=11)
    shop.charge(order, 6000)
    invoice = shop.invoice(order, 10000)
    shop.booking(invoice, 10000)
    shop.rest(order)


@case(2005)
def a_declined_first_attempt(shop: Shop, order: str) -> None:
    shop.charge(order, 7000, days=10.01, status="failed", captured=False, amount_captured=0)
    shop.sale(order, 7000)


@case(2006)
def partial_refunds_with_credit_notes(shop: Shop, order: str) -> None:
    charge, invoice = shop.sale(order, 9000)
    for amount in (1000, 2000):
        shop.refund(charge, amount)
        shop.booking(shop.credit_note(invoice, amount), amount, days=8)


@case(2007)
def given_back_before_it_was_invoiced(shop: Shop, order: str) -> None:
    shop.refund(shop.charge(order, 3000), 3000)
    shop.receipt(f"Receipt for order {order}")


@case(2008)
def what_was_taken_too_much_is_given_back(shop: Shop, order: str) -> None:
    shop.refund(shop.charge(order, 12000), 2000)
    shop.booking(shop.invoice(order, 10000), 10000)
    shop.rest(order)


@case(2009)
def a_credit_note_that_settles_the_invoice(shop: Shop, order: str) -> None:
    shop.refund(shop.charge(order, 5000), 5000)
    shop.credit_note(shop.invoice(order, 5000), 5000)
    shop.rest(order)


@case(2010)
def paid_by_transfer(shop: Shop, order: str) -> None:
    shop.booking(shop.invoice(order, 8000), 8000, method="Bank")
    shop.file(f"invoices/{order}.pdf")


@case(2011)
def a_deposit_of_a_tenth(shop: Shop, order: str) -> None:
    shop.charge(order, 1000)
    shop.booking(shop.invoice(order, 10000, status="posted", open_amount=9000), 1000)
    shop.rest(order)


@case(2012, "currency_exponent_wrong")
def dinars_taken_for_cents(shop: Shop, order: str) -> None:
    shop.charge(order, 16500, "KWD")
    shop.booking(shop.invoice(order, 1650, "KWD"), 1650, "KWD")
    shop.rest(order)


@case(2013, "amount_differs")
def invoiced_in_another_currency(shop: Shop, order: str) -> None:
    shop.charge(order, 5000, "USD")
    shop.booking(shop.invoice(order, 5000), 5000)
    shop.rest(order)


@case(2014, "charge_not_booked")
def a_draft_of_an_invoice(shop: Shop, order: str) -> None:
    shop.charge(order, 4200)
    shop.invoice(order, 4200, status="draft", number=None)
    shop.rest(order)


@case(2015)
def a_charge_of_a_moment_ago(shop: Shop, order: str) -> None:
    shop.charge(order, 4300, days=0.01)


@case(2016)
def a_disputed_charge(shop: Shop, order: str) -> None:
    charge, _ = shop.sale(order, 4400)
    shop.add("payments", "disputes", id="dp", charge_id=charge, amount=4400, currency="EUR", status="needs_response",
             created_at=NOW - timedelta(days=2))  # fmt: skip


@case(2017)
def a_refund_that_failed(shop: Shop, order: str) -> None:
    charge, _ = shop.sale(order, 4500)
    shop.refund(charge, 9900, status="failed")


@case(2018, "refund_above_charge")
def the_whole_is_given_back_twice(shop: Shop, order: str) -> None:
    charge, invoice = shop.sale(order, 4600)
    shop.refund(charge, 4600)
    shop.refund(charge, 4600)
    shop.booking(shop.credit_note(invoice, 4600), 4600, days=8)


@case(2019, "refund_without_credit_note")
def a_credit_note_that_is_too_low(shop: Shop, order: str) -> None:
    charge, invoice = shop.sale(order, 4700)
    shop.refund(charge, 4000)
    shop.booking(shop.credit_note(invoice, 3999), 3999, days=8)


@case(2020)
def an_address_with_a_plus(shop: Shop, order: str) -> None:
    shop.sale(order, 4800, receipt_email="Ada+Lamps@Buyer.example")


@case(2022)
def a_receipt_that_the_provider_sent(shop: Shop, order: str) -> None:
    shop.charge(order, 4900, receipt_number="1234-5678")
    shop.booking(shop.invoice(order, 4900), 4900)
    shop.file(f"invoices/{order}.pdf")


@case(2023)
def a_receipt_that_came_back_and_was_sent_again(shop: Shop, order: str) -> None:
    shop.sale(order, 5100)
    bounce(shop, shop.tables["email"]["messages"][-1]["message_id"])
    shop.receipt(f"Receipt for order {order}", days=9)


@case(2024, "receipt_bounced")
def a_receipt_that_came_back(shop: Shop, order: str) -> None:
    shop.sale(order, 5200)
    bounce(shop, shop.tables["email"]["messages"][-1]["message_id"])


@case(2025, "charge_not_booked")
def only_part_of_it_is_booked(shop: Shop, order: str) -> None:
    shop.charge(order, 10000)
    shop.booking(shop.invoice(order, 10000, status="posted", open_amount=4000), 6000)
    shop.rest(order)


@case(2026, "amount_differs")
def invoiced_and_booked_twice(shop: Shop, order: str) -> None:
    shop.sale(order, 6100)
    shop.booking(shop.invoice(order, 6100), 6100)


@case(2027, "double_refund")
def given_back_twice(shop: Shop, order: str) -> None:
    charge, invoice = shop.sale(order, 6200)
    for days in (9, 8.5):
        shop.refund(charge, 3000, days=days)
        shop.booking(shop.credit_note(invoice, 3000), 3000, days=8)


@case(2028)
def the_same_is_given_back_a_week_later(shop: Shop, order: str) -> None:
    charge, invoice = shop.sale(order, 6300, days=15)
    for days in (14, 7):
        shop.refund(charge, 3000, days=days)
        shop.booking(shop.credit_note(invoice, 3000, days=days), 3000, days=days)


@case(2029, "invoice_file_missing", "receipt_missing")
def neither_receipt_nor_file(shop: Shop, order: str) -> None:
    shop.charge(order, 6400)
    shop.booking(shop.invoice(order, 6400), 6400)


@case(2030, "charge_without_invoice")
def its_invoice_was_cancelled(shop: Shop, order: str) -> None:
    shop.charge(order, 6500)
    shop.invoice(order, 6500, status="cancelled")
    shop.rest(order)


@case(2031, "receipt_without_charge")
def a_receipt_of_nothing(shop: Shop, order: str) -> None:
    shop.receipt(f"Your receipt: Order no. {order}")


@case(2032)
def a_forwarded_receipt_is_none(shop: Shop, order: str) -> None:
    shop.receipt(f"Fwd: Receipt for order {order}")
    shop.receipt(f"Receipt for order {order}", to=SHOP)
    shop.receipt(f"Receipt for order {order}", from_email="somebody@else.example")


@case(2033, "invoice_paid_without_charge")
def booked_though_it_was_declined(shop: Shop, order: str) -> None:
    shop.charge(order, 6600, status="failed", captured=False, amount_captured=0)
    shop.booking(shop.invoice(order, 6600), 6600)
    shop.file(f"invoices/{order}.pdf")


@case(2034)
def authorised_and_not_captured(shop: Shop, order: str) -> None:
    shop.charge(order, 6700, captured=False, amount_captured=0, status="pending")


@case(2035, "amount_differs")
def one_cent(shop: Shop, order: str) -> None:
    shop.charge(order, 6800)
    shop.booking(shop.invoice(order, 6801), 6801)
    shop.rest(order)


@case(2036)
def a_week_before_the_books_began(shop: Shop, order: str) -> None:
    shop.charge(order, 6900, days=300)


def hold(shop: Shop, order: str, amount: int, taken: int, **more: int) -> str:
    """Add a charge that was captured in part: the rest is released, which is written as a refund."""
    rest = amount - taken
    charge = shop.charge(order, amount, amount_captured=taken, amount_refunded=rest, amount_released=rest, **more)
    shop.refund(charge, rest, days=9.99)
    return charge


@case(2037)
def captured_in_part(shop: Shop, order: str) -> None:
    hold(shop, order, 10000, 3000)
    shop.booking(shop.invoice(order, 3000), 3000)
    shop.rest(order)


@case(2038)
def captured_in_part_and_as_much_given_back(shop: Shop, order: str) -> None:
    charge = hold(shop, order, 10000, 5000)
    shop.refund(charge, 5000)
    invoice = shop.invoice(order, 5000)
    shop.booking(invoice, 5000)
    shop.booking(shop.credit_note(invoice, 5000), 5000, days=8)
    shop.rest(order)


@case(2039)
def a_hold_that_was_cancelled(shop: Shop, order: str) -> None:
    at = NOW - timedelta(days=10)
    money = {"amount": 7100, "currency": "EUR", "created_at": at, "status": "succeeded"}
    shop.add("payments", "charges", id="ch_hold", captured=False, amount_captured=0, amount_refunded=7100,
             amount_released=7100, metadata={"order": order}, **money)  # fmt: skip
    shop.add("payments", "refunds", id="re_hold", charge_id="ch_hold", **money)


@case(2040, "refund_above_charge")
def captured_in_part_and_more_given_back(shop: Shop, order: str) -> None:
    charge = hold(shop, order, 10000, 3000)
    shop.refund(charge, 4000)
    invoice = shop.invoice(order, 3000)
    shop.booking(invoice, 3000)
    shop.booking(shop.credit_note(invoice, 3000), 3000, days=8)
    shop.rest(order)


@case(2041, "charged_twice")
def paid_twice(shop: Shop, order: str) -> None:
    shop.charge(order, 7200, days=9.9)
    shop.sale(order, 7200)


@case(2042)
def paid_twice_and_given_back_once(shop: Shop, order: str) -> None:
    shop.sale(order, 7300)
    shop.refund(shop.charge(order, 7300, days=9.9), 7300)


@case(2043, "amount_differs", "charged_twice")
def paid_twice_and_a_cent_too_little_invoiced(shop: Shop, order: str) -> None:
    shop.charge(order, 7400, days=9.9)
    shop.charge(order, 7400)
    shop.booking(shop.invoice(order, 7399), 7399)
    shop.rest(order)


def bounce(shop: Shop, message: str) -> None:
    number = len(shop.tables["email"]["bounces"])
    shop.add("email", "bounces", account=SHOP, mailbox="INBOX", uidvalidity=1, uid=number, position=0, action="failed",
             original_message_id=message, arrived_at=NOW - timedelta(days=9.5))  # fmt: skip
