"""Users, groups, members and roles by SCIM.

Where the server proves that it honours a filter on ``meta.lastModified``, what changed is asked for, and everything is
compared on the first run of a day (UTC), which finds what is gone. Elsewhere everything is listed on each run, and
loaded when its digest isn't the one of the cursor. One listing that can't be read doesn't stop the other.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

from leat.sources.driver import Sync
from leat.sources.errors import IntegrationError, Unauthenticated
from leat.sources.events import Event, Failed, FullScan, Listed, Logged
from leat.sources.sso.scim.access import Access
from leat.sources.sso.scim.attributes import attribute, text_of
from leat.sources.sso.scim.changes import list_groups, read_changes, since
from leat.sources.sso.scim.listing import Listing, open_listing
from leat.sources.sso.scim.loading import Loading, add_groups, add_members, add_users
from leat.sources.sso.scim.membership import Role
from leat.sources.sso.streams import DIRECTORY

_BOTH = frozenset({"group_members", "role_assignments"})
_OF_USERS = frozenset({"users"})
_OF_GROUPS = frozenset({"groups", "roles"})


def read_directory(
    access: Access, sync: Sync, roles: Sequence[Role], before: Mapping[str, Any]
) -> Generator[Event, None, dict[str, Any]]:
    """Yield users, groups and what follows from them when anything of it changed; returns their part of the cursor.

    Raises:
        IntegrationError: neither users nor groups can be read.
    """
    today = sync.now.date().isoformat()
    if before.get("filters") and before.get("day") == today:
        changed = yield from read_changes(access, sync, roles, before)
        if changed is not None:
            return changed
    with contextlib.ExitStack() as stack:
        users = _tried(lambda: stack.enter_context(open_listing(access, sync.folder, "Users")))
        groups = _tried(lambda: list_groups(stack, access, sync))
        if isinstance(users, IntegrationError) and isinstance(groups, IntegrationError):
            raise users
        if isinstance(users, IntegrationError) or isinstance(groups, IntegrationError):
            return (yield from _one_alone(sync, roles, users, groups, before))
        sync.progress("listed users and groups", users.count + groups.count)
        state: dict[str, Any] = {"users": users.digest, "groups": groups.digest, "failed": None}
        if all(before.get(name) == value for name, value in state.items()):
            return {**before, "day": today} if before.get("filters") else dict(before)
        loading = Loading(sync, roles)
        yield from _load(loading, users, groups)
        return state | since(access, users, groups, loading) | {"day": today}


def _tried(listing: Callable[[], Listing]) -> Listing | IntegrationError:
    """Return a listing, or why there is none.

    Raises:
        Unauthenticated: then the other can't be read either.
    """
    try:
        return listing()
    except Unauthenticated:
        raise
    except IntegrationError as error:
        return error


def _one_alone(
    sync: Sync,
    roles: Sequence[Role],
    users: Listing | IntegrationError,
    groups: Listing | IntegrationError,
    before: Mapping[str, Any],
) -> Generator[Event, None, dict[str, Any]]:
    """Yield what the listing gives that could be read, and that the rest failed: members of groups need both."""
    state = {"users": before.get("users"), "groups": before.get("groups")}
    loading = Loading(sync, roles)
    if isinstance(users, IntegrationError):
        error, failed = users, _OF_USERS | _BOTH
    else:
        state["users"] = users.digest
    if isinstance(groups, IntegrationError):
        error, failed = groups, _OF_GROUPS | _BOTH
    else:
        state["groups"] = groups.digest
    state["failed"] = sorted(failed)
    yield from (Failed(name, error) for name in sorted(failed & sync.streams))
    if all(before.get(name) == value for name, value in state.items()):
        return dict(before)
    if isinstance(users, Listing):
        yield from add_users(loading, users)
    if isinstance(groups, Listing):
        yield from add_groups(loading, groups)
    yield from loading.flush()
    yield from _proofs(loading, users, groups, DIRECTORY - failed)
    return state


def _load(loading: Loading, users: Listing, groups: Listing) -> Iterator[Event]:
    """Yield the rows of complete listings, and that they are complete where that is proven."""
    yield from add_users(loading, users)
    for resource in groups.resources():
        with contextlib.suppress(ValueError):
            name = text_of("id", attribute(resource, "id"))
            loading.members.groups |= {name} if name else set()
    yield from add_groups(loading, groups)
    yield from add_members(loading)
    yield from loading.flush()
    yield from _proofs(loading, users, groups, DIRECTORY)


def _proofs(
    loading: Loading, users: Listing | IntegrationError, groups: Listing | IntegrationError, names: frozenset[str]
) -> Iterator[Event]:
    """Yield why each stream was read to its end; that rows are gone only where no broken record may hide one."""
    unproven = set(loading.broken)
    if "groups" in unproven:
        unproven.add("roles")
    if unproven:
        unproven |= _BOTH
        yield Logged("deletes_postponed", {"streams": sorted(unproven), "broken": sorted(loading.broken)})
    because = {
        kind: listing.because
        for kind, listing in (("users", users), ("groups", groups))
        if isinstance(listing, Listing)
    }
    for name in sorted(names & loading.sync.streams):
        both = "; ".join(f"{kind}: {why}" for kind, why in because.items())
        why = because["users"] if name in _OF_USERS else because["groups"] if name in _OF_GROUPS else both
        yield Listed(name, why) if name in unproven else FullScan(name, because=why)
