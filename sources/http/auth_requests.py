"""The kinds of ``auth:`` that describe a request of the vendor's own form: for a token, or to sign in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from leat.sources.driver import Sync
from leat.sources.http.logins import Login
from leat.sources.http.tokens import TokenSigner
from leat.sources.json_path import FieldPath
from leat.sources.settings import HOW, NAMED, Named, Setting, read_secret, read_setting

_SECRET_NAMES = re.compile(r"(?i)pass(word|wd|phrase)?$|secret|api_?key|private|credential")
_NESTED = 8


class AuthModel(BaseModel):
    """What every kind of ``auth:`` derives from: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _sent(value: Any, name: str = "", depth: int = 0) -> Any:
    """Return a value that is sent, in which ``{env: X}`` and the like are replaced by what they name."""
    if depth > _NESTED:
        msg = f"more than {_NESTED} levels deep"
        raise ValueError(msg)
    if isinstance(value, Mapping):
        if set(value) <= NAMED and len(value) == 1 and isinstance(next(iter(value.values())), str):
            return Named.model_validate(value)
        return {str(key): _sent(inner, str(key), depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_sent(inner, name, depth + 1) for inner in value]
    if isinstance(value, str) and value and _SECRET_NAMES.search(name):
        msg = f"{name}: a secret is never written here; name it: {HOW}"
        raise ValueError(msg)
    if value is None or isinstance(value, str | int | float | bool | Named):
        return value
    msg = f"{name}: write it as text: it is a {type(value).__name__}"
    raise ValueError(msg)


_Sent = BeforeValidator(_sent)
_Flat = Annotated[dict[str, Any], _Sent]


class _RequestAuth(AuthModel):
    params: _Flat = Field(default={}, description="Query of the request; may contain `{env: NAME}` and the like.")
    headers: _Flat = Field(default={}, description="Headers of the request; may contain the same.")
    body: Annotated[Any, _Sent] = Field(default=None, description="Body of the request, as YAML; may contain the same.")
    body_as: Literal["json", "form"] = Field(default="json", description="How the body is sent.")

    @model_validator(mode="after")
    def _form(self) -> Self:
        for key, value in (("params", self.params), ("headers", self.headers), ("body", self.body)):
            form = key != "body" or self.body_as == "form"
            if form and value is not None and not _is_flat(value):
                msg = f"{key} has to be names with values, none of them nested"
                raise ValueError(msg)
        return self


def _is_flat(value: Any) -> bool:
    return isinstance(value, Mapping) and not any(isinstance(inner, Mapping | list) for inner in value.values())


class TokenRequestAuth(_RequestAuth):
    """A token from the vendor's own kind of request."""

    kind: Literal["token_request"] = Field(description="A token from the vendor's own kind of request.")
    token_url: Setting = Field(description="Address that issues tokens.")
    method: Literal["POST", "GET"] = Field(default="POST", description="Method of the request.")
    token: FieldPath = Field(default="access_token", description="Field of the response with the token.")
    expires_in: FieldPath = Field(
        default="expires_in", description="Field of the response with its lifetime in seconds; default: an hour."
    )
    header: str = Field(default="Authorization", min_length=1, description="Header that takes the token.")
    prefix: str = Field(default="Bearer ", description="Prefix of the token in the header.")


class SessionAuth(_RequestAuth):
    """A login; then each request carries the session's cookies, or a token from the response."""

    kind: Literal["session"] = Field(
        description="A login; then requests carry its cookies, or a token from the response."
    )
    login_url: Setting = Field(description="Address of the login.")
    method: Literal["POST", "GET"] = Field(default="POST", description="Method of the request.")
    token: FieldPath | None = Field(default=None, description="Field of the response with a token; none for cookies.")
    header: str | None = Field(default=None, description="Header that takes the token, for example X-Session-Id.")
    prefix: str = Field(default="", description="Prefix of the token in the header.")

    @model_validator(mode="after")
    def _token_and_header(self) -> Self:
        if (self.token is None) != (self.header is None):
            msg = "name both token and header, or none of them: cookies need neither"
            raise ValueError(msg)
        return self


def login_signer(auth: TokenRequestAuth | SessionAuth, sync: Sync) -> TokenSigner:
    """Return what signs in when the first request needs it; reads the secrets that the block names, sends nothing.

    Raises:
        NotConfigured: a setting or secret isn't there.
    """
    name, folder = sync.integration, sync.project
    session = isinstance(auth, SessionAuth)
    url = read_setting(auth.login_url if isinstance(auth, SessionAuth) else auth.token_url, name, folder)
    headers = _flat(_read(auth.headers, name, folder))
    expires_in = None if isinstance(auth, SessionAuth) else auth.expires_in
    params, body = _flat(_read(auth.params, name, folder)), _read(auth.body, name, folder)
    body = _flat(body) if auth.body_as == "form" and body is not None else body
    login = Login(url, auth.method, params, headers, body, auth.body_as, auth.token, expires_in)
    header = auth.header or ("Cookie" if session else "Authorization")
    return TokenSigner(sync, login, header, auth.prefix)


def _flat(values: Mapping[str, Any]) -> dict[str, str]:
    """Return values as text for a query, a header or a form; those that are null are left out."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in values.items()
        if value is not None
    }


def _read(value: Any, name: str, folder: Path) -> Any:
    """Return a value with what it names."""
    if isinstance(value, Named):
        return read_secret(value, name, folder)
    if isinstance(value, Mapping):
        return {key: _read(inner, name, folder) for key, inner in value.items()}
    return [_read(inner, name, folder) for inner in value] if isinstance(value, list) else value
