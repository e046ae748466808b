"""One request and its answer, and how patient a client is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from leat.sources.http.address import Address, is_public, look_up

REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"})
"""Methods that may be sent again after a failure (RFC 9110, 9.2.2)."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request.

    Attributes:
        path: path on the server, or a URL.
        method: HTTP method.
        params: query; pairs with None are left out.
        headers: headers of this request.
        body: bytes or text to send.
        json: a value to send as JSON.
        accept: statuses that are returned although they are errors or lead elsewhere.
        template: the path with names in place of values, for the record of calls; None when the path has no values.
        repeatable: whether it may be sent again after a failure; None for what its method promises.
        private: whether the path has a value that no error, log or message may hold: they name the template.
        exact: whether ``template`` is the path but for its names, so that what is sent has to have the same segments.
    """

    path: str
    method: str = "GET"
    params: Mapping[str, Any] | Sequence[tuple[str, Any]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | str | None = None
    json: Any = None
    accept: frozenset[int] = frozenset()
    template: str | None = None
    repeatable: bool | None = None
    exact: bool = False
    private: bool = False

    def shown(self, path: str) -> str:
        """Return the request in words, for errors: a path that was sent, or its template where that is private."""
        return f"{self.method} {self.template if self.private and self.template else path}"

    def may_repeat(self) -> bool:
        """Return whether the request may be sent again when its outcome is unclear."""
        return self.method in REPEATABLE if self.repeatable is None else self.repeatable

    def pairs(self) -> list[tuple[str, Any]]:
        """Return the query as pairs, without those that have no value."""
        pairs = self.params.items() if isinstance(self.params, Mapping) else self.params
        return [(name, value) for name, value in pairs if value is not None]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read whole; ``url`` is where it came from, for links that are relative to it."""

    asked: str
    status: int
    body: bytes
    headers: Mapping[str, str]
    url: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient a client is, how eager, and where it may go.

    Attributes:
        timeout: seconds to wait for a connection, and for the next bytes of an answer.
        total: seconds that one request may take, with all its attempts and waits, from looking up the host to the last
            byte; a server that sends a byte now and then is given up after it.
        attempts: how often a request that may be repeated is tried.
        in_flight: how many requests :meth:`leat.sources.http.client.Client.each` has under way.
        rate: requests per second that are sent at most, by everybody who uses the same credential; None for no limit
            but the server's.
        burst: how many requests may be sent at once after a pause, as part of ``rate``.
        reserve: share of the server's own limit that is left to others, if it says how many requests are left.
        allow_private: whether the host may be this machine or in a private network, as one that its owner declared may.
        look_up: returns the addresses of a host and a port, or raises OSError; the system's resolver by default.
        permits: returns whether an IP address may be dialled; None if all may.
    """

    timeout: float = 30
    total: float = 300
    attempts: int = 4
    in_flight: int = 1
    rate: float | None = None
    burst: int = 1
    reserve: float = 0.1
    allow_private: bool = True
    look_up: Callable[[str, int], list[Address]] = look_up
    permits: Callable[[str], bool] | None = None

    def permit(self, address: str) -> bool:
        """Return whether an IP address may be dialled."""
        return (self.allow_private or is_public(address)) and (self.permits is None or self.permits(address))

    @property
    def any_address(self) -> bool:
        """Whether every address may be dialled, so that none has to be looked at."""
        return self.allow_private and self.permits is None


@dataclass(frozen=True, slots=True)
class Version:
    """The API version that is asked for, and the headers that say so.

    Attributes:
        asked: the version, for example ``2026-03-01``.
        header: header of the request, for example ``Stripe-Version``.
        served: header of the answer that has the version used; None for the same name.
    """

    asked: str | None
    header: str
    served: str | None = None
