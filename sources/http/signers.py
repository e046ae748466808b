"""Credentials that stay the same: added to each request in a header or in the query."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode, urlsplit, urlunsplit

from leat.sources.http.credentials import digest

if TYPE_CHECKING:
    import requests


class Signer(Protocol):
    """Adds credentials to a request.

    One whose credentials expire also has ``within(limits)``, ``prepare(deadline)`` and ``renew(refused) -> bool``,
    which :mod:`leat.sources.http.credentials` calls.
    """

    @property
    def identity(self) -> str:
        """The identity of these credentials, as a hash."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add them."""


@dataclass(frozen=True, slots=True, repr=False)
class InHeader:
    """A header with a secret."""

    name: str
    value: str

    @classmethod
    def basic(cls, username: str, password: str) -> InHeader:
        """Return user name and password as a header, in UTF-8 (RFC 7617)."""
        return cls("Authorization", "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode())

    @property
    def identity(self) -> str:
        """The identity of these credentials."""
        return digest(self.value)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header."""
        request.headers[self.name] = self.value
        return request


@dataclass(frozen=True, slots=True, repr=False)
class InQuery:
    """A query parameter with a secret; it is never logged, for queries aren't."""

    name: str
    value: str

    @property
    def identity(self) -> str:
        """The identity of these credentials."""
        return digest(self.value)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the parameter."""
        parts = urlsplit(request.url or "")
        query = "&".join(filter(None, (str(parts.query), urlencode({self.name: self.value}))))
        request.url = urlunsplit((str(parts.scheme), str(parts.netloc), str(parts.path), query, ""))
        return request
