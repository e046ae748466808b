"""Puts an account into a group and takes it out; a role is a group that the declaration says gives permissions.

To add is a PATCH (RFC 7644, 3.5.2.1), which leaves the other members alone. To remove is a PUT of the group without the
account where the server has versions, so that nobody's change is lost, and a PATCH elsewhere (3.5.2.2): Canaille
refuses that one. A member is named as the server names it: Canaille takes the login.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import unquote

from leat.sources.actions import Action, Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.sso.actions import Assignment, Membership
from leat.sources.sso.scim.actions.directory import Directory
from leat.sources.sso.scim.actions.resources import (
    Resource,
    id_of,
    login_of,
    name_of,
    people,
    version_of,
)
from leat.sources.sso.scim.attributes import attribute
from leat.sources.sso.scim.membership import permissions_of


def members_of(group: Resource) -> list[Any]:
    """Return the members of a group as the server gave them."""
    members = attribute(group, "members")
    return members if isinstance(members, list) else []


def names(entry: Any, key: str, login: str) -> bool:
    """Return whether an entry of a group names an account, by its id or by its login."""
    if str(attribute(entry, "type") or "").lower() == "group":
        return False
    value = attribute(entry, "value")
    path = unquote(str(attribute(entry, "$ref") or "")).rstrip("/")
    if "/Groups/" in path:
        return False
    return isinstance(value, str) and (value == key or value.lower() == login.lower())


def is_member(group: Resource, user: Resource) -> bool:
    """Return whether an account is itself a member of a group, by what either of them says."""
    if any(names(each, id_of(user), login_of(user)) for each in members_of(group)):
        return True
    listed = attribute(user, "groups")
    return any(
        attribute(each, "value") == id_of(group) and str(attribute(each, "type") or "").lower() != "indirect"
        for each in (listed if isinstance(listed, list) else [])
    )


def add(directory: Directory, order: Order, group: Resource, user: str, planned: str | None) -> Resource:
    """Put an account into a group that was just read; returns the group as it is then.

    Raises:
        Outdated: the group was changed meanwhile.
    """
    version = directory.condition(order, group, planned, f"changing group {name_of(group)}")
    change = {"op": "add", "path": "members", "value": [{"value": user}]}
    return directory.patch("Groups", id_of(group), change, version)


def remove(directory: Directory, order: Order, group: Resource, user: Resource, planned: str | None) -> Resource:
    """Take an account out of a group that was just read; returns the group as it is then.

    Raises:
        Outdated: the group was changed meanwhile.
    """
    version = directory.condition(order, group, planned, f"changing group {name_of(group)}")
    key, login = id_of(user), login_of(user)
    if version is None:
        named = next((str(attribute(m, "value")) for m in members_of(group) if names(m, key, login)), key)
        escaped = named.replace("\\", "\\\\").replace('"', '\\"')
        change = {"op": "remove", "path": f'members[value eq "{escaped}"]'}
        return directory.patch("Groups", id_of(group), change, None)
    left = [each for each in members_of(group) if not names(each, key, login)]
    rest = {name: value for name, value in group.items() if str(name).lower() not in ("meta", "members")}
    return directory.put("Groups", id_of(group), {**rest, "members": left}, version)


def _plan(join: bool, role: bool, directory: Directory, _action: str, wanted: Membership | Assignment) -> Plan:
    user = directory.user(wanted.user)
    group = directory.group(wanted.role if isinstance(wanted, Assignment) else wanted.group)
    login, name = login_of(user), name_of(group)
    permissions = permissions_of(name, directory.roles)
    what = "role" if role else "group"
    if role and permissions is None:
        msg = f"group {name} is no role: declare it in connection.roles, or change the group itself"
        raise Refused(msg)
    inside = is_member(group, user)
    if join and inside:
        msg = f"account {login} is already in {what} {name}"
        raise Refused(msg)
    if not join and not inside:
        msg = f"account {login} is already not in {what} {name}, or only by another group that is in it"
        raise Refused(msg)
    verb = (
        ("give account {} the role {}" if join else "take from account {} the role {}")
        if role
        else ("put account {} into group {}" if join else "take account {} out of group {}")
    )
    others = sum(not names(each, id_of(user), login) for each in members_of(group))
    return Plan(
        title=verb.format(login, name),
        target=f"groups/{id_of(group)}",
        changes=(Change(f"{login} in {name}", inside, join),),
        payload={"user": id_of(user), "login": login, "group": id_of(group), "name": name, "join": join},
        precondition={"version": version_of(group)},
        people=people(user),
        warnings=_warnings(permissions, name, others, join=join),
    )


def _warnings(permissions: list[str] | None, name: str, others: int, *, join: bool) -> tuple[str, ...]:
    warnings = []
    if permissions is not None:
        may = f": {', '.join(permissions)}" if permissions else ""
        warnings.append(f"{name} is a role, which {'gives' if join else 'gave'} permissions{may}")
    if not join and not others:
        warnings.append(f"nobody else is in {name}")
    return tuple(warnings)


def _read(directory: Directory, order: Order) -> tuple[Resource, Resource, bool]:
    """Return account, group, and whether the one is in the other, as they are now."""
    user = directory.read("Users", order.plan.payload["user"])
    group = directory.read("Groups", order.plan.payload["group"])
    return user, group, is_member(group, user)


def _send(directory: Directory, order: Order) -> Receipt:
    planned = order.plan.payload
    user, group, inside = _read(directory, order)
    version = order.plan.precondition["version"]
    if inside == planned["join"]:
        directory.outdated(f"changing group {planned['name']}", "somebody has already done it")
    made = (
        add(directory, order, group, id_of(user), version)
        if planned["join"]
        else remove(directory, order, group, user, version)
    )
    return _receipt(order, made)


def _receipt(order: Order, group: Resource) -> Receipt:
    planned = order.plan.payload
    return Receipt({"user": planned["user"], "group": planned["group"], "version": version_of(group)})


def _probe(directory: Directory, order: Order) -> Receipt | None:
    _, group, inside = _read(directory, order)
    return _receipt(order, group) if inside == order.plan.payload["join"] else None


def _confirm(directory: Directory, order: Order, _receipt: Receipt) -> tuple[Change, ...]:
    planned = order.plan.payload
    _, _, inside = _read(directory, order)
    if inside == planned["join"]:
        return ()
    return (Change(f"{planned['login']} in {planned['name']}", planned["join"], inside),)


def _undo(verb: str, name: str, _directory: Directory, order: Order, _receipt: Receipt) -> Undo:
    planned = order.plan.payload
    return Undo(verb, {"user": planned["user"], name: planned["group"]})


def _action(join: bool, role: bool, undo: str) -> Action:
    inverse = partial(_undo, undo, "role" if role else "group")
    return Action(partial(_plan, join, role), _send, _confirm, _probe, inverse)


ADD = _action(join=True, role=False, undo="remove_from_group")
REMOVE = _action(join=False, role=False, undo="add_to_group")
GRANT = _action(join=True, role=True, undo="revoke_role")
REVOKE = _action(join=False, role=True, undo="grant_role")
