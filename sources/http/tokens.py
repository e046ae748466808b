"""Credentials that expire: fetched when the first request needs them, and renewed once when they are refused."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from leat.sources.driver import Sync
from leat.sources.errors import Unauthenticated
from leat.sources.http.request import Limits
from leat.sources.settings import remember_secret

if TYPE_CHECKING:
    import requests

_EARLY = 30.0
"""Seconds before its end at which a token is renewed, at most a tenth of its life."""
_UNSAID = 3600.0
"""Seconds that a token is taken to live when nobody says how long."""
_LONGEST = 30 * 86400.0
_ASKING = ("asking for an access token at ", "signing in at ")
"""How what was asked for begins in errors about the credentials themselves."""


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """What was given out: the text that requests carry, and its lifetime in seconds, if the answer has it."""

    value: str
    seconds: float | None = None


class Fetch(Protocol):
    """A way to get a token."""

    @property
    def identity(self) -> str:
        """The identity of its owner, as a hash."""

    def __call__(self, sync: Sync, limits: Limits) -> Token:
        """Ask for one.

        Raises:
            Unauthenticated: none is given out; what was asked is :func:`asking` or :func:`signing_in`.
            IntegrationError: no answer, or one that can't be read.
        """


@dataclass(slots=True, repr=False)
class TokenSigner:
    """Signs requests with a token that is fetched; safe to use from several threads.

    Attributes:
        sync: the extraction, whose errors and calls the token requests are.
        fetch: gets a token.
        header: takes it.
        prefix: what the header says before it.
        limits: how patiently it is fetched, and from where.
    """

    sync: Sync
    fetch: Fetch
    header: str = "Authorization"
    prefix: str = "Bearer "
    limits: Limits = field(default_factory=Limits)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _token: str | None = None
    _until: float = 0.0
    _fetched: int = 0
    _used: threading.local = field(default_factory=threading.local)

    @property
    def identity(self) -> str:
        """The identity of these credentials."""
        return self.fetch.identity

    def within(self, limits: Limits) -> None:
        """Fetch tokens as patiently as the client reads, and from no address that it may not read from."""
        self.limits = replace(limits, in_flight=1, rate=None)

    def prepare(self, deadline: float | None = None) -> None:
        """Fetch a token when there is none, or it is about to expire.

        Raises:
            IntegrationError: none is given out, or not until the deadline (monotonic).
        """
        with self._lock:
            if self._token is None or time.monotonic() >= self._until:
                left = self.limits.total if deadline is None else deadline - time.monotonic()
                self._renew(replace(self.limits, total=max(0.001, min(self.limits.total, left))))

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token, a new one when there is none or it is about to expire."""
        self.prepare()
        with self._lock:
            self._used.number = self._fetched
            request.headers[self.header] = f"{self.prefix}{self._token}"
        return request

    def renew(self, refused: Unauthenticated) -> bool:
        """Throw away the token that was refused, unless another thread has got a new one meanwhile.

        Raises:
            Unauthenticated: what was refused is the grant itself, or a token fresh from the server.
        """
        if refused.asked.startswith(_ASKING):
            return False
        with self._lock:
            if getattr(self._used, "number", 0) == self._fetched:
                self._token = None
        return True

    def _renew(self, limits: Limits) -> None:
        token = self.fetch(self.sync, limits)
        self._token, self._fetched = remember_secret(token.value), self._fetched + 1
        seconds = min(token.seconds, _LONGEST) if token.seconds and token.seconds > 0 else _UNSAID
        self._until = time.monotonic() + seconds - min(_EARLY, seconds / 10)


def asking(url: str) -> str:
    """Return what is asked for at the address of tokens, for errors."""
    parts = urlsplit(url)
    return f"{_ASKING[0]}{parts.hostname}{parts.path}"


def signing_in(url: str) -> str:
    """Return what is done at the address of a login, for errors."""
    parts = urlsplit(url)
    return f"{_ASKING[1]}{parts.hostname}{parts.path}"
