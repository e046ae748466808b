"""Users and groups that changed since the last run, where a filter on ``meta.lastModified`` can be believed.

RFC 7644, 3.4.2.2 lets a server refuse a filter; some ignore it in silence. So a filter has to leave out what a complete
listing just showed to be older before it is used at all. It begins a second before the newest change seen, and
each answer is believed when it holds that change or a later one, and nothing older. Anything else, and a server that
names members by login, leads to a complete listing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from leat.sources.driver import Sync
from leat.sources.errors import NotFound, Permanent, Rejected, Unauthenticated, UnexpectedShape
from leat.sources.events import Delete, Event, Listed
from leat.sources.http.address import moves
from leat.sources.sso.scim.access import Access
from leat.sources.sso.scim.attributes import attribute, modified
from leat.sources.sso.scim.listing import Listing, open_listing
from leat.sources.sso.scim.loading import Loading, add_groups, add_members, add_users
from leat.sources.sso.scim.membership import Role
from leat.sources.sso.scim.paging import list_resources
from leat.sources.sso.streams import DIRECTORY

_OVERLAP = timedelta(
    seconds=1
)  # several resources may have changed in the newest second, and not all of them been seen


def since(access: Access, users: Listing, groups: Listing, loading: Loading) -> dict[str, Any]:
    """Return where filters go on from after a complete listing; whether they can be used at all is ``filters``."""
    listings = (users, groups)
    if loading.members.by_login or not _supports_filters(access):
        return {"filters": False}
    if not all(_honours_filter(access, listing) for listing in listings):
        return {"filters": False}
    return {"filters": True, **_position(*listings)}


def _honours_filter(access: Access, listing: Listing) -> bool:
    """Return whether a filter leaves out what is older than it, and nothing else."""
    if listing.newest is None or listing.oldest is None or listing.oldest > listing.newest - _OVERLAP:
        return False  # nothing that it could leave out
    after, honoured = listing.newest - _OVERLAP, False
    try:
        for resource in list_resources(access, listing.kind, _condition(after)):
            if (modified(resource) or after) <= after:
                return False
            honoured = True
    except (Rejected, UnexpectedShape):
        return False
    return honoured


def _position(*listings: Listing) -> dict[str, Any]:
    newest = {listing.kind: listing.newest for listing in listings if listing.newest is not None}
    recent = {listing.kind: listing.digest_since(newest[listing.kind] - _OVERLAP) for listing in listings}
    return {"newest": {kind: time.isoformat() for kind, time in newest.items()}, "recent": recent}


def _supports_filters(access: Access) -> bool:
    """Return whether the server says so (RFC 7643, 5); one that says nothing doesn't."""
    try:
        said = access.read("ServiceProviderConfig")
    except (NotFound, Rejected, UnexpectedShape):
        return False
    return attribute(said, "filter", "supported") is True


def read_changes(
    access: Access, sync: Sync, roles: Sequence[Role], before: Mapping[str, Any]
) -> Generator[Event, None, dict[str, Any] | None]:
    """Yield what changed; returns the part of the cursor, or None when the answers can't be believed."""
    with contextlib.ExitStack() as stack:
        conditions = {kind: _condition(_newest(before, kind) - _OVERLAP) for kind in ("Users", "Groups")}
        try:
            users = stack.enter_context(open_listing(access, sync.folder, "Users", conditions["Users"]))
            groups = list_groups(stack, access, sync, conditions["Groups"])
        except Unauthenticated:
            raise
        except Permanent:  # 400 with invalidFilter, or a total that isn't that of the filter
            return None
        if not _honoured(users, before) or not _honoured(groups, before):
            return None
        position = _position(users, groups)
        if all(before.get(name) == value for name, value in position.items()):
            return dict(before)
        loading = Loading(sync, roles)
        yield from add_users(loading, users)
        yield from add_groups(loading, groups)
        yield from _forget(loading)
        yield from add_members(loading)
        yield from loading.flush()
        proof = f"{users.because} and {groups.because}, with a filter on meta.lastModified"
        yield from (Listed(name, proof) for name in sorted(DIRECTORY & sync.streams))
        return {**before, **position}


def read_since(access: Access, sync: Sync, roles: Sequence[Role], moment: datetime) -> Iterator[Event]:
    """Yield the users and groups that have changed from a time on; all, where the service ignores the filter."""
    with contextlib.ExitStack() as stack:
        users = stack.enter_context(open_listing(access, sync.folder, "Users", _condition(moment)))
        groups = list_groups(stack, access, sync, _condition(moment))
        loading = Loading(sync, roles)
        yield from add_users(loading, users)
        yield from add_groups(loading, groups)
        yield from add_members(loading)
        yield from loading.flush()


def _condition(after: datetime) -> str:
    return f'meta.lastModified gt "{after.isoformat().replace("+00:00", "Z")}"'


def _newest(before: Mapping[str, Any], kind: str) -> datetime:
    return datetime.fromisoformat(before["newest"][kind])


def _honoured(listing: Listing, before: Mapping[str, Any]) -> bool:
    newest = _newest(before, listing.kind)
    if listing.oldest is None or listing.newest is None:
        return False
    return listing.oldest > newest - _OVERLAP and listing.newest >= newest


def _forget(loading: Loading) -> Iterator[Event]:
    """Yield the end of what groups said before about their members and their role; what a user says only adds to it.

    Membership is changed through the group (RFC 7643, 4.1.2), which then has a new ``lastModified``.
    """
    streams = {"group_members": "group_id", "role_assignments": "role_id"}
    for group in sorted(loading.members.intact):
        yield from (Delete(name, {key: group}) for name, key in streams.items() if name in loading.sync.streams)
        if group not in loading.role_ids and "roles" in loading.sync.streams:
            yield Delete("roles", {"id": group})


def list_groups(stack: contextlib.ExitStack, access: Access, sync: Sync, condition: str | None = None) -> Listing:
    """List the groups; each is asked for alone where the listing leaves members out (RFC 7644, 3.9 lets it)."""
    groups = stack.enter_context(open_listing(access, sync.folder, "Groups", condition))
    if groups.count and groups.bare:

        def alone(resource: Any) -> Any:
            name = attribute(resource, "id")
            if not isinstance(name, str):
                return resource
            path = quote(name, safe="")
            if moves(path):  # no group has it as its address; what it has for members stays unread
                return {**resource, "members": False}
            try:
                return access.read(f"Groups/{path}", template="Groups/{id}")
            except NotFound:  # deleted a moment ago
                return resource

        groups = stack.enter_context(open_listing(access, sync.folder, "Groups", condition, alone))
    return groups
