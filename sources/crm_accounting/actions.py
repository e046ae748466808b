"""What can be done in a CRM with books: contacts and leads, and invoices from the draft to the payment.

Amounts are integers in the minor unit of ISO 4217, as in the streams; ids are the keys of the streams: ``company`` is
``companies.company_id``, ``invoice`` is ``invoices.invoice_id``.
"""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from leat.sources.actions import Parameters, Verb
from leat.sources.money import exponent


def _whole(value: Any) -> Any:
    if isinstance(value, bool | float):
        msg = "write a whole number of minor units: 1200 for 12.00 EUR, 500 for 500 JPY"
        raise ValueError(msg)
    return value


def _currency(value: Any) -> Any:
    if isinstance(value, str):
        exponent(value)
        return value.upper()
    return value


def _from_json(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        msg = 'write it as JSON: [{"description": "Lamp", "unit_price": 4900}]'
        raise ValueError(msg) from None


Amount = Annotated[int, BeforeValidator(_whole), Field(gt=0, le=99_999_999_999)]
Currency = Annotated[str, BeforeValidator(_currency)]
Id = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1, max_length=500)]
Mail = Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]


class CreateContact(Parameters):
    """Who is new."""

    name: Text = Field(description="Name of the company, or of the person if there is no company.")
    person: Text | None = Field(default=None, description="Name of the person whose address and number these are.")
    email: Mail | None = Field(default=None, description="Mail address.")
    phone: Text | None = Field(default=None, description="Telephone number.")
    street: Text | None = Field(default=None, description="Street and number.")
    postal_code: Text | None = Field(default=None, description="Postal code.")
    city: Text | None = Field(default=None, description="City.")
    number: Text | None = Field(
        default=None, description="Number that people use; it must be unique. By default the id of the action."
    )


class UpdateContact(Parameters):
    """What changes of a contact; what isn't given stays."""

    company: Id = Field(description="Id of the company, companies.company_id.")
    name: Text | None = Field(default=None, description="New name.")
    email: Mail | None = Field(default=None, description="New mail address, in place of the first one.")
    archived: bool | None = Field(default=None, description="Whether it is archived.")

    @model_validator(mode="after")
    def _some(self) -> Self:
        _must_change(self, "company")
        return self


class CreateLead(Parameters):
    """A possible sale."""

    name: Text = Field(description="What it is about.")
    company: Id | None = Field(default=None, description="Id of the company, companies.company_id.")
    amount: Amount | None = Field(default=None, description="Expected amount, in minor units.")
    employee: Id | None = Field(default=None, description="Id of the employee who is responsible for it.")


class UpdateLead(Parameters):
    """What changes of a lead; what isn't given stays."""

    lead: Id = Field(description="Id of the lead, leads.lead_id.")
    name: Text | None = Field(default=None, description="What it is about.")
    company: Id | None = Field(default=None, description="Id of the company, companies.company_id.")
    amount: Amount | None = Field(default=None, description="Expected amount, in minor units.")
    employee: Id | None = Field(default=None, description="Id of the employee who is responsible for it.")

    @model_validator(mode="after")
    def _some(self) -> Self:
        _must_change(self, "lead")
        return self


class SetLeadStage(Parameters):
    """Where a lead goes."""

    lead: Id = Field(description="Id of the lead, leads.lead_id.")
    stage: Literal["lead", "opportunity", "lost", "cancelled"] = Field(description="Its new stage.")


class InvoiceLine(BaseModel):
    """A line of an invoice."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    description: Text = Field(description="What is sold.")
    unit_price: Amount = Field(description="Price of one, without taxes, in minor units.")
    quantity: Decimal = Field(default=Decimal(1), gt=0, le=1_000_000, decimal_places=4, description="How many.")
    account: Text | None = Field(
        default=None, description="Code of the account; by default the one that the books use."
    )
    taxes: tuple[Id, ...] = Field(default=(), description="Ids of taxes, taxes.tax_id.")


class CreateInvoice(Parameters):
    """An invoice to a customer, as a draft."""

    company: Id = Field(description="Id of the customer, companies.company_id.")
    currency: Currency = Field(description="Currency, ISO 4217.")
    lines: Annotated[tuple[InvoiceLine, ...], BeforeValidator(_from_json)] = Field(
        min_length=1,
        max_length=500,
        description="Its lines, as JSON: description, unit_price (minor units, untaxed), quantity, account, taxes.",
    )
    issued_on: date | None = Field(default=None, description="Date of the invoice; by default the day of its posting.")
    due_on: date | None = Field(default=None, description="Due date.")
    description: Text | None = Field(default=None, description="What it is for.")


class OfInvoice(Parameters):
    """Names an invoice."""

    invoice: Id = Field(description="Id of the invoice, invoices.invoice_id, or of the credit note.")


class CreditInvoice(OfInvoice):
    """What to credit of an invoice."""

    amount: Amount | None = Field(
        default=None, description="How much, with taxes, in minor units; by default all of it, line by line."
    )
    issued_on: date | None = Field(default=None, description="Date of the credit note; by default that of its posting.")


class BookPayment(OfInvoice):
    """What was paid on an invoice."""

    paid_on: date = Field(description="Day on which it was paid.")
    amount: Amount | None = Field(default=None, description="How much, in minor units; by default all that is open.")
    method: Text | None = Field(default=None, description="Name of the payment method; by default the only one.")


class RenderInvoice(OfInvoice):
    """Where to store an invoice as a file."""

    to: Text = Field(description="Path of the file, in the project folder, for example invoices/4711.odt.")


def _must_change(model: BaseModel, key: str) -> None:
    names = [name for name in type(model).model_fields if name != key]
    if all(getattr(model, name) is None for name in names):
        msg = f"nothing changes: give at least one of {', '.join(names)}"
        raise ValueError(msg)


_PARTIES, _LEADS = "read and write access to parties", "read and write access to leads"
_INVOICES = "read and write access to invoices, read access to parties, accounts and journals"
VERBS = (
    Verb("create_contact", "Add a company or person, with address and number.", CreateContact, "guarded", _PARTIES,
         "By `update_contact`, which archives it."),
    Verb("update_contact", "Change or archive a company or person.", UpdateContact, "natural", _PARTIES,
         "By `update_contact` with the values of before."),
    Verb("create_lead", "Add a lead.", CreateLead, "probed", _LEADS, "By `set_lead_stage`, which cancels it."),
    Verb("update_lead", "Change a lead.", UpdateLead, "natural", _LEADS,
         "By `update_lead` with the values of before, where there were any."),
    Verb("set_lead_stage", "Move a lead to another stage.", SetLeadStage, "guarded", _LEADS,
         "By `set_lead_stage`, if the system lets it go back."),
    Verb("create_invoice", "Create an invoice for a customer, as a draft.", CreateInvoice, "probed", _INVOICES,
         "By `void_invoice`, while it is a draft."),
    Verb("post_invoice", "Post a draft: it gets its number and is booked.", OfInvoice, "guarded", _INVOICES,
         "By `credit_invoice`: a posted invoice stays in the books."),
    Verb("void_invoice", "Cancel an invoice that isn't posted.", OfInvoice, "guarded", _INVOICES,
         "It can't be undone: write it again."),
    Verb("credit_invoice", "Create a credit note for an invoice or a part of it, as a draft.", CreditInvoice, "probed",
         _INVOICES, "By `void_invoice`, while it is a draft."),
    Verb("book_payment", "Book a payment of a posted invoice, in whole or in part.", BookPayment, "probed",
         f"{_INVOICES}; write access to journal entries", "It can't be undone: reverse the entry in the books."),
    Verb("render_invoice", "Store a posted invoice as a file, as the system prints it.", RenderInvoice, "natural",
         "read access to invoices and their report", "It can't be undone: delete the file."),
)  # fmt: skip
