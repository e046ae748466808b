"""Activates and deactivates an account, by its ``active`` (RFC 7643, 4.1.1; RFC 7644, 3.5.2.3).

It is a PATCH, because Canaille forgets the password of an account that is replaced.
"""

from __future__ import annotations

from functools import partial

from leat.sources.actions import Action, Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.sso.actions import OfUser
from leat.sources.sso.scim.actions.directory import Directory
from leat.sources.sso.scim.actions.resources import (
    Resource,
    id_of,
    is_active,
    login_of,
    people,
    version_of,
)


def set_active(directory: Directory, order: Order, user: Resource, planned: str | None, *, active: bool) -> Resource:
    """Activate or deactivate an account that was just read; returns it as it is then.

    Raises:
        Outdated: it was changed meanwhile.
    """
    version = directory.condition(order, user, planned, f"changing account {login_of(user)}")
    change = {"op": "replace", "path": "active", "value": active}
    return directory.patch("Users", id_of(user), change, version)


def _plan(active: bool, directory: Directory, _action: str, wanted: OfUser) -> Plan:
    user = directory.user(wanted.user)
    login, verb = login_of(user), "activate" if active else "deactivate"
    if is_active(user) == active:
        msg = f"account {login} is already {verb}d"
        raise Refused(msg)
    return Plan(
        title=f"{verb} account {login}",
        target=f"users/{id_of(user)}",
        changes=(Change("active", not active, active),),
        payload={"user": id_of(user), "login": login, "active": active},
        precondition={"version": version_of(user)},
        people=people(user),
        warnings=() if active else _warnings(directory, id_of(user)),
    )


def _warnings(directory: Directory, user: str) -> tuple[str, ...]:
    if directory.sessions is None:
        return ("its sessions may go on: leat doesn't see them here",)
    count = len(directory.sessions.table.sessions_of(user))
    return (f"{count} open sessions of it go on: end them with end_sessions",) if count else ()


def _send(directory: Directory, order: Order) -> Receipt:
    planned = order.plan.payload
    user = directory.read("Users", planned["user"])
    if is_active(user) == planned["active"]:
        directory.outdated(f"changing account {planned['login']}", "somebody has already done it")
    made = set_active(directory, order, user, order.plan.precondition["version"], active=planned["active"])
    return Receipt({"user": planned["user"], "version": version_of(made)})


def _probe(directory: Directory, order: Order) -> Receipt | None:
    user = directory.read("Users", order.plan.payload["user"])
    if is_active(user) != order.plan.payload["active"]:
        return None
    return Receipt({"user": id_of(user), "version": version_of(user)})


def _confirm(directory: Directory, order: Order, _receipt: Receipt) -> tuple[Change, ...]:
    wanted = order.plan.payload["active"]
    active = is_active(directory.read("Users", order.plan.payload["user"]))
    return () if active == wanted else (Change("active", wanted, active),)


def _undo(_directory: Directory, order: Order, _receipt: Receipt) -> Undo:
    verb = "deactivate_user" if order.plan.payload["active"] else "activate_user"
    return Undo(verb, {"user": order.plan.payload["user"]})


ACTIVATE = Action(partial(_plan, True), _send, _confirm, _probe, _undo)
DEACTIVATE = Action(partial(_plan, False), _send, _confirm, _probe, _undo)
