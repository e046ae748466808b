"""What a token is asked for with: the form of a token request, for each kind of grant (RFC 6749, RFC 7523)."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from leat.files import atomic_write, lock
from leat.sources.errors import NotConfigured
from leat.sources.http.credentials import digest
from leat.sources.http.signers import InHeader
from leat.sources.settings import Named, remember_secret, stored_secrets

Form = dict[str, str]


class Grant(Protocol):
    """A kind of token request."""

    @property
    def identity(self) -> str:
        """The identity of its owner, as a hash."""

    def form(self, integration: str, token_url: str) -> contextlib.AbstractContextManager[tuple[Form, Form]]:
        """Give the form and the headers of a request; nobody else asks with the same grant meanwhile."""

    def store_renewed(self, integration: str, answer: Mapping[str, object]) -> None:
        """Store what the answer has for the next time."""


def _client(client_id: str, secret: str | None, client_in: str) -> tuple[Form, Form]:
    """Return how a client says who it is: form and headers (RFC 6749, 2.3.1)."""
    if secret is None:
        return {"client_id": client_id}, {}
    if client_in == "body":
        return {"client_id": client_id, "client_secret": secret}, {}
    header = InHeader.basic(client_id, secret)
    return {}, {header.name: header.value}


@dataclass(frozen=True, slots=True, repr=False)
class ClientCredentials:
    """A client asks for itself (RFC 6749, 4.4)."""

    asked: Mapping[str, str | None]
    client_id: str
    secret: str | None
    client_in: str

    @property
    def identity(self) -> str:
        """The identity of its owner."""
        return digest("client", self.client_id)

    @contextlib.contextmanager
    def form(self, _integration: str, _token_url: str) -> Iterator[tuple[Form, Form]]:
        """Give the form and the headers of a request."""
        form, headers = _client(self.client_id, self.secret, self.client_in)
        yield {"grant_type": "client_credentials", **_given(self.asked), **form}, headers

    def store_renewed(self, _integration: str, _answer: Mapping[str, object]) -> None:
        """Store nothing."""


@dataclass(frozen=True, slots=True, repr=False)
class RefreshToken:
    """A token that was given out once is exchanged for short ones; a new one replaces it (RFC 6749, 6; RFC 9700).

    It is a secret that leat stores. A file that has it is taken over, unless several profiles share the file.
    """

    asked: Mapping[str, str | None]
    client_id: str
    secret: str | None
    client_in: str
    token: Named
    folder: Path

    @property
    def identity(self) -> str:
        """The identity of its owner."""
        where = f"secret:{self.token.secret}" if self.token.secret else str(self._file)
        return digest("refresh", self.client_id, where)

    @contextlib.contextmanager
    def form(self, integration: str, _token_url: str) -> Iterator[tuple[Form, Form]]:
        """Give the form and the headers of a request; the token is locked, for it may be good for one use only."""
        with self._locked(integration):
            token = self._stored(integration).read(integration, self.folder).strip()
            form, headers = _client(self.client_id, self.secret, self.client_in)
            remember_secret(token)
            yield {"grant_type": "refresh_token", "refresh_token": token, **_given(self.asked), **form}, headers

    def store_renewed(self, integration: str, answer: Mapping[str, object]) -> None:
        """Store a refresh token that replaces the old one, whole or not at all.

        Raises:
            NotConfigured: it can't be stored.
        """
        token = answer.get("refresh_token")
        if not isinstance(token, str) or not token:
            return
        remember_secret(token)
        stored, secrets = self._stored(integration), stored_secrets(self.folder)
        if stored.secret is not None and secrets is not None:
            secrets.renew(stored.secret, token, integration)
            return
        try:
            atomic_write(self._file, token, durable=True)
        except OSError as error:
            raise _unwritable(integration, self._file, error) from None

    @property
    def _file(self) -> Path:
        return self.folder / str(self.token.file)

    def _stored(self, integration: str) -> Named:
        """Return where the token is by now."""
        secrets = stored_secrets(self.folder)
        if self.token.secret is not None or secrets is None:
            return self.token
        name = secrets.take_over(self._file, integration)
        return self.token if name is None else Named.model_construct(secret=name)

    @contextlib.contextmanager
    def _locked(self, integration: str) -> Iterator[None]:
        secrets = stored_secrets(self.folder)
        with contextlib.ExitStack() as held:
            if self.token.file is not None:
                try:
                    held.enter_context(lock(self._file.with_name(f"{self._file.name}.lock")))
                except OSError as error:
                    raise _unwritable(integration, self._file, error) from None
            stored = self._stored(integration)
            if stored.secret is not None and secrets is not None:  # other machines may have the same one
                held.enter_context(secrets.using_alone(stored.secret))
            yield


@dataclass(frozen=True, slots=True, repr=False)
class JwtBearer:
    """A signed assertion is exchanged for a token (RFC 7523)."""

    asked: Mapping[str, str | None]
    issuer: str
    subject: str
    private_key: str
    algorithm: str
    key_id: str | None
    lifetime: int

    @property
    def identity(self) -> str:
        """The identity of its owner."""
        return digest("jwt", self.issuer, self.subject)

    @contextlib.contextmanager
    def form(self, integration: str, token_url: str) -> Iterator[tuple[Form, Form]]:
        """Give the form of a request, with an assertion that is made for it.

        Raises:
            NotConfigured: the private key is none, or not of the algorithm.
        """
        import jwt

        now = int(time.time())
        claims: dict[str, object] = {"iss": self.issuer, "sub": self.subject, "aud": token_url, "jti": uuid.uuid4().hex}
        claims |= {"iat": now - 5, "exp": now + self.lifetime}  # a server's clock may be a little behind
        try:
            headers = {"kid": self.key_id} if self.key_id else None
            signed = jwt.encode(claims, self.private_key, self.algorithm, headers)
        except (jwt.PyJWTError, ValueError, TypeError):  # its text could show a part of the key
            got = f"connection.auth.private_key is no private key for {self.algorithm}"
            raise NotConfigured(integration, "signing an assertion", got, "name a PEM file of that kind") from None
        yield (
            {
                "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "assertion": signed,
                **_given(self.asked),
            },
            {},
        )

    def store_renewed(self, _integration: str, _answer: Mapping[str, object]) -> None:
        """Store nothing."""


def _given(asked: Mapping[str, str | None]) -> Form:
    return {name: value for name, value in asked.items() if value is not None}


def _unwritable(integration: str, path: Path, error: OSError) -> NotConfigured:
    got = f"{error.strerror}; leat must store a refresh token that the server replaces there"
    return NotConfigured(integration, f"writing {path}", got, "let leat write the file and its folder")
