"""What a provider of the key-encryption key does, and the providers that hand leat the key itself.

A provider that is a service (AWS KMS, Vault) wraps data keys itself, and its key never leaves it. From the others leat
reads a key of 256 bits and wraps with AES-256-GCM (NIST SP 800-38D).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from leat.control.keys.problem import KeyProblem
from leat.sources.egress import check_url
from leat.sources.errors import NotConfigured

KEK_BYTES = 32
_NONCE = 12


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A wrapped data key.

    Attributes:
        kek: what identifies the key-encryption key, such as ``file:3b1f…``; it gives nothing of the key away.
        text: the wrapped bytes, as text.
    """

    kek: str
    text: str


def check_permitted(url: str) -> None:
    """Refuse a service whose host ``project.hosts`` in ``policies/`` doesn't permit.

    Raises:
        KeyProblem: it isn't permitted.
    """
    try:
        check_url("keys", url)
    except NotConfigured as error:
        got = f"{error.asked} for the key-encryption key: {error.got}"
        raise KeyProblem(got, error.next_step) from error


class Provider(Protocol):
    """Where the key-encryption key is."""

    @property
    def name(self) -> str:
        """How a declaration calls it."""

    def where(self) -> str:
        """Return where the key is, for messages."""

    def knows(self, kek: str) -> bool:
        """Return whether this is its key; a service says that of each of its keys, and decides when it unwraps."""

    def wrap(self, secret: bytes, context: str) -> Wrapped:
        """Wrap a data key for a context, without which it can't be unwrapped.

        Raises:
            KeyProblem: the key isn't there, or a service refuses.
        """

    def unwrap(self, wrapped: Wrapped, context: str) -> bytes:
        """Return what was wrapped.

        Raises:
            KeyProblem: it was wrapped under another key or for another context, or a service refuses.
        """

    def renewed(self) -> AbstractContextManager[Provider]:
        """Give a provider that wraps under a new key; at the end of the block that key takes the place of the old one.

        Raises:
            KeyProblem: leat can't make a key there.
        """


class KekPlace(Protocol):
    """A place for keys of 256 bits: the one in use, and the next one while all is wrapped under it."""

    def where(self) -> str:
        """Return where it is, for messages."""

    def read(self) -> Sequence[bytes]:
        """Return the key in use, then the next one; those that are there.

        Raises:
            KeyProblem: the place can't be read, or has no key of 256 bits.
        """

    def make(self) -> bytes:
        """Return the key in use, made where there is none.

        Raises:
            KeyProblem: leat can't make one.
        """

    def put_next(self, kek: bytes) -> None:
        """Store the next one.

        Raises:
            KeyProblem: leat can't.
        """

    def promote(self) -> None:
        """Let the next one take the place of the one in use; nothing when there is none."""


@dataclass(frozen=True, slots=True)
class LocalProvider:
    """A provider whose key leat reads.

    Attributes:
        name: how a declaration calls it.
        place: where the key is.
    """

    name: str
    place: KekPlace

    def where(self) -> str:
        """Return where the key is."""
        return self.place.where()

    def knows(self, kek: str) -> bool:
        """Return whether this is its key."""
        return self._find(kek) is not None

    def wrap(self, secret: bytes, context: str) -> Wrapped:
        """Wrap a data key; the key-encryption key is made where there is none."""
        there = self.place.read()
        return _wrap(self.name, there[0] if there else self.place.make(), secret, context)

    def unwrap(self, wrapped: Wrapped, context: str) -> bytes:
        """Return what was wrapped."""
        kek = self._find(wrapped.kek)
        if kek is None:
            got = f"a data key is wrapped under {wrapped.kek}, which isn't the key in {self.where()}"
            raise KeyProblem(got, "restore the right key there")
        return _unwrap(kek, wrapped.text, context)

    @contextlib.contextmanager
    def renewed(self) -> Iterator[Provider]:
        """Give a provider that wraps under a new key."""
        kek = secrets.token_bytes(KEK_BYTES)
        self.place.put_next(kek)
        yield _Next(self.name, self.place, kek)
        self.place.promote()

    def _find(self, kek: str) -> bytes | None:
        """Return the key of an identity. A next one that is in use takes its place: a rotation was killed just then."""
        for number, each in enumerate(self.place.read()):
            if hmac.compare_digest(identity_of(self.name, each), kek):
                if number:
                    self.place.promote()
                return each
        return None


@dataclass(frozen=True, slots=True)
class _Next(LocalProvider):
    """Wraps under the next key."""

    kek: bytes = b""

    def wrap(self, secret: bytes, context: str) -> Wrapped:
        return _wrap(self.name, self.kek, secret, context)


def identity_of(name: str, kek: bytes) -> str:
    """Return what identifies a key: a fingerprint, which says nothing about the key's bits (HMAC-SHA-256)."""
    return f"{name}:{hmac.new(kek, b'leat fingerprint of a key', hashlib.sha256).hexdigest()[:16]}"


def kek_from(text: str, where: str) -> bytes:
    """Return a key that is written in Base64.

    Raises:
        KeyProblem: it isn't the Base64 of 32 bytes.
    """
    try:
        kek = base64.b64decode(text.strip().replace("-", "+").replace("_", "/") + "==", validate=False)
    except (binascii.Error, ValueError):
        kek = b""
    if len(kek) != KEK_BYTES:
        got = f"{where} has no key: expected the Base64 of 32 bytes"
        raise KeyProblem(got, "make one: openssl rand -base64 32")
    return kek


def text_of(kek: bytes) -> str:
    """Return a key in Base64."""
    return base64.b64encode(kek).decode()


def _wrap(name: str, kek: bytes, secret: bytes, context: str) -> Wrapped:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(_NONCE)
    sealed = nonce + AESGCM(kek).encrypt(nonce, secret, context.encode())
    return Wrapped(identity_of(name, kek), base64.urlsafe_b64encode(sealed).decode())


def _unwrap(kek: bytes, text: str, context: str) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        sealed = base64.urlsafe_b64decode(text)
        return AESGCM(kek).decrypt(sealed[:_NONCE], sealed[_NONCE:], context.encode())
    except (InvalidTag, ValueError) as error:
        raise altered(context) from error


def altered(context: str) -> KeyProblem:
    """Return the error for a wrapped key that can't be unwrapped although the key-encryption key is the right one."""
    got = f"the wrapped data key {context} was altered in the control store"
    return KeyProblem(got, "restore the table data_key of the control store from a backup")
