"""All streams of a CRM with books, in the order of the docs.

There is no ``items``: what is invoiced are the ``products`` of the CRM, which would be the same rows once more.
"""

from __future__ import annotations

from leat.sources.crm_accounting.book_streams import (
    ACCOUNTS,
    COMPANY,
    CUSTOMERS,
    JOURNAL_ENTRIES,
    JOURNAL_LINES,
    TAXES,
    VENDORS,
)
from leat.sources.crm_accounting.crm_streams import (
    ACTIVITIES,
    ASSOCIATIONS,
    COMPANIES,
    CONTACTS,
    DEALS,
    LEAD_STAGES,
    LEADS,
    PRODUCTS,
)
from leat.sources.crm_accounting.invoice_streams import BILLS, CREDIT_NOTES, INVOICE_LINES, INVOICES, PAYMENTS

STREAMS = (
    COMPANIES, CONTACTS, ASSOCIATIONS, LEADS, LEAD_STAGES, DEALS, PRODUCTS, ACTIVITIES,
    COMPANY, ACCOUNTS, JOURNAL_ENTRIES, JOURNAL_LINES, TAXES, CUSTOMERS, VENDORS,
    INVOICES, BILLS, CREDIT_NOTES, INVOICE_LINES, PAYMENTS,
)  # fmt: skip
