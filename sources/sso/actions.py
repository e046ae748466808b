"""What can be done in a single sign-on: change accounts, groups and roles, end sessions, offboard a leaver.

An account is named by its id or its login, a group by its id or its name. Each verb sets a state: sent twice, it
changes nothing more. A verb is for one account; several accounts of one group can be approved together.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from leat.sources.actions import Parameters, Verb


def _printable(value: str) -> str:
    if value != value.strip() or not value.isprintable():
        msg = "write it without control characters, and without blanks around it"
        raise ValueError(msg)
    return value


Name = Annotated[str, Field(strict=True, min_length=1, max_length=255), AfterValidator(_printable)]


class OfUser(Parameters):
    """Names an account."""

    user: Name = Field(description="The account: its id, or its login.")


class Membership(OfUser):
    """Names an account and a group."""

    group: Name = Field(description="The group: its id, or its name.")


class Assignment(OfUser):
    """Names an account and a role."""

    role: Name = Field(description="The role, one of `connection.roles`: the id of its group, or the group's name.")


class Session(Parameters):
    """Names a session."""

    id: Name = Field(description="Id of the session, as in the stream `sessions`.")


class Access(OfUser):
    """What an account is given back."""

    activate: bool = Field(default=True, description="Whether to activate the account, too.")
    groups: tuple[Name, ...] = Field(
        default=(), max_length=1000, description="Groups to put it into, each by its id or its name."
    )


_USERS = "read and write access to users by SCIM"
_GROUPS = "read access to users, read and write access to groups by SCIM"
_TOKENS = (
    "SELECT on the provider's table of tokens, and for each application its client id and secret in "
    "connection.revocation: only the application that a token was issued to may revoke it"
)
_NEW_SESSION = "It can't be undone: the person signs in again."

VERBS = (
    Verb(
        "activate_user",
        "Let a deactivated account sign in again.",
        OfUser,
        "natural",
        _USERS,
        "By `deactivate_user`.",
    ),
    Verb(
        "deactivate_user",
        "Deactivate an account, so that it can't sign in. Its sessions continue: end them, too.",
        OfUser,
        "natural",
        _USERS,
        "By `activate_user`.",
    ),
    Verb("add_to_group", "Add an account to a group.", Membership, "natural", _GROUPS, "By `remove_from_group`."),
    Verb(
        "remove_from_group",
        "Remove an account from a group.",
        Membership,
        "natural",
        _GROUPS,
        "By `add_to_group`.",
    ),
    Verb("grant_role", "Grant a role to an account.", Assignment, "natural", _GROUPS, "By `revoke_role`."),
    Verb("revoke_role", "Revoke a role of an account.", Assignment, "natural", _GROUPS, "By `grant_role`."),
    Verb("end_session", "End one session of an account in an application.", Session, "natural", _TOKENS, _NEW_SESSION),
    Verb(
        "end_sessions",
        "End all open sessions of an account, in every application.",
        OfUser,
        "natural",
        f"read access to users by SCIM; {_TOKENS}",
        _NEW_SESSION,
    ),
    Verb(
        "offboard",
        "Remove the access of a leaver: deactivate the account, end its sessions, remove it from its groups and "
        "roles; then read all of it again as proof.",
        OfUser,
        "natural",
        f"read and write access to users and groups by SCIM; {_TOKENS}",
        "By `reinstate`, which activates the account and puts it into the same groups; sessions stay ended.",
    ),
    Verb(
        "reinstate",
        "Restore the access of an account: activate it and add it to groups.",
        Access,
        "natural",
        "read and write access to users and groups by SCIM",
        "By `deactivate_user` and `remove_from_group`, each as an action of its own.",
    ),
)
