"""What the shipped models say about the books, worked out by hand, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from leat.warehouse.session import Warehouse
from tests.kit.engines import ENGINES
from tests.kit.loaded import utc, warehouse_of
from tests.kit.shipped import Rows, built, only, some_models

NOW = utc(2026, 3, 31, 22, 30)  # in Paris April has begun
TODAY = date(2026, 4, 1)
STATEMENTS = "ledger_accounts account_balances profit_and_loss balance_sheet cash_flow"
COMPANIES = [
    {"entity_id": "fr", "name": "Lamps", "currency": "EUR", "timezone": "Europe/Paris"},
    {"entity_id": "jp", "name": "Ramps", "currency": "JPY", "timezone": None},
]


def account(name: str, kind: str | None, path: str, statement: str | None = "balance", of: str = "fr") -> Any:
    given = {"account_id": name, "entity_id": of, "code": name, "name": name, "kind": kind}
    return {**given, "type": f"Chart\\{path}", "statement": statement, "currency": "EUR" if of == "fr" else "JPY"}


PROFIT = "Equity / capital\\Current Period Profit or Lost"
ACCOUNTS = [
    account("Sparkasse", "other", "Assets\\Current Assets\\Cash and Cash Equivalents"),
    account("Petty cash", "other", "Assets\\Current Assets"),  # known by its name alone
    account("Debtors", "receivable", "Assets\\Current Assets\\Accounts receivable"),
    account("Prepaid", "asset", "Assets\\Current Assets\\Prepaid expenses"),
    account("Machines", "asset", "Assets\\Non-current Assets\\Property, Plant and Equipment"),
    account("Notes", "other", "Assets\\Non-current Assets\\Financial assets (excluding cash and cash equivalents)"),
    account("Creditors", "payable", "Liabilities\\Accounts payable"),
    account("VAT", "other", "Liabilities\\Liabilities and assets for current tax"),
    account("Loan", "other", "Liabilities\\Financial liabilities (excluding provisions), such as bonds"),
    account("Capital", "other", "Equity / capital\\Issued capital"),
    account("Sales", "revenue", f"{PROFIT}\\Revenue", "income"),
    account("Rent", "expense", f"{PROFIT}\\Expenses", "income"),
    account("Depreciation", "other", f"{PROFIT}\\Expenses\\Depreciation / amortisation", "income"),
    account("Gains", "other", f"{PROFIT}\\Other revenues or gains", "income"),
    account("Odds", "other", f"{PROFIT}\\Irregular items", "income"),
    account("Guarantees", "other", "Off-Balance", "off-balance"),
    account("Riddle", "other", "Sundry", "balance"),
    account("Heading", None, "Assets"),
    account("Eigenkapital", "other", "Passiva\\Eigenkapital / Kapital"),
    account("Capitaux", "other", "Passif\\Capitaux propres"),
    account("Banco", "other", "Activos\\Activos corrientes\\Efectivo y equivalentes"),
    account("Genkin", "other", "Assets\\Current Assets\\Cash and Cash Equivalents", of="jp"),
    account("Uriage", "revenue", f"{PROFIT}\\Revenue", "income", of="jp"),
]
ENTRIES: list[tuple[date, dict[str, Any], dict[str, int]]] = [
    (date(2025, 12, 1), {}, {"Sparkasse": 100_000, "Capital": -100_000}),
    (date(2025, 12, 15), {}, {"Debtors": 12_000, "Sales": -10_000, "VAT": -2_000}),
    (date(2025, 12, 31), {}, {"Rent": 4_000, "Sparkasse": -4_000}),
    (date(2025, 12, 31), {"source_kind": "account.fiscalyear"}, {"Sales": 10_000, "Rent": -4_000, "Capital": -6_000}),
    (date(2026, 1, 1), {}, {"Sparkasse": 5_000, "Debtors": -5_000}),
    (date(2026, 1, 20), {}, {"Machines": 30_000, "Sparkasse": -30_000}),
    (date(2026, 1, 21), {}, {"Petty cash": 700, "Sparkasse": -700}),  # from one to the other
    (date(2026, 1, 31), {}, {"Sparkasse": 20_000, "Loan": -20_000}),
    (date(2026, 2, 3), {"status": "draft"}, {"Debtors": 99_999, "Sales": -77_777}),
    (date(2026, 2, 4), {"_deleted_at": NOW}, {"Debtors": 55_555, "Sales": -55_555}),
    (date(2026, 2, 10), {}, {"Depreciation": 500, "Machines": -500}),
    (date(2026, 2, 12), {}, {"Sales": 1_000, "Debtors": -1_000}),  # a credit note
    (date(2026, 2, 28), {}, {"Guarantees": 5_000}),
    (date(2026, 2, 28), {}, {"Riddle": 40, "Sparkasse": -40}),
    (date(2026, 2, 28), {}, {"Gains": -60, "Odds": 10, "Sparkasse": 50}),
    (date(2026, 2, 28), {}, {"VAT": 2_000, "Rent": 300, "Petty cash": -300, "Sparkasse": -2_000}),
    (date(2025, 12, 9), {"entity_id": "jp"}, {"Genkin": 500, "Uriage": -500}),
    (date(2026, 2, 9), {"entity_id": "jp"}, {"Genkin": 70, "Uriage": -70}),
]


def journal() -> dict[str, list[dict[str, Any]]]:
    entries, lines = [], []
    for number, (day, more, amounts) in enumerate(ENTRIES):
        entry = {"entry_id": f"e{number}", "entity_id": "fr", "status": "posted", "booked_on": day, **more}
        entries.append(entry)
        for name, amount in amounts.items():
            line = {"line_id": f"e{number}/{name}", "entry_id": f"e{number}", "account_id": name}
            currency = "EUR" if entry["entity_id"] == "fr" else "JPY"
            sides = {"debit": max(amount, 0), "credit": max(-amount, 0)}
            lines.append({**line, **sides, "currency": currency})
    lines[2] |= {"foreign_currency": "USD", "foreign_amount": 13_200}
    return {"company": COMPANIES, "accounts": ACCOUNTS, "journal_entries": entries, "journal_lines": lines}


@pytest.fixture(params=ENGINES)
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    return warehouse_of(request.param, tmp_path, request)


def tables_of(warehouse: Warehouse, folder: Path, models: str, **given: Any) -> dict[str, Rows]:
    return built(warehouse, some_models(folder, models.split(), ["crm_accounting"]), "crm_accounting", given, NOW)


def months(year: int, first: int, last: int) -> Iterator[date]:
    return (date(year, month, 1) for month in range(first, last + 1))


def test_sections(warehouse: Warehouse, tmp_path: Path) -> None:
    tables = tables_of(warehouse, tmp_path, "ledger_accounts", accounts=ACCOUNTS)
    rows = tables["ledger_accounts"]
    assert {row["account_id"]: (row["section"], row["activity"], row["is_cash"]) for row in rows} == {
        "Sparkasse": ("asset", "operating", True),
        "Petty cash": ("asset", "operating", True),
        "Debtors": ("asset", "operating", False),
        "Prepaid": ("asset", "operating", False),
        "Machines": ("asset", "investing", False),
        "Notes": ("asset", "investing", False),
        "Creditors": ("liability", "operating", False),
        "VAT": ("liability", "operating", False),
        "Loan": ("liability", "financing", False),
        "Capital": ("equity", "financing", False),
        "Sales": ("revenue", "operating", False),
        "Rent": ("expense", "operating", False),
        "Depreciation": ("expense", "operating", False),
        "Gains": ("revenue", "operating", False),
        "Odds": ("other_income", "operating", False),
        "Guarantees": ("off_balance", "unclassified", False),
        "Riddle": ("unclassified", "unclassified", False),
        "Eigenkapital": ("equity", "financing", False),
        "Capitaux": ("equity", "financing", False),
        "Banco": ("asset", "operating", True),
        "Genkin": ("asset", "operating", True),
        "Uriage": ("revenue", "operating", False),
    }


def test_statements(warehouse: Warehouse, tmp_path: Path) -> None:
    tables = tables_of(warehouse, tmp_path, STATEMENTS, **journal())
    french = {name: [row for row in rows if row["entity_id"] == "fr"] for name, rows in tables.items()}
    spine = [date(2025, 12, 1), *months(2026, 1, 4)]
    result = ("month", "revenue", "expenses", "other_income", "result", "result_of_year", "complete")
    assert only(french["profit_and_loss"], *result) == [
        (spine[0], 10_000, 4_000, 0, 6_000, 6_000, True),  # as if the year hadn't been closed
        (spine[1], 0, 0, 0, 0, 0, True),
        (spine[2], -940, 800, -10, -1_750, -1_750, True),
        (spine[3], 0, 0, 0, 0, -1_750, True),
        (spine[4], 0, 0, 0, 0, -1_750, False),
    ]
    balance = ("month", "assets", "cash", "receivables", "liabilities", "equity", "result_of_year", "unclassified")
    assert only(french["balance_sheet"], *balance) == [
        (spine[0], 108_000, 96_000, 12_000, 2_000, 106_000, 0, 0),
        (spine[1], 128_000, 91_000, 7_000, 22_000, 106_000, 0, 0),
        *((month, 124_210, 88_710, 6_000, 20_000, 106_000, -1_750, 40) for month in spine[2:]),
    ]
    # Nobody closes the books in Japan: last year's result stays, apart from this year's.
    japanese = [row for row in tables["balance_sheet"] if row["entity_id"] == "jp"]
    assert only(japanese, "month", "currency", "assets", "result_of_year", "earlier_results") == [
        (date(2025, 12, 1), "JPY", 500, 500, 0),
        (date(2026, 1, 1), "JPY", 500, 0, 500),
        (date(2026, 2, 1), "JPY", 570, 70, 500),
        (date(2026, 3, 1), "JPY", 570, 70, 500),
    ]
    assert {row["difference"] for row in tables["balance_sheet"] + tables["cash_flow"]} == {0}


def test_cash_flow(warehouse: Warehouse, tmp_path: Path) -> None:
    rows = tables_of(warehouse, tmp_path, STATEMENTS, **journal())["cash_flow"]
    flows = ("from_customers", "to_suppliers", "other_operating", "investing", "financing", "unclassified")
    assert only(rows[:4], "month", "opening_cash", *flows, "closing_cash") == [
        (date(2025, 12, 1), 0, 0, -4_000, 0, 0, 100_000, 0, 96_000),
        (date(2026, 1, 1), 96_000, 5_000, 0, 0, -30_000, 20_000, 0, 91_000),
        (date(2026, 2, 1), 91_000, 60, -300, -2_010, 0, 0, -40, 88_710),
        (date(2026, 3, 1), 88_710, 0, 0, 0, 0, 0, 0, 88_710),
    ]
    assert only(rows[:3], "operating", "net_change") == [(-4_000, 96_000), (5_000, -5_000), (-2_250, -2_290)]


def test_balances_of_accounts(warehouse: Warehouse, tmp_path: Path) -> None:
    rows = tables_of(warehouse, tmp_path, STATEMENTS, **journal())["account_balances"]
    sales = [row for row in rows if row["account_id"] == "Sales"]
    columns = ("month", "opening", "debit", "credit", "year_end_closing", "balance", "lines")
    assert only(sales[:3], *columns) == [
        (date(2025, 12, 1), 0, 10_000, 10_000, 10_000, 0, 2),
        (date(2026, 1, 1), 0, 0, 0, 0, 0, 0),
        (date(2026, 2, 1), 0, 1_000, 0, 0, 1_000, 1),
    ]
    foreign = [(row["account_id"], row["month"]) for row in rows if row["lines_in_foreign_currency"]]
    assert foreign == [("Debtors", date(2025, 12, 1))]


def document(name: str, due: date | None, amount: int, left: int, **more: Any) -> dict[str, Any]:
    given = {"entity_id": "fr", "customer_id": "ann", "status": "posted", "issued_on": date(2026, 1, 1)}
    return {
        "invoice_id": name,
        **given,
        "due_on": due,
        "amount": amount,
        "open_amount": left,
        "currency": "EUR",
        **more,
    }


def owed(key: str, name: str, amount: int, **more: Any) -> dict[str, Any]:
    given = document(name, date(2026, 3, 1), amount, amount, **more)
    del given["invoice_id"], given["customer_id"]
    return {key: name, **given}


INVOICES = [
    document("i1", TODAY, 1_000, 1_000),  # today is in time
    document("i2", date(2026, 3, 31), 2_000, 500),  # paid in part
    document("i3", date(2026, 3, 2), 300, 300),  # 30 days
    document("i4", date(2026, 3, 1), 400, 400),  # 31
    document("i5", date(2025, 12, 31), 70, 70),  # 91
    document("i6", date(2026, 1, 31), 60, 60, currency="KWD"),  # 60 days
    document("i7", date(2026, 1, 30), 900, -100),  # overpaid
    document("i8", date(2026, 1, 1), 5_000, 5_000, status="draft"),
    document("i9", date(2026, 1, 1), 5_000, 5_000, status="cancelled"),
    document("i10", date(2026, 1, 1), 5_000, 0, status="paid"),
    document("i11", date(2026, 1, 1), 5_000, 5_000, _deleted_at=NOW),
    # Three parts in dollars, of which the first and half of the second are paid.
    document("i12", date(2026, 2, 1), 900, 450, currency="USD", entry_id="parts", customer_id="bob"),
    document("i13", date(2026, 3, 1), 900, 300, currency="EUR", entry_id="third", customer_id="bob"),  # one is settled
    document("i14", date(2026, 3, 1), 900, 901, currency="EUR", entry_id="odd", customer_id="cat"),
    document("i15", None, 10, 10, customer_id="cat", issued_on=TODAY, entity_id="unknown"),
]
NOTES = [
    owed("credit_note_id", "n1", 250, kind="customer", company_id="ann"),
    owed("credit_note_id", "n2", 25, kind="vendor", company_id="vic"),
    owed("credit_note_id", "n3", 25, kind="customer", company_id="dot"),
]
BILLS = [owed("bill_id", "b1", 800, vendor_id="vic")]


def part(entry: str, number: int, due: date, amount: int, **more: Any) -> dict[str, Any]:
    given = {"line_id": f"{entry}{number}", "entry_id": entry, "account_id": "Debtors", "due_on": due}
    return {**given, "debit": amount, "credit": 0, "currency": "EUR", **more}


PARTS = [
    part("parts", 1, date(2026, 2, 1), 280, foreign_amount=300, foreign_currency="USD"),
    part("parts", 2, date(2026, 3, 1), 280, foreign_amount=300, foreign_currency="USD"),
    part("parts", 3, date(2026, 4, 2), 280, foreign_amount=300, foreign_currency="USD"),
    part("third", 1, date(2026, 3, 1), 300, reconciliation="r"),
    part("third", 2, date(2026, 3, 15), 300),
    part("third", 3, date(2026, 4, 15), 300, reconciliation="s"),
    part("odd", 1, date(2026, 3, 1), 450),
    part("odd", 2, date(2026, 5, 1), 450),
]


def test_what_is_open(warehouse: Warehouse, tmp_path: Path) -> None:
    given = {"company": COMPANIES, "accounts": ACCOUNTS, "journal_lines": PARTS}
    given |= {"invoices": INVOICES, "credit_notes": NOTES, "bills": BILLS, "companies": [{"company_id": "ann"}]}
    tables = tables_of(warehouse, tmp_path, "open_documents receivables_ageing payables_ageing", **given)
    columns = ("document_id", "part", "due_on", "amount", "open_amount", "days_overdue", "bucket")
    rows = {row[:2]: row[2:] for row in only(tables["open_documents"], *columns)}
    assert len(rows) == 16
    assert rows["i1", 1] == (TODAY, 1_000, 1_000, 0, "not_due")
    assert rows["i3", 1][-2:] == (30, "1_to_30")
    assert rows["i4", 1][-2:] == (31, "31_to_60")
    assert rows["i7", 1][-3:] == (-100, 61, "credit")
    assert rows["i12", 2] == (date(2026, 3, 1), 300, 150, 31, "31_to_60")
    assert rows["i12", 3] == (date(2026, 4, 2), 300, 300, -1, "not_due")
    assert rows["i13", 2] == (date(2026, 3, 15), 300, 300, 17, "1_to_30")
    assert rows["i14", 1] == (date(2026, 3, 1), 900, 901, 31, "31_to_60")  # its parts don't tell it
    assert rows["i15", 1] == (TODAY, 10, 10, -1, "not_due")  # of nobody's books: on UTC's calendar it is March
    ages = ("not_due", "overdue_1_to_30", "overdue_31_to_60", "overdue_61_to_90", "overdue_over_90")
    aged = ("company_id", "currency", "documents", *ages, "total", "credits", "net", "days_most_overdue")
    assert only(tables["receivables_ageing"], *aged) == [
        ("ann", "EUR", 5, 1_000, 800, 400, 0, 70, 2_270, -350, 1_920, 91),
        ("ann", "KWD", 1, 0, 0, 60, 0, 0, 60, 0, 60, 60),
        ("bob", "EUR", 1, 0, 300, 0, 0, 0, 300, 0, 300, 17),
        ("bob", "USD", 1, 300, 0, 150, 0, 0, 450, 0, 450, 31),
        ("cat", "EUR", 1, 0, 0, 901, 0, 0, 901, 0, 901, 31),
        ("dot", "EUR", 0, 0, 0, 0, 0, 0, 0, -25, -25, 0),
        ("cat", "EUR", 1, 10, 0, 0, 0, 0, 10, 0, 10, 0),
    ]
    assert only(tables["payables_ageing"], *aged) == [
        ("vic", "EUR", 1, 0, 0, 800, 0, 0, 800, -25, 775, 31),
    ]


def test_empty_books(warehouse: Warehouse, tmp_path: Path) -> None:
    names = f"{STATEMENTS} open_documents receivables_ageing payables_ageing"
    assert tables_of(warehouse, tmp_path, names) == {name: [] for name in names.split()}
