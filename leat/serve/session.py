"""The session of a browser: its cookie, and what happens to it while it is used.

The identity provider is asked every quarter of an hour whether the person may still be in. When their role has changed,
the session gets another id, and the answer the cookie for it.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fastapi import Request
from starlette.responses import Response

from leat.runs import callers, signing_in
from leat.runs.access import Principal
from leat.runs.changes import Changes
from leat.runs.workspace import Workspace
from leat.serve.options import is_loopback
from leat.sources.errors import NotConfigured

log = logging.getLogger("leat.serve")

COOKIES = ("__Host-leat", "leat")
"""The cookie of a session; the second one on plain loopback, where a browser takes no secure cookie."""
ASKED_EVERY = 900.0
"""Seconds after which the identity provider is asked again."""


@dataclass(slots=True)
class Asked:
    """When the identity provider was last asked about each session, by its id."""

    _at: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def is_due(self, session_id: str, age: float) -> bool:
        """Return whether it is time to ask, once: of several requests, one asks.

        Args:
            session_id: the session.
            age: seconds since the sign-in, when the provider answered for the person.
        """
        now = time.monotonic()
        with self._lock:
            if now - self._at.setdefault(session_id, now - age) < ASKED_EVERY:
                return False
            self._at = {each: at for each, at in self._at.items() if now - at < 2 * ASKED_EVERY}
            self._at[session_id] = now
            return True


def principal_of(request: Request, workspace: Workspace) -> Principal | None:
    """Return whose session a request has; None if it has none, or it has ended."""
    session_id = session_id_of(request)
    changes: Changes = request.app.state.changes
    current = None if session_id is None else changes.read_session(session_id, workspace.security.policy)
    if session_id is None or current is None:
        return None
    session_now: str | None = session_id
    asked: Asked = request.app.state.asked
    age = time.time() - current.created_at.timestamp()
    if current.principal.authenticated_by == "oidc" and asked.is_due(session_id, age):
        try:
            session_now = signing_in.ask_again(workspace, session_id)
        except (signing_in.SignInFailed, NotConfigured) as error:
            log.warning("the identity provider wasn't asked about a session: %s", error)
        current = None if session_now is None else callers.session_of(workspace, session_now)
    if session_now is not None and current is not None and current.must_rotate:
        session_now = signing_in.rotate(workspace, session_now)
    if session_now is None or current is None:
        return None
    if session_now != session_id:
        request.state.session_id = session_now
    return current.principal


def renew_cookie(request: Request, response: Response) -> Response:
    """Give the browser the new id of its session, if it has got one."""
    session_id: str | None = getattr(request.state, "session_id", None)
    if session_id is not None:
        set_session(request, response, session_id)
    return response


def set_session(request: Request, response: Response, session_id: str) -> None:
    """Give the browser the cookie of a session."""
    secure = is_secure(request)
    response.set_cookie(COOKIES[0 if secure else 1], session_id, httponly=True, secure=secure, samesite="lax", path="/")


def session_id_of(request: Request) -> str | None:
    """Return what the cookie of a session has; None if there is no cookie."""
    return request.cookies.get(COOKIES[0 if is_secure(request) else 1])


def cookie_name(request: Request, name: str) -> str:
    """Return how a cookie is called: over TLS, by a prefix for which browsers take it from no other host."""
    return f"__Host-{name}" if is_secure(request) else name


def cookie_of(request: Request, name: str) -> str:
    """Return what a cookie has; nothing if there is none."""
    return request.cookies.get(cookie_name(request, name), "")


def of_own_pages(request: Request) -> bool:
    """Return whether a browser says that one of leat's own pages sends a request; see Fetch Metadata."""
    own = request.headers.get("origin", "").partition("://")[2] == request.headers.get("host")
    return own and request.headers.get("sec-fetch-site", "same-origin") == "same-origin"


def url_of(request: Request) -> str:
    """Return the address of this server that browsers use, without a slash at the end."""
    given: str | None = request.app.state.public_url
    return given or f"{request.url.scheme}://{request.url.netloc}"


def is_here(request: Request) -> bool:
    """Return whether a browser asks for an address of the machine itself."""
    return is_loopback(request.url.hostname or "")


def is_secure(request: Request) -> bool:
    """Return whether the browser uses TLS, perhaps up to a reverse proxy."""
    if is_here(request) and request.url.scheme == "http":
        return False
    return urlsplit(url_of(request)).scheme == "https"
