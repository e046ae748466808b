"""Settings of a connection that are named in YAML and read only when used: ``{env: X}`` or ``{file: path}``.

A secret can only be named, never written. Every secret that was read is remembered, so that :func:`redact` can remove
it from whatever is about to be logged or shown.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, quote_plus

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict

from leat.sources.errors import NotConfigured

_secrets_read: set[str] = set()


class Named(BaseModel):
    """A reference to an environment variable or to a file; exactly one of the two."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"minProperties": 1, "maxProperties": 1})
    env: str | None = Field(default=None, description="Name of an environment variable.")
    file: str | None = Field(default=None, description="Path of a file; relative to the project folder.")

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
        path = (folder or Path()) / str(self.file)
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise NotConfigured(
                integration, f"reading the file {path}", str(error.strerror), "create the file or name another one"
            ) from error


def _one_reference(value: Any) -> Any:
    if isinstance(value, dict) and set(value) <= {"env", "file"} and len(value) != 1:
        msg = "name exactly one of env and file"
        raise ValueError(msg)
    return value


def _no_literal(value: Any) -> Any:
    if isinstance(value, str):
        msg = "a secret is never written here; name it: {env: NAME} or {file: path}"
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
