"""Offboards a leaver: several changes in a fixed order; to repeat one changes nothing more.

It goes from what stops new access to what ends old access: the account, its sessions, its roles, its other groups. All
of it is read and compared with the plan before the first change. After a crash it is made again from the start: what is
done already is left as it is.
"""

from __future__ import annotations

from leat.sources.actions import Action, Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.sso.actions import OfUser
from leat.sources.sso.scim.actions import sessions
from leat.sources.sso.scim.actions.accounts import set_active
from leat.sources.sso.scim.actions.directory import Directory
from leat.sources.sso.scim.actions.groups import is_member, remove
from leat.sources.sso.scim.actions.holdings import (
    compare,
    differences,
    groups_of,
    is_role,
    named,
    proof,
    read,
    versions,
)
from leat.sources.sso.scim.actions.resources import Resource, id_of, is_active, login_of, name_of, people, version_of
from leat.sources.sso.scim.attributes import attribute
from leat.sources.sso.scim.records import ENTERPRISE

_ELSEWHERE = (
    "what the person has in other systems stays: analytics.leaver_holdings lists it, automations take it from them"
)


def _plan(directory: Directory, _action: str, wanted: OfUser) -> Plan:
    user = directory.user(wanted.user)
    store, login = directory.sessions, login_of(user)
    their_groups = groups_of(directory, user)
    their_sessions = store.table.sessions_of(id_of(user)) if store else []
    if not (is_active(user) or their_groups or their_sessions):
        msg = f"account {login} is already offboarded: it is inactive, in no group, and has no open session"
        raise Refused(msg)
    if store:
        store.refuse_foreign(their_sessions)
    changes = [Change("active", True, False)] if is_active(user) else []
    changes += sessions.changes(their_sessions)
    changes += [
        Change(f"{'role' if is_role(directory, each) else 'group'} {name_of(each)}", True, False)
        for each in their_groups
    ]
    return Plan(
        title=f"offboard account {login}: {_counted(user, len(their_sessions), len(their_groups))}",
        target=f"users/{id_of(user)}",
        changes=tuple(changes),
        payload={
            "user": id_of(user),
            "login": login,
            "active": False if is_active(user) else None,
            "sessions": sessions.as_payload(their_sessions),
            "groups": [named(each) for each in their_groups],
        },
        precondition=versions(user, their_groups),
        people=people(user),
        warnings=_what_stays(directory, user),
    )


def _counted(user: Resource, open_sessions: int, their_groups: int) -> str:
    parts = ["deactivate it"] if is_active(user) else []
    parts += [f"end {open_sessions} session{'s' * (open_sessions > 1)}"] if open_sessions else []
    parts += [f"leave {their_groups} group{'s' * (their_groups > 1)}"] if their_groups else []
    return ", ".join(parts)


def _what_stays(directory: Directory, user: Resource) -> tuple[str, ...]:
    """Return warnings about what lies here and can't be taken from a leaver by leat."""
    warnings = []
    if directory.sessions is None:
        warnings.append("sessions may go on: leat doesn't see them here")
    else:
        consents = directory.sessions.table.consents_of(id_of(user))
        if consents:
            to = ", ".join(consents)
            warnings.append(f"the consent to {to} stays: only the person can withdraw it; inactive, it gives nothing")
    reports = [
        login_of(each)
        for each in directory.listed("Users")
        if is_active(each) and attribute(each, ENTERPRISE, "manager", "value") == id_of(user)
    ]
    if reports:
        warnings.append(f"they are still the manager of {', '.join(sorted(reports))}: name another one")
    return (*warnings, _ELSEWHERE)


def _send(directory: Directory, order: Order) -> Receipt:
    planned, before = order.plan.payload, order.plan.precondition
    user, current = read(directory, planned)
    left = [group for group in current if is_member(group, user)]
    if planned["active"] is None and is_active(user):
        directory.outdated(f"offboarding account {planned['login']}", "somebody has activated it meanwhile")
    compare(directory, order, user, current, left)
    if planned["active"] is False and is_active(user):
        set_active(directory, order, user, before["version"], active=False)
    sessions.end_all(directory, planned["sessions"])
    for group in left:
        fresh = directory.read("Groups", id_of(group))  # an earlier step may have given it a new version
        remove(directory, order, fresh, user, version_of(fresh))
    return proof(directory, order)


def _unfinished(directory: Directory, order: Order) -> tuple[Change, ...]:
    """Return what of the plan isn't so."""
    open_sessions = sessions.still_open(directory, order.plan.payload["sessions"]) if directory.sessions else []
    ended = tuple(Change(sessions.shown(each), "ended", "open") for each in open_sessions)
    return (*differences(directory, order, inside=False), *ended)


def _confirm(directory: Directory, order: Order, _receipt: Receipt) -> tuple[Change, ...]:
    """Return what of the plan isn't so, and what the account has that isn't in the plan, such as a later session."""
    changes = list(_unfinished(directory, order))
    user = directory.read("Users", order.plan.payload["user"])
    planned_groups = {each["id"] for each in order.plan.payload["groups"]}
    changes += [
        Change(f"{login_of(user)} in {name_of(each)}", False, True)
        for each in groups_of(directory, user)
        if id_of(each) not in planned_groups
    ]
    if directory.sessions:
        planned_sessions = {each["id"] for each in order.plan.payload["sessions"]}
        later = [each for each in directory.sessions.table.sessions_of(id_of(user)) if each.id not in planned_sessions]
        changes += [Change(sessions.shown(each), "ended", "open") for each in later]
    return tuple(changes)


def _probe(directory: Directory, order: Order) -> Receipt | None:
    return None if _unfinished(directory, order) else proof(directory, order)


def _undo(_directory: Directory, order: Order, _receipt: Receipt) -> Undo:
    planned = order.plan.payload
    activate, back = planned["active"] is False, [each["id"] for each in planned["groups"]]
    if not (activate or back):
        msg = "a session that has ended can't go on: the person signs in again"
        raise Refused(msg)
    return Undo("reinstate", {"user": planned["user"], "activate": activate, "groups": back})


OFFBOARD = Action(_plan, _send, _confirm, _probe, _undo)
