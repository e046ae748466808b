"""Credentials that a request of the vendor's own form gives out: a token in the answer, or the cookies of a session."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from leat.sources.driver import Sync
from leat.sources.errors import Unauthenticated, UnexpectedShape
from leat.sources.http.credentials import digest
from leat.sources.http.failures import Advice
from leat.sources.http.oauth import seconds_of
from leat.sources.http.request import Answer, HttpRequest, Limits
from leat.sources.http.tokens import Token, asking, signing_in
from leat.sources.json_path import parse_path, value_at
from leat.sources.settings import remember_secret

_REFUSALS = frozenset({400, 401, 403, 422})
_SIGNED_IN = frozenset({302, 303})
"""A form to sign in leads to a page for people; its cookies are what counts."""
_HEADER_TEXT = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    """The request that gives out credentials.

    Attributes:
        url: where it is sent.
        method: of the request.
        params: its query.
        headers: its headers.
        body: its body; None for none.
        body_as: ``json`` or ``form``.
        token: where the token is in the answer; None for the cookies that the answer sets.
        expires_in: where the answer has its lifetime in seconds; None if it has none.
    """

    url: str
    method: str
    params: Mapping[str, Any]
    headers: Mapping[str, str]
    body: Any
    body_as: str
    token: str | None
    expires_in: str | None

    @property
    def identity(self) -> str:
        """The identity of its owner."""
        return digest(self.url, json.dumps([dict(self.params), self.body], sort_keys=True, default=str))

    @property
    def _asked(self) -> str:
        return signing_in(self.url) if self.token is None else asking(self.url)

    def __call__(self, sync: Sync, limits: Limits) -> Token:
        """Send it.

        Raises:
            Unauthenticated: it is refused.
            UnexpectedShape: the answer has no token, or sets no cookie.
        """
        from leat.sources.http.client import open_client

        advice = Advice(not_found="correct the address in auth", rejected="correct auth: the vendor refuses its form")
        with open_client(sync, self.url, limits=limits, advice=advice) as client:
            got = client.send(self._ask())
            if got.status in _REFUSALS:
                advise = "check what auth sends: the account, the password or key"
                raise Unauthenticated(sync.integration, self._asked, f"HTTP {got.status}", advise)
            if self.token is None:
                return self._cookies(sync, client.session.cookies.get_dict())
            return self._token(sync, got, self.token)

    def _ask(self) -> HttpRequest:
        parts = urlsplit(self.url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Accept": "application/json", **self.headers}
        accept = _REFUSALS | (_SIGNED_IN if self.token is None else frozenset())
        form = self.body is not None and self.body_as == "form"
        if form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        return HttpRequest(
            path,
            self.method,
            params=self.params,
            headers=headers,
            body=urlencode(self.body) if form else None,
            json=None if form else self.body,
            accept=accept,
        )

    def _token(self, sync: Sync, answer: Answer, field: str) -> Token:
        value: Any = None
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(answer.body)
        token = value_at(value, parse_path(field))
        token = str(token) if isinstance(token, int) and not isinstance(token, bool) else token
        if not isinstance(token, str) or not _HEADER_TEXT.fullmatch(token):
            got = f"HTTP {answer.status} without a token at {field}"
            advice = "correct auth.token; some vendors answer so when the account or the password is wrong"
            raise UnexpectedShape(sync.integration, self._asked, got, advice)
        life = None if self.expires_in is None else value_at(value, parse_path(self.expires_in))
        return Token(token, seconds_of(life))

    def _cookies(self, sync: Sync, cookies: Mapping[str, str | None]) -> Token:
        given = {name: value or "" for name, value in cookies.items()}
        text = "; ".join(f"{name}={remember_secret(value)}" for name, value in given.items())
        if not _HEADER_TEXT.fullmatch(text):
            advice = "name auth.token if the token is in the answer; else check the account and the password"
            raise UnexpectedShape(sync.integration, self._asked, "an answer that sets no cookie", advice)
        return Token(text)
