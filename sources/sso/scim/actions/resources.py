"""What SCIM users and groups say that actions need (RFC 7643, 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leat.sources.sso.scim.attributes import attribute, boolean_of
from leat.sources.sso.scim.records import main_email

Resource = Mapping[str, Any]


def id_of(resource: Resource) -> str:
    """Return the id of a user or a group."""
    return str(attribute(resource, "id"))


def version_of(resource: Resource) -> str | None:
    """Return the version of a user or a group; None where the server has none."""
    version = attribute(resource, "meta", "version")
    return version if isinstance(version, str) and version else None


def login_of(user: Resource) -> str:
    """Return the login of an account."""
    return str(attribute(user, "username"))


def name_of(group: Resource) -> str:
    """Return the name of a group."""
    return str(attribute(group, "displayname"))


def is_active(user: Resource) -> bool:
    """Return whether an account may sign in; one that doesn't say may (RFC 7643, 4.1.1)."""
    return boolean_of("active", attribute(user, "active")) is not False


def people(user: Resource) -> tuple[str, ...]:
    """Return who notices a change of an account: its address, else its login."""
    return (main_email(attribute(user, "emails")) or login_of(user),)
