"""A listing in a file while it is compared: it is loaded only when it isn't the one that is loaded already."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from leat.sources.errors import IntegrationError, Rejected, Unavailable, UnexpectedShape
from leat.sources.sso.scim.access import Access
from leat.sources.sso.scim.attributes import modified
from leat.sources.sso.scim.page import line_of
from leat.sources.sso.scim.paging import Ended, list_resources
from leat.sources.sso.scim.records import has_attribute

_FIRST = (None, 1, 0)
"""What each reading counts from: a server may not count from 1 as RFC 7644 does, and skip one at the end of a page."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Resources in a file.

    Attributes:
        kind: ``Users`` or ``Groups``.
        file: one resource a line, as JSON.
        count: how many.
        digest: of all of them, in whatever order they came.
        newest: the last ``meta.lastModified``; None when one has none.
        oldest: the first one; likewise.
        because: what proved that it is complete.
        bare: whether no resource has ``members``.
    """

    kind: str
    file: Path
    count: int
    digest: str
    newest: datetime | None
    oldest: datetime | None
    because: str
    bare: bool

    def resources(self) -> Iterator[Any]:
        """Yield the resources in the order in which they came."""
        with self.file.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)

    def digest_since(self, time: datetime) -> str:
        """Return the digest of the resources that were changed after a time."""
        late = (resource for resource in self.resources() if (modified(resource) or time) > time)
        return _digest([sha256(line_of(resource).encode()).digest() for resource in late])


@contextlib.contextmanager
def open_listing(
    access: Access,
    folder: Path,
    kind: str,
    condition: str | None = None,
    each: Callable[[Any], Any] = lambda resource: resource,
) -> Iterator[Listing]:
    """List resources into a file that is removed in the end.

    Args:
        access: the service.
        folder: where the file is.
        kind: ``Users`` or ``Groups``.
        condition: ``filter`` to ask for.
        each: gives the resource to store instead of the listed one.

    A listing that isn't the one that its total promises, or that has no total that could prove it, is read again.

    Raises:
        IntegrationError: it can't be read to its end, or nothing proves that it was.
    """
    file = folder / f"{kind}.jsonl"
    try:
        yield _proven(access, file, kind, condition, each)
    finally:
        file.unlink(missing_ok=True)


def _proven(access: Access, file: Path, kind: str, condition: str | None, each: Callable[[Any], Any]) -> Listing:
    """Read until there is a reason to believe that it is all there is; two readings that are alike are one."""
    before: bytes | None = None
    wrong, most = "", 0
    for first in _FIRST:
        try:
            listing, ended = _write(file, kind, list_resources(access, kind, condition, first), each)
        except (Rejected, UnexpectedShape):
            if first != 0:
                raise
            break  # a server that counts from 1
        if ended.because and listing.count >= most:
            return listing
        if not ended.wrong and ended.identities == before:
            return replace(listing, because=f"{listing.count} came, twice the same")
        before, wrong = None if ended.wrong else ended.identities, ended.wrong
        most = listing.count  # what is fewer than the time before is believed when it stays so
    raise _unproven(access, kind, wrong)


def _unproven(access: Access, kind: str, wrong: str) -> IntegrationError:
    name, asked = access.client.integration, f"GET {kind}"
    if not wrong:
        got = f"other {kind.lower()} each time it was listed, and no total to count by"
        return Unavailable(name, asked, got, "try later; the directory changes while it is read")
    advice = (
        "ask the vendor which ones the client may not see; if the total is wrong, set connection.ignore_total: true"
    )
    return UnexpectedShape(name, asked, f"{wrong}, each time it was listed", advice)


def _write(
    file: Path, kind: str, pages: Generator[Any, None, Ended], each: Callable[[Any], Any]
) -> tuple[Listing, Ended]:
    digests: list[bytes] = []
    times: list[datetime | None] = []
    bare = True
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    with file.open("w", encoding="utf-8") as out:
        while True:
            try:
                resource = each(next(pages))
            except StopIteration as end:
                ended: Ended = end.value
                break
            if isinstance(resource, dict):  # never returned by a server that follows RFC 7643, 7
                resource = {name: value for name, value in resource.items() if str(name).lower() != "password"}
            text = line_of(resource)
            out.write(text)
            digests.append(sha256(text.encode()).digest())
            bare = bare and not has_attribute(resource, "members")
            times = _span(times, modified(resource))
    oldest, newest = times or [None, None]
    return Listing(kind, file, len(digests), _digest(digests), newest, oldest, ended.because, bare), ended


def _digest(digests: list[bytes]) -> str:
    """Return one digest of many, whatever their order."""
    return sha256(b"".join(sorted(digests))).hexdigest()[:32]


def _span(times: list[datetime | None], time: datetime | None) -> list[datetime | None]:
    """Return the first and the last of the times so far; None for both once one is unknown."""
    if not times:
        return [time, time]
    if time is None or times[0] is None or times[1] is None:
        return [None, None]
    return [min(times[0], time), max(times[1], time)]
