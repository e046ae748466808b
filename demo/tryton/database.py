"""Makes a Tryton database with a company, its chart of accounts and fiscal years; a process of its own, half a minute.

``python -m leat.demo.tryton.database FILE`` writes an SQLite file. What it holds is the same on any day: the
fiscal years lie around the day that it was made on, and nothing has been booked.
"""

from __future__ import annotations

import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

MODULES = ("party", "sale_opportunity", "account", "account_invoice", "sale")
CURRENCIES = (("EUR", "Euro", 2, "1"), ("USD", "US Dollar", 2, "1.1"), ("JPY", "Yen", 0, "160"),
              ("KWD", "Kuwaiti Dinar", 3, "0.33"))  # fmt: skip
"""Code, name, decimals, and what one euro is worth."""
COMPANY, METHOD, TAX = "Demo Lamps", "Bank", "VAT 20%"


def open_database(file: Path, *, update: bool = False) -> Any:
    """Point Tryton at an SQLite file and return its pool of models; once in a process.

    Args:
        file: ``<name>.sqlite``; it is made when it isn't there and ``update`` is set.
        update: whether to install the modules.
    """
    without_mail_checks()
    from trytond import backend, config  # type: ignore[import-untyped]

    file.touch(mode=0o600)  # Tryton only opens files that are there
    config.update_etc([])
    config.set("database", "uri", "sqlite://")
    config.set("database", "path", str(file.parent))
    from trytond.pool import Pool  # type: ignore[import-untyped]

    Pool.start()
    database = backend.Database(file.stem)
    database.connect()
    if update and not database.test():
        database.init()
    pool = Pool(file.stem)
    pool.init(update=["ir", "res", *MODULES] if update else [], lang=["en"], activatedeps=True)
    return pool


def without_mail_checks() -> None:
    """Stop Tryton from asking the DNS whether a mail address exists: those of a demo don't."""
    sys.modules["email_validator"] = None  # type: ignore[assignment]


def make(file: Path) -> None:
    """Write the database."""
    pool = open_database(file, update=True)
    from trytond.transaction import Transaction  # type: ignore[import-untyped]

    with Transaction().start(file.stem, 0) as transaction:
        user = pool.get("res.user")
        admin = user.create([{"name": "Administrator", "login": "admin", "administrator": True}])
        groups = pool.get("res.group").search([])
        user.write(admin, {"groups": [("add", [group.id for group in groups])]})
        transaction.commit()
    from proteus import config  # type: ignore[import-untyped]

    config.set_trytond(file.stem, "admin")
    _fill()


def _fill() -> None:
    from proteus import Model
    from trytond.modules.account.tests import tools as books  # type: ignore[import-untyped]
    from trytond.modules.company.tests import tools as companies  # type: ignore[import-untyped]

    _currencies(Model)
    party = Model.get("party.party")(name=COMPANY)
    party.save()
    companies.create_company(party, Model.get("currency.currency").find([("code", "=", "EUR")])[0])
    company = companies.get_company()
    company.timezone = "Europe/Paris"
    company.save()
    books.create_chart(company)
    accounts = books.get_accounts(company)
    for year in range(date.today().year - 3, date.today().year + 4):  # noqa: DTZ011 - a fiscal year needs no zone
        _fiscal_year(Model, company, year)
    tax = books.create_tax(Decimal("0.2"), company)
    tax.name = tax.description = TAX
    tax.save()
    cash = Model.get("account.journal").find([("type", "=", "cash")])[0]
    method = Model.get("account.invoice.payment.method")(name=METHOD, journal=cash)
    method.credit_account = method.debit_account = accounts["cash"]
    method.save()
    category = Model.get("product.category")(name="Goods", accounting=True)
    category.account_revenue, category.account_expense = accounts["revenue"], accounts["expense"]
    category.save()


def _currencies(model: Any) -> None:
    for code, name, digits, rate in CURRENCIES:
        currency = model.get("currency.currency")(name=name, code=code, symbol=code)
        currency.rounding, currency.digits = Decimal(1).scaleb(-digits), digits
        currency.save()
        model.get("currency.currency.rate")(date=date(2000, 1, 1), rate=Decimal(rate), currency=currency).save()


def _fiscal_year(model: Any, company: Any, year: int) -> None:
    from trytond.modules.account.tests import tools as books
    from trytond.modules.account_invoice.tests import tools as invoices  # type: ignore[import-untyped]

    fiscal = books.create_fiscalyear(company, (date(year, 1, 1), date(year, 12, 31)))
    fiscal.name = str(year)
    fiscal.start_date, fiscal.end_date = date(year, 1, 1), date(year, 12, 31)
    invoices.set_fiscalyear_invoice_sequences(fiscal)
    fiscal.click("create_period")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
