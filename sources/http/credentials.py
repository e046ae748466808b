"""What a client needs of any credentials: their identity, and whether they can be renewed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from leat.sources.errors import Unauthenticated
from leat.sources.http.request import Limits

_SECRET_HEADERS = ("authorization", "x-api-key", "api-key", "x-auth-token", "private-token", "cookie")


def identity_of(integration: str, auth: Any, headers: Mapping[str, str]) -> str:
    """Return the identity of these credentials: all that use them share one rate budget.

    It contains secrets: hash it, store it nowhere.
    """
    identity = getattr(auth, "identity", None)
    if identity is not None:
        return str(identity)
    username, password = getattr(auth, "username", None), getattr(auth, "password", None)
    if username is not None:
        return f"basic {username!r} {password!r}"
    secret = sorted((name.lower(), value) for name, value in headers.items() if name.lower() in _SECRET_HEADERS)
    if secret:
        return f"headers {secret}"
    return f"anonymous {integration if auth is not None else ''}"


def within(auth: Any, limits: Limits) -> None:
    """Let credentials that are fetched be fetched within the limits of the client: how patiently, and from where."""
    method = getattr(auth, "within", None)
    if method is not None:
        method(limits)


def prepare(auth: Any, deadline: float) -> None:
    """Get credentials ready that have to be fetched first, so that it isn't taken for a part of the request.

    Raises:
        IntegrationError: they could not be fetched, or not until the deadline (monotonic).
    """
    method = getattr(auth, "prepare", None)
    if method is not None:
        method(deadline)


def renew(auth: Any, refused: Unauthenticated) -> bool:
    """Renew credentials that were refused, where they are of a kind that expires; returns whether they are new.

    Raises:
        Unauthenticated: no new ones are given out.
    """
    method = getattr(auth, "renew", None)
    return bool(method(refused)) if method is not None else False


def digest(*parts: str) -> str:
    """Return a hash of parts, so that no part can be mistaken for the end of another."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
