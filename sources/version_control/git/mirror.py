"""A bare mirror of one repository, which stays between runs and is rebuilt when it is missing or damaged.

Nothing in a mirror is ever collected as garbage: what a run fetched but was killed before reporting is still there
under ``refs/leat/kept``. The mirror has no address and no credentials in its configuration.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from leat.files import lock
from leat.sources.errors import IntegrationError, Unavailable
from leat.sources.version_control.git.address import Remote
from leat.sources.version_control.git.apart import undeliverable
from leat.sources.version_control.git.program import Damaged, Git, GitFailed
from leat.sources.version_control.git.remote import Listing, list_refs, talk
from leat.sources.version_control.git.text import text

_MANY_PACKS = 40
_SAVED = "refs/leat/kept/"
HEAD = "refs/leat/head"
"""Where a detached HEAD is saved."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """A mirror's folder and git in it."""

    folder: Path
    git: Git

    def refs(self, *prefixes: str) -> dict[str, str]:
        """Return full ref names and objects.

        Raises:
            Damaged: the mirror is damaged.
        """
        out = self.git.run("for-each-ref", "--format=%(objectname)%00%(refname)", *prefixes)
        pairs = (line.split(b"\0", 1) for line in out.splitlines())
        return {text(name): text(oid) for oid, name in pairs}

    def shallow(self) -> frozenset[str]:
        """Return the commits at the boundary of a shallow history; empty when it is whole."""
        path = self.folder / "shallow"
        return frozenset(path.read_text().split()) if path.exists() else frozenset()

    def shallow_mark(self) -> str | None:
        """Return a short text that changes when the boundary moves; None when the history is whole."""
        boundary = self.shallow()
        return hashlib.sha256("\n".join(sorted(boundary)).encode()).hexdigest() if boundary else None


@contextmanager
def open_mirror(remote: Remote, folder: Path, wait: float = 0) -> Iterator[Mirror]:
    """Open a mirror for this run alone, creating it if there is none; clear what a killed run left behind.

    Args:
        remote: what it is a mirror of.
        folder: where it is.
        wait: seconds to wait for another run that has it open.

    Raises:
        Unavailable: another run has it open.
    """
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as held:
        try:
            held.enter_context(lock(folder.with_name(f"{folder.name}.lock"), wait=wait))
        except BlockingIOError:
            raise remote.failed(Unavailable, "open the mirror of", "another run reads it", "wait for it") from None
        mirror = Mirror(folder, Git(folder, {}, {}))
        if not (folder / "HEAD").exists():
            rebuild(mirror)
        for pattern in ("*.lock", "refs/**/*.lock", "objects/pack/tmp_*"):
            for path in folder.glob(pattern):
                path.unlink(missing_ok=True)
        yield mirror


def rebuild(mirror: Mirror) -> None:
    """Recreate the mirror, empty."""
    shutil.rmtree(mirror.folder, ignore_errors=True)
    mirror.folder.mkdir(mode=0o700, parents=True)
    mirror.git.run("init", "-q", "--bare", "--template=", "--initial-branch=leat-none")


def update(
    mirror: Mirror, remote: Remote, listing: Listing, read_tips: set[str], unread: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Fetch what changed; return the branches and tags as fetched, which may be newer than the listing.

    Also returned are the refs, with their objects, that the remote lists and can't deliver.

    Args:
        mirror: the mirror.
        remote: where to fetch from.
        listing: what the remote listed.
        read_tips: objects at refs that were read and applied; leat saves other tips of the mirror.
        unread: refs that the remote couldn't deliver before, with their objects.

    Raises:
        IntegrationError: the remote failed.
        Damaged: the mirror is damaged; rebuild it.
    """
    _save_tips(mirror, read_tips)
    specs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
    if listing.default is None and listing.head is not None:
        specs.append(f"+HEAD:{HEAD}")  # detached: no branch may lead there
    deeper = ["--unshallow"] if mirror.shallow() else ["--update-shallow"]
    flags = ("--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--quiet", *deeper)
    without = [ref for ref, oid in unread.items() if listing.refs.get(ref) == oid]

    def fetch(some: Sequence[str]) -> None:
        talk(remote, mirror.folder, "fetch", "fetch", *flags, "--", remote.url, *(f"+{ref}:{ref}" for ref in some))

    def fetch_all() -> None:
        left = (f"^{ref}" for ref in without)
        talk(remote, mirror.folder, "fetch", "fetch", "--prune", *flags, "--", remote.url, *specs, *left)

    try:
        fetch_all()
    except IntegrationError as error:
        list_refs(remote)  # the remote's own failure says more than a fetch that broke off
        if not _sound(mirror):
            msg = "git fsck finds objects missing"
            raise Damaged(msg) from None
        without += undeliverable([ref for ref in listing.refs if ref not in without], fetch, error)
        fetch_all()
    if len(list((mirror.folder / "objects/pack").glob("*.pack"))) > _MANY_PACKS:
        mirror.git.run("repack", "--geometric=2", "-d", "-q")
    return mirror.refs("refs/heads/", "refs/tags/"), {ref: listing.refs[ref] for ref in sorted(without)}


def saved_refs(mirror: Mirror) -> dict[str, str]:
    """Return the refs, beyond branches and tags, whose history is to be read as well."""
    return mirror.refs("refs/leat/")


def forget(mirror: Mirror, read: Sequence[str]) -> None:
    """Drop saved refs whose history was read and applied."""
    gone = [name for name in mirror.refs(_SAVED) if name.removeprefix(_SAVED) in read]
    mirror.git.run("update-ref", "--stdin", given="".join(f"delete {name}\n" for name in gone).encode())


def _save_tips(mirror: Mirror, read: set[str]) -> None:
    tips = set(mirror.refs("refs/heads/", "refs/tags/", HEAD).values()) - read
    mirror.git.run("update-ref", "--stdin", given="".join(f"update {_SAVED}{oid} {oid}\n" for oid in tips).encode())


def _sound(mirror: Mirror) -> bool:
    try:
        mirror.git.run("fsck", "--connectivity-only", "--no-dangling", "--no-progress")
    except GitFailed:
        return False
    return True


def objects_at(mirror: Mirror, names: Sequence[str], what: str = "", form: str = "%(objectname)") -> dict[str, str]:
    """Return, for each name that leads to an object in the mirror, that object.

    Args:
        mirror: the mirror.
        names: objects, or any other expression without white space (gitrevisions(7)).
        what: appended to each, for example ``^{commit}`` for the commits that they lead to.
        form: what is said of the object (git-cat-file(1)).
    """
    result: dict[str, str] = {}
    unique = list(dict.fromkeys(names))
    if not unique:
        return result
    with mirror.git.conversation("cat-file", f"--batch-check={form}") as asking:
        for at in range(0, len(unique), asking.AT_ONCE):
            some = unique[at : at + asking.AT_ONCE]
            asking.ask([f"{name}{what}" for name in some])
            for name in some:
                answer = text(asking.line())
                if not answer.endswith((" missing", " ambiguous")):
                    result[name] = answer
    return result


def changed_refs(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return the names of refs that were created, moved or deleted, sorted."""
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
