"""Tryton's parties to companies, contacts, customers and vendors.

Tryton doesn't separate people and companies: a party is a company here, and who its contact mechanisms (addresses and
numbers) name is a contact of it. Mechanisms without a name are those of the party itself: an office.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from leat.sources.crm_accounting.tryton.api import Record, Tryton
from leat.sources.crm_accounting.tryton.changes import Part
from leat.sources.crm_accounting.tryton.kinds import Kind, Row
from leat.sources.crm_accounting.tryton.values import key, lower, times

_ADDRESS = ("street", "postal_code", "city", "country.code", "active")


def _complete(tryton: Tryton, records: list[Record]) -> list[Record]:
    """Add on which side of invoices each party has been."""
    sides: dict[int, set[str]] = {record["id"]: set() for record in records}
    if tryton.has("account.invoice"):
        for invoice in tryton.listing("account.invoice", ["party", "type"], [["party", "in", sorted(sides)]]):
            sides[invoice["party"]].add(invoice["type"])
    return [{**record, "sides": sorted(sides[record["id"]])} for record in records]


def _rows(record: Record) -> Iterator[Row]:
    groups = by_name(record["contact_mechanisms"])
    office = groups.get("", [])
    base = {
        "number": record["code"],
        "name": record["name"],
        "tax_number": (record["tax_identifier"] or {}).get("code"),
        "email": lower(_first(office, "email")),
        "phone": _first(office, "phone", "mobile"),
        "archived": not record["active"],
        **times(record),
    }
    address: Record = next((a for a in record["addresses"] if a["active"]), {})
    yield (
        "companies",
        base
        | {
            "company_id": key(record),
            "website": _first(office, "website"),
            "street": address.get("street") or None,
            "postal_code": address.get("postal_code"),
            "city": address.get("city"),
            "country": (address.get("country") or {}).get("code"),
            "language": (record["lang"] or {}).get("code"),
            "categories": sorted(category["rec_name"] for category in record["categories"]),
            "addresses": [_address(each) for each in record["addresses"]],
            "merged_into": key(record["replaced_by"]),
        },
    )
    yield from _contacts(record, groups)
    of_either = {name: value for name, value in base.items() if name not in ("email", "phone")}
    everybody = [*office, *record["contact_mechanisms"]]
    of_either |= {"email": lower(_first(everybody, "email")), "phone": _first(everybody, "phone", "mobile")}
    if "out" in record["sides"]:
        yield "customers", of_either | {"customer_id": key(record)}
    if "in" in record["sides"]:
        yield "vendors", of_either | {"vendor_id": key(record)}


def _address(address: Record) -> dict[str, Any]:
    country = (address["country"] or {}).get("code")
    plain = {name: address[name] for name in ("street", "postal_code", "city")}
    return {**plain, "country": country, "archived": not address["active"]}


def _contacts(record: Record, groups: dict[str, list[Record]]) -> Iterator[Row]:
    for name, mechanisms in groups.items():
        contact = contact_id(record["contact_mechanisms"], name)
        yield (
            "contacts",
            {
                "contact_id": contact,
                "company_id": key(record),
                "name": name or record["name"],
                "email": lower(_first(mechanisms, "email")),
                "phone": _first(mechanisms, "phone"),
                "mobile": _first(mechanisms, "mobile"),
                "is_office": not name,
                "mechanisms": [
                    {"kind": each["type"], "value": each["value"], "archived": not each["active"]}
                    for each in mechanisms
                ],
                "archived": not record["active"] or not any(each["active"] for each in mechanisms),
                **times(record),
            },
        )
        kind = "works_for" if name else "office"
        yield "associations", {"contact_id": contact, "company_id": key(record), "kind": kind, "is_primary": True}


def by_name(mechanisms: list[Record]) -> dict[str, list[Record]]:
    """Return contact mechanisms by the name of the person that they are of; empty for the party itself."""
    groups: dict[str, list[Record]] = {}
    for mechanism in mechanisms:
        groups.setdefault(_name(mechanism), []).append(mechanism)
    return groups


def contact_id(mechanisms: list[Record], name: str | None) -> str | None:
    """Return the key of a person: the lowest id of the mechanisms that name them."""
    same = [mechanism["id"] for mechanism in mechanisms if _name(mechanism) == (name or "").strip()]
    return key(min(same, default=None))


def contact_of(mechanism: Record | None) -> str | None:
    """Return the key of the person that a mechanism, read with those of its party, is of."""
    return None if mechanism is None else contact_id(mechanism["party"]["contact_mechanisms"], mechanism["name"])


CONTACT = ("contact.name", "contact.party.contact_mechanisms.name")
"""Fields from which :func:`contact_of` identifies the person."""


def _name(mechanism: Record) -> str:
    return (mechanism["name"] or "").strip()


def _first(mechanisms: list[Record], *kinds: str) -> str | None:
    """Return the first value of a kind; of active ones, if there are any."""
    fitting = [each for kind in kinds for each in mechanisms if each["type"] == kind]
    return next((each["value"] for each in sorted(fitting, key=lambda each: not each["active"])), None)


PARTIES = Kind(
    model="party.party",
    streams={
        "companies": "company_id",
        "contacts": "company_id",
        "associations": "company_id",
        "customers": "customer_id",
        "vendors": "vendor_id",
    },
    fields=(
        *("name", "code", "active", "lang.code", "replaced_by", "tax_identifier.code", "categories.rec_name"),
        *(f"contact_mechanisms.{name}" for name in ("type", "value", "name", "active")),
        *(f"addresses.{name}" for name in _ADDRESS),
        *("create_date", "write_date"),
    ),
    rows=_rows,
    parts=(
        Part("party.address", "party"),
        Part("party.contact_mechanism", "party"),
        Part("party.identifier", "party"),
        Part("party.party-party.category", "party"),
        Part("account.invoice", "party", frozenset({"customers", "vendors"})),
    ),
    lookups=("party.category",),
    complete=_complete,
)
