"""Lists whose pages have numbers, of pages or of records: where each begins, and when all were read.

Pages are asked for several at a time while each is as large as the first. A page that isn't leaves the order, and what
follows is asked for by what really came: a server that gives fewer records than asked for loses none of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from leat.sources.http.request import HttpRequest
from leat.sources.rest_api.answers.marks import number_of
from leat.sources.rest_api.answers.page import Page
from leat.sources.rest_api.declaration.endpoint import Endpoint
from leat.sources.rest_api.declaration.paging_styles import Offset, Pages
from leat.sources.rest_api.pages.ends import ABSENT, End, Unproven, more_of, said
from leat.sources.rest_api.pages.requests import asked_size, with_params

_BEYOND = frozenset({400, 404, 410, 416, 422})
"""Statuses by which servers say that a page is beyond the last: they end a list whose total was reached."""


@dataclass(slots=True)
class Numbered:
    """Where a list of numbered pages is.

    Attributes:
        endpoint: the declaration.
        paging: its style.
        ask: the request without a number.
        rows: records read so far.
        pages: pages with records read so far.
        given: records in the first page: what the server gives.
        regular: whether every page so far has as many.
    """

    endpoint: Endpoint
    paging: Pages | Offset
    ask: HttpRequest
    rows: int = 0
    pages: int = 0
    given: int = 0
    regular: bool = True
    total: int | None = None
    total_pages: int | None = None
    _flagged: bool = False
    _before: int = 0

    def asks(self) -> Iterator[HttpRequest]:
        """Yield requests that can be under way side by side, at least one; after the last total, the one beyond it."""
        counts_records = isinstance(self.paging, Offset)
        at = self.paging.first + (self.rows if counts_records else self.pages)
        left = self._left()
        if not self.pages or left == 0 or (counts_records and not self.regular):
            return iter([self._at(at)])
        step = self.given if counts_records else 1
        numbers = itertools.count(at, step)
        return map(self._at, numbers if left is None else itertools.islice(numbers, left))

    def _at(self, number: int) -> HttpRequest:
        asked = with_params(self.endpoint, self.ask, {self.paging.param: number})
        return replace(asked, accept=asked.accept | _BEYOND) if number != self.paging.first else asked

    def _left(self) -> int | None:
        """Return how many pages are left by the total; None without a total."""
        if self.total_pages is not None:
            return max(0, self.total_pages - self.pages)
        if self.total is not None and self.given:
            return max(0, -(-(self.total - self.rows) // self.given))
        return None

    @property
    def reached(self) -> str:
        """What the server says of the size of the list, where that was read; empty otherwise."""
        if self.total is not None and self.rows >= self.total:
            return f"total of {self.total} reached"
        if self.total_pages is not None and self.pages >= self.total_pages:
            return f"total of {self.total_pages} pages reached"
        return ""

    def ended_by(self, status: int) -> End | None:
        """Return why a page that the server refuses ends the list; None when it doesn't."""
        if status in self.paging.stop_on:
            return End(f"HTTP {status} after {self.pages} pages")
        if status in _BEYOND and self.reached:
            return End(f"{self.reached}, and HTTP {status} after it")
        return None

    def after(self, page: Page) -> End | None:
        """Return why the list is complete with this page; None when there may be more.

        Raises:
            Unproven: what the pages say doesn't fit together.
        """
        self._learn(page)
        flag = more_of(page, self.paging)
        self._flagged |= flag is not None
        if page.is_empty and (flag is not True or isinstance(self.paging, Offset)):
            return self._at_empty(flag)
        self._check_size(page)
        if not self.pages:
            self.given = page.count
        self.regular = self.regular and page.count == self.given
        self.rows, self._before = self.rows + page.count, page.count
        self.pages += 1
        if flag is False:
            return End(f"{self.paging.more or self.paging.last} says that it is the last page")
        return None

    def _learn(self, page: Page) -> None:
        if self.paging.total:
            self.total = counted(page, self.paging.total, self.total)
        if isinstance(self.paging, Pages) and self.paging.total_pages:
            self.total_pages = counted(page, self.paging.total_pages, self.total_pages)

    def _at_empty(self, flag: bool | None) -> End:
        if flag is True:
            got = f"page {self.pages + 1} is empty and says that there are more"
            raise Unproven(got, "the API skips records; page by page number or cursor, if it can")
        named = self.paging.more or self.paging.last
        if self.pages and named and not self._flagged:
            msg = f"no page has {named}"
            raise Unproven(msg, "correct paging.more or paging.last, or leave it out")
        if self.reached:
            return End(f"{self.reached}, and nothing after it")
        return End(f"empty page after {self.pages} pages", weak=self.total is None)

    def _check_size(self, page: Page) -> None:
        """Refuse a page that is fuller than one before it that was shorter than what was asked for.

        Raises:
            Unproven: there is such a page, and nothing else says how many records there are.
        """
        size = asked_size(self.endpoint, self.ask)[1] or self.given
        says = (self.paging.total, self.paging.more, self.paging.last, getattr(self.paging, "total_pages", None))
        if self.pages and self._before < size and page.count > self._before and not any(says):
            got = (
                f"page {self.pages} has {self._before} records, fewer than the {size} asked for, and page "
                f"{self.pages + 1} has {page.count}"
            )
            raise Unproven(got, "the API leaves records out; name paging.total or paging.more, by which that is seen")


def counted(page: Page, name: str, before: int | None) -> int | None:
    """Return a total that a page has, or else the one before.

    Raises:
        Unproven: it is no whole number.
    """
    value = said(page, name)
    if value is None or value is ABSENT:
        return before
    number = number_of(value)
    if number is None or number < 0:
        msg = f"{name} is no number of records"
        raise Unproven(msg, "correct paging.total, or leave it out")
    return number
