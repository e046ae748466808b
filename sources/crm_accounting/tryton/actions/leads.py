"""Adds and changes leads, Tryton's sale opportunities, and moves them from stage to stage."""

from __future__ import annotations

from typing import Any

from leat.sources.actions import Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.crm_accounting.actions import CreateLead, SetLeadStage, UpdateLead
from leat.sources.crm_accounting.tryton.actions.database import Database, differences, number, whole
from leat.sources.crm_accounting.tryton.values import follow, key, money
from leat.sources.errors import Rejected
from leat.sources.money import as_text

_MODEL = "sale.opportunity"
_FIELDS = ("description", "party", "amount", "currency.code", "employee", "state", "number")
_BUTTONS = {"lead": "lead", "opportunity": "opportunity", "lost": "lost", "cancelled": "cancel"}
_NEXT = {
    "lead": {"opportunity", "lost", "cancelled"},
    "opportunity": {"lead", "lost", "cancelled"},
    "converted": {"lost"},
    "lost": {"lead"},
    "cancelled": {"lead"},
}
"""Stages that follow a stage (``trytond/modules/sale_opportunity/opportunity.py``)."""
_NAMES = {"name": "description", "company": "party", "employee": "employee"}


def plan_new(database: Database, action: str, wanted: CreateLead) -> Plan:
    """Plan a new lead.

    Raises:
        Refused: there is no such company.
    """
    if wanted.company is not None:
        database.get("party.party", wanted.company, ["id"], "company")
    code = _currency_of(database)
    values: dict[str, Any] = {"description": wanted.name, "company": database.company, "reference": f"leat:{action}"}
    values |= {"party": wanted.company} if wanted.company else {}
    values |= {"employee": wanted.employee} if wanted.employee else {}
    values |= {"amount": number(whole(wanted.amount, code))} if wanted.amount else {}
    changes = [Change(name, None, value) for name, value in wanted.model_dump().items() if value is not None]
    return Plan(f"add the lead {wanted.name}", f"leads/{action}", tuple(changes), {"values": values})


def _currency_of(database: Database) -> str:
    record = database.get("company.company", database.company, ["currency.code"], "company")
    return str(follow(record, "currency.code"))


def send_new(database: Database, order: Order) -> Receipt:
    """Make the lead."""
    return Receipt({"lead": database.make(_MODEL, order.plan.payload["values"])})


def probe_new(database: Database, order: Order) -> Receipt | None:
    """Return the lead whose reference is the id of the action."""
    records = database.find(_MODEL, ["id"], [["reference", "=", f"leat:{order.id}"]])
    return Receipt({"lead": records[0]["id"]}) if records else None


def confirm_new(database: Database, order: Order, receipt: Receipt) -> tuple[Change, ...]:
    """Compare the lead with the plan; its stage may have moved on."""
    records = database.find(_MODEL, _FIELDS, [["id", "=", receipt.data["lead"]]])
    if not records:
        return (Change("lead", receipt.data["lead"], None),)
    wanted = order.parameters.model_dump()
    return differences(_state(records[0]), {name: value for name, value in wanted.items() if value is not None})


def undo_new(_database: Database, _order: Order, receipt: Receipt) -> Undo:
    """Return the cancellation."""
    return Undo("set_lead_stage", {"lead": receipt.data["lead"], "stage": "cancelled"})


def _state(record: dict[str, Any]) -> dict[str, Any]:
    currency = follow(record, "currency.code")
    state = {name: record[field] for name, field in _NAMES.items()}
    state |= {name: int(str(key(state[name]))) for name in ("company", "employee") if state[name] is not None}
    return {**state, "amount": money(record["amount"], currency), "currency": currency, "stage": record["state"]}


def plan_change(database: Database, _action: str, wanted: UpdateLead) -> Plan:
    """Plan a change of a lead.

    Raises:
        Refused: it is as wished already.
    """
    before = _state(database.get(_MODEL, wanted.lead, _FIELDS, "lead"))
    after = {name: value for name, value in wanted.model_dump(exclude={"lead"}).items() if value is not None}
    after = {name: value for name, value in after.items() if before[name] != value}
    if not after:
        msg = f"lead {wanted.lead} is already so"
        raise Refused(msg)
    if "company" in after:
        database.get("party.party", after["company"], ["id"], "company")
    changes = tuple(Change(name, before[name], value) for name, value in after.items())
    title = f"change {', '.join(after)} of lead {wanted.lead}"
    if "amount" in after:
        title += f" to {as_text(after['amount'], before['currency'])}"
    payload = {"lead": wanted.lead, "after": after, "currency": before["currency"]}
    return Plan(title, f"leads/{wanted.lead}", changes, payload, {name: before[name] for name in after})


def _now(database: Database, order: Order) -> dict[str, Any]:
    lead = order.plan.payload["lead"]
    records = database.find(_MODEL, _FIELDS, [["id", "=", lead]])
    if not records:
        database.outdated(f"changing lead {lead}", "it is gone")
    return _state(records[0])


def _must_be_as_planned(database: Database, order: Order) -> None:
    now = _now(database, order)
    changed = [name for name, value in order.plan.precondition.items() if now[name] != value]
    if changed:
        what = f"changing lead {order.plan.payload['lead']}"
        database.outdated(what, f"somebody changed it meanwhile ({', '.join(changed)})")


def send_change(database: Database, order: Order) -> Receipt:
    """Change the lead, if what changes is still as it was.

    Raises:
        Outdated: it isn't.
        IntegrationError: it failed.
    """
    _must_be_as_planned(database, order)
    planned = order.plan.payload
    values = {_NAMES[name]: value for name, value in planned["after"].items() if name in _NAMES}
    if "amount" in planned["after"]:
        values["amount"] = number(whole(planned["after"]["amount"], planned["currency"]))
    database.change(_MODEL, planned["lead"], values)
    return Receipt({"lead": planned["lead"]})


def probe_change(database: Database, order: Order) -> Receipt | None:
    """Return whether the lead is as it was to become."""
    return None if confirm_change(database, order, Receipt({})) else Receipt({"lead": order.plan.payload["lead"]})


def confirm_change(database: Database, order: Order, _receipt: Receipt) -> tuple[Change, ...]:
    """Compare the lead with what it was to become."""
    return differences(_now(database, order), order.plan.payload["after"])


def undo_change(_database: Database, order: Order, receipt: Receipt) -> Undo:
    """Return the change back.

    Raises:
        Refused: something was there for the first time, which can only be removed in Tryton.
    """
    before = {change.what: change.before for change in order.plan.changes}
    first = [name for name, value in before.items() if value is None]
    if first:
        msg = f"lead {receipt.data['lead']} had no {', '.join(first)} before: remove it in Tryton"
        raise Refused(msg)
    return Undo("update_lead", {"lead": receipt.data["lead"], **before})


def plan_stage(database: Database, _action: str, wanted: SetLeadStage) -> Plan:
    """Plan the move of a lead to another stage.

    Raises:
        Refused: it is there already, can't get there, or lacks what the stage needs.
    """
    before = _state(database.get(_MODEL, wanted.lead, _FIELDS, "lead"))
    stage = before["stage"]
    if stage == wanted.stage:
        msg = f"lead {wanted.lead} is already in the stage {stage}"
        raise Refused(msg)
    if wanted.stage not in _NEXT.get(stage, ()):
        ways = ", ".join(sorted(_NEXT.get(stage, ()))) or "no other one"
        msg = f"stage: from {stage}, a lead goes to {ways}, not to {wanted.stage}"
        raise Refused(msg)
    missing = [name for name in ("company", "employee") if before[name] is None]
    if wanted.stage == "opportunity" and missing:
        msg = f"an opportunity needs {' and '.join(missing)}: give them to lead {wanted.lead} with update_lead first"
        raise Refused(msg)
    title = f"move lead {wanted.lead}, {before['name']}, from {stage} to {wanted.stage}"
    payload = {"lead": wanted.lead, "after": {"stage": wanted.stage}}
    return Plan(title, f"leads/{wanted.lead}", (Change("stage", stage, wanted.stage),), payload, {"stage": stage})


def send_stage(database: Database, order: Order) -> Receipt:
    """Press the button; Tryton refuses it in any other stage than those that lead there.

    Raises:
        Outdated: the lead isn't in the stage of before any more.
        IntegrationError: it failed.
    """
    _must_be_as_planned(database, order)
    lead, stage = order.plan.payload["lead"], order.plan.payload["after"]["stage"]
    try:
        database.press(_MODEL, lead, _BUTTONS[stage])
    except Rejected:
        _must_be_as_planned(database, order)
        raise
    return Receipt({"lead": lead})


probe_stage, confirm_stage = probe_change, confirm_change


def undo_stage(_database: Database, order: Order, receipt: Receipt) -> Undo:
    """Return the way back.

    Raises:
        Refused: Tryton knows none.
    """
    [change] = order.plan.changes
    if change.before not in _NEXT.get(str(change.after), ()) or change.before == "converted":
        msg = f"from {change.after} a lead doesn't go back to {change.before} at once: set it to lead first"
        raise Refused(msg)
    return Undo("set_lead_stage", {"lead": receipt.data["lead"], "stage": change.before})
