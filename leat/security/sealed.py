"""Encrypts what belongs to a session with a key made from its id, which only the browser has.

AES-256-GCM (NIST SP 800-38D), the key by HKDF-SHA-256 (RFC 5869). Whoever has only the control store can't read it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

_NONCE = 12


def seal(session_id: str, value: Mapping[str, Any]) -> bytes:
    """Return a value, which JSON can hold, encrypted for a session: the nonce, then the text with its tag."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(_key(session_id)).encrypt(nonce, json.dumps(value).encode(), b"leat session")


def open_sealed(session_id: str, sealed: bytes) -> dict[str, Any]:
    """Return what was sealed for a session.

    Raises:
        cryptography.exceptions.InvalidTag: it was sealed for another one, or changed.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    plain = AESGCM(_key(session_id)).decrypt(sealed[:_NONCE], sealed[_NONCE:], b"leat session")
    value: dict[str, Any] = json.loads(plain)
    return value


def _key(session_id: str) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), 32, None, b"leat session tokens").derive(session_id.encode())
