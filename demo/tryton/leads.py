"""The demo company's leads in Tryton, with the days on which they reached their stages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from leat.demo.story import Lead
from leat.demo.tryton.books import Books, sql, whole


def write_leads(books: Books) -> None:
    """Write leads, each stage at its time: Tryton stamps all of them with now, so correct the history."""
    opportunity = books.pool.get("sale.opportunity")
    for lead in books.story.leads:
        record = _lead(books, lead)
        for stage, _ in lead.stages[1:]:
            press = {"opportunity": "opportunity", "converted": "convert", "lost": "lost"}[stage]
            getattr(opportunity, press)([record])
        _sale(books, lead, record)
        books.make("ir.note", resource=str(record), message=f"{lead.name}: asked how many lamps they need.")
        days = dict(lead.stages)
        _repair(record, {stage: books.story.at(days[stage]) for stage in days})


def _lead(books: Books, lead: Lead) -> Any:
    party = books.parties[lead.customer]
    return books.make(
        "sale.opportunity",
        description=lead.name,
        company=1,
        party=party.id,
        contact=party.contact_mechanisms[0].id,
        address=party.addresses[0].id,
        employee=books.parties[lead.owner].id,
        amount=whole(lead.amount, "EUR"),
        currency=books.one("currency.currency", ("code", "=", "EUR")).id,
        start_date=books.story.at(lead.stages[0][1]).date(),
    )


def _sale(books: Books, lead: Lead, record: Any) -> None:
    for sale in books.pool.get("sale.sale").search([("origin", "=", str(record))]):
        line = {"type": "line", "quantity": 1, "unit_price": whole(lead.amount, "EUR"), "description": lead.name}
        books.pool.get("sale.sale").write([sale], {"lines": [("create", [line])]})


def _repair(record: Any, reached: dict[str, datetime]) -> None:
    """Set when a lead was made, and when it came into its stages."""
    times = {stage: f"{at:%Y-%m-%d %H:%M:%S}.000001" for stage, at in reached.items()}
    first, *later = times
    for table in ("sale_opportunity", "sale_opportunity__history"):
        sql(f"UPDATE {table} SET create_date = ? WHERE id = ?", times[first], record.id)  # noqa: S608 - a constant
        for stage in later:
            change = f"UPDATE {table} SET write_date = ? WHERE id = ? AND state = ?"  # noqa: S608 - a constant
            sql(change, times[stage], record.id, stage)
