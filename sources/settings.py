"""Settings that are named in YAML and read only when used: ``{env: X}``, ``{file: path}`` or ``{secret: NAME}``.

A secret can only be named, never written. Every secret that was read is remembered, so that :func:`redact` can remove
it from whatever is about to be logged or shown. Secrets that leat stores are read by what :func:`store_secrets_in` has
registered, for this layer has no control store.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any, Protocol
from urllib.parse import quote, quote_plus

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict

from leat.sources.errors import NotConfigured

NAMED = frozenset({"env", "file", "secret"})
"""The keys that a reference may have: exactly one."""
HOW = "{env: NAME}, {file: path} or {secret: NAME}"
"""How a value is named, for messages."""
_secrets_read: set[str] = set()


class StoredSecrets(Protocol):
    """The secrets that leat stores for a project."""

    def read(self, name: str, user: str) -> str | None:
        """Return a secret for an integration or a part of leat; None if there is none.

        Raises:
            NotConfigured: it can't be decrypted.
        """

    def has(self, name: str) -> bool:
        """Return whether there is a secret."""

    def renew(self, name: str, value: str, user: str) -> None:
        """Store a secret in place of the one that is there, durably.

        Raises:
            NotConfigured: it can't be encrypted.
        """

    def take_over(self, path: Path, user: str) -> str | None:
        """Return the name of the secret that has the content of a file from now on, and remove the file.

        None where the file has to stay: several profiles of the project share it.

        Raises:
            NotConfigured: there is neither the file nor the secret, or one of them can't be used.
        """

    def using_alone(self, name: str) -> AbstractContextManager[None]:
        """Let nobody else use a secret in the block who asks for the same."""


class _Stores:
    by_folder: dict[Path, StoredSecrets] = {}  # noqa: RUF012 - shared by all of the process
    latest: StoredSecrets | None = None


def store_secrets_in(folder: Path, stored: StoredSecrets) -> None:
    """Let ``{secret: NAME}`` of the project in a folder be read there."""
    _Stores.by_folder[folder.resolve()] = _Stores.latest = stored


def stored_secrets(folder: Path | None) -> StoredSecrets | None:
    """Return what has the secrets of the project in a folder, or of the project that was opened last."""
    return _Stores.latest if folder is None else _Stores.by_folder.get(folder.resolve())


class Named(BaseModel):
    """A reference to an environment variable, a file or a secret that leat stores; exactly one of them."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"minProperties": 1, "maxProperties": 1})
    env: str | None = Field(default=None, description="Name of an environment variable.")
    file: str | None = Field(default=None, description="Path of a file; relative to the project folder.")
    secret: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,99}$",  # those that leat made begin with @, and nobody may send them
        description="Name of a secret that `leat secret set` has stored.",
    )

    @property
    def name(self) -> str:
        """The name of the variable or of the secret, or the path of the file."""
        return str(next(each for each in (self.env, self.secret, self.file) if each is not None))

    @property
    def what(self) -> str:
        """The same, with what it is the name of."""
        return f"{'variable' if self.env is not None else 'file' if self.secret is None else 'secret'} {self.name}"

    def is_there(self, folder: Path | None = None) -> bool:
        """Return whether the variable is set and not empty, or there is the file or the secret."""
        if self.env is not None:
            return bool(os.environ.get(self.env))
        if self.secret is not None:
            stored = stored_secrets(folder)
            return stored is not None and stored.has(self.secret)
        return ((folder or Path()) / str(self.file)).exists()

    def read(self, integration: str, folder: Path | None = None) -> str:
        """Return the value that is named.

        Raises:
            NotConfigured: the variable isn't set or the file can't be read.
        """
        if self.env is not None:
            value = os.environ.get(self.env)
            if value is None:
                raise NotConfigured(
                    integration,
                    f"reading the environment variable {self.env}",
                    "it is not set",
                    f"set {self.env} in the environment or in the project's .env file",
                )
            return value
        if self.secret is not None:
            return remember_secret(_stored(self.secret, integration, folder))
        path = (folder or Path()) / str(self.file)
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise NotConfigured(
                integration, f"reading the file {path}", str(error.strerror), "create the file or name another one"
            ) from error


def _stored(name: str, integration: str, folder: Path | None) -> str:
    stored, asked = stored_secrets(folder), f"reading the secret {name}"
    if stored is None:
        got = "no project is open that stores secrets"
        raise NotConfigured(integration, asked, got, f"name a variable or a file instead of {{secret: {name}}}")
    value = stored.read(name, integration)
    if value is None:
        raise NotConfigured(integration, asked, "it is not set", f"set it: `leat secret set {name}`")
    return value


def _one_reference(value: Any) -> Any:
    if isinstance(value, dict) and set(value) <= NAMED and len(value) != 1:
        msg = "name exactly one of env, file and secret"
        raise ValueError(msg)
    return value


def _no_literal(value: Any) -> Any:
    if isinstance(value, str):
        msg = f"a secret is never written here; name it: {HOW}"
        raise ValueError(msg)
    return _one_reference(value)


Setting = Annotated[str | Named, BeforeValidator(_one_reference)]
"""A value that may be written as it is or named."""

LOCAL: JsonDict = {"format": "path"}
"""What the JSON Schema says of a setting that names a file or a folder of the machine that leat runs on."""

Secret = Annotated[Named, BeforeValidator(_no_literal)]
"""A value that can only be named."""


def named_in(value: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Named]]:
    """Yield every value that a connection names, with the path to it, in models, lists and keys of any depth."""
    if isinstance(value, Named):
        yield at, value
    elif isinstance(value, BaseModel):
        for field in type(value).model_fields:
            yield from named_in(getattr(value, field), (*at, field))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from named_in(item, (*at, str(key)))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from named_in(item, at)


def read_setting(setting: str | Named, integration: str, folder: Path | None = None) -> str:
    """Return the value of a :data:`Setting`.

    Raises:
        NotConfigured: what it names isn't there.
    """
    return setting if isinstance(setting, str) else setting.read(integration, folder)


def read_secret(secret: Named, integration: str, folder: Path | None = None) -> str:
    """Return the value of a :data:`Secret` and remember it for :func:`redact`.

    Raises:
        NotConfigured: what it names isn't there.
    """
    return remember_secret(secret.read(integration, folder))


def remember_secret(value: str) -> str:
    """Return a secret that was given out by a system, such as an access token, and remember it for :func:`redact`."""
    _secrets_read.update(form for form in _forms(value) if len(form) >= 4)  # a shorter one would blank out words
    return value


def _forms(value: str) -> Iterator[str]:
    """Yield a secret as it is and as messages may quote it: in URLs, in JSON, in Python's and in libpq's quotes."""
    yield value
    for encoded in (quote(value, safe="", errors="replace"), quote_plus(value, errors="replace")):
        yield encoded
        yield re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), encoded)
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield repr(value)[1:-1]
    yield value.replace("\\", "\\\\").replace("'", "\\'")


def redact(text: str) -> str:
    """Return the text with every secret that this process has read replaced by ``***``."""
    for secret in sorted(_secrets_read, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
