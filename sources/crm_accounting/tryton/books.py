"""Tryton's moves, accounts, taxes and companies to journal entries with their lines, accounts, taxes and company."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from leat.sources.crm_accounting.tryton.api import Record, Tryton
from leat.sources.crm_accounting.tryton.changes import Part
from leat.sources.crm_accounting.tryton.kinds import Kind, Row
from leat.sources.crm_accounting.tryton.values import day_of, decimal_of, follow, key, money, reference, times

_TIMES = ("create_date", "write_date")
_AGAIN = 3
"""How often entries that don't balance are read again."""


def _sides(record: Record) -> tuple[Decimal, Decimal]:
    nothing = Decimal(0)
    debit = sum((decimal_of(line["debit"]) or nothing for line in record["lines"]), nothing)
    credit = sum((decimal_of(line["credit"]) or nothing for line in record["lines"]), nothing)
    return debit, credit


def _settled(tryton: Tryton, records: list[Record]) -> list[Record]:
    """Return the entries, those that don't balance read again.

    Tryton answers a request from one snapshot of PostgreSQL, but not of SQLite: there an entry and its lines may be
    read on both sides of somebody's posting.
    """
    by_id = {record["id"]: record for record in records}
    for _ in range(_AGAIN):
        torn = [n for n, record in by_id.items() if record["state"] == "posted" and len({*_sides(record)}) > 1]
        if not torn:
            break
        for page in tryton.read(ENTRIES.model, ENTRIES.fields, torn):
            by_id |= {record["id"]: record for record in page}
    return list(by_id.values())


def _entry_rows(record: Record) -> Iterator[Row]:
    entry, currency = key(record), follow(record, "company.currency.code")
    kind, number = reference(record["origin"])
    debit, credit = _sides(record)
    yield (
        "journal_entries",
        {
            "entry_id": entry,
            "entity_id": key(record["company"]),
            "number": record["number"],
            "status": record["state"],
            "journal": follow(record, "journal.rec_name"),
            "period": follow(record, "period.rec_name"),
            "booked_on": day_of(record["date"]),
            "posted_on": day_of(record["post_date"]),
            "description": record["description"],
            "source_kind": kind,
            "source_id": number,
            "debit": money(str(debit), currency),
            "credit": money(str(credit), currency),
            "currency": currency,
            **times(record),
        },
    )
    for line in record["lines"]:
        foreign = follow(line, "second_currency.code")
        yield (
            "journal_lines",
            {
                "line_id": key(line),
                "entry_id": entry,
                "account_id": key(line["account"]),
                "company_id": key(line["party"]),
                "debit": money(line["debit"], currency) or 0,
                "credit": money(line["credit"], currency) or 0,
                "currency": currency,
                "foreign_amount": money(line["amount_second_currency"], foreign) if foreign else None,
                "foreign_currency": foreign,
                "description": line["description"],
                "due_on": day_of(line["maturity_date"]),
                "reconciliation": key(line["reconciliation"]),
            },
        )


_LINE = ("account", "party", "debit", "credit", "amount_second_currency", "second_currency.code", "description",
         "maturity_date", "reconciliation")  # fmt: skip

ENTRIES = Kind(
    model="account.move",
    streams={"journal_entries": "entry_id", "journal_lines": "entry_id"},
    fields=(
        *("number", "state", "company.currency.code", "journal.rec_name", "period.rec_name", "date", "post_date"),
        *("description", "origin", *(f"lines.{name}" for name in _LINE), *_TIMES),
    ),
    rows=_entry_rows,
    parts=(Part("account.move.line", "move"),),
    lookups=("account.journal", "account.period"),
    complete=_settled,
)


def _account_rows(record: Record) -> Iterator[Row]:
    kind = record["type"] or {}
    yield (
        "accounts",
        {
            "account_id": key(record),
            "entity_id": key(record["company"]),
            "code": record["code"],
            "name": record["name"],
            "kind": next((name for flag, name in _KINDS.items() if kind.get(flag)), "other") if kind else None,
            "type": kind.get("rec_name"),
            "statement": kind.get("statement"),
            "parent_id": key(record["parent"]),
            "currency": follow(record, "company.currency.code"),
            "reconcilable": bool(record["reconcile"]),
            "closed": bool(record["closed"]),
            "archived": not record["active"],
            **times(record),
        },
    )


_KINDS = {
    "receivable": "receivable",
    "payable": "payable",
    "revenue": "revenue",
    "expense": "expense",
    "assets": "asset",
    "debt": "debt",
}

ACCOUNTS = Kind(
    model="account.account",
    streams={"accounts": "account_id"},
    fields=(
        *("code", "name", "company.currency.code", "parent", "reconcile", "closed", "active", "type.rec_name"),
        *("type.statement", *(f"type.{flag}" for flag in _KINDS), *_TIMES),
    ),
    rows=_account_rows,
    lookups=("account.account.type",),
)


def _tax_rows(record: Record) -> Iterator[Row]:
    currency, rate = follow(record, "company.currency.code"), decimal_of(record["rate"])
    yield (
        "taxes",
        {
            "tax_id": key(record),
            "entity_id": key(record["company"]),
            "name": record["name"],
            "description": record["description"],
            "kind": record["type"],
            "rate": None if rate is None else float(rate),
            "amount": money(record["amount"], currency),
            "currency": currency,
            "parent_id": key(record["parent"]),
            "account_id": key(record["invoice_account"]),
            "valid_from": day_of(record["start_date"]),
            "valid_to": day_of(record["end_date"]),
            "archived": not record["active"],
            **times(record),
        },
    )


TAXES = Kind(
    model="account.tax",
    streams={"taxes": "tax_id"},
    fields=(
        *("name", "description", "type", "rate", "amount", "company.currency.code", "parent", "invoice_account"),
        *("start_date", "end_date", "active", *_TIMES),
    ),
    rows=_tax_rows,
)


def _company_rows(record: Record) -> Iterator[Row]:
    yield (
        "company",
        {
            "entity_id": key(record),
            "name": record["rec_name"],
            "company_id": key(record["party"]),
            "currency": follow(record, "currency.code"),
            "timezone": record["timezone"],
            **times(record),
        },
    )


COMPANY = Kind(
    model="company.company",
    streams={"company": "entity_id"},
    fields=("rec_name", "party", "currency.code", "timezone", *_TIMES),
    rows=_company_rows,
    lookups=("company.company",),
)
