"""How a declaration says who reads: the ``auth:`` block of a connection, of every kind that web APIs have.

A ``Connection`` takes it by ``auth: Auth = Field(default_factory=NoAuth)``, and gives :func:`sign_in` of it to
:func:`leat.sources.http.client.open_client`. Secrets are named, never written.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from leat.sources.driver import Sync
from leat.sources.http.auth_requests import AuthModel, SessionAuth, TokenRequestAuth, login_signer
from leat.sources.http.grants import ClientCredentials, Grant, JwtBearer, RefreshToken
from leat.sources.http.oauth import TokenEndpoint
from leat.sources.http.signers import InHeader, InQuery, Signer
from leat.sources.http.sigv4 import Keys, SigV4
from leat.sources.http.tokens import TokenSigner
from leat.sources.settings import Named, Secret, Setting, read_secret, read_setting


class NoAuth(AuthModel):
    """Anybody may read."""

    kind: Literal["none"] = Field(default="none", description="Anybody may read.")


class ApiKeyAuth(AuthModel):
    """An API key in a header or in the query."""

    kind: Literal["api_key"] = Field(description="An API key in a header or in the query.")
    key: Secret = Field(description="The key.")
    header: str | None = Field(default=None, description="Header that takes the key, for example X-Api-Key.")
    query: str | None = Field(default=None, description="Query parameter that takes it, if no header does.")
    prefix: str = Field(default="", description="Prefix of the key in the header, for example `Token `.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.header is None) == (self.query is None):
            msg = "name exactly one of header and query"
            raise ValueError(msg)
        return self


class BasicAuth(AuthModel):
    """User name and password (RFC 7617)."""

    kind: Literal["basic"] = Field(description="User name and password (RFC 7617).")
    username: Setting = Field(description="User name.")
    password: Secret | None = Field(default=None, description="Password; none for an empty one.")


class BearerAuth(AuthModel):
    """A token that doesn't expire (RFC 6750)."""

    kind: Literal["bearer"] = Field(description="A long-lived token (RFC 6750).")
    token: Secret = Field(description="The token.")


class _Granted(AuthModel):
    token_url: Setting = Field(description="Address that issues tokens.")
    scope: str | None = Field(default=None, description="Scopes to request, separated by blanks.")
    audience: str | None = Field(default=None, description="Audience to request, if the vendor requires one.")


class ClientCredentialsAuth(_Granted):
    """OAuth 2 client credentials (RFC 6749, 4.4)."""

    kind: Literal["oauth2_client_credentials"] = Field(description="OAuth 2 client credentials (RFC 6749, 4.4).")
    client_id: Setting = Field(description="The client.")
    client_secret: Secret = Field(description="Its secret.")
    client_in: Literal["header", "body"] = Field(
        default="header", description="Where to send the client's credentials."
    )


def _not_env(named: Named) -> Named:
    if named.env is not None:
        msg = "name a secret or a file: the server may replace the token, and leat must store the new one"
        raise ValueError(msg)
    return named


class RefreshTokenAuth(_Granted):
    """OAuth 2 refresh token (RFC 6749, 6); leat stores a replaced token, encrypted."""

    kind: Literal["oauth2_refresh_token"] = Field(description="OAuth 2 refresh token (RFC 6749, 6).")
    client_id: Setting = Field(description="The client.")
    client_secret: Secret | None = Field(default=None, description="Its secret; none for a public client.")
    client_in: Literal["header", "body"] = Field(
        default="header", description="Where to send the client's credentials."
    )
    refresh_token: Annotated[Secret, AfterValidator(_not_env)] = Field(
        description="Secret with the token, or a file, which leat takes over; the server may replace the token."
    )


class JwtBearerAuth(_Granted):
    """A signed assertion that is exchanged for a token (RFC 7523), as service accounts have."""

    kind: Literal["jwt_bearer"] = Field(description="A signed assertion for a token (RFC 7523): service accounts.")
    issuer: Setting = Field(description="Who signs (`iss`).")
    subject: Setting | None = Field(default=None, description="On whose behalf (`sub`); none for the issuer.")
    private_key: Secret = Field(description="Private key, PEM.")
    algorithm: Literal["RS256", "RS512", "PS256", "ES256", "EdDSA"] = Field(
        default="RS256", description="Signature algorithm."
    )
    key_id: str | None = Field(default=None, description="Id of the key (`kid`), if the vendor requires it.")
    lifetime: int = Field(default=300, ge=10, le=3600, description="Seconds for which an assertion is valid.")


class AwsSigV4Auth(AuthModel):
    """Signature Version 4 of AWS: each request is signed by an access key."""

    kind: Literal["aws_sigv4"] = Field(description="Signature Version 4 of AWS.")
    access_key: Setting = Field(description="Access key.")
    secret_key: Secret = Field(description="Its secret.")
    session_token: Secret | None = Field(default=None, description="Session token of temporary credentials.")
    region: Setting = Field(description="Region of the service, for example eu-central-1.")
    service: str = Field(min_length=1, description="Name of the service in signatures: execute-api, es, aps, s3, …")


Auth = Annotated[
    NoAuth
    | ApiKeyAuth
    | BasicAuth
    | BearerAuth
    | ClientCredentialsAuth
    | RefreshTokenAuth
    | JwtBearerAuth
    | TokenRequestAuth
    | SessionAuth
    | AwsSigV4Auth,
    Field(discriminator="kind"),
]
"""The ``auth:`` block."""


def sign_in(auth: Auth, sync: Sync) -> Signer | None:
    """Return what adds the credentials to each request; reads the secrets that the block names, sends nothing.

    Raises:
        NotConfigured: a setting or secret isn't there.
    """
    name, folder = sync.integration, sync.project
    match auth:
        case ApiKeyAuth():
            key = read_secret(auth.key, name, folder)
            return InHeader(auth.header, auth.prefix + key) if auth.header else InQuery(str(auth.query), key)
        case BasicAuth():
            password = read_secret(auth.password, name, folder) if auth.password else ""
            return InHeader.basic(read_setting(auth.username, name, folder), password)
        case BearerAuth():
            return InHeader("Authorization", f"Bearer {read_secret(auth.token, name, folder)}")
        case ClientCredentialsAuth() | RefreshTokenAuth() | JwtBearerAuth():
            endpoint = TokenEndpoint(read_setting(auth.token_url, name, folder), _grant(auth, sync))
            return TokenSigner(sync, endpoint)
        case TokenRequestAuth() | SessionAuth():
            return login_signer(auth, sync)
        case AwsSigV4Auth():
            token = read_secret(auth.session_token, name, folder) if auth.session_token else None
            secret = read_secret(auth.secret_key, name, folder)
            keys = Keys(read_setting(auth.access_key, name, folder), secret, token)
            return SigV4(keys, read_setting(auth.region, name, folder), auth.service)
    return None


def _grant(auth: ClientCredentialsAuth | RefreshTokenAuth | JwtBearerAuth, sync: Sync) -> Grant:
    name, folder = sync.integration, sync.project
    asked = {"scope": auth.scope, "audience": auth.audience}
    if isinstance(auth, JwtBearerAuth):
        issuer = read_setting(auth.issuer, name, folder)
        return JwtBearer(
            asked=asked,
            issuer=issuer,
            subject=issuer if auth.subject is None else read_setting(auth.subject, name, folder),
            private_key=read_secret(auth.private_key, name, folder),
            algorithm=auth.algorithm,
            key_id=auth.key_id,
            lifetime=auth.lifetime,
        )
    secret = read_secret(auth.client_secret, name, folder) if auth.client_secret else None
    client = (read_setting(auth.client_id, name, folder), secret, auth.client_in)
    if isinstance(auth, RefreshTokenAuth):
        return RefreshToken(asked, *client, auth.refresh_token, folder)
    return ClientCredentials(asked, *client)
