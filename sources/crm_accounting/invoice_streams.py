"""The streams of invoices, bills, credit notes and what was paid on them, the same for every vendor."""

from __future__ import annotations

from leat.sources.crm_accounting.book_streams import ENTITY_ID, ENTRY_ID
from leat.sources.crm_accounting.crm_streams import CURRENCY, TIMES
from leat.sources.stream import Column, Stream

_DOCUMENT = Column("document", "string", "Stream of the document: invoices, bills or credit_notes.")
_DOCUMENT_ID = Column("document_id", "string", "The document, in the stream that document names.")


def _document(name: str, key: str, description: str, *columns: Column) -> Stream:
    return Stream(
        name=name,
        description=description,
        columns=(
            Column(key, "string", "The document."),
            ENTITY_ID,
            *columns,
            Column("number", "string", "Number of the posted document."),
            Column("status", "string", "draft, validated, posted, paid or cancelled."),
            Column("reference", "string", "What it refers to, for example the number of the order."),
            Column("description", "string", "What it is for.", personal=True),
            Column("issued_on", "date", "Date of the document."),
            Column("due_on", "date", "Due date of its first part."),
            Column(
                "paid_on",
                "date",
                "Day on which it was paid in full; null when it was cancelled, credited or written off instead.",
            ),
            Column("untaxed_amount", "integer", "Amount without taxes, in minor units."),
            Column("tax_amount", "integer", "Taxes, in minor units."),
            Column("amount", "integer", "Amount with taxes, in minor units."),
            Column("open_amount", "integer", "What is still to be paid, in minor units."),
            CURRENCY,
            ENTRY_ID,
            Column("taxes", "json", "Taxes: tax_id, base and amount in minor units."),
            *TIMES,
        ),
        key=(key,),
        deletes="full_scan",
    )


INVOICES = _document(
    "invoices",
    "invoice_id",
    "An invoice to a customer.",
    Column("customer_id", "string", "The customer; customers.customer_id."),
)
BILLS = _document(
    "bills",
    "bill_id",
    "An invoice from a vendor.",
    Column("vendor_id", "string", "The vendor; vendors.vendor_id."),
)
CREDIT_NOTES = _document(
    "credit_notes",
    "credit_note_id",
    "A credit on an invoice or bill; its amounts are positive.",
    Column("kind", "string", "customer: a credit to a customer; vendor: a credit from a vendor."),
    Column("company_id", "string", "The other party; companies.company_id."),
    Column("credits", "json", "Keys of the invoices or bills that it credits."),
)

INVOICE_LINES = Stream(
    name="invoice_lines",
    description="A line of an invoice, bill or credit note.",
    columns=(
        Column("line_id", "string", "The line."),
        _DOCUMENT,
        _DOCUMENT_ID,
        Column("position", "integer", "0 for the first line."),
        Column("kind", "string", "line; or title, subtotal or comment, which have no amount."),
        Column("product_id", "string", "What was sold; products.product_id."),
        Column("account_id", "string", "Account for its postings; accounts.account_id."),
        Column("description", "string", "Text of the line.", personal=True),
        Column("quantity", "float", "How many."),
        Column("unit", "string", "Its unit."),
        Column("unit_price_exact", "string", "Unit price, as a decimal number in whole units."),
        Column("amount", "integer", "Amount without taxes, in minor units; positive on a credit note too."),
        CURRENCY,
        Column("taxes", "json", "Keys of the taxes; taxes.tax_id."),
    ),
    key=("line_id",),
    deletes="full_scan",
)

PAYMENTS = Stream(
    name="payments",
    description="A payment on an invoice, bill or credit note, according to the books.",
    columns=(
        Column("payment_id", "string", "The payment."),
        _DOCUMENT,
        _DOCUMENT_ID,
        Column("company_id", "string", "The payer or payee; companies.company_id."),
        Column("paid_on", "date", "Day that it applies to."),
        Column("amount", "integer", "Amount in minor units; negative when it went the other way."),
        CURRENCY,
        Column("book_amount", "integer", "The same in the currency of the books, in its minor units."),
        Column("book_currency", "string", "Currency of the books, ISO 4217."),
        Column("method", "string", "Name of the journal, which shows the method."),
        Column("description", "string", "Note.", personal=True),
        ENTRY_ID,
        Column("settled", "boolean", "Whether it is reconciled with the document it pays; false if it was cancelled."),
    ),
    key=("payment_id", "document_id"),
    deletes="full_scan",
)
