"""Signs messages by the Standard Webhooks specification: ``v1`` by a secret ``whsec_…``, ``v1a`` by a key ``whsk_…``.

``v1`` is HMAC-SHA256, whose secret the receiver has, too. ``v1a`` is Ed25519 (RFC 8032): the receiver has the public
key ``whpk_…`` alone, so that it can't sign itself.

https://www.standardwebhooks.com/
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from leat.sources.errors import NotConfigured
from leat.sources.settings import Named, read_secret

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from leat.hooks.out.declaration import Endpoint

_SECRET, _PRIVATE, _PUBLIC = "whsec_", "whsk_", "whpk_"
_SHORTEST, _LONGEST = 24, 64  # bytes of a secret, by the specification
_SEED = 32
_NEXT = (
    f"make one: {_SECRET}$(openssl rand -base64 32), or for v1a "
    f"{_PRIVATE}$(openssl genpkey -algorithm ed25519 -outform DER | tail -c 32 | base64)"
)
Signer = Callable[[bytes], str]
"""Returns the signature of bytes, with its version."""


def signature(signers: Sequence[Signer], message: str, timestamp: int, body: bytes) -> str:
    """Return the header ``webhook-signature``: one signature by each signer."""
    signed = b".".join([message.encode(), str(timestamp).encode(), body])
    return " ".join(sign(signed) for sign in signers)


def read_signers(name: str, endpoint: Endpoint, folder: Path) -> list[Signer]:
    """Return what signs the messages to an endpoint.

    Raises:
        NotConfigured: a secret isn't there, or can't be one.
    """
    return [read_signer(name, each, folder) for each in endpoint.secrets]


def read_signer(name: str, secret: Named, folder: Path) -> Signer:
    """Return what signs by one secret.

    Raises:
        NotConfigured: it isn't there, or can't be one.
    """
    return signer_of(name, read_secret(secret, f"webhook {name}", folder))


def signer_of(name: str, written: str) -> Signer:
    """Return what signs by a secret as it is written.

    Raises:
        NotConfigured: it can't be one.
    """
    if written.startswith(_PRIVATE):
        key = _private_key(name, written)
        return lambda signed: "v1a," + base64.b64encode(key.sign(signed)).decode()
    secret = _decoded(written.removeprefix(_SECRET))
    if not written.startswith(_SECRET) or not _SHORTEST <= len(secret) <= _LONGEST:
        got = "it isn't whsec_ and the Base64 of 24 to 64 bytes, nor whsk_ and that of an Ed25519 key"
        raise NotConfigured(name, "reading its secret", got, _NEXT)
    return lambda signed: "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def public_keys(name: str, endpoint: Endpoint, folder: Path) -> list[str]:
    """Return the public keys ``whpk_…`` that verify the messages to an endpoint; without those that can't be read."""
    keys = []
    for each in endpoint.secrets:
        try:
            written = read_secret(each, f"webhook {name}", folder)
            if written.startswith(_PRIVATE):
                keys.append(_PUBLIC + base64.b64encode(_public(_private_key(name, written))).decode())
        except NotConfigured:
            continue
    return keys


def _private_key(name: str, written: str) -> Ed25519PrivateKey:
    """Return the key of 32 bytes, or of 64: some libraries write the public key after it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    seed, public = (both := _decoded(written.removeprefix(_PRIVATE)))[:_SEED], both[_SEED:]
    if len(seed) == _SEED:
        key = Ed25519PrivateKey.from_private_bytes(seed)
        if public in (b"", _public(key)):
            return key
    got = "it isn't whsk_ and the Base64 of an Ed25519 key of 32 bytes, or of 64 with its public key"
    raise NotConfigured(name, "reading its secret", got, _NEXT)


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
