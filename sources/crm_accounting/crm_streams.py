"""The streams of a CRM, the same for every vendor."""

from __future__ import annotations

from dataclasses import replace

from leat.sources.stream import Column, Stream
from leat.sources.subject import EMAIL, WHO, Subject, email_of, name_of

CREATED = Column("created_at", "timestamp", "When the record was created.")
UPDATED = Column("updated_at", "timestamp", "When the record was last changed, or created if it never was.")
ARCHIVED = Column("archived", "boolean", "Whether the record is archived; it still exists.")
CURRENCY = Column("currency", "string", "Currency of the amounts, ISO 4217.")
NAME = Column("name", "string", "Name of the company; some systems also have people here.", personal=True)
COMPANY_ID = Column("company_id", "string", "The company; companies.company_id.")
CONTACT_ID = Column("contact_id", "string", "The contact; contacts.contact_id.")
TIMES = (CREATED, UPDATED)
OWNER = Column("owner", "string", "The employee who is responsible for it.", personal=True, subject=WHO)

COMPANIES = Stream(
    name="companies",
    description="A company, or any other party, in the CRM.",
    columns=(
        COMPANY_ID,
        Column("number", "string", "Number that people use."),
        NAME,
        Column("email", "string", "Its own address, lower case.", personal=True, subject=EMAIL),
        Column("phone", "string", "Its own telephone number.", personal=True),
        Column("website", "string", "Its web site."),
        Column("tax_number", "string", "VAT or other tax number.", personal=True),
        Column("street", "string", "Street and number of the first address.", personal=True),
        Column("postal_code", "string", "Postal code of the first address.", personal=True),
        Column("city", "string", "City of the first address.", personal=True),
        Column("country", "string", "Country of the first address, ISO 3166-1 alpha-2."),
        Column("language", "string", "Language to write in, for example en or fr."),
        Column("categories", "json", "Names of the categories that it is in."),
        Column("addresses", "json", "All addresses.", personal=True),
        Column("industry", "string", "Its industry."),
        OWNER,
        Column("merged_into", "string", "The company that replaced this one; companies.company_id."),
        ARCHIVED,
        *TIMES,
    ),
    key=("company_id",),
    deletes="full_scan",
)

CONTACTS = Stream(
    name="contacts",
    description="A person, or an office, with an address or number.",
    columns=(
        replace(CONTACT_ID, subject=Subject("contact", "personal")),
        COMPANY_ID,
        Column("name", "string", "Full name.", personal=True, subject=name_of("contact_id")),
        Column("first_name", "string", "First name.", personal=True),
        Column("last_name", "string", "Last name.", personal=True),
        Column("email", "string", "First mail address, lower case.", personal=True, subject=email_of("contact_id")),
        Column("phone", "string", "First telephone number.", personal=True),
        Column("mobile", "string", "First mobile number.", personal=True),
        Column("job_title", "string", "The person's job there."),
        Column("is_office", "boolean", "Whether these are the company's own addresses, not those of a named person."),
        Column("mechanisms", "json", "All addresses and numbers: kind, value, archived.", personal=True),
        OWNER,
        ARCHIVED,
        *TIMES,
    ),
    key=("contact_id",),
    deletes="full_scan",
)

ASSOCIATIONS = Stream(
    name="associations",
    description="A contact belongs to a company.",
    columns=(
        CONTACT_ID,
        COMPANY_ID,
        Column("kind", "string", "works_for: a named person; office: the company's own addresses."),
        Column("is_primary", "boolean", "Whether it is the contact's main company."),
    ),
    key=("contact_id", "company_id"),
    deletes="full_scan",
)

LEADS = Stream(
    name="leads",
    description="A possible sale.",
    columns=(
        Column("lead_id", "string", "The lead."),
        Column("number", "string", "Number that people use."),
        Column("name", "string", "What it is about."),
        Column("stage", "string", "Its stage: lead, opportunity, converted, won, lost or cancelled."),
        COMPANY_ID,
        CONTACT_ID,
        OWNER,
        Column("amount", "integer", "Expected amount, in minor units."),
        CURRENCY,
        Column("probability", "float", "Probability of a sale, 0 to 1."),
        Column("started_on", "date", "First day."),
        Column("ended_on", "date", "Day on which it was won or lost."),
        Column("lost_reason", "string", "Why it was lost.", personal=True),
        Column("reference", "string", "The customer's own reference."),
        Column("note", "string", "What people wrote about it.", personal=True),
        *TIMES,
    ),
    key=("lead_id",),
    deletes="full_scan",
)

LEAD_STAGES = Stream(
    name="lead_stages",
    description="A stage that a lead has been in.",
    columns=(
        Column("lead_id", "string", "The lead; leads.lead_id."),
        Column("position", "integer", "0 for its first stage."),
        Column("stage", "string", "The stage."),
        Column("entered_at", "timestamp", "When it came into the stage."),
        Column("left_at", "timestamp", "When it left the stage; null for the current one."),
        Column("changed_by", "string", "Who moved it there.", personal=True, subject=WHO),
    ),
    key=("lead_id", "position"),
    deletes="full_scan",
)

DEALS = Stream(
    name="deals",
    description="A quotation, or the order that it became.",
    columns=(
        Column("deal_id", "string", "The deal."),
        Column("number", "string", "Number that people use."),
        Column("name", "string", "What it is about."),
        Column("stage", "string", "draft, quotation, confirmed, processing, done or cancelled."),
        Column("lead_id", "string", "The lead that it came from; leads.lead_id."),
        COMPANY_ID,
        CONTACT_ID,
        OWNER,
        Column("untaxed_amount", "integer", "Amount without taxes, in minor units."),
        Column("tax_amount", "integer", "Taxes, in minor units."),
        Column("amount", "integer", "Amount with taxes, in minor units."),
        CURRENCY,
        Column("closed_on", "date", "Day of the order."),
        Column("reference", "string", "The customer's own reference."),
        Column("invoice_state", "string", "State of invoicing: none, pending, paid and others."),
        *TIMES,
    ),
    key=("deal_id",),
    deletes="full_scan",
)

PRODUCTS = Stream(
    name="products",
    description="What is sold or bought; each variant is a row.",
    columns=(
        Column("product_id", "string", "The product."),
        Column("sku", "string", "Number that people use."),
        Column("name", "string", "What it is called."),
        Column("description", "string", "Text about it."),
        Column("kind", "string", "goods, assets or service."),
        Column("unit", "string", "Its unit of measure."),
        Column("price", "integer", "Sales price in minor units; null where it has more decimals than the currency."),
        Column("price_exact", "string", "Sales price as a decimal number in whole units."),
        Column("cost_exact", "string", "Cost price as a decimal number in whole units."),
        CURRENCY,
        ARCHIVED,
        *TIMES,
    ),
    key=("product_id",),
    deletes="full_scan",
)

ACTIVITIES = Stream(
    name="activities",
    description="A note, call, mail or meeting about a contact, company, lead or deal.",
    columns=(
        Column("activity_id", "string", "The activity."),
        Column("kind", "string", "note, call, mail, meeting or task."),
        Column("about", "string", "Stream of what it is about, for example leads; the system's own name for others."),
        Column("about_id", "string", "Key of what it is about."),
        Column("subject", "string", "Title.", personal=True),
        Column("body", "string", "Text.", personal=True),
        Column("actor", "string", "Who did it.", personal=True, subject=WHO),
        Column("happened_at", "timestamp", "When."),
        *TIMES,
    ),
    key=("activity_id",),
    deletes="full_scan",
)
