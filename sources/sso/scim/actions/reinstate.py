"""Reinstates somebody: puts their account into groups and activates it; what undoes offboarding."""

from __future__ import annotations

from typing import NoReturn

from leat.sources.actions import Action, Change, Order, Plan, Receipt, Refused
from leat.sources.sso.actions import Access
from leat.sources.sso.scim.actions.accounts import set_active
from leat.sources.sso.scim.actions.directory import Directory
from leat.sources.sso.scim.actions.groups import add, is_member
from leat.sources.sso.scim.actions.holdings import compare, differences, is_role, named, proof, read, versions
from leat.sources.sso.scim.actions.resources import id_of, is_active, login_of, name_of, people, version_of


def _plan(directory: Directory, _action: str, wanted: Access) -> Plan:
    user = directory.user(wanted.user)
    login, activate = login_of(user), wanted.activate and not is_active(user)
    wanted_groups = {id_of(each): each for each in map(directory.group, wanted.groups)}
    missing = [each for each in wanted_groups.values() if not is_member(each, user)]
    if not (activate or missing):
        msg = f"account {login} has already what you want to give it"
        raise Refused(msg)
    parts = (["activate it"] if activate else []) + [f"put it into {name_of(each)}" for each in missing]
    changes = [Change("active", False, True)] if activate else []
    changes += [Change(f"{login} in {name_of(each)}", False, True) for each in missing]
    return Plan(
        title=f"reinstate account {login}: {', '.join(parts)}",
        target=f"users/{id_of(user)}",
        changes=tuple(changes),
        payload={
            "user": id_of(user),
            "login": login,
            "active": True if activate else None,
            "groups": [named(each) for each in missing],
        },
        precondition=versions(user, missing),
        people=people(user),
        warnings=tuple(f"{name_of(each)} is a role" for each in missing if is_role(directory, each)),
    )


def _send(directory: Directory, order: Order) -> Receipt:
    planned = order.plan.payload
    user, current = read(directory, planned)
    missing = [group for group in current if not is_member(group, user)]
    compare(directory, order, user, current, missing)
    for group in missing:
        fresh = directory.read("Groups", id_of(group))  # an earlier step may have given it a new version
        add(directory, order, fresh, id_of(user), version_of(fresh))
    user = directory.read("Users", planned["user"])
    if planned["active"] and not is_active(user):
        set_active(directory, order, user, version_of(user), active=True)
    return proof(directory, order)


def _probe(directory: Directory, order: Order) -> Receipt | None:
    return None if differences(directory, order, inside=True) else proof(directory, order)


def _confirm(directory: Directory, order: Order, _receipt: Receipt) -> tuple[Change, ...]:
    return differences(directory, order, inside=True)


def _undo(_directory: Directory, _order: Order, _receipt: Receipt) -> NoReturn:
    msg = "this is undone step by step: deactivate_user, and remove_from_group for each group"
    raise Refused(msg)


REINSTATE = Action(_plan, _send, _confirm, _probe, _undo)
