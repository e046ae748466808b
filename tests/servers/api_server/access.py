"""Who may read: keys, passwords and tokens, and the OAuth 2 endpoint that gives tokens out (RFC 6749, RFC 7523)."""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from collections.abc import Mapping
from urllib.parse import parse_qs

from tests.servers.api_server.state import State

Reply = tuple[int, dict[str, object]]


def is_allowed(state: State, headers: Mapping[str, str], query: Mapping[str, str]) -> bool:
    """Return whether a request has the credentials that the server wants."""
    given = headers.get("Authorization", "")
    if state.auth == "none":
        return True
    if state.auth == "api_key":
        return headers.get("X-Api-Key", query.get("api_key", "")) in state.secrets
    if state.auth == "basic":
        return _basic(given) in state.secrets
    token = given.removeprefix("Bearer ")
    if state.auth == "bearer":
        return token in state.secrets
    return state.tokens.get(token, 0) > time.monotonic()


def give_token(state: State, headers: Mapping[str, str], body: bytes) -> Reply:
    """Answer a token request."""
    form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    client = _basic(headers.get("Authorization", "")) or f"{form.get('client_id', '')}:{form.get('client_secret', '')}"
    kind = form.get("grant_type", "")
    with state.lock:
        if kind.endswith("jwt-bearer"):
            problem = _assertion_problem(state, form.get("assertion", ""))
            return _refuse("invalid_grant", problem) if problem else _token(state)
        if client not in state.secrets:
            return 401, {"error": "invalid_client", "error_description": "unknown client or wrong secret"}
        if kind == "client_credentials":
            return _token(state)
        if kind == "refresh_token":
            if form.get("refresh_token") not in state.refresh_tokens:
                return _refuse("invalid_grant", "the refresh token was used, revoked or has expired")
            state.refresh_tokens = [f"refresh-{secrets.token_hex(8)}"]
            return _token(state, refresh_token=state.refresh_tokens[0])
        return _refuse("unsupported_grant_type", kind)


def _token(state: State, **more: str) -> Reply:
    token = f"access-{secrets.token_hex(8)}"
    state.given += 1
    state.tokens[token] = time.monotonic() + state.lifetime
    return 200, {"access_token": token, "token_type": "Bearer", "expires_in": max(1, int(state.lifetime)), **more}


def _refuse(error: str, description: str) -> Reply:
    return 400, {"error": error, "error_description": description}


def _assertion_problem(state: State, assertion: str) -> str:
    import jwt

    try:
        claims = jwt.decode(assertion, state.public_key, ["RS256", "ES256"], options={"verify_aud": False})
    except (jwt.PyJWTError, ValueError) as error:
        return str(error)
    missing = [name for name in ("iss", "sub", "aud", "exp", "jti") if name not in claims]
    return f"claims are missing: {missing}" if missing else ""


def _basic(header: str) -> str:
    try:
        return base64.b64decode(header.removeprefix("Basic "), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
