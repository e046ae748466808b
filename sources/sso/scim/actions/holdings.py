"""What an account holds in the directory, for actions that change several things: read, compared, and read as proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leat.sources.actions import Change, Order, Receipt
from leat.sources.sso.scim.actions.directory import Directory
from leat.sources.sso.scim.actions.groups import is_member
from leat.sources.sso.scim.actions.resources import Resource, id_of, is_active, name_of, version_of
from leat.sources.sso.scim.membership import permissions_of


def groups_of(directory: Directory, user: Resource) -> list[Resource]:
    """Return the groups that an account is itself in, as they are now; first those that are roles."""
    inside = [directory.read("Groups", id_of(each)) for each in directory.listed("Groups") if is_member(each, user)]
    return sorted(inside, key=lambda group: (not is_role(directory, group), name_of(group)))


def is_role(directory: Directory, group: Resource) -> bool:
    """Return whether a group is declared as a role."""
    return permissions_of(name_of(group), directory.roles) is not None


def named(group: Resource) -> dict[str, str]:
    """Return a group as a payload has it."""
    return {"id": id_of(group), "name": name_of(group)}


def versions(user: Resource, their_groups: Sequence[Resource]) -> dict[str, Any]:
    """Return the versions that a plan is based on."""
    return {"version": version_of(user), "groups": {id_of(each): version_of(each) for each in their_groups}}


def read(directory: Directory, planned: Mapping[str, Any]) -> tuple[Resource, list[Resource]]:
    """Return the account and the groups of a payload as they are now."""
    user = directory.read("Users", planned["user"])
    return user, [directory.read("Groups", each["id"]) for each in planned["groups"]]


def compare(
    directory: Directory, order: Order, user: Resource, current: Sequence[Resource], to_change: Sequence[Resource]
) -> None:
    """Compare everything with the plan before the first change.

    Args:
        directory: the directory.
        order: the action.
        user: the account as it is now.
        current: the groups of the plan as they are now.
        to_change: those of them in which there is something to do. The others are as wanted, perhaps by an attempt
            before; if somebody changes one of them later, no attempt overrides that.

    Raises:
        Outdated: something was changed by somebody else.
    """
    planned, before = order.plan.payload, order.plan.precondition
    what = f"changing account {planned['login']}"
    if planned["active"] is not None and is_active(user) != planned["active"]:
        directory.condition(order, user, before["version"], what)
    for group in to_change:
        directory.condition(order, group, before["groups"][id_of(group)], f"changing group {name_of(group)}")
    for group in current:
        directory.note_first(order, group)


def proof(directory: Directory, order: Order) -> Receipt:
    """Return what was read after the last change."""
    planned = order.plan.payload
    user, current = read(directory, planned)
    return Receipt(
        {
            "user": planned["user"],
            "active": is_active(user),
            "groups": {id_of(each): is_member(each, user) for each in current},
            "sessions": [each["id"] for each in planned.get("sessions", ())],
        }
    )


def differences(directory: Directory, order: Order, *, inside: bool) -> tuple[Change, ...]:
    """Return what of account and groups isn't as planned; ``inside`` is whether the account should be in the groups."""
    planned = order.plan.payload
    user, current = read(directory, planned)
    active = planned["active"]
    changes = [Change("active", active, not active)] if active is not None and is_active(user) != active else []
    changes += [
        Change(f"{planned['login']} in {name_of(each)}", inside, not inside)
        for each in current
        if is_member(each, user) != inside
    ]
    return tuple(changes)
