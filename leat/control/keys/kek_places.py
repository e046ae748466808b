"""The places whose key leat reads: a file, an environment variable, the keyring of the operating system."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leat.control.keys.problem import KeyProblem
from leat.control.keys.provider import KEK_BYTES, LocalProvider, kek_from, text_of
from leat.files import atomic_write, make_private, move, write_once

FILE = "kek.key"
"""The file in the state folder."""
VARIABLE = "LEAT_KEK"


def file_provider(path: Path) -> LocalProvider:
    """Return the provider whose key is in a file, made with mode 0600 where there is none."""
    return LocalProvider("file", _File(path))


def env_provider(variable: str = VARIABLE) -> LocalProvider:
    """Return the provider whose key is in an environment variable."""
    return LocalProvider("env", _Variable(variable))


def keyring_provider(service: str) -> LocalProvider:
    """Return the provider whose key is in the keyring of the operating system, under the name of a service."""
    return LocalProvider("keyring", _Keyring(service))


@dataclass(frozen=True, slots=True)
class _File:
    path: Path

    @property
    def _next(self) -> Path:
        return self.path.with_name(f"{self.path.name}.next")

    def where(self) -> str:
        return f"the file {self.path}"

    def read(self) -> list[bytes]:
        new = self._read(self._next)  # first, for it may take the other's place meanwhile
        return [kek for kek in (self._read(self.path), new) if kek is not None]

    def make(self) -> bytes:
        try:
            written = write_once(self.path, text_of(secrets.token_bytes(KEK_BYTES)).encode(), durable=True)
        except OSError as error:
            raise self._unusable(self.path, error) from error
        return kek_from(written.decode("utf-8", "replace"), self.where())

    def put_next(self, kek: bytes) -> None:
        try:
            make_private(self.path.parent)
            atomic_write(self._next, text_of(kek), durable=True)
        except OSError as error:
            raise self._unusable(self._next, error) from error

    def promote(self) -> None:
        with contextlib.suppress(FileNotFoundError):  # another process has
            move(self._next, self.path, durable=True)

    def _read(self, path: Path) -> bytes | None:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
            mode = stat.S_IMODE(path.stat().st_mode)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(path, error) from error
        if mode & 0o077:
            got = f"others can read the key-encryption key in {path}"
            raise KeyProblem(got, f"chmod 600 {path}")
        return kek_from(text, f"the file {path}")

    @staticmethod
    def _unusable(path: Path, error: OSError) -> KeyProblem:
        return KeyProblem(f"the key-encryption key in {path} can't be used: {error.strerror}", "let leat read the file")


@dataclass(frozen=True, slots=True)
class _Variable:
    variable: str

    def where(self) -> str:
        return f"the variable {self.variable}"

    def read(self) -> list[bytes]:
        text = os.environ.get(self.variable)
        return [kek_from(text, self.where())] if text else []

    def make(self) -> bytes:
        got = f"{self.variable} isn't set"
        raise KeyProblem(got, f"set it: {self.variable}=$(openssl rand -base64 32)")

    def put_next(self, _kek: bytes) -> None:
        got = f"leat can't change the variable {self.variable}"
        step = (
            "set another variable to the old key, name it under keys.previous in policies/, and set this one to a new"
        )
        raise KeyProblem(got, f"{step} key: openssl rand -base64 32")

    def promote(self) -> None:
        """Do nothing: there is no next one."""


@dataclass(frozen=True, slots=True)
class _Keyring:
    service: str

    def where(self) -> str:
        return f"the keyring, service {self.service}"

    def read(self) -> list[bytes]:
        new = self._call("get_password", "next")  # first, for it may take the other's place meanwhile
        return [kek_from(text, self.where()) for text in (self._call("get_password", "kek"), new) if text]

    def make(self) -> bytes:
        there = self._call("get_password", "kek")
        kek = kek_from(there, self.where()) if there else secrets.token_bytes(KEK_BYTES)
        if not there:
            self._call("set_password", "kek", text_of(kek))
        return kek

    def put_next(self, kek: bytes) -> None:
        self._call("set_password", "next", text_of(kek))

    def promote(self) -> None:
        kek = self._call("get_password", "next")
        if kek:
            self._call("set_password", "kek", kek)
            self._call("delete_password", "next")

    def _call(self, name: str, *args: str) -> Any:
        """Call the keyring: its backend may be locked, or there may be none, as on most servers."""
        try:
            import keyring
            import keyring.errors
        except ImportError as error:
            got = "the package keyring isn't installed"
            raise KeyProblem(got, "pip install 'leat[keyring]'") from error
        try:
            return getattr(keyring, name)(self.service, *args)
        except keyring.errors.PasswordDeleteError:  # another process has
            return None
        except Exception as error:  # each backend has errors of its own, and none of them has the key
            got = f"the keyring can't be used: {type(error).__name__}: {error}"
            step = "unlock it, or declare another provider under keys: in a file in policies/; servers have no keyring"
            raise KeyProblem(got, step) from error
