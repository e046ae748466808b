"""Adds and changes parties: companies and people with their addresses and numbers."""

from __future__ import annotations

from typing import Any

from leat.sources.actions import Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.crm_accounting.actions import CreateContact, UpdateContact
from leat.sources.crm_accounting.tryton.actions.database import Database, differences
from leat.sources.errors import Outdated, Rejected

_MODEL = "party.party"
_FIELDS = ("name", "code", "active")
_MECHANISMS = ("contact_mechanisms.type", "contact_mechanisms.value", "contact_mechanisms.active")


def plan_new(database: Database, action: str, wanted: CreateContact) -> Plan:
    """Plan a new party.

    Raises:
        Refused: the number is taken.
    """
    code = wanted.number or f"leat-{action}"
    _refuse_taken(database, code)
    person = {"name": wanted.person} if wanted.person else {}
    given = {"email": wanted.email, "phone": wanted.phone}
    mechanisms = [{"type": kind, "value": value, **person} for kind, value in given.items() if value]
    address = {name: getattr(wanted, name) for name in ("street", "postal_code", "city") if getattr(wanted, name)}
    values: dict[str, Any] = {"name": wanted.name, "code": code, "addresses": [["create", [address]]]}
    if mechanisms:
        values["contact_mechanisms"] = [["create", mechanisms]]
    changes = tuple(Change(name, None, value) for name, value in wanted.model_dump().items() if value is not None)
    people = (wanted.email,) if wanted.email else ()
    return Plan(f"add {wanted.name} as {code}", f"companies/{code}", changes, {"values": values}, people=people)


def _refuse_taken(database: Database, code: str) -> None:
    taken = database.find(_MODEL, ["id"], [["code", "=", code]])
    if taken:
        msg = f"number: company {taken[0]['id']} already has the number {code}"
        raise Refused(msg)


def send_new(database: Database, order: Order) -> Receipt:
    """Make the party; Tryton refuses a second one with its code.

    Raises:
        Outdated: a party with this code is there.
        IntegrationError: it failed.
    """
    values = order.plan.payload["values"]
    try:
        return Receipt({"company": database.make(_MODEL, values)})
    except Rejected:
        if database.find(_MODEL, ["id"], [["code", "=", values["code"]]]):
            database.outdated("adding a party", f"one with the number {values['code']} is there")
        raise


def probe_new(database: Database, order: Order) -> Receipt | None:
    """Return the party with the code that was planned, if it is the one that was planned."""
    values = order.plan.payload["values"]
    same = [["code", "=", values["code"]], ["name", "=", values["name"]]]
    records = database.find(_MODEL, ["id"], same)
    return Receipt({"company": records[0]["id"]}) if records else None


def confirm_new(database: Database, order: Order, receipt: Receipt) -> tuple[Change, ...]:
    """Compare name, code and mail address with the plan."""
    values = order.plan.payload["values"]
    records = database.find(_MODEL, [*_FIELDS, *_MECHANISMS], [["id", "=", receipt.data["company"]]])
    if not records:
        return (Change("company", receipt.data["company"], None),)
    expected = {"name": values["name"], "code": values["code"], "email": order.parameters.email}
    return differences({**records[0], "email": _mail(records[0])[1]}, expected)


def undo_new(_database: Database, _order: Order, receipt: Receipt) -> Undo:
    """Return the archiving: invoices may refer to it by then."""
    return Undo("update_contact", {"company": receipt.data["company"], "archived": True})


def _mail(record: dict[str, Any]) -> tuple[int | None, str | None]:
    """Return id and value of the first mail address."""
    mails = [each for each in record["contact_mechanisms"] if each["type"] == "email" and each["active"]]
    first = min(mails, key=lambda each: each["id"], default=None)
    return (first["id"], first["value"]) if first else (None, None)


def _state(database: Database, company: int) -> dict[str, Any]:
    record = database.get(_MODEL, company, [*_FIELDS, *_MECHANISMS], "company")
    mail, value = _mail(record)
    state = {"name": record["name"], "email": value, "archived": not record["active"]}
    return {"mail": mail, **state}


def plan_change(database: Database, _action: str, wanted: UpdateContact) -> Plan:
    """Plan a change of a party.

    Raises:
        Refused: it is as wished already.
    """
    before = _state(database, wanted.company)
    after = {name: value for name, value in wanted.model_dump(exclude={"company"}).items() if value is not None}
    after = {name: value for name, value in after.items() if before[name] != value}
    if not after:
        msg = f"company {wanted.company} is already so"
        raise Refused(msg)
    changes = tuple(Change(name, before[name], value) for name, value in after.items())
    precondition = {name: before[name] for name in (*after, *(["mail"] if "email" in after else []))}
    title = f"change {', '.join(after)} of {before['name']}"
    payload = {"company": wanted.company, "after": after}
    people = tuple(each for each in (before["email"], after.get("email")) if each)
    return Plan(title, f"companies/{wanted.company}", changes, payload, precondition, people)


def send_change(database: Database, order: Order) -> Receipt:
    """Change the party, if what changes is still as it was.

    Raises:
        Outdated: it isn't.
        IntegrationError: it failed.
    """
    company, after = order.plan.payload["company"], order.plan.payload["after"]
    now = _now(database, order)
    changed = [name for name, value in order.plan.precondition.items() if now[name] != value]
    if changed:
        database.outdated(f"changing company {company}", f"somebody changed it meanwhile ({', '.join(changed)})")
    values: dict[str, Any] = dict(after)
    if "archived" in values:
        values["active"] = not values.pop("archived")
    if "email" in values:
        mail, value = order.plan.precondition["mail"], {"value": values.pop("email")}
        step = ["write", [mail], value] if mail else ["create", [{"type": "email", **value}]]
        values["contact_mechanisms"] = [step]
    database.change(_MODEL, company, values)
    return Receipt({"company": company})


def _now(database: Database, order: Order) -> dict[str, Any]:
    company = order.plan.payload["company"]
    try:
        return _state(database, company)
    except Refused as gone:
        raise Outdated(database.client.integration, f"changing company {company}", str(gone), "plan it again") from None


def probe_change(database: Database, order: Order) -> Receipt | None:
    """Return whether the party is as it was to become."""
    company = order.plan.payload["company"]
    return None if _unlike(database, order) else Receipt({"company": company})


def confirm_change(database: Database, order: Order, _receipt: Receipt) -> tuple[Change, ...]:
    """Compare the party with what it was to become."""
    return _unlike(database, order)


def _unlike(database: Database, order: Order) -> tuple[Change, ...]:
    return differences(_now(database, order), order.plan.payload["after"])


def undo_change(_database: Database, order: Order, receipt: Receipt) -> Undo:
    """Return the change back.

    Raises:
        Refused: something was there for the first time, which can only be removed in Tryton.
    """
    before = {change.what: change.before for change in order.plan.changes}
    first = [name for name, value in before.items() if value is None]
    if first:
        msg = f"company {receipt.data['company']} had no {', '.join(first)} before: remove it in Tryton"
        raise Refused(msg)
    return Undo("update_contact", {"company": receipt.data["company"], **before})
