"""Who is in which group: what the groups say and what the users say, put together; and which groups are roles."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from leat.sources.sso.scim.records import references


class Role(BaseModel):
    """Groups that give permissions to their members."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    group: str = Field(min_length=1, description="Name of the group; `*` matches any text: `role-*`.")
    permissions: tuple[str, ...] = Field(default=(), description="What its members may do, in words of your own.")


def permissions_of(name: str | None, roles: Sequence[Role]) -> list[str] | None:
    """Return what members of a group may do; None when the group is no role."""
    memberships = [role for role in roles if _is_like(name or "", role.group)]
    return list(dict.fromkeys(word for role in memberships for word in role.permissions)) if memberships else None


def _is_like(name: str, pattern: str) -> bool:
    """Return whether a name matches a pattern: `*` is any text, everything else is itself."""
    return re.fullmatch(".*".join(map(re.escape, re.split(r"\*+", pattern))), name, re.DOTALL) is not None


@dataclass(slots=True)
class Memberships:
    """Collects who is in which group; only identities are held in memory.

    Attributes:
        logins: login in lower case to id, for servers that name members by login.
        users: ids of users.
        groups: ids of groups.
        intact: groups whose members could be read.
        by_login: whether a member was named by login.
        memberships: type of the member, and whether it belongs to the group directly, by group and member.
    """

    logins: dict[str, str] = field(default_factory=dict)
    users: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    intact: set[str] = field(default_factory=set)
    by_login: bool = False
    memberships: dict[tuple[str, str], tuple[str, bool]] = field(default_factory=dict)

    def add_user(self, row: dict[str, Any]) -> None:
        """Know a user."""
        self.users.add(row["id"])
        self.logins[row["user_name"].lower()] = row["id"]

    def add_members(self, group: str, resource: Any) -> None:
        """Take what a group says; its id identifies a member, else its login.

        Raises:
            ValueError: an entry can't be understood; the others were taken.
        """
        for entry in _understood(resource, "members"):
            value = entry["value"]
            kind = self._kind(entry)
            if kind == "User" and value not in self.users and value.lower() in self.logins:
                value, self.by_login = self.logins[value.lower()], True
            self.memberships[group, value] = (kind, True)
        self.intact.add(group)

    def add_groups(self, user: str, resource: Any) -> None:
        """Take what a user says, where the group doesn't say it.

        Raises:
            ValueError: an entry can't be understood; the others were taken.
        """
        for entry in _understood(resource, "groups"):
            direct = str(entry.get("type") or "").lower() != "indirect"
            self.memberships.setdefault((entry["value"], user), ("User", direct))

    def _kind(self, entry: dict[str, Any]) -> str:
        named = str(entry.get("type") or "").lower()
        if named in ("user", "group"):
            return named.title()
        is_group = entry["value"] in self.groups or "/Groups/" in str(entry.get("$ref") or "")
        return "Group" if is_group else "User"

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of ``group_members``."""
        for (group, member), (kind, direct) in self.memberships.items():
            yield {"group_id": group, "member_id": member, "member_type": kind, "direct": direct}


def _understood(resource: Any, name: str) -> Iterator[dict[str, Any]]:
    """Yield the entries that can be understood.

    Raises:
        ValueError: in the end, when one couldn't.
    """
    wrong: ValueError | None = None
    for entry in references(resource, name):
        if isinstance(entry, ValueError):
            wrong = entry
        else:
            yield entry
    if wrong is not None:
        raise wrong
