"""The form of an encrypted value: ``leat1:<kid>:<nonce>:<ciphertext>``, AES-256-GCM (NIST SP 800-38D).

A value can be decrypted only where it belongs: table, column and row are authenticated with it. So nobody can move a
value that they can't read to where somebody else reads it for them.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from leat.control.keys.problem import KeyProblem

if TYPE_CHECKING:
    from leat.control.keys.tree import DataKey

VERSION = "leat1"
_NONCE = 12
_PARTS = 4


def place_of(table: str, column: str, row: str) -> bytes:
    """Return where a value belongs, as it is authenticated with it.

    Args:
        table: its table; without ``|``.
        column: its column; without ``|``.
        row: what identifies the row.
    """
    if "|" in table or "|" in column:
        msg = f"{table}, {column}: a name with | would be ambiguous"
        raise ValueError(msg)
    return f"{table}|{column}|{row}".encode()


def encrypt(key: DataKey, value: bytes, place: bytes) -> str:
    """Return a value encrypted, for the place that :func:`place_of` gives."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(_NONCE)
    return ":".join((VERSION, key.kid, _text(nonce), _text(AESGCM(key.secret).encrypt(nonce, value, place))))


def decrypt(by_kid: Callable[[str], DataKey], written: str, place: bytes) -> bytes:
    """Return what was encrypted for a place.

    Args:
        by_kid: returns the data key of an id.
        written: the encrypted value.
        place: as :func:`place_of` gives it.

    Raises:
        KeyProblem: its key is retired or not there, or the value was altered or belongs elsewhere.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = by_kid(kid_of(written))
    try:
        nonce, sealed = map(_bytes, written.split(":")[2:])
        return AESGCM(key.secret).decrypt(nonce, sealed, place)
    except (InvalidTag, ValueError) as error:
        got = f"an encrypted value was altered, or doesn't belong to {place.decode('utf-8', 'replace')}"
        raise KeyProblem(got, "restore it from a backup, or set it again") from error


def kid_of(written: str) -> str:
    """Return the id of the data key that a value is encrypted with.

    Raises:
        KeyProblem: it isn't an encrypted value.
    """
    parts = written.split(":")
    if parts[0] != VERSION or len(parts) != _PARTS:
        got = "a value isn't encrypted as leat does"
        raise KeyProblem(got, "restore it from a backup, or set it again")
    return parts[1]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
