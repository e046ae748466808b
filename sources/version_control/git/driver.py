"""Driver ``git``: reads any git repository with the git command, through a bare mirror that stays between runs.

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
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

from leat.sources.driver import SetupTest, Sync
from leat.sources.errors import Forbidden, IntegrationError, NotConfigured, Transient, Unauthenticated
from leat.sources.events import Cursor, Delete, Event, Failed
from leat.sources.held import PartFailed, held
from leat.sources.settings import redact
from leat.sources.version_control.git.address import Remote
from leat.sources.version_control.git.connection import Connection, borrows, hosts, remotes_of
from leat.sources.version_control.git.program import git_version
from leat.sources.version_control.git.remote import Listing, list_refs
from leat.sources.version_control.git.repository import State, folder_of, is_unchanged, read_repository
from leat.sources.version_control.streams import FILES, REFS, REPOSITORIES, STREAMS, TAGS

__all__ = ["Connection", "borrows", "extract", "hosts", "setup_tests"]


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
    """Yield what one request has proven, up to the first test that failed."""
    try:
        refs, failure = len(list_refs(remote).refs), None
    except IntegrationError as error:
        refs, failure = 0, error
    named = remote.scheme == "ssh" or remote.credentials.password
    details = {
        "reachable": remote.url,
        "authenticated": "yes" if named else "anonymously",
        "is a repository": "yes",
        "may read refs": f"{refs} branches and tags" if refs != 1 else "1 branch or tag",
    }
    for name in _passed(remote, failure):
        yield SetupTest(f"{remote.name}: {name}", True, details[name])
    if failure is not None:
        yield SetupTest(f"{remote.name}: {_failed(failure)}", False, redact(str(failure)))


def _failed(failure: IntegrationError) -> str:
    """Return the name of the test that a failure is the outcome of."""
    if isinstance(failure, Transient | NotConfigured):
        return "reachable"
    if isinstance(failure, Unauthenticated):
        return "authenticated"
    return "may read refs" if isinstance(failure, Forbidden) else "is a repository"


def _passed(remote: Remote, failure: IntegrationError | None) -> list[str]:
    """Return the tests that passed: a folder has no server, and a server may answer 404 before it asks who reads."""
    names = ["reachable", "authenticated", "is a repository", "may read refs"]
    passed = names if failure is None else names[: names.index(_failed(failure))]
    if remote.scheme == "file":
        return [] if failure else passed[2:]
    hidden = failure is not None and _failed(failure) == "is a repository" and remote.scheme != "ssh"
    return [name for name in passed if not (hidden and name == "authenticated")]


def extract(connection: Connection, sync: Sync) -> Generator[Event, None, None]:
    """Yield what is new in each repository; nothing where nothing is.

    If a repository fails, its rows stay and the others go on.

    Raises:
        IntegrationError: every repository failed, or the first refused the credentials, which are then tried nowhere
            else.
    """
    remotes = remotes_of(connection, sync)
    states: dict[str, State] = dict((sync.cursor or {}).get("repositories", {}))
    listings = _listings(remotes)
    failures = {
        r.name: answer for r, answer in zip(remotes, listings, strict=True) if isinstance(answer, IntegrationError)
    }
    if len(failures) == len(remotes):
        raise failures[remotes[0].name]
    for name in sorted(set(states) - {remote.name for remote in remotes}):
        del states[name]
        shutil.rmtree(folder_of(sync, name), ignore_errors=True)
        yield from (Delete(stream.name, {"repository": name}) for stream in (REPOSITORIES, REFS, TAGS, FILES))
        yield Cursor({"repositories": dict(states)})
    for remote, listing in zip(remotes, listings, strict=True):
        state = states.get(remote.name)
        if isinstance(listing, IntegrationError) or (state is not None and is_unchanged(state, listing, sync)):
            continue
        try:
            now = yield from held(read_repository(remote, listing, state, sync), of_all=())
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
