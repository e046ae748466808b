"""Access tokens by OAuth 2: a grant is exchanged for one at the token endpoint (RFC 6749, 5)."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from leat.sources.driver import Sync
from leat.sources.errors import Unauthenticated, UnexpectedShape
from leat.sources.http.grants import Grant
from leat.sources.http.request import Answer, HttpRequest, Limits
from leat.sources.http.tokens import Token, asking
from leat.sources.settings import redact

_REFUSALS = frozenset({400, 401, 403})


@dataclass(frozen=True, slots=True, repr=False)
class TokenEndpoint:
    """Gets tokens for a grant.

    Attributes:
        url: where tokens are given out; it need not be on the API's host.
        grant: what they are asked for with.
    """

    url: str
    grant: Grant

    @property
    def identity(self) -> str:
        """The identity of its owner."""
        return self.grant.identity

    def __call__(self, sync: Sync, limits: Limits) -> Token:
        """Ask for a token.

        Raises:
            Unauthenticated: the grant is refused.
            UnexpectedShape: the answer has no token.
        """
        from leat.sources.http.client import open_client

        with (
            open_client(sync, self.url, limits=limits) as client,
            self.grant.form(sync.integration, self.url) as (form, headers),
        ):
            kind = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json", **headers}
            parts = urlsplit(self.url)
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            got = client.send(HttpRequest(path, "POST", body=urlencode(form), headers=kind, accept=_REFUSALS))
            if got.status in _REFUSALS:
                raise self._refused(sync.integration, got)
            answer = client.json(got)
            token = answer.get("access_token") if isinstance(answer, dict) else None
            if not isinstance(token, str) or not token:
                said = "an answer without access_token"
                raise UnexpectedShape(sync.integration, asking(self.url), said, "check auth.token_url")
            self.grant.store_renewed(sync.integration, answer)
        return Token(token, seconds_of(answer.get("expires_in")))

    def _refused(self, integration: str, answer: Answer) -> Unauthenticated:
        """Return the error for a grant that is refused, with the reason that the server gives (RFC 6749, 5.2)."""
        details: Any = None
        with contextlib.suppress(ValueError, RecursionError):
            details = json.loads(answer.body)
        details = details if isinstance(details, dict) else {}
        reason = " ".join(str(details[key])[:200] for key in ("error", "error_description") if details.get(key))
        advice = {
            "invalid_client": "check auth.client_id and auth.client_secret",
            "invalid_grant": "the refresh token, key or account was revoked or has expired: sign in again",
            "invalid_scope": "correct auth.scope",
            "unauthorized_client": "allow this kind of grant in the vendor's settings of the client",
        }.get(str(details.get("error")), "check auth in connection")
        got = redact(f"HTTP {answer.status} {reason}".strip())
        return Unauthenticated(integration, asking(self.url), got, advice)


def seconds_of(value: Any) -> float | None:
    """Return a lifetime in seconds, also one that is written as text; None when it is none."""
    if isinstance(value, bool):
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if 0 < seconds < float("inf") else None
