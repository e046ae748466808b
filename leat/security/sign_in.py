"""Sign-in by OpenID Connect: authorization code flow with PKCE, state and nonce.

Nothing here knows a web framework. The server redirects to :attr:`Begun.url` with the cookie, passes what comes back to
:func:`finish_sign_in`, and sets the cookie of the session. Sources: OpenID Connect Core 1.0, RFC 7636 (PKCE), RFC 9207
(the issuer in the response), OAuth 2.0 Security Best Current Practice (RFC 9700).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, delete

from leat.control.actor import Actor
from leat.control.audit_events import note
from leat.control.engine import writing
from leat.control.security_tables import SignIn
from leat.security.people import principal_of, save_person
from leat.security.principal import Principal
from leat.security.provider import Provider, SignInFailed, judge_claims, judge_strength
from leat.security.secret_text import hashed, new_secret
from leat.security.sessions import (
    ProviderTokens,
    create_session,
)

VALID = timedelta(minutes=10)
"""How long somebody may take at the provider."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that has begun.

    Attributes:
        url: page of the provider to send the browser to.
        cookie: secret for a cookie of this browser (HttpOnly, SameSite=Lax, ten minutes); the response has to come
            from the same browser.
    """

    url: str
    cookie: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A sign-in that has succeeded.

    Attributes:
        session_id: for the cookie of the session.
        principal: who it is.
        return_to: page of leat to continue with.
    """

    session_id: str
    principal: Principal
    return_to: str


def begin_sign_in(
    store: Engine, provider: Provider, redirect: str, return_to: str = "/", now: datetime | None = None
) -> Begun:
    """Begin a sign-in.

    Args:
        store: the control store.
        provider: where people sign in.
        redirect: address of leat to which the provider sends the browser back; it knows this address.
        return_to: page of leat to continue with: a path; anything else becomes ``/``.
        now: the time.
    """
    now = now or datetime.now(UTC)
    cookie, state, nonce, verifier = (new_secret() for _ in range(4))
    more: dict[str, Any] = {"acr_values": " ".join(provider.acr)} if provider.acr else {}
    more |= {} if provider.max_age is None else {"max_age": provider.max_age}
    url, _ = provider.client(redirect).create_authorization_url(
        provider.metadata["authorization_endpoint"], state=state, code_verifier=verifier, nonce=nonce, **more
    )
    with writing(store) as session:
        session.execute(delete(SignIn).where(SignIn.expires_at <= now))
        session.add(SignIn(id_hash=hashed(cookie), state=state, nonce=nonce, verifier=verifier, redirect=redirect,
                           return_to=_local(return_to), expires_at=now + VALID))  # fmt: skip
    return Begun(url, cookie)


def finish_sign_in(
    store: Engine,
    provider: Provider,
    cookie: str,
    response: Mapping[str, str],
    now: datetime | None = None,
    *,
    replaces: str | None = None,
) -> SignedIn:
    """Finish a sign-in with what the provider sent back; each can be finished once.

    Args:
        store: the control store.
        provider: where it was begun.
        cookie: of the browser.
        response: the query of the address that the provider sent the browser to: code, state, iss, or error.
        now: the time.
        replaces: id of the session that the browser had before.

    Raises:
        SignInFailed: somebody else's response, a wrong token, no role, or a deactivated person; it is recorded.
    """
    now = now or datetime.now(UTC)
    try:
        begun = _take(store, cookie, now)
        return _finish(store, provider, begun, response, now, replaces)
    except SignInFailed as error:
        with writing(store) as session:
            subject = getattr(error, "subject", None)
            by = Actor(f"{provider.issuer}#{subject}", subject) if subject else Actor("unknown", "unknown")
            note(session, "sign_in.failed", {"authenticated_by": "oidc", "reason": str(error)}, by=by, now=now)
        raise


def _take(store: Engine, cookie: str, now: datetime) -> SignIn:
    """Return the sign-in of a cookie, which is removed: its response counts once."""
    with writing(store) as session:
        row = session.get(SignIn, hashed(cookie))
        if row is not None:
            session.delete(row)
            session.flush()
            session.expunge(row)
    if row is None or now >= row.expires_at:
        msg = "the sign-in took too long or was finished before; sign in again"
        raise SignInFailed(msg)
    return row


def _finish(store: Engine, provider: Provider, begun: SignIn, response: Mapping[str, str], now: datetime,
            replaces: str | None) -> SignedIn:  # fmt: skip
    _judge_response(provider, begun, response)
    tokens = _exchange(provider, begun, response["code"])
    claims = _identity_claims(provider, begun, tokens, now)
    role = provider.role_of(claims)
    identity = provider.identity_of(claims)
    if role is None:
        msg = f"{identity.name} has no role here: an administrator has to map one of their groups"
        raise _of_subject(msg, claims)
    given = ProviderTokens(tokens.get("refresh_token"), tokens.get("id_token"))
    sid = claims.get("sid")
    with writing(store) as session:
        person = save_person(session, identity, role, now, provider.groups_of(claims))
        if person.deactivated_at is not None:
            msg = f"{person.name} is deactivated"
            raise _of_subject(msg, claims)
        session_id = create_session(session, person, "oidc", now, provider_session=str(sid) if sid else None,
                                    tokens=given, replaces=replaces)  # fmt: skip
        return SignedIn(session_id, principal_of(person, "oidc"), begun.return_to)


def _judge_response(provider: Provider, begun: SignIn, response: Mapping[str, str]) -> None:
    if not hmac.compare_digest(response.get("state", "").encode(), begun.state.encode()):
        msg = "this response belongs to another sign-in; sign in again"
        raise SignInFailed(msg)
    issuer = response.get("iss")
    promised = provider.metadata.get("authorization_response_iss_parameter_supported")
    if (issuer is None and promised) or issuer not in (None, provider.issuer):
        msg = "this response comes from another identity provider"
        raise SignInFailed(msg)
    if "error" in response or "code" not in response:
        msg = f"the identity provider refused: {response.get('error', 'it sent no code')[:100]}"
        raise SignInFailed(msg)


def _exchange(provider: Provider, begun: SignIn, code: str) -> dict[str, Any]:
    from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]
    from requests import RequestException

    try:
        tokens: dict[str, Any] = provider.client(begun.redirect).fetch_token(
            provider.metadata["token_endpoint"], code=code, code_verifier=begun.verifier
        )
    except (OAuthError, RequestException, ValueError) as error:
        msg = "the identity provider refused the code; sign in again"
        raise SignInFailed(msg) from error
    return tokens


def _identity_claims(provider: Provider, begun: SignIn, tokens: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return the claims of the ID token, with what the provider adds when asked, of the same person."""
    from authlib.oidc.core.util import create_half_hash  # type: ignore[import-untyped]

    header, claims = provider.verified(str(tokens.get("id_token", "")))
    judge_claims(claims, provider, now)
    judge_strength(claims, provider, now)
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), begun.nonce.encode()):
        msg = "the token of the identity provider belongs to another sign-in"
        raise SignInFailed(msg)
    if not isinstance(claims.get("sub"), str) or not claims["sub"] or "exp" not in claims:
        msg = "the token of the identity provider names nobody, or never expires"
        raise SignInFailed(msg)
    expected = create_half_hash(str(tokens["access_token"]), header["alg"]) if "at_hash" in claims else None
    if expected is not None and not hmac.compare_digest(expected, str(claims["at_hash"]).encode()):
        msg = "the access token isn't the one of the ID token"
        raise SignInFailed(msg)
    if provider.groups_claim in claims and "preferred_username" in claims:
        return claims
    return {**provider.userinfo(str(tokens["access_token"]), claims["sub"]), **claims}


def _of_subject(text: str, claims: Mapping[str, Any]) -> SignInFailed:
    error = SignInFailed(text)
    error.subject = str(claims["sub"])  # type: ignore[attr-defined]
    return error


def _local(path: str) -> str:
    """Return a path of leat; an address elsewhere would make leat a way to send people to any page."""
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if safe else "/"
