"""A listing kept in a file while it is compared: it is loaded only when it isn't the one that is loaded already."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from sources.sso.access import Access
from sources.sso.paging import Ended, list_resources
from sources.sso.records import has_attribute

_ATTEMPTS = 2


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
        complete: whether it can prove that something is gone.
        bare: whether no resource has ``members``.
    """

    kind: str
    file: Path
    count: int
    digest: str
    newest: datetime | None
    oldest: datetime | None
    complete: bool
    bare: bool

    def resources(self) -> Iterator[Any]:
        """Yield the resources in the order in which they came."""
        with self.file.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)

    def digest_since(self, time: datetime) -> str:
        """Return the digest of the resources that were changed after a time."""
        late = (resource for resource in self.resources() if (modified(resource) or time) > time)
        return _digest([sha256(_line(resource).encode()).digest() for resource in late])


@contextlib.contextmanager
def keep_listing(
    access: Access,
    folder: Path,
    kind: str,
    page_size: int | None,
    condition: str | None = None,
    each: Callable[[Any], Any] = lambda resource: resource,
) -> Iterator[Listing]:
    """List resources into a file that is removed in the end.

    Args:
        access: the service.
        folder: where the file is.
        kind: ``Users`` or ``Groups``.
        page_size: ``count`` to ask for; None to leave it to the server.
        condition: ``filter`` to ask for.
        each: gives the resource to keep in place of the one that was listed.

    A listing that changed while it was read is read once more.

    Raises:
        IntegrationError: it can't be read to its end.
    """
    file = folder / f"{kind}.jsonl"
    try:
        for attempt in range(1, _ATTEMPTS + 1):
            listing = _write(file, kind, list_resources(access, kind, page_size, condition), each)
            if listing.complete or attempt == _ATTEMPTS:
                break
        yield listing
    finally:
        file.unlink(missing_ok=True)


def _write(file: Path, kind: str, pages: Generator[Any, None, Ended], each: Callable[[Any], Any]) -> Listing:
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
                complete = end.value.complete
                break
            if isinstance(resource, dict):  # never returned by a server that keeps to RFC 7643, 7
                resource = {name: value for name, value in resource.items() if name.lower() != "password"}
            text = _line(resource)
            out.write(text)
            digests.append(sha256(text.encode()).digest())
            bare = bare and not has_attribute(resource, "members")
            times = _span(times, modified(resource))
    oldest, newest = times or [None, None]
    return Listing(kind, file, len(digests), _digest(digests), newest, oldest, complete, bare)


def _digest(digests: list[bytes]) -> str:
    """Return one digest of many, whatever their order."""
    return sha256(b"".join(sorted(digests))).hexdigest()[:32]


def _line(resource: Any) -> str:
    return json.dumps(resource, sort_keys=True) + "\n"


def _span(times: list[datetime | None], time: datetime | None) -> list[datetime | None]:
    """Return the first and the last of the times so far; None for both once one is unknown."""
    if not times:
        return [time, time]
    if time is None or times[0] is None or times[1] is None:
        return [None, None]
    return [min(times[0], time), max(times[1], time)]


def modified(resource: Any) -> datetime | None:
    """Return ``meta.lastModified`` of a resource, UTC; None when there is none that can be read."""
    meta = resource.get("meta") if isinstance(resource, dict) else None
    text = meta.get("lastModified") if isinstance(meta, dict) else None
    try:
        time = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    if time is None:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
