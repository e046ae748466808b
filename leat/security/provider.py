"""An identity provider that speaks OpenID Connect: its addresses, its keys, and what it says of a person.

OpenID Connect Core 1.0 and Discovery 1.0. Tokens are verified by joserfc; requests are sent by Authlib.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard
from urllib.parse import urlsplit

from leat.security.people import Identity
from leat.security.principal import Role, highest
from leat.sources.egress import check_url
from leat.sources.settings import read_secret, read_setting
from leat.tls import limit_versions

if TYPE_CHECKING:
    from authlib.integrations.requests_client import OAuth2Session  # type: ignore[import-untyped]
    from joserfc.jwk import KeySet

    from leat.security.policy_declaration import SignInDeclared

SIGN_IN = "sign_in"
"""The key of ``policies/`` that declares it, for messages."""
TIMEOUT = 10
"""Seconds to wait for the provider."""
_LEEWAY = 60
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Signatures with a public key only. With ``none`` or HS256, whoever knows the client could make a token."""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class SignInFailed(Exception):
    """Somebody can't be signed in; the text says why and may be shown to them."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider.

    Attributes:
        issuer: its address.
        client_id: name of leat there.
        client_secret: its secret; None for a public client.
        scopes: what is requested.
        groups_claim: the claim that lists the groups of a person.
        roles: role of each group.
        metadata: what the provider publishes of itself.
        acr: strengths of sign-in that are accepted; any if empty.
        max_age: seconds since people proved who they are to the provider, at most; None for no limit.
        untyped_logout: whether logout tokens of the type JWT are accepted as well.
    """

    issuer: str
    client_id: str
    client_secret: str | None
    scopes: tuple[str, ...]
    groups_claim: str
    roles: Mapping[str, Role]
    metadata: Mapping[str, Any]
    _keys: list[KeySet] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    acr: tuple[str, ...] = ()
    max_age: int | None = None
    untyped_logout: bool = False

    def client(self, redirect: str | None = None) -> OAuth2Session:
        """Return a client for one exchange, which sends a PKCE challenge (RFC 7636) by SHA-256.

        Raises:
            NotConfigured: ``project.hosts`` doesn't permit the host that tokens come from.
        """
        from authlib.integrations.requests_client import OAuth2Session

        check_url(SIGN_IN, str(self.metadata["token_endpoint"]))
        method = "client_secret_basic" if self.client_secret else "none"
        session = OAuth2Session(
            self.client_id, self.client_secret, scope=" ".join(self.scopes), redirect_uri=redirect,
            token_endpoint_auth_method=method, code_challenge_method="S256", default_timeout=TIMEOUT,
        )  # fmt: skip
        limit_versions(session)
        return session

    def verified(self, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return header and claims of a token that the provider has signed; the claims are still to be judged.

        Raises:
            SignInFailed: it hasn't signed it.
        """
        from joserfc import jwt
        from joserfc.errors import JoseError

        for fresh in (False, True):  # it may have new keys
            try:
                decoded = jwt.decode(token, self._key_set(fresh=fresh), algorithms=list(_ALGORITHMS))
            except (JoseError, ValueError) as error:
                if fresh:
                    msg = "the identity provider hasn't signed this token with one of its keys"
                    raise SignInFailed(msg) from error
            else:
                return dict(decoded.header), dict(decoded.claims)
        raise AssertionError

    def role_of(self, claims: Mapping[str, Any]) -> Role | None:
        """Return the highest role of the groups that the claims list; None when there is none."""
        return highest(self._roles_in(claims).values())

    def groups_of(self, claims: Mapping[str, Any]) -> list[str]:
        """Return the groups that give that role, sorted."""
        role = self.role_of(claims)
        return sorted(group for group, given in self._roles_in(claims).items() if given == role)

    def _roles_in(self, claims: Mapping[str, Any]) -> dict[str, Role]:
        groups = claims.get(self.groups_claim)
        listed = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
        return {str(each): self.roles[str(each)] for each in listed if str(each) in self.roles}

    def identity_of(self, claims: Mapping[str, Any]) -> Identity:
        """Return whom the claims are about."""
        subject = str(claims["sub"])
        email = claims.get("email")
        name = claims.get("preferred_username") or email or subject
        return Identity(self.issuer, subject, str(name), str(claims.get("name") or name), str(email) if email else None)

    def userinfo(self, access_token: str, subject: str) -> dict[str, Any]:
        """Return what the provider says of a person now.

        Raises:
            SignInFailed: it can't be reached, or speaks of somebody else.
        """
        response = _get(self.metadata["userinfo_endpoint"], {"Authorization": f"Bearer {access_token}"})
        if str(response.get("sub")) != subject:  # OpenID Connect Core, 5.3.2: a token could have been substituted
            msg = "the identity provider answered about another person"
            raise SignInFailed(msg)
        return response

    def _key_set(self, *, fresh: bool) -> KeySet:
        from joserfc.jwk import KeySet

        with self._lock:
            if fresh or not self._keys:
                keys: Any = _get(self.metadata["jwks_uri"])
                self._keys[:] = [KeySet.import_key_set(keys)]
            return self._keys[0]


def open_provider(declared: SignInDeclared, folder: Path) -> Provider:
    """Return the declared provider, as it describes itself at ``/.well-known/openid-configuration``.

    Args:
        declared: what ``policies/`` says.
        folder: the project folder.

    Raises:
        NotConfigured: a variable that is named isn't set, or ``project.hosts`` doesn't permit the host.
        SignInFailed: it can't be reached, or isn't what is declared.
    """
    issuer = read_setting(declared.issuer, SIGN_IN, folder)
    secret = None if declared.client_secret is None else read_secret(declared.client_secret, SIGN_IN, folder)
    _refuse_plain_http(issuer)
    metadata = _get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if str(metadata.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
        msg = f"{issuer} says that it is {metadata.get('issuer')}; correct sign_in.issuer"
        raise SignInFailed(msg)
    for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"):
        _refuse_plain_http(str(metadata.get(name)))
    return Provider(str(metadata["issuer"]), read_setting(declared.client_id, SIGN_IN, folder), secret,
                    declared.scopes, declared.groups_claim, declared.roles, metadata, acr=declared.acr,
                    max_age=None if declared.max_age is None else int(declared.max_age.total_seconds()),
                    untyped_logout=declared.untyped_logout)  # fmt: skip


def judge_claims(claims: Mapping[str, Any], provider: Provider, now: datetime) -> None:
    """Check what ID tokens and logout tokens have in common: issuer, audience, and that it is of now.

    Raises:
        SignInFailed: one of them is wrong.
    """
    audience = claims.get("aud")
    listed = audience if isinstance(audience, list) else [audience]
    at = now.timestamp()
    issued, expires = claims.get("iat"), claims.get("exp", at + 1)
    wrong = (
        "issuer" if claims.get("iss") != provider.issuer
        else "audience" if provider.client_id not in listed
        else "authorized party" if claims.get("azp", provider.client_id) != provider.client_id
        or (len(listed) > 1 and "azp" not in claims)
        else "time" if not _is_number(issued) or not _is_number(expires) or issued > at + _LEEWAY
        or expires <= at - _LEEWAY
        else None
    )  # fmt: skip
    if wrong is not None:
        msg = f"the token of the identity provider has the wrong {wrong}"
        raise SignInFailed(msg)


def judge_strength(claims: Mapping[str, Any], provider: Provider, now: datetime) -> None:
    """Check how, and how long ago, a person has proved who they are (OpenID Connect Core 1.0, 2 and 3.1.2.1).

    What a provider doesn't say counts as the weakest, and as never.

    Raises:
        SignInFailed: not well enough, or too long ago.
    """
    if provider.acr and claims.get("acr") not in provider.acr:
        msg = f"sign in by a stronger method: {' or '.join(provider.acr)} is needed here"
        raise SignInFailed(msg)
    if provider.max_age is not None:
        proved = claims.get("auth_time")
        if not _is_number(proved) or now.timestamp() - proved > provider.max_age + _LEEWAY:
            msg = "the identity provider knows you by a sign-in that is too old; sign in there again"
            raise SignInFailed(msg)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refuse_plain_http(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        msg = f"{url[:200]}: an identity provider has to be reached by https"
        raise SignInFailed(msg)


def _get(url: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    import requests

    check_url(SIGN_IN, url)
    try:
        with requests.Session() as session:
            limit_versions(session)
            response = session.get(url, headers=headers, timeout=TIMEOUT, allow_redirects=False)
        value = response.json() if response.status_code == HTTPStatus.OK else None
    except (requests.RequestException, ValueError) as error:
        msg = f"the identity provider can't be reached: {type(error).__name__} at {urlsplit(url).netloc}"
        raise SignInFailed(msg) from error
    if not isinstance(value, dict):
        msg = f"the identity provider answered {response.status_code} to {urlsplit(url).path}"
        raise SignInFailed(msg)
    return value
