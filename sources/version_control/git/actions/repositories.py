"""The repositories that actions are done in, each with a mirror from which it is pushed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from leat.sources.actions import Refused
from leat.sources.driver import Sync
from leat.sources.errors import IntegrationError
from leat.sources.version_control.git.address import Remote
from leat.sources.version_control.git.connection import Connection, remotes_of
from leat.sources.version_control.git.mirror import Mirror, objects_at, open_mirror, rebuild, update
from leat.sources.version_control.git.program import Damaged
from leat.sources.version_control.git.remote import list_refs, talk
from leat.sources.version_control.git.repository import folder_of
from leat.sources.version_control.git.text import text

_WAIT = 30
"""Seconds to wait for another process that plans or sends an action in the same repository."""
_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Repositories:
    """What a connection leads to: the extraction's settings and the repositories by name."""

    sync: Sync
    remotes: Mapping[str, Remote]

    def named(self, name: str | None) -> Remote:
        """Return a repository; the only one there is if no name is given.

        Raises:
            Refused: there is none of this name, or there are several.
        """
        if name is None and len(self.remotes) == 1:
            return next(iter(self.remotes.values()))
        if name is None or name not in self.remotes:
            wrong = "name one" if name is None else f"there is no {name}"
            msg = f"repository: {wrong}: {', '.join(sorted(self.remotes))}"
            raise Refused(msg)
        return self.remotes[name]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A repository as it is now.

    Attributes:
        remote: where it is.
        mirror: has all of it.
        refs: branches and tags by their full names.
        default: full name of the default branch.
    """

    remote: Remote
    mirror: Mirror
    refs: Mapping[str, str]
    default: str | None

    def commit(self, oid: str) -> str | None:
        """Return the commit that an object is or leads to; None when it leads to none or isn't there."""
        return objects_at(self.mirror, [oid], "^{commit}").get(oid)

    def has(self, oid: str) -> bool:
        """Return whether an object is there, fetching it where a server gives out what no ref leads to."""
        if objects_at(self.mirror, [oid]):
            return True
        try:
            flags = ("--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--quiet")
            talk(self.remote, self.mirror.folder, "fetch", "fetch", *flags, "--", self.remote.url, oid)
        except IntegrationError:
            return False
        return bool(objects_at(self.mirror, [oid]))

    def resolve(self, at: str | None, name: str) -> str:
        """Return the object that a parameter names: a branch, a tag, a whole object name; none for the default branch.

        Raises:
            Refused: there is none.
        """
        if at is None:
            if self.default is None or self.default not in self.refs:
                msg = f"{name}: {self.remote.name} has no default branch; name a commit"
                raise Refused(msg)
            return self.refs[self.default]
        matching = {ref: self.refs[ref] for ref in (f"refs/heads/{at}", f"refs/tags/{at}") if ref in self.refs}
        if len(matching) > 1:
            msg = f"{name}: {at} is a branch and a tag; write the name of its commit"
            raise Refused(msg)
        if matching:
            [oid] = matching.values()
            return self.commit(oid) or oid
        if _OID.fullmatch(at) and self.has(at):
            return at
        msg = f"{name}: {self.remote.name} has no branch, tag or object {at}"
        raise Refused(msg)

    def branch(self, name: str, parameter: str) -> str:
        """Return the commit of a branch.

        Raises:
            Refused: there is no such branch.
        """
        commit = self.refs.get(f"refs/heads/{name}")
        if commit is None:
            msg = f"{parameter}: {self.remote.name} has no branch {name}"
            raise Refused(msg)
        return commit

    def authors(self, *revisions: str) -> tuple[str, ...]:
        """Return the addresses of who wrote commits (git-rev-list(1)), of the latest first; at most 20."""
        out = self.mirror.git.run("log", "--max-count=1000", "--format=%aE", "-z", *revisions, "--")
        return tuple(dict.fromkeys(text(each).strip().lower() for each in out.split(b"\0") if each.strip()))[:20]


@contextmanager
def connect(connection: Connection, sync: Sync) -> Iterator[Repositories]:
    """Give the repositories; each is asked when an action needs it.

    Who signs in is ``action_username`` with ``action_password``, or ``action_ssh_key_file``, or else who loads.

    Raises:
        NotConfigured: a setting that the connection names isn't there.
    """
    names = ("username", "password", "ssh_key_file")
    given = {name: getattr(connection, f"action_{name}") for name in names}
    own = {name: value for name, value in given.items() if value is not None}
    connection = connection.model_copy(update=own)
    yield Repositories(sync, {remote.name: remote for remote in remotes_of(connection, sync)})


@contextmanager
def opened_mirror(repositories: Repositories, remote: Remote) -> Iterator[Mirror]:
    """Open the mirror of a repository as it was last fetched.

    Raises:
        Unavailable: another process has it open for long.
    """
    with open_mirror(remote, folder_of(repositories.sync, remote.name), _WAIT) as mirror:
        yield mirror


@contextmanager
def fetched(repositories: Repositories, remote: Remote) -> Iterator[Fetched]:
    """Open the mirror of a repository, brought up to date. Where branches were before stays in it.

    Raises:
        IntegrationError: the repository can't be read.
    """
    listing = list_refs(remote)
    with opened_mirror(repositories, remote) as mirror:
        try:
            there = mirror.refs("refs/heads/", "refs/tags/")
            refs = there if there == listing.refs else update(mirror, remote, listing, set(), {})[0]
        except Damaged:
            rebuild(mirror)
            refs, _ = update(mirror, remote, listing, set(), {})
        yield Fetched(remote, mirror, refs, listing.default)
