"""People in the control store: who has signed in, with which role; and those who were deactivated."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, delete, func, select
from sqlalchemy.orm import Session

from leat.control.actor import Actor
from leat.control.audit_events import note
from leat.control.engine import storable, writing
from leat.control.security_tables import AccessSession, ApiToken, Person
from leat.security.policy import Policy
from leat.security.principal import Authentication, Principal, Role
from leat.security.secret_text import new_id

LOCAL = "local"
"""The issuer of user accounts of the machine."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, as the identity provider says, or as an account of the machine.

    Attributes:
        issuer: address of the provider, or :data:`LOCAL`.
        subject: identity there.
        name: login.
        display_name: name to show.
        email: address; None if the provider doesn't give it.
    """

    issuer: str
    subject: str
    name: str
    display_name: str = ""
    email: str | None = None


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person as they are stored; the columns are those of :class:`leat.control.security_tables.Person`."""

    id: str
    issuer: str
    subject: str
    name: str
    display_name: str
    email: str | None
    role: Role | None
    role_from: str | None
    created_at: datetime
    signed_in_at: datetime | None
    deactivated_at: datetime | None


def list_people(store: Engine) -> list[PersonRow]:
    """Return everybody in the store, by name."""
    with Session(store) as session:
        rows = session.scalars(select(Person).order_by(Person.name))
        return [_row(row) for row in rows]


def save_person(
    session: Session, identity: Identity, role: Role | None, now: datetime, groups: Collection[str] = ()
) -> Person:
    """Return the row of a person with this role, made where it is missing; a change of role is recorded.

    ``groups`` are those that give the role.

    The name stays that of their first sign-in, because actions record it: whoever could change it could approve their
    own actions.
    """
    row = session.scalar(select(Person).filter_by(issuer=identity.issuer, subject=identity.subject))
    if row is None:
        name = _free_name(session, storable(identity.name))
        subject = storable(identity.subject)
        row = Person(id=_id_of(identity), issuer=identity.issuer, subject=subject, name=name, created_at=now)
        row.role = role
        session.add(row)
        note(session, "person.added", {"role": role, "issuer": identity.issuer},
             people={"person": Actor(row.id, name)}, now=now)  # fmt: skip
    elif row.role != role:
        note(session, "person.role_changed", {"from": row.role, "to": role},
             people={"person": Actor(row.id, row.name)}, now=now)  # fmt: skip
        row.role = role
    row.display_name, row.email = storable(identity.display_name or identity.name), identity.email
    row.role_from = storable(", ".join(groups)) or None
    session.flush()
    return row


def role_of(row: Person, policy: Policy | None) -> Role | None:
    """Return the role that a person has now; that of an account of the machine is what the policy says of it."""
    if row.deactivated_at is not None:
        return None
    if row.issuer == LOCAL and policy is not None:
        return policy.local_role(row.subject)
    role: Role | None = row.role  # type: ignore[assignment] # the column has only roles
    return role


def principal_of(row: Person, authenticated_by: Authentication, policy: Policy | None = None) -> Principal:
    """Return a person as a principal; with a policy, an account of the machine has the role that it gives."""
    role = role_of(row, policy)
    roles = frozenset({role} if role else ())
    return Principal(row.id, row.name, "person", roles, authenticated_by)


def deactivate(store: Engine, person_id: str, reason: str, now: datetime | None = None) -> tuple[int, int]:
    """Let a person in no more: end their sessions, revoke their tokens; return how many of each.

    Args:
        store: the control store.
        person_id: who.
        reason: why, for the audit log; no names.
        now: the time.
    """
    now = now or datetime.now(UTC)
    with writing(store) as session:
        row = session.get_one(Person, person_id)
        if row.deactivated_at is None:
            row.deactivated_at = now
        ended = _end_everything(session, row, now)
        note(session, "person.deactivated", {"reason": reason, "sessions": ended[0], "tokens": ended[1]},
             people={"person": Actor(row.id, row.name)}, now=now)  # fmt: skip
        return ended


def reactivate(store: Engine, person_id: str, now: datetime | None = None) -> None:
    """Let a person sign in again; their tokens stay revoked."""
    with writing(store) as session:
        row = session.get_one(Person, person_id)
        if row.deactivated_at is not None:
            row.deactivated_at = None
            note(session, "person.reactivated", people={"person": Actor(row.id, row.name)}, now=now)


def end_access_of_leavers(
    store: Engine, inactive: Collection[str], active: Collection[str] = (), now: datetime | None = None
) -> list[str]:
    """Take access from people whom an identity provider has deactivated; return their ids.

    Args:
        store: the control store.
        inactive: their identities, logins or addresses at the provider, in any case; local accounts are left alone.
        active: those who are active; whoever is one of them is let in again, unless they are inactive as well.
        now: the time.
    """
    gone, here = ({each.casefold() for each in names if each} for names in (inactive, active))
    ended = []
    for row in list_people(store):
        names = {each.casefold() for each in (row.subject, row.name, row.email) if each}
        if row.issuer == LOCAL or not names & (gone | here):
            continue
        if names & gone and row.deactivated_at is None:
            deactivate(store, row.id, "deactivated at the identity provider", now)
            ended.append(row.id)
        elif not names & gone and row.deactivated_at is not None:
            reactivate(store, row.id, now)
    return ended


def _end_everything(session: Session, row: Person, now: datetime) -> tuple[int, int]:
    tokens = list(session.scalars(select(ApiToken).filter_by(person_id=row.id, revoked_at=None)))
    for token in tokens:
        token.revoked_at = now
    sessions = session.execute(delete(AccessSession).filter_by(person_id=row.id).returning(AccessSession.id_hash)).all()
    return len(sessions), len(tokens)


def _id_of(identity: Identity) -> str:
    return f"{LOCAL}:{identity.subject}" if identity.issuer == LOCAL else new_id("person")


def _free_name(session: Session, name: str) -> str:
    """Return a name that nobody has; ``leat`` and ``automation/…`` are those of leat itself."""
    name = name.replace("/", "-")
    taken = set(
        session.scalars(select(Person.name).where(func.lower(Person.name).startswith(name.lower(), autoescape=True)))
    )
    folded = {"leat", *(each.casefold() for each in taken)}
    number = 1
    free = name
    while free.casefold() in folded:
        number += 1
        free = f"{name}-{number}"
    return free


def _row(row: Person) -> PersonRow:
    return PersonRow(*(getattr(row, name) for name in PersonRow.__slots__))
