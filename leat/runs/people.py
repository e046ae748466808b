"""Who has signed in, with which role and why, and their open sessions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from leat.runs.workspace import Workspace
from leat.security.principal import Principal, Role

if TYPE_CHECKING:
    from leat.security.open_sessions import OpenSession
    from leat.security.people import PersonRow


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person as an administrator sees them.

    Attributes:
        id: identity that never changes.
        name: login; actions record it.
        display_name: name to show.
        email: address; None if the provider doesn't give it.
        issuer: address of the identity provider; None for an account of the machine.
        role: what they may do now; None for nothing.
        why: what gives them the role.
        created_at: when they first signed in, or made a token.
        signed_in_at: when they last signed in; None for never.
        deactivated_at: since when they are let in no more.
    """

    id: str
    name: str
    display_name: str
    email: str | None
    issuer: str | None
    role: Role | None
    why: str
    created_at: datetime
    signed_in_at: datetime | None
    deactivated_at: datetime | None


def people(workspace: Workspace) -> list[PersonView]:
    """Return everybody who has signed in or made a token, by name."""
    from leat.security.people import list_people

    return [_view_of(workspace, row) for row in list_people(workspace.store)]


def sessions(workspace: Workspace, person: str | None) -> list[OpenSession]:
    """Return the open sessions, the last used first; those of one person, or of everybody when None."""
    from leat.security.open_sessions import list_sessions

    return list_sessions(workspace.store, person)


def shown_id(session_id: str) -> str:
    """Return what lists call the session whose id a cookie has."""
    from leat.security.open_sessions import shown_id as shown

    return shown(session_id)


def end_session(workspace: Workspace, shown: str, by: Principal) -> bool:
    """End a session by what lists call it; return whether there was one. The caller has asked whether ``by`` may."""
    from leat.security.open_sessions import end_open_session

    return end_open_session(workspace.store, shown, by)


def end_all_sessions(workspace: Workspace, person: str, by: Principal) -> int:
    """End all sessions of a person; return how many there were. The caller has asked whether ``by`` may."""
    from leat.security.open_sessions import reason_of
    from leat.security.sessions import end_all_of

    return end_all_of(workspace.store, person, reason_of(person, by))


def _view_of(workspace: Workspace, row: PersonRow) -> PersonView:
    from leat.security.people import LOCAL

    is_local = row.issuer == LOCAL
    role = None if row.deactivated_at else workspace.security.policy.local_role(row.subject) if is_local else row.role
    why = (
        "deactivated" if row.deactivated_at is not None
        else "user account of the machine" if is_local
        else f"member of {row.role_from}" if row.role_from
        else "none of their groups has a role" if role is None
        else "the identity provider"
    )  # fmt: skip
    return PersonView(row.id, row.name, row.display_name, row.email, None if is_local else row.issuer, role, why,
                 row.created_at, row.signed_in_at, row.deactivated_at)  # fmt: skip
