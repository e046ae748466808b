"""The streams of a CRM, the same for every vendor."""

from __future__ import annotations

from leat.sources.stream import Column, Stream

CREATED = Column("created_at", "timestamp", "When the record was made.")
UPDATED = Column("updated_at", "timestamp", "When the record was last changed; when it was made, if it never was.")
ARCHIVED = Column("archived", "boolean", "Whether the system has put the record aside; it still exists.")
CURRENCY = Column("currency", "string", "Currency of the amounts, ISO 4217.")
NAME = Column("name", "string", "Name of the company; some systems also have people here.", personal=True)
COMPANY_ID = Column("company_id", "string", "The company; companies.company_id.")
CONTACT_ID = Column("contact_id", "string", "The contact; contacts.contact_id.")
TIMES = (CREATED, UPDATED)
OWNER = Column("owner", "string", "Who of us looks after it.", personal=True)

COMPANIES = Stream(
    name="companies",
    description="A company, or any other party, that we deal with.",
    columns=(
        COMPANY_ID,
        Column("number", "string", "Number that people use."),
        NAME,
        Column("email", "string", "Its own address, lower case.", personal=True),
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
        Column("industry", "string", "Trade that it is in."),
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
    description="A person, or an office, that can be written to or called.",
    columns=(
        CONTACT_ID,
        COMPANY_ID,
        Column("name", "string", "Full name.", personal=True),
        Column("first_name", "string", "First name.", personal=True),
        Column("last_name", "string", "Last name.", personal=True),
        Column("email", "string", "First mail address, lower case.", personal=True),
        Column("phone", "string", "First telephone number.", personal=True),
        Column("mobile", "string", "First mobile number.", personal=True),
        Column("job_title", "string", "What the person does there."),
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
    description="What may be sold one day.",
    columns=(
        Column("lead_id", "string", "The lead."),
        Column("number", "string", "Number that people use."),
        Column("name", "string", "What it is about."),
        Column("stage", "string", "Its stage: lead, opportunity, converted, won, lost or cancelled."),
        COMPANY_ID,
        CONTACT_ID,
        OWNER,
        Column("amount", "integer", "What it may bring, in minor units."),
        CURRENCY,
        Column("probability", "float", "How likely it is sold, 0 to 1."),
        Column("started_on", "date", "First day."),
        Column("ended_on", "date", "Day on which it was decided."),
        Column("lost_reason", "string", "Why it was lost.", personal=True),
        Column("reference", "string", "What the customer calls it."),
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
        Column("left_at", "timestamp", "When it left it; null for the stage that it is in."),
        Column("changed_by", "string", "Who moved it there.", personal=True),
    ),
    key=("lead_id", "position"),
    deletes="full_scan",
)

DEALS = Stream(
    name="deals",
    description="A quotation, or an order that came of it.",
    columns=(
        Column("deal_id", "string", "The deal."),
        Column("number", "string", "Number that people use."),
        Column("name", "string", "What it is about."),
        Column("stage", "string", "draft, quotation, confirmed, processing, done or cancelled."),
        Column("lead_id", "string", "The lead that it came of; leads.lead_id."),
        COMPANY_ID,
        CONTACT_ID,
        OWNER,
        Column("untaxed_amount", "integer", "Amount without taxes, in minor units."),
        Column("tax_amount", "integer", "Taxes, in minor units."),
        Column("amount", "integer", "Amount with taxes, in minor units."),
        CURRENCY,
        Column("closed_on", "date", "Day of the order."),
        Column("reference", "string", "What the customer calls it."),
        Column("invoice_state", "string", "How far it is invoiced: none, pending, paid and others."),
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
        Column("unit", "string", "Unit that it is counted in."),
        Column("price", "integer", "Sales price in minor units; null where it has more decimals than the currency."),
        Column("price_exact", "string", "Sales price as a decimal number in whole units."),
        Column("cost_exact", "string", "What it costs us, as a decimal number in whole units."),
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
        Column("actor", "string", "Who did it.", personal=True),
        Column("happened_at", "timestamp", "When."),
        *TIMES,
    ),
    key=("activity_id",),
    deletes="full_scan",
)
