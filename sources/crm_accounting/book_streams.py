"""The streams of books and invoices, the same for every vendor."""

from __future__ import annotations

from leat.sources.crm_accounting.crm_streams import ARCHIVED, CURRENCY, NAME, TIMES
from leat.sources.stream import Column, Stream
from leat.sources.subject import EMAIL

ENTITY_ID = Column("entity_id", "string", "Whose books these are; company.entity_id.")
ENTRY_ID = Column("entry_id", "string", "The journal entry; journal_entries.entry_id.")
_BOOK_CURRENCY = Column("currency", "string", "Currency of the books, ISO 4217.")

COMPANY = Stream(
    name="company",
    description="A company with books of its own.",
    columns=(
        Column("entity_id", "string", "The company."),
        Column("name", "string", "Its name."),
        Column("company_id", "string", "This company in the CRM; companies.company_id."),
        Column("currency", "string", "Currency of its books, ISO 4217."),
        Column("timezone", "string", "Time zone of its days, an IANA name."),
        *TIMES,
    ),
    key=("entity_id",),
    deletes="full_scan",
)

ACCOUNTS = Stream(
    name="accounts",
    description="An account of the chart of accounts.",
    columns=(
        Column("account_id", "string", "The account."),
        ENTITY_ID,
        Column("code", "string", "Number in the chart."),
        Column("name", "string", "What it is called."),
        Column("kind", "string", "receivable, payable, revenue, expense, asset, debt or other; null for a heading."),
        Column("type", "string", "The system's own type, with those above it."),
        Column("statement", "string", "Statement that shows it: balance, income or off-balance."),
        Column("parent_id", "string", "The account above; accounts.account_id."),
        _BOOK_CURRENCY,
        Column("reconcilable", "boolean", "Whether its lines are reconciled with each other."),
        Column("closed", "boolean", "Whether it is closed for postings."),
        ARCHIVED,
        *TIMES,
    ),
    key=("account_id",),
    deletes="full_scan",
)

JOURNAL_ENTRIES = Stream(
    name="journal_entries",
    description="An entry of the journal; its lines are in journal_lines.",
    columns=(
        Column("entry_id", "string", "The entry."),
        ENTITY_ID,
        Column("number", "string", "Number of the posted entry."),
        Column("status", "string", "draft, which may still change and need not balance, or posted."),
        Column("journal", "string", "Name of the journal."),
        Column("period", "string", "Name of the period."),
        Column("booked_on", "date", "Day that it applies to."),
        Column("posted_on", "date", "Day on which it was posted."),
        Column("description", "string", "What it is for.", personal=True),
        Column("source_kind", "string", "Kind of document that it was created from, as the system names it."),
        Column("source_id", "string", "The document that it was created from."),
        Column("debit", "integer", "Sum of the debits, in minor units."),
        Column("credit", "integer", "Sum of the credits, in minor units."),
        _BOOK_CURRENCY,
        *TIMES,
    ),
    key=("entry_id",),
    deletes="full_scan",
)

JOURNAL_LINES = Stream(
    name="journal_lines",
    description="A line of a journal entry: an amount on one side of one account.",
    columns=(
        Column("line_id", "string", "The line."),
        ENTRY_ID,
        Column("account_id", "string", "The account; accounts.account_id."),
        Column("company_id", "string", "The debtor or creditor; companies.company_id."),
        Column("debit", "integer", "Debit, in minor units of the books' currency."),
        Column("credit", "integer", "Credit, in minor units of the books' currency."),
        _BOOK_CURRENCY,
        Column("foreign_amount", "integer", "Debit less credit in the other currency, in its minor units."),
        Column("foreign_currency", "string", "The other currency, ISO 4217."),
        Column("description", "string", "What it is for.", personal=True),
        Column("due_on", "date", "Due date."),
        Column("reconciliation", "string", "Lines with the same value settle each other."),
    ),
    key=("line_id",),
    deletes="full_scan",
)

TAXES = Stream(
    name="taxes",
    description="A tax, or a group of taxes.",
    columns=(
        Column("tax_id", "string", "The tax."),
        ENTITY_ID,
        Column("name", "string", "What it is called."),
        Column("description", "string", "Its name on invoices."),
        Column("kind", "string", "percentage, fixed or none."),
        Column("rate", "float", "Share of the amount, 0.2 for 20 percent."),
        Column("amount", "integer", "Fixed amount, in minor units."),
        _BOOK_CURRENCY,
        Column("parent_id", "string", "The tax that it is a part of; taxes.tax_id."),
        Column("account_id", "string", "Account for its postings; accounts.account_id."),
        Column("valid_from", "date", "First day on which it applies."),
        Column("valid_to", "date", "Last day on which it applies."),
        ARCHIVED,
        *TIMES,
    ),
    key=("tax_id",),
    deletes="full_scan",
)


def _party(name: str, column: str, description: str) -> Stream:
    return Stream(
        name=name,
        description=description,
        columns=(
            Column(column, "string", "The same as in the CRM; companies.company_id."),
            Column("number", "string", "Number that people use."),
            NAME,
            Column("email", "string", "Mail address, lower case.", personal=True, subject=EMAIL),
            Column("phone", "string", "Telephone number.", personal=True),
            Column("tax_number", "string", "VAT or other tax number.", personal=True),
            CURRENCY,
            ARCHIVED,
            *TIMES,
        ),
        key=(column,),
        deletes="full_scan",
    )


CUSTOMERS = _party("customers", "customer_id", "A party that has received an invoice.")
VENDORS = _party("vendors", "vendor_id", "A party that has sent a bill.")
