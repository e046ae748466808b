"""Users, groups, members and roles by SCIM.

Where the server proves that it honours a filter on ``meta.lastModified``, what changed is asked for, and everything is
compared on the first run of a day (UTC), which finds what is gone. Elsewhere everything is listed on each run, and
loaded when its digest isn't the one of the cursor.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from sources.driver import Sync
from sources.events import Event, FullScan, Logged
from sources.sso.access import Access
from sources.sso.changes import list_groups, read_changes, since
from sources.sso.listing import Listing, keep_listing
from sources.sso.loading import Loading, add_groups, add_members, add_users
from sources.sso.membership import Role
from sources.sso.streams import DIRECTORY


def read_directory(
    access: Access, sync: Sync, page_size: int | None, roles: Sequence[Role], known: Mapping[str, Any]
) -> Generator[Event, None, dict[str, Any]]:
    """Yield users, groups and what follows from them when anything of it changed; returns their part of the cursor."""
    today = sync.now.date().isoformat()
    if known.get("filters") and known.get("day") == today:
        changed = yield from read_changes(access, sync, page_size, roles, known)
        if changed is not None:
            return changed
    with contextlib.ExitStack() as kept:
        users = kept.enter_context(keep_listing(access, sync.folder, "Users", page_size))
        groups = list_groups(kept, access, sync, page_size)
        sync.progress("listed users and groups", users.count + groups.count)
        state: dict[str, Any] = {"users": users.digest, "groups": groups.digest}
        state["complete"] = users.complete and groups.complete
        if all(known.get(name) == value for name, value in state.items()):
            return {**known, "day": today} if known.get("filters") else dict(known)
        loading = Loading(sync, roles)
        yield from _load(loading, users, groups)
        return state | since(access, users, groups, loading, page_size) | {"day": today}


def _load(loading: Loading, users: Listing, groups: Listing) -> Iterator[Event]:
    """Yield the rows of complete listings, and that they are complete where that is proven."""
    yield from add_users(loading, users)
    for resource in groups.resources():
        if isinstance(resource, dict) and isinstance(resource.get("id"), str):
            loading.members.groups.add(resource["id"])
    yield from add_groups(loading, groups)
    yield from add_members(loading)
    yield from loading.flush()
    unproven = set(loading.broken)
    unproven |= {listing.kind.lower() for listing in (users, groups) if not listing.complete}
    if "groups" in unproven:
        unproven.add("roles")
    if unproven:
        unproven |= {"group_members", "role_assignments"}
        yield Logged("deletes_postponed", {"streams": sorted(unproven), "broken": sorted(loading.broken)})
    yield from (FullScan(name) for name in sorted(DIRECTORY) if name in loading.sync.streams and name not in unproven)
