"""The roles of a Postgres server for the roles of leat, who belongs to them, and what differs from what is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from leat.warehouse.clearance import AccessPlan, Clearances, Membership
from leat.warehouse.postgres.grants import grant_statements
from leat.warehouse.postgres.rights import PUBLIC, read_above, read_made, read_members, read_roles
from leat.warehouse.postgres.roles import role_names
from leat.warehouse.session import Session, literal, quote

_NEW_MEMBERS = 160_000
"""From this version on, whoever makes a role isn't yet one who may take it on."""


def plan_access(session: Session, clearances: Clearances, members: Mapping[str, str], *, make: bool) -> AccessPlan:
    """Return what differs from what is wanted; nothing is changed.

    Args:
        session: an open transaction.
        clearances: what each role may read; no roles, where nobody is granted anything any longer.
        members: the role of accounts of the server; whoever isn't one of them belongs to none.
        make: whether roles that the server doesn't have are to be made; else it is as if nobody asked for them.
    """
    names, there = role_names(session, clearances), read_roles(session)
    if not make:
        names = {role: name for role, name in names.items() if name in there}
    stale = [name for name in read_made(session) if name not in names.values()]
    if not names and not make:
        return AccessPlan([], {})
    if not names:  # what others have granted is none of leat's business any longer
        clearances = Clearances({}, clearances.tables, unmanaged=frozenset([*there, PUBLIC]) - set(stale))
    statements = [
        *_create(session, names, there),
        *grant_statements(session, clearances, names, set(there)),
        *_membership(session, names, {name: role for name, role in members.items() if there.get(name)}),
        *(f"DROP {what} {quote(name)}" for name in stale if make for what in ("OWNED BY", "ROLE")),
    ]
    missing = sorted(name for name in members if not there.get(name))
    return AccessPlan(statements, names, missing, [name for name in read_above(session) if name not in names.values()])


def read_membership(session: Session, clearances: Clearances) -> list[Membership]:
    """Return each account that belongs to a role."""
    by_name = {name: role for role, name in role_names(session, clearances).items()}
    pairs = sorted(read_members(session, list(by_name)))
    return [Membership(by_name[name], f"role {name}", member) for name, member in pairs]


def _create(session: Session, names: Mapping[str, str], there: Mapping[str, bool]) -> Iterator[str]:
    superuser, version, database = session.execute(
        "SELECT current_setting('is_superuser') = 'on', current_setting('server_version_num')::int, current_database()"
    )[0]
    how = " WITH INHERIT FALSE, SET TRUE" if version >= _NEW_MEMBERS else ""
    for name in names.values():
        if name not in there:
            yield f"CREATE ROLE {quote(name)} NOLOGIN"
            yield f"COMMENT ON ROLE {quote(name)} IS {literal(f'leat: {database}')}"
            if not superuser:  # leat itself runs people's queries as their role
                yield f"GRANT {quote(name)} TO CURRENT_USER{how}"


def _membership(session: Session, names: Mapping[str, str], members: Mapping[str, str]) -> Iterator[str]:
    wanted = {(names[role], member) for member, role in members.items() if role in names}
    actual = read_members(session, list(names.values()))
    for name, member in sorted(actual - wanted):
        yield f"REVOKE {quote(name)} FROM {quote(member)} CASCADE"
    for name, member in sorted(wanted - actual):
        yield f"GRANT {quote(name)} TO {quote(member)}"
