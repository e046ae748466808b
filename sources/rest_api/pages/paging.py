"""The pages of a list, in order, and why they are all there are.

A listing ends for a reason that was seen, which is its ``because``: no link after pages that had one, a total that was
reached, an empty page. Where the answers leave that open, that is an error, which names the page and what to declare. A
list that doesn't end is one too: a page or a cursor that was there before, ten empty pages in a row, too many pages.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from leat.sources.errors import IntegrationError, UnexpectedShape
from leat.sources.http.client import Client
from leat.sources.http.failures import error_of
from leat.sources.http.request import Answer, HttpRequest
from leat.sources.http.validators import NOT_MODIFIED
from leat.sources.rest_api.answers.page import Page, page_of
from leat.sources.rest_api.declaration.endpoint import Endpoint
from leat.sources.rest_api.declaration.paging_styles import Offset, Paged, Pages
from leat.sources.rest_api.pages.ends import End, Memory, Unproven
from leat.sources.rest_api.pages.follow import Follower
from leat.sources.rest_api.pages.numbered import Numbered, counted
from leat.sources.rest_api.pages.proof import check_marks, check_total
from leat.sources.rest_api.pages.requests import with_size

_EMPTY_PAGES = 10


@dataclass(slots=True)
class Listing:
    """One list, read by going through its pages.

    Attributes:
        client: asks.
        endpoint: the declaration.
        ask: the request without what leads to a page.
        memory: what earlier pages of the endpoint had.
        first: the first request, where it is another one than those that follow are made from.
        expires: statuses of the first page by which a token is too old.
        expired: whether there was one of them; there are then no pages.
        because: why the list is complete, once it is.
        unchanged: whether the server says that nothing has changed; there are then no pages.
        skipped: whether the server refuses the list in a way that the declaration takes for none.
        rows: how many records it has.
        pages: how many pages were read.
        last: the last page.
    """

    client: Client
    endpoint: Endpoint
    ask: HttpRequest
    memory: Memory = field(default_factory=Memory)
    first: HttpRequest | None = None
    expires: frozenset[int] = frozenset()
    expired: bool = False
    because: str = ""
    unchanged: bool = False
    skipped: bool = False
    rows: int = 0
    pages: int = 0
    last: Page | None = None
    _digests: dict[bytes, int] = field(default_factory=dict)
    _totals: set[int] = field(default_factory=set)
    _empty: int = 0

    def start(self) -> Iterator[Page]:
        """Yield the pages, from the first.

        Raises:
            IntegrationError: a page can't be read, or nothing says that they are all there are.
            Miscounted: their number isn't what the answers say.
        """
        self.because, self.unchanged, self.skipped, self.last = "", False, False, None
        self.rows = self.pages = self._empty = 0
        self._digests, self._totals = {}, set()
        paging = self.endpoint.paging
        ask = replace(self.ask, accept=self.ask.accept | frozenset(self.endpoint.on_status))
        try:
            if isinstance(paging, Pages | Offset):
                yield from self._numbered(paging, ask)
            else:
                yield from self._followed(ask)
        except Unproven as error:
            asked = self.last.asked if self.last else f"{ask.method} {ask.template}"
            raise UnexpectedShape(self.client.integration, asked, str(error), error.advice) from None

    def _followed(self, ask: HttpRequest) -> Iterator[Page]:
        """Yield pages; each names the next."""
        paging = self.endpoint.paging
        stops = frozenset(stop for stop in self._stops() if isinstance(stop, int))
        asked: set[str] = set()
        base = with_size(self.endpoint, ask)
        follower = (
            Follower(self.client, self.endpoint, paging, base, self.memory) if isinstance(paging, Paged) else None
        )
        page: Page | None = None
        following: HttpRequest | End = with_size(self.endpoint, self._first(ask))
        while isinstance(following, HttpRequest):
            token = f"{following.path} {following.params} {following.json}"
            if token in asked and "repeat" in self._stops():
                self._end(End(f"page {self.pages} leads back to one that was read"), page)
                return
            if token in asked:
                msg = "the API leads back to a page that was read before"
                raise Unproven(msg, "report it to the vendor; it never ends")
            asked.add(token)
            answer = self.client.send(following)
            if self._is_other(answer):
                return
            if self.pages and answer.status in stops:
                self._end(End(f"HTTP {answer.status} after {self.pages} pages"), None)
                return
            page = self._take(following, answer)
            if page is None:
                return
            yield page
            following = follower.after(page) if follower else End("the answer is the whole list")
            if isinstance(following, HttpRequest):
                following = replace(following, accept=ask.accept | stops)
        self._end(following, page)

    def _numbered(self, paging: Pages | Offset, ask: HttpRequest) -> Iterator[Page]:
        """Yield pages that are asked for by their numbers, several at a time."""
        numbered = Numbered(self.endpoint, paging, with_size(self.endpoint, ask))
        while True:
            sent, copied = itertools.tee(numbered.asks())
            for asked, answer in zip(copied, self.client.each(sent), strict=False):
                if self._is_other(answer):
                    return
                end = numbered.ended_by(answer.status) if self.pages else None
                if end is not None:
                    self._end(end, None)
                    return
                page = self._take(asked, answer, numbered.reached)
                if page is None:
                    return
                yield page
                end = numbered.after(page)
                if end is not None:
                    self._end(end, page)
                    return
                if not numbered.regular and isinstance(paging, Offset):
                    break

    def _is_other(self, answer: Answer) -> bool:
        """Return whether an answer is no page: nothing has changed, or a status that the declaration names."""
        if answer.status == NOT_MODIFIED:
            self.unchanged = True
            return True
        if not self.pages and answer.status in self.expires:
            self.expired = True
            return True
        meaning = self.endpoint.on_status.get(answer.status)
        if self.pages or meaning is None:
            return False
        self.skipped = meaning == "skip"
        self.because = f"HTTP {answer.status} counts as an empty list"
        return True

    def _take(self, ask: HttpRequest, answer: Answer, reached: str = "") -> Page | None:
        """Return an answer as a page, after it was compared with all others; None when it is one that ends the list."""
        if answer.status >= 300:
            raise self._error(answer)
        page = page_of(self.client, self.endpoint, ask, answer)
        digest = b"" if page.is_empty else page.digest
        before = self._digests.get(digest)
        if before is not None and (reached or "repeat" in self._stops()):
            because = f"page {self.pages + 1} repeats page {before}"
            self._end(End(f"{reached}, and {because}" if reached else because), None)
            return None
        self.last, self.pages = page, self.pages + 1
        self.rows += page.count
        if before is not None:
            got = f"page {self.pages} is the same page as page {before}"
            raise Unproven(got, "does the API know paging.param? If it repeats the last page, write stop_on: repeat")
        if digest:
            self._digests[digest] = self.pages
        self._count(page)
        return page

    def _count(self, page: Page) -> None:
        """Take note of a page's total, and refuse a list that doesn't end."""
        paging = self.endpoint.paging
        self._empty = self._empty + 1 if page.is_empty else 0
        if self._empty >= _EMPTY_PAGES:
            msg = f"the API gave {self._empty} empty pages in a row"
            raise Unproven(msg, "check paging")
        if isinstance(paging, Paged) and self.pages > paging.max_pages:
            msg = f"there are more than {paging.max_pages} pages"
            raise Unproven(msg, "raise paging.max_pages, if that is right")
        total = paging.total if isinstance(paging, Paged) else None
        number = counted(page, total, None) if total else None
        self._totals |= set() if number is None else {number}

    def _end(self, end: End, page: Page | None) -> None:
        """Take note of why the list is complete, unless the last page says something else.

        Raises:
            Unproven: it has a mark of another page, or the total that is declared was never there.
            Miscounted: the total is another number.
        """
        if page is not None:
            check_marks(page, self.endpoint, end, self.rows, self.pages)
        check_total(self.endpoint.paging, self._totals, self.rows)
        self.because = end.because

    def _first(self, ask: HttpRequest) -> HttpRequest:
        first = self.first or ask
        return replace(first, accept=first.accept | ask.accept | self.expires)

    def _stops(self) -> tuple[int | str, ...]:
        return self.endpoint.paging.stop_on if isinstance(self.endpoint.paging, Paged) else ()

    def _error(self, answer: Answer) -> IntegrationError:
        client = self.client
        return error_of(client.integration, answer.asked, answer.status, answer.headers, answer.body, client.advice)
