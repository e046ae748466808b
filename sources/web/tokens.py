"""Access tokens that expire: fetched when the first request needs one, and renewed once when they are refused."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from sources.driver import Sync
from sources.errors import Unauthenticated, UnexpectedShape
from sources.settings import redact, remember_secret
from sources.web.ask import Answer, Ask, Limits
from sources.web.grants import Grant

if TYPE_CHECKING:
    import requests

_EARLY = 30.0
"""Seconds before its end at which a token is renewed, at most a tenth of its life."""
_REFUSALS = frozenset({400, 401, 403})
_ASKING = "asking for an access token at "


@dataclass(slots=True, repr=False)
class TokenSigner:
    """Signs requests with a token that a grant gives; safe to use from several threads.

    Attributes:
        sync: the extraction, whose errors and calls the token requests are.
        token_url: where tokens are given out; it need not be on the API's host.
        grant: what they are asked for with.
        limits: how patiently, and from where.
    """

    sync: Sync
    token_url: str
    grant: Grant
    limits: Limits = field(default_factory=Limits)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _token: str | None = None
    _until: float = 0.0
    _fetched: int = 0
    _used: threading.local = field(default_factory=threading.local)

    @property
    def identity(self) -> str:
        """What tells these credentials from others."""
        return self.grant.identity

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
                self._fetch(replace(self.limits, total=max(0.001, min(self.limits.total, left))))

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token, a new one when there is none or it is about to expire."""
        self.prepare()
        with self._lock:
            self._used.number = self._fetched
            request.headers["Authorization"] = f"Bearer {self._token}"
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

    def _fetch(self, limits: Limits) -> None:
        from sources.web.client import open_client

        with (
            open_client(self.sync, self.token_url, limits=limits) as client,
            self.grant.form(self.sync.integration, self.token_url) as (form, headers),
        ):
            kind = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json", **headers}
            path = urlsplit(self.token_url).path or "/"
            got = client.send(Ask(path, "POST", body=urlencode(form), headers=kind, accept=_REFUSALS))
            if got.status in _REFUSALS:
                raise self._refused(got)
            answer = client.json(got)
            token = answer.get("access_token") if isinstance(answer, dict) else None
            if not isinstance(token, str) or not token:
                said = "an answer without access_token"
                raise UnexpectedShape(self.sync.integration, _asking(self.token_url), said, "check auth.token_url")
            self.grant.keep(self.sync.integration, answer)
        self._token, self._fetched = remember_secret(token), self._fetched + 1
        life = answer.get("expires_in")
        seconds = float(life) if isinstance(life, int | float) and life > 0 else 3600.0
        self._until = time.monotonic() + seconds - min(_EARLY, seconds / 10)

    def _refused(self, answer: Answer) -> Unauthenticated:
        """Return the error for a grant that is refused, with the reason that the server gives (RFC 6749, 5.2)."""
        told: Any = None
        with contextlib.suppress(ValueError, RecursionError):
            told = json.loads(answer.body)
        told = told if isinstance(told, dict) else {}
        reason = " ".join(str(told[key])[:200] for key in ("error", "error_description") if told.get(key))
        advice = {
            "invalid_client": "check auth.client_id and auth.client_secret",
            "invalid_grant": "the refresh token, key or account was revoked or has expired: sign in anew",
            "invalid_scope": "correct auth.scope",
            "unauthorized_client": "allow this kind of grant in the vendor's settings of the client",
        }.get(str(told.get("error")), "check auth in connection")
        got = redact(f"HTTP {answer.status} {reason}".strip())
        return Unauthenticated(self.sync.integration, _asking(self.token_url), got, advice)


def _asking(token_url: str) -> str:
    parts = urlsplit(token_url)
    return f"{_ASKING}{parts.hostname}{parts.path}"
