"""One repository: its mirror brought up to date, and what is new in it since the state that the cursor holds."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from leat.sources.driver import Sync
from leat.sources.errors import UnexpectedShape
from leat.sources.events import Event, Logged, Quarantined
from leat.sources.settings import redact
from leat.sources.version_control.git.address import Remote
from leat.sources.version_control.git.history import Reading, history_rows, mapped_rows
from leat.sources.version_control.git.mirror import (
    HEAD,
    Mirror,
    changed_refs,
    forget,
    objects_at,
    open_mirror,
    rebuild,
    saved_refs,
    update,
)
from leat.sources.version_control.git.program import Damaged
from leat.sources.version_control.git.refs import ref_count, ref_rows, tag_rows, update_rows
from leat.sources.version_control.git.remote import Listing
from leat.sources.version_control.git.rows import Table
from leat.sources.version_control.git.tree import file_rows
from leat.sources.version_control.streams import FILES, REF_UPDATES, REFS, REPOSITORIES, TAGS

State = Mapping[str, Any]
_UNREADABLE = (Damaged, ValueError, LookupError, TypeError, ArithmeticError, RuntimeError)
"""What reading a repository may raise when something in it, or in git's answers, isn't as it should be."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A repository as it was just fetched."""

    refs: Mapping[str, str]
    default: str | None
    head: str | None
    shallow: str | None
    mailmap: str | None
    saved: tuple[str, ...]
    unread: Mapping[str, str]

    def state(self, sync: Sync) -> dict[str, Any]:
        """Return what the cursor holds of it."""
        state = {
            "refs": dict(self.refs),
            "default": self.default,
            "head": self.head,
            "shallow": self.shallow,
            "mailmap": self.mailmap,
            "kept": list(self.saved),
            "streams": sorted(sync.streams),
        }
        return state | ({"unread": dict(self.unread)} if self.unread else {})


Steps = Generator[Event, None, Fetched | None]
"""Events, and in the end the repository as it is; None when nothing changed."""


def folder_of(sync: Sync, name: str) -> Path:
    """Return where the mirror of a repository is."""
    return sync.folder / f"{name}.git"


def is_unchanged(state: State, listing: Listing, sync: Sync) -> bool:
    """Return whether the refs are those that were read; a shallow history may deepen without a sign."""
    return (
        {**state["refs"], **state.get("unread", {})} == listing.refs
        and state["default"] == (listing.default if listing.default in listing.refs else None)
        and (listing.default is not None or state["head"] == listing.head)
        and state["shallow"] is None
        and sync.streams <= set(state["streams"])
    )


def read_repository(remote: Remote, listing: Listing, state: State | None, sync: Sync) -> Steps:
    """Yield what is new since a state; a damaged mirror is rebuilt once, from scratch.

    Raises:
        IntegrationError: the remote failed, or its new mirror can't be read either.
    """
    with open_mirror(remote, folder_of(sync, remote.name)) as mirror:
        try:
            return (yield from _read(mirror, remote, listing, state, sync))
        except _UNREADABLE as error:
            yield Logged("mirror_rebuilt", {"repository": remote.name, "reason": _said(error)})
        rebuild(mirror)
        try:
            return (yield from _read(mirror, remote, listing, state, sync))
        except _UNREADABLE as error:
            step = "look for damage in the source with git fsck"
            raise remote.failed(UnexpectedShape, "read a new mirror of", _said(error), step) from error


def _said(error: Exception) -> str:
    return redact(str(error)) if isinstance(error, Damaged) else f"git's answer can't be read ({type(error).__name__})"


def _read(mirror: Mirror, remote: Remote, listing: Listing, state: State | None, sync: Sync) -> Steps:
    past: State = state or {
        "refs": {},
        "default": None,
        "head": None,
        "shallow": None,
        "mailmap": None,
        "kept": [],
        "streams": [],
    }
    forget(mirror, past["kept"])
    read_tips = {*past["refs"].values(), *past["kept"], *([past["head"]] if past["head"] else [])}
    sync.progress(f"fetch {remote.name}", 0)
    refs, unread = update(mirror, remote, listing, read_tips, past.get("unread", {}))
    more = saved_refs(mirror)
    default = listing.default if listing.default in refs else None
    target = refs[default] if default else more.get(HEAD)
    commits = objects_at(mirror, [*refs.values(), *more.values(), *read_tips], "^{commit}")
    head = commits.get(target) if target else None
    mailmap = f"{head}:.mailmap"
    blob = objects_at(mirror, [mailmap]).get(mailmap) if head else None
    saved_tips = tuple(oid for ref, oid in more.items() if ref != HEAD)
    now = Fetched(refs, default, head, mirror.shallow_mark(), blob, saved_tips, unread)
    if state is not None and now.state(sync) | {"kept": past["kept"]} == dict(past) and not now.saved:
        return None
    objects = objects_at(mirror, list(refs.values()))
    if len(objects) < len(set(refs.values())):
        msg = "objects at refs are missing"
        raise Damaged(msg)
    mirror = replace(mirror, git=mirror.git.having({"mailmap.blob": mailmap} if head else {}))
    if now.shallow and now.shallow != past["shallow"]:
        yield Logged("shallow_history", {"repository": remote.name, "boundary": len(mirror.shallow())})
    for ref in sorted(unread.items() - past.get("unread", {}).items()):
        reason = "the server lists the ref and can't deliver what it leads to; look for damage there with git fsck"
        yield Quarantined(REFS.name, f"{remote.name} {ref[0]}", reason, " ".join(ref))
    again = not sync.streams <= set(past["streams"])
    yield from _small_streams(mirror, remote, past, now, sync, again)
    reading = Reading(mirror, remote.name, sync.streams, sync.progress)
    old = [] if again or now.shallow != past["shallow"] else [commits[oid] for oid in read_tips if oid in commits]
    tips = {commits[oid] for oid in (*refs.values(), *more.values()) if oid in commits}
    if blob != past["mailmap"] and old:
        yield from mapped_rows(reading, old)
    yield from history_rows(reading, sorted(tips - set(old)), sorted(set(old)))
    return now


def _small_streams(
    mirror: Mirror, remote: Remote, past: State, now: Fetched, sync: Sync, again: bool
) -> Iterator[Event]:
    """Yield everything but the history; ``again`` when nothing proves what was read before."""
    name = remote.name
    if REPOSITORIES.name in sync.streams:
        table = Table(REPOSITORIES)
        default = now.default.removeprefix("refs/heads/") if now.default else None
        counts = ref_count(now.refs, "refs/heads/"), ref_count(now.refs, "refs/tags/")
        kind = mirror.git.run("rev-parse", "--show-object-format").decode().strip()
        table.add((name, remote.url, default, now.head, not now.refs, now.shallow is not None, kind, *counts))
        yield from table.rest()
    if REF_UPDATES.name in sync.streams:
        yield from update_rows(mirror, name, past["refs"], now.refs, sync.now)
    moved = changed_refs(past["refs"], now.refs)
    if REFS.name in sync.streams:
        sync.progress(f"refs of {name}", 0)
        counted = again or any(past[key] != value for key, value in (("head", now.head), ("shallow", now.shallow)))
        defaults = {ref for ref in (past["default"], now.default) if ref and past["default"] != now.default}
        yield from ref_rows(mirror, name, now.head, now.default, None if counted else defaults.union(moved))
    if TAGS.name in sync.streams:
        tags = {ref for ref in moved if ref.startswith("refs/tags/")}
        yield from tag_rows(mirror, name, None if again else tags)
    if FILES.name in sync.streams and (again or past["head"] != now.head):
        there = past["head"] and not again and objects_at(mirror, [past["head"]])
        yield from file_rows(mirror, name, past["head"] if there else None, now.head)
