"""The first pages of a list of an API, read as a load reads them, and what they say of the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from leat.sources.errors import IntegrationError, UnexpectedShape
from leat.sources.http.client import Client
from leat.sources.http.request import Answer, HttpRequest
from leat.sources.rest_api.answers.page import Page
from leat.sources.rest_api.declaration.endpoint import Endpoint
from leat.sources.rest_api.pages.ends import Miscounted
from leat.sources.rest_api.pages.paging import Listing

PAGES = 2
"""So many pages of a list are read."""


class _Enough(Exception):
    """As many pages were read as are wanted."""


@dataclass(slots=True)
class Brief:
    """A client that stops after a few answers, and gives the same answer to the same request without asking again."""

    client: Client
    answers: dict[str, Answer] = field(default_factory=dict)
    last: Answer | None = None
    left: int = PAGES

    def send(self, ask: HttpRequest) -> Answer:
        """Send a request.

        Raises:
            _Enough: there were enough of them.
        """
        if not self.left:
            raise _Enough
        self.left -= 1
        name = f"{ask.method} {ask.path} {sorted(map(str, ask.pairs()))} {ask.json}"
        self.last = self.answers[name] = self.answers.get(name) or self.client.send(ask)
        return self.last

    def each(self, asks: Iterable[HttpRequest]) -> Iterator[Answer]:
        """Yield the answers, one after the other."""
        return map(self.send, asks)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)


@dataclass(frozen=True, slots=True)
class Seen:
    """The pages of a list that were read, and whether there are others."""

    pages: tuple[Page, ...] = ()
    complete: str = ""
    more: bool = False
    error: IntegrationError | None = None

    @property
    def words(self) -> str:
        """What was read, in words."""
        if not self.pages:
            return "nothing"
        counts = [f"{page.count:,}" for page in self.pages]
        records = "record" if counts[-1] == "1" else "records"
        return f"{len(counts)} page{'s' if len(counts) > 1 else ''} with {' and '.join(counts)} {records}"


def read_some(brief: Brief, endpoint: Endpoint, ask: HttpRequest) -> Seen:
    """Read the first pages of a list; what goes wrong is part of the result."""
    brief.left = PAGES
    listing = Listing(cast("Client", brief), endpoint, ask)
    pages: list[Page] = []
    error: IntegrationError | None = None
    try:
        for page in listing.start():
            pages.append(page)
    except _Enough:
        return Seen(tuple(pages), more=True)
    except Miscounted as wrong:
        advice = "correct paging.total: it counts something else, or the account may not read all records"
        error = UnexpectedShape(brief.client.integration, f"listing {endpoint.path}", str(wrong), advice)
    except IntegrationError as failure:
        error = failure
    return Seen(tuple(pages), listing.because, error=error)
