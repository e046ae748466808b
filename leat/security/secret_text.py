"""Random ids and secrets, and the hashes by which they are stored."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time

SECRET_BYTES = 32


def new_id(prefix: str) -> str:
    """Return an id such as ``tok_06f1…``: ids made later sort after those made earlier."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(5)}"


def new_secret() -> str:
    """Return 256 random bits as 52 characters of a-z and 2-7, which a double click selects and a URL can hold."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode().rstrip("=").lower()


def hashed(secret: str) -> str:
    """Return the SHA-256 by which a secret of 256 random bits is stored; guessing it needs no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
