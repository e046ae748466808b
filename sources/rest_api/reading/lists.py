"""The lists that are read for one endpoint in one run: one, or one for each window of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from leat.sources.http.client import Client
from leat.sources.http.request import HttpRequest
from leat.sources.rest_api.answers.page import Page
from leat.sources.rest_api.declaration.endpoint import Endpoint
from leat.sources.rest_api.pages.delta import Removed, first_of
from leat.sources.rest_api.pages.ends import Memory
from leat.sources.rest_api.pages.paging import Listing
from leat.sources.rest_api.reading.spool import Spool


@dataclass(slots=True)
class Lists:
    """Some lists that are read as one.

    Attributes:
        client: asks.
        endpoint: the declaration.
        asks: the first request of each.
        memory: what the endpoint's lists had so far.
        spool: where their pages wait.
        removed: takes out the records that say that something is gone.
        whole: whether they have everything, and not only what is new.
        token: what the API gave for the changes since the last run.
        listing: the last one that was read.
        because: why they are complete.
    """

    client: Client
    endpoint: Endpoint
    asks: list[HttpRequest]
    memory: Memory
    spool: Spool
    removed: Removed
    whole: bool
    token: Any = None
    listing: Listing | None = None
    because: str = ""

    def pages(self) -> Iterator[Page]:
        """Yield all pages.

        Raises:
            IntegrationError: one can't be read, or nothing proves that a list is complete.
            Miscounted: a list has another number of records than it says.
        """
        self.removed.gone.clear()
        delta = self.endpoint.delta
        for ask in self.asks:
            first = first_of(self.endpoint, ask, self.token)
            expires = frozenset(delta.expired) if delta and self.token is not None else frozenset()
            self.listing = Listing(self.client, self.endpoint, ask, self.memory, first, expires)
            for page in self.listing.start():
                yield self.removed.without(page)
            if self.unchanged or self.skipped or self.expired:
                return
        windows = f"{len(self.asks)} windows of time, the last: " if len(self.asks) > 1 else ""
        self.because = windows + (self.listing.because if self.listing else "")

    def restart(self) -> None:
        """Forget the token: everything is asked for."""
        self.token, self.whole = None, True

    @property
    def last(self) -> Page | None:
        """The last page."""
        return self.listing.last if self.listing else None

    @property
    def unchanged(self) -> bool:
        """Whether the server says that nothing has changed."""
        return self.listing is not None and self.listing.unchanged

    @property
    def skipped(self) -> bool:
        """Whether the server refuses the list in a way that the declaration takes for none."""
        return self.listing is not None and self.listing.skipped

    @property
    def expired(self) -> bool:
        """Whether the token is too old."""
        return self.listing is not None and self.listing.expired
