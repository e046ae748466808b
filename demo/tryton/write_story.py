"""Writes the story into a Tryton database: ``python -m leat.demo.tryton.write_story FILE BEGAN_AT``."""

from __future__ import annotations

import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from leat.demo.story import Customer, Order, Story, write_story
from leat.demo.tryton.books import Books, sql, whole
from leat.demo.tryton.database import METHOD, open_database
from leat.demo.tryton.leads import write_leads

VENDOR = "Lumen Wires"
_BILLS = ((32, "LW-311", "240.00"), (4, "LW-352", "95.50"))
"""Days ago, the vendor's number, amount in EUR; the second one isn't paid yet."""


def write_parties(books: Books) -> None:
    """Write customers, each with its contact, and who works here."""
    for customer in books.story.customers:
        if customer.in_crm:
            books.parties[customer.key] = _party(books, customer, customer.name)
        if customer.twice_in_crm:
            _party(books, customer, f"{customer.name} (2)")
    books.parties[VENDOR] = books.make("party.party", name=VENDOR, addresses=[("create", [{"city": "Lyon"}])])
    for person in books.story.people:
        if person.department == "sales":
            party = books.make("party.party", name=person.name)
            books.parties[person.login] = books.make("company.employee", party=party.id, company=1)


def _party(books: Books, customer: Customer, name: str) -> Any:
    countries = books.pool.get("country.country").search([("code", "=", customer.country)])
    country = countries[0] if countries else books.make("country.country", name=customer.country, code=customer.country)
    contact = {"type": "email", "value": customer.email, "name": customer.contact}
    return books.make(
        "party.party",
        name=name,
        addresses=[("create", [{"country": country.id}])],
        contact_mechanisms=[("create", [contact])],
    )


def write_products(books: Books) -> None:
    """Write what is sold, with its price in EUR."""
    unit, goods = (
        books.one("product.uom", ("symbol", "=", "u")),
        books.one("product.category", ("accounting", "=", True)),
    )
    for product in books.story.products:
        price = whole(product.price("EUR"), "EUR")
        kind = "service" if product.monthly else "goods"
        template = books.make(
            "product.template",
            name=product.name,
            type=kind,
            default_uom=unit.id,
            list_price=price,
            account_category=goods.id,
        )
        books.products[product.sku] = books.make("product.product", template=template.id, suffix_code=product.sku)


def write_invoices(books: Books) -> None:
    """Write an invoice for each order that has one, its credit notes, what the vendor sent, and what was paid."""
    model = books.pool.get("account.invoice")
    orders = [order for order in books.story.orders if order.invoiced]
    made = model.create([*(_invoice(books, order) for order in orders), *_bills(books)])
    invoices, bills = list(zip(orders, made, strict=False)), made[len(orders) :]
    back = [(*each, amount) for each in invoices if each[0].credited for amount in each[0].refunds]
    credits = model.create([_credit(books, order, invoice, amount) for order, invoice, amount in back])
    # they are numbered by date, and none may come before one that has its number
    model.post(sorted([*made, *credits], key=lambda document: document.invoice_date))
    booked = [invoice for order, invoice in invoices if order.booked]
    pay(books, [*booked, *credits, bills[0]])


def _invoice(books: Books, order: Order) -> dict[str, Any]:
    currency = order.currency
    sold = [(books.products[sku], pieces, books.story.product(sku).price(currency)) for sku, pieces in order.lines]
    lines = [_line(books, product, pieces, whole(price, currency)) for product, pieces, price in sold]
    if order.invoiced_total is not None:  # somebody mistyped the price of the only line
        lines[0]["unit_price"] = whole(order.invoiced_total, currency) / order.lines[0][1]
    return _document(books, "out", books.parties[order.customer], currency, order.days_ago, lines, str(order.number))


def _credit(books: Books, order: Order, invoice: Any, amount: int) -> dict[str, Any]:
    line = _line(books, None, -1, whole(amount, order.currency))
    line |= {"description": f"Refund of order {order.number}", "origin": str(invoice.lines[0])}
    party = books.parties[order.customer]
    return _document(books, "out", party, order.currency, max(order.days_ago - 2, 0), [line], str(order.number))


def _line(books: Books, product: Any, pieces: int, price: Decimal) -> dict[str, Any]:
    line = {"type": "line", "quantity": pieces, "unit_price": price, "account": books.account("revenue").id}
    if product is not None:
        line |= {"product": product.id, "unit": product.default_uom.id, "description": product.name}
    return line


def _document(
    books: Books, kind: str, party: Any, currency: str, days_ago: float, lines: list[dict[str, Any]], reference: str
) -> dict[str, Any]:
    shared = {"company": 1, "currency": books.one("currency.currency", ("code", "=", currency)).id}
    return shared | {
        "type": kind,
        "party": party.id,
        "invoice_address": party.addresses[0].id,
        "account": books.account("receivable" if kind == "out" else "payable").id,
        "journal": books.one("account.journal", ("type", "=", "revenue" if kind == "out" else "expense")).id,
        "invoice_date": books.story.at(days_ago).date(),
        "payment_term_date": books.story.at(days_ago).date(),
        "reference": reference,
        "lines": [("create", [{**shared, "invoice_type": kind, **line} for line in lines])],
    }


def _bills(books: Books) -> list[dict[str, Any]]:
    expense = {"type": "line", "quantity": 1, "account": books.account("expense").id, "description": "Wires"}
    return [
        _document(books, "in", books.parties[VENDOR], "EUR", days, [{**expense, "unit_price": Decimal(price)}], number)
        for days, number, price in _BILLS
    ]


def pay(books: Books, invoices: list[Any]) -> None:
    """Book that all of these posted invoices were paid on their day, and match what was paid with what was owed."""
    move, line = books.pool.get("account.move"), books.pool.get("account.move.line")
    model = books.pool.get("account.invoice")
    method = books.one("account.invoice.payment.method", ("name", "=", METHOD))
    owed = [(invoice, _owed(invoice)) for invoice in model.browse(invoices)]
    paid = move.create([_payment(books, invoice, each, method) for invoice, each in owed])
    move.post(paid)
    matches = [[each, _owed(invoice, entry)] for (invoice, each), entry in zip(owed, paid, strict=True)]
    model.add_payment_lines({invoice: [match[1]] for (invoice, _), match in zip(owed, matches, strict=True)})
    line.reconcile(*matches)
    model.process(model.browse(invoices))  # a worker would do it later
    for invoice, each in owed:  # Tryton says today, whenever it was
        reconciliation = line(each.id).reconciliation
        sql("UPDATE account_move_reconciliation SET date = ? WHERE id = ?", invoice.invoice_date, reconciliation.id)


def _owed(invoice: Any, entry: Any = None) -> Any:
    """Return the line of an entry, that of the invoice itself by default, which says what is owed or paid."""
    return next(each for each in (entry or invoice.move).lines if each.account == invoice.account)


def _payment(books: Books, invoice: Any, owed: Any, method: Any) -> dict[str, Any]:
    """Return the entry of a payment: what was owed, the other way round, against the bank."""
    line = {"account": invoice.account.id, "party": invoice.party.id, "debit": owed.credit, "credit": owed.debit}
    bank = {"account": method.debit_account.id, "debit": owed.debit, "credit": owed.credit}
    if owed.second_currency:
        amount, currency = owed.amount_second_currency, owed.second_currency.id
        line |= {"second_currency": currency, "amount_second_currency": -amount}
        bank |= {"second_currency": currency, "amount_second_currency": amount}
    return {
        "company": 1,
        "journal": method.journal.id,
        "period": books.pool.get("account.period").find(1, date=invoice.invoice_date).id,
        "date": invoice.invoice_date,
        "description": f"Order {invoice.reference}" if invoice.type == "out" else str(invoice.reference),
        "origin": str(invoice),
        "lines": [("create", [line, bank])],
    }


def write(file: Path, story: Story) -> None:
    """Write all of it, or nothing; when it turns out that Tryton has to lock more, it starts again."""
    pool = open_database(file)
    from trytond.transaction import Transaction, TransactionError  # type: ignore[import-untyped]

    with Transaction().start(file.stem, 0, readonly=True):
        numbers = [sequence.id for sequence in pool.get("ir.sequence.strict").search([])]
    locks: dict[str, Any] = {
        "_lock_records": {"ir_sequence_strict": numbers},
        "_lock_tables": ["account_journal_period"],
    }
    while True:
        with Transaction().start(file.stem, 0, context={"company": 1, "_skip_warnings": True}, **locks) as transaction:
            try:
                _write_all(Books(pool, story), transaction)
            except TransactionError as error:
                transaction.rollback()
                error.fix(locks)
                continue
            transaction.commit()
            return


def _write_all(books: Books, transaction: Any) -> None:
    admin = books.one("res.user", ("login", "=", "admin"))
    with transaction.set_user(admin.id):
        for write_some in (write_parties, write_products, write_invoices, write_leads):
            write_some(books)


if __name__ == "__main__":
    write(Path(sys.argv[1]), write_story(datetime.fromisoformat(sys.argv[2])))
