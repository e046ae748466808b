"""A listing of SCIM resources, page by page, that believes nothing of what the server says about its pages.

RFC 7644, 3.4.2.4 has ``startIndex``, ``count``, ``itemsPerPage`` and ``totalResults``. Servers leave them out, count
wrongly, ignore ``startIndex``, count it from 0 or fail on what is beyond the end. So the next page begins after what
came, whatever was promised; the listing ends where a page brings nothing new; and it is complete for a reason only.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from leat.sources.errors import IntegrationError, Permanent, Unauthenticated, Unavailable, UnexpectedShape
from leat.sources.sso.scim.access import Access
from leat.sources.sso.scim.attributes import attribute
from leat.sources.sso.scim.page import Page, line_of, read_page

MAX_PAGES = 100_000


@dataclass(frozen=True, slots=True)
class Ended:
    """How a listing ended.

    Attributes:
        because: what proved that it was complete; empty when nothing did.
        wrong: why it can't be complete; empty when it may be, though nothing proves it.
        identities: a digest of what came, whatever its order.
    """

    because: str
    wrong: str
    identities: bytes


@dataclass(slots=True)
class _Reading:
    """What came so far, counted from ``base``; None for what the server counts from by itself."""

    base: int | None
    seen: set[bytes] = field(default_factory=set)
    totals: list[int] = field(default_factory=list)
    received: int = 0
    pages: int = 0

    def has_all(self) -> bool:
        """Return whether the total, which never changed, is that of what came."""
        return set(self.totals) == {len(self.seen)}

    def ended(self, beyond: Page | None) -> Ended:
        """Return how it ended, with a page that brought nothing new; None when the server gives no page there."""
        count, identities = len(self.seen), sha256(b"".join(sorted(self.seen))).digest()
        if self.has_all():
            also = "" if beyond is not None else ", and the server refuses a page beyond"
            return Ended(f"total of {self.totals[-1]} reached{also}", "", identities)
        if self.totals and self.totals[-1] > count:
            return Ended("", f"{count} came where totalResults says {self.totals[-1]}", identities)
        if not self.pages and self.base is None:
            return Ended("the only page is empty", "", identities)
        return Ended("", "", identities)


def list_resources(
    access: Access, path: str, condition: str | None = None, first: int | None = None
) -> Generator[Any, None, Ended]:
    """Yield each resource of a listing once, as the server gave it; returns how it ended.

    Args:
        access: the service.
        path: ``Users`` or ``Groups``.
        condition: ``filter`` to ask for.
        first: number of the first resource; None for 1, which is then left to the server.

    Raises:
        UnexpectedShape: a page isn't a ListResponse, or the pages go in a circle.
    """
    reading = _Reading(first)
    for _ in range(MAX_PAGES):
        start = (1 if first is None else first) + reading.received
        asked = None if first is None and not reading.received else start
        try:
            page = read_page(access, path, {"startIndex": asked, "count": access.page_size, "filter": condition})
        except IntegrationError as error:
            if not reading.received or not reading.has_all() or not _is_refusal(error):
                raise
            return reading.ended(None)
        reading.totals += [] if page.total is None or access.ignore_total else [page.total]
        before = len(reading.seen)
        for resource in page.resources:
            key = _identity(resource)
            if key not in reading.seen:
                reading.seen.add(key)
                yield resource
        if len(reading.seen) == before:
            _refuse_circle(access, path, reading, page, start)
            return reading.ended(page)
        reading.received += len(page.resources)
        reading.pages += 1
    raise _wrong(access, path, f"more than {MAX_PAGES} pages")


def _is_refusal(error: IntegrationError) -> bool:
    """Return whether a server says no to a page beyond the end; some do it by failing."""
    failed = isinstance(error, Unavailable) and error.got.startswith("HTTP 5")
    return failed or (isinstance(error, Permanent) and not isinstance(error, Unauthenticated))


def _refuse_circle(access: Access, path: str, reading: _Reading, page: Page, start: int) -> None:
    """Raise UnexpectedShape when a page holds what came before although that isn't all, or may not be."""
    if not page.resources or reading.has_all():
        return
    again = f"the same {len(page.resources)} again from startIndex={start} on"
    if reading.totals and reading.totals[-1] > len(reading.seen):
        raise _wrong(access, path, f"{again}, of {reading.totals[-1]}")
    if reading.pages <= 1:
        raise _wrong(access, path, f"{again}, and no total says whether these are all")


def _identity(resource: Any) -> bytes:
    """Return what identifies a resource: its id; all of it if it has none."""
    name = attribute(resource, "id")
    return sha256((f"id:{name}" if isinstance(name, str) else line_of(resource)).encode()).digest()


def _wrong(access: Access, path: str, got: str) -> UnexpectedShape:
    return UnexpectedShape(access.client.integration, f"GET {path}", got, access.client.advice.shape)
