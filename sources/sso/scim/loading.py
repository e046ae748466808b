"""Users and groups on their way to rows: what can't be understood is quarantined alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from leat.sources.batch import Batch
from leat.sources.driver import Sync
from leat.sources.errors import IntegrationError
from leat.sources.events import Event, Quarantined
from leat.sources.sso.scim.attributes import attribute
from leat.sources.sso.scim.listing import Listing
from leat.sources.sso.scim.membership import Memberships, Role, permissions_of
from leat.sources.sso.scim.records import group_row, user_row
from leat.sources.sso.streams import DIRECTORY, STREAMS

MAX_RECORD = 10_000
"""How many characters of a broken record the quarantine stores."""
_STREAMS = {stream.name: stream for stream in STREAMS if stream.name in DIRECTORY}


@dataclass(slots=True)
class Loading:
    """Rows on their way, and what of it was broken."""

    sync: Sync
    roles: Sequence[Role]
    batches: dict[str, Batch] = field(default_factory=lambda: {name: Batch(s) for name, s in _STREAMS.items()})
    broken: set[str] = field(default_factory=set)
    members: Memberships = field(default_factory=Memberships)
    role_ids: set[str] = field(default_factory=set)

    def add(self, stream: str, row: Mapping[str, Any]) -> Iterator[Event]:
        """Yield a batch when one is full; rows of streams that aren't selected are checked and dropped."""
        selected = stream in self.sync.streams
        yield from (self.batches[stream] if selected else Batch(_STREAMS[stream])).add(row)

    def quarantine(self, stream: str, resource: Any, error: Exception) -> Quarantined:
        """Return the event for a resource that can't be understood.

        Raises:
            IntegrationError: what went wrong isn't the resource's fault.
        """
        if isinstance(error, IntegrationError):
            raise error
        self.broken.add(stream)
        names = (attribute(resource, name) for name in ("id", "username", "displayname"))
        key = next((str(name) for name in names if isinstance(name, str | int) and name), "unknown")
        reason = str(error) if isinstance(error, ValueError) else f"it can't be read ({type(error).__name__})"
        return Quarantined(stream, key[:500], reason[:500], json.dumps(resource, ensure_ascii=True)[:MAX_RECORD])

    def flush(self) -> Iterator[Event]:
        """Yield what has been collected."""
        for batch in self.batches.values():
            yield from batch.flush()


def add_users(loading: Loading, users: Listing) -> Iterator[Event]:
    """Yield users, and note which groups they say they are in."""
    for resource in users.resources():
        try:
            row = user_row(resource)
            loading.members.add_user(row)
            yield from loading.add("users", row)
        except Exception as error:
            yield loading.quarantine("users", resource, error)
            continue
        try:
            loading.members.add_groups(row["id"], resource)
        except Exception as error:
            yield loading.quarantine("group_members", resource, error)


def add_groups(loading: Loading, groups: Listing) -> Iterator[Event]:
    """Yield groups and roles, and note who they say is in them."""
    for resource in groups.resources():
        try:
            row = group_row(resource)
            yield from loading.add("groups", row)
        except Exception as error:
            yield loading.quarantine("groups", resource, error)
            continue
        permissions = permissions_of(row["name"], loading.roles)
        if permissions is not None:
            loading.role_ids.add(row["id"])
            role = {"id": row["id"], "name": row["name"], "group_id": row["id"], "permissions": permissions}
            yield from loading.add("roles", role)
        try:
            loading.members.add_members(row["id"], resource)
        except Exception as error:
            yield loading.quarantine("group_members", resource, error)


def add_members(loading: Loading) -> Iterator[Event]:
    """Yield who is in which group, and who has which role by that."""
    for row in loading.members.rows():
        yield from loading.add("group_members", row)
        if row["group_id"] in loading.role_ids:
            role = {"role_id": row["group_id"], "member_id": row["member_id"], "member_type": row["member_type"]}
            yield from loading.add("role_assignments", role)
