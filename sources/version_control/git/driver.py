"""Driver ``git``: reads any git repository with the git command, through a bare mirror kept between runs.

::

    list refs (1 request) ── as the cursor says? ── yes: nothing to do
          │ no
    fetch into the mirror ── damaged? rebuilt once, from scratch
          │
    ref_updates, refs, tags, files (tree diff), commits (new tips, not old ones), merges, cursor

The cursor holds the refs that were read, per repository; what it does not prove to be read is read again.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from leat.sources.driver import SetupTest, Sync
from leat.sources.errors import IntegrationError, Transient, Unauthenticated, UnexpectedShape
from leat.sources.events import Cursor, Delete, Event, Failed, Logged, Quarantined
from leat.sources.held import PartFailed, held
from leat.sources.settings import redact
from leat.sources.version_control.git.address import Remote
from leat.sources.version_control.git.connection import Connection, remotes_of
from leat.sources.version_control.git.history import Reading, history_rows, mapped_rows
from leat.sources.version_control.git.mirror import (
    HEAD,
    Mirror,
    changed_refs,
    forget,
    kept,
    objects_at,
    opened,
    rebuild,
    update,
)
from leat.sources.version_control.git.program import Damaged, git_version
from leat.sources.version_control.git.refs import ref_count, ref_rows, tag_rows, update_rows
from leat.sources.version_control.git.remote import Listing, list_refs
from leat.sources.version_control.git.rows import Table
from leat.sources.version_control.git.tree import file_rows
from leat.sources.version_control.streams import FILES, REF_UPDATES, REFS, REPOSITORIES, STREAMS, TAGS

__all__ = ["Connection", "extract", "setup_tests"]

State = Mapping[str, Any]
_UNREADABLE = (Damaged, ValueError, LookupError, TypeError, ArithmeticError, RuntimeError)
"""What reading a repository may raise when something in it, or in git's answers, isn't as it should be."""


@dataclass(frozen=True, slots=True)
class _Now:
    """A repository as it was just fetched."""

    refs: Mapping[str, str]
    default: str | None
    head: str | None
    shallow: str | None
    mailmap: str | None
    kept: tuple[str, ...]
    unread: Mapping[str, str]

    def state(self, sync: Sync) -> dict[str, Any]:
        state = {
            "refs": dict(self.refs),
            "default": self.default,
            "head": self.head,
            "shallow": self.shallow,
            "mailmap": self.mailmap,
            "kept": list(self.kept),
            "streams": sorted(sync.streams),
        }
        return state | ({"unread": dict(self.unread)} if self.unread else {})


Steps = Generator[Event, None, _Now | None]
"""Events, and in the end the repository as it is; None when nothing changed."""


def setup_tests(connection: Connection, sync: Sync) -> Iterator[SetupTest]:
    """Try git, the settings, and then each repository with one request."""
    try:
        version = git_version()
    except FileNotFoundError:
        yield SetupTest("git version", False, "git is not installed: install 2.30 or later")
        return
    merges = "can judge merges" if version >= (2, 39) else "can't judge merges, 2.39 can"
    yield SetupTest("git version", version >= (2, 30), f"{'.'.join(map(str, version))}: {merges}")
    try:
        remotes = remotes_of(connection, sync)
    except IntegrationError as error:
        yield SetupTest("configured", False, redact(str(error)))
        return
    yield SetupTest("configured", True, ", ".join(remote.name for remote in remotes))
    for remote in remotes:
        yield from _tests_of(remote)


def _tests_of(remote: Remote) -> Iterator[SetupTest]:
    try:
        listing = list_refs(remote)
    except IntegrationError as error:
        names = ("reachable", "authenticated", "may read refs")
        failed = 0 if isinstance(error, Transient) else 1 if isinstance(error, Unauthenticated) else 2
        for name in names[:failed]:
            yield SetupTest(f"{remote.name}: {name}", True, "yes")
        yield SetupTest(f"{remote.name}: {names[failed]}", False, redact(str(error)))
        return
    yield SetupTest(f"{remote.name}: reachable", True, remote.url)
    yield SetupTest(f"{remote.name}: authenticated", True, "yes" if remote.credentials.password else "anonymously")
    yield SetupTest(f"{remote.name}: may read refs", True, f"{len(listing.refs)} branches and tags")


def extract(connection: Connection, sync: Sync) -> Generator[Event, None, None]:
    """Yield what is new in each repository; nothing where nothing is.

    A repository that fails keeps its rows and stops no other.

    Raises:
        IntegrationError: every repository failed, or the first refused the credentials, which are then tried nowhere
            else.
    """
    remotes = remotes_of(connection, sync)
    states: dict[str, State] = dict((sync.cursor or {}).get("repositories", {}))
    listings = _listings(remotes)
    failures = {
        r.name: found for r, found in zip(remotes, listings, strict=True) if isinstance(found, IntegrationError)
    }
    if len(failures) == len(remotes):
        raise failures[remotes[0].name]
    for name in sorted(set(states) - {remote.name for remote in remotes}):
        del states[name]
        shutil.rmtree(_folder(sync, name), ignore_errors=True)
        yield from (Delete(stream.name, {"repository": name}) for stream in (REPOSITORIES, REFS, TAGS, FILES))
        yield Cursor({"repositories": dict(states)})
    for remote, listing in zip(remotes, listings, strict=True):
        state = states.get(remote.name)
        if isinstance(listing, IntegrationError) or (state is not None and _unchanged(state, listing, sync)):
            continue
        try:
            now = yield from held(_repository(remote, listing, state, sync), of_all=())
        except PartFailed as failed:
            failures[remote.name] = failed.error
            if len(failures) == len(remotes):
                raise failed.error from failed
            continue
        if now is not None:
            states[remote.name] = now.state(sync)
            yield Cursor({"repositories": dict(states)})
    stream = next((stream.name for stream in STREAMS if stream.name in sync.streams), None)
    if stream is not None:
        yield from (Failed(stream, error, {"repository": name}) for name, error in failures.items())


def _listings(remotes: list[Remote]) -> list[Listing | IntegrationError]:
    """Ask every remote; the first one alone, so that a wrong password is tried once and not once for each.

    Raises:
        Unauthenticated: the first refused the credentials.
    """

    def ask(remote: Remote) -> Listing | IntegrationError:
        try:
            return list_refs(remote)
        except IntegrationError as error:
            return error

    first = ask(remotes[0])
    if isinstance(first, Unauthenticated):
        raise first
    with ThreadPoolExecutor(max_workers=8) as pool:
        return [first, *pool.map(ask, remotes[1:])]


def _folder(sync: Sync, name: str) -> Path:
    return sync.folder / f"{name}.git"


def _unchanged(state: State, listing: Listing, sync: Sync) -> bool:
    """Return whether the refs are those that were read; a shallow history may deepen without a sign."""
    return (
        {**state["refs"], **state.get("unread", {})} == listing.refs
        and state["default"] == (listing.default if listing.default in listing.refs else None)
        and (listing.default is not None or state["head"] == listing.head)
        and state["shallow"] is None
        and sync.streams <= set(state["streams"])
    )


def _repository(remote: Remote, listing: Listing, state: State | None, sync: Sync) -> Steps:
    with opened(remote, _folder(sync, remote.name)) as mirror:
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
    known = {*past["refs"].values(), *past["kept"], *([past["head"]] if past["head"] else [])}
    sync.progress(f"fetch {remote.name}", 0)
    refs, unread = update(mirror, remote, listing, known, past.get("unread", {}))
    more = kept(mirror)
    default = listing.default if listing.default in refs else None
    target = refs[default] if default else more.get(HEAD)
    commits = objects_at(mirror, [*refs.values(), *more.values(), *known], "^{commit}")
    head = commits.get(target) if target else None
    mailmap = f"{head}:.mailmap"
    blob = objects_at(mirror, [mailmap]).get(mailmap) if head else None
    keeping = tuple(oid for ref, oid in more.items() if ref != HEAD)
    now = _Now(refs, default, head, mirror.shallow_mark(), blob, keeping, unread)
    if state is not None and now.state(sync) | {"kept": past["kept"]} == dict(past) and not now.kept:
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
    old = [] if again or now.shallow != past["shallow"] else [commits[oid] for oid in known if oid in commits]
    tips = {commits[oid] for oid in (*refs.values(), *more.values()) if oid in commits}
    if blob != past["mailmap"] and old:
        yield from mapped_rows(reading, old)
    yield from history_rows(reading, sorted(tips - set(old)), sorted(set(old)))
    return now


def _small_streams(mirror: Mirror, remote: Remote, past: State, now: _Now, sync: Sync, again: bool) -> Iterator[Event]:
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
