"""A fake of the transit engine of Vault, for no Vault server is packaged: its documented requests and answers alone.

https://developer.hashicorp.com/vault/api-docs/secret/transit. It authenticates the associated data, has versions of a
key, and refuses a wrong token with 403, as the documentation says. What it can't show is that a real Vault does.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.kit.post_server import Answer, post_server


@dataclass
class VaultFake:
    """The server.

    Attributes:
        url: its address.
        token: the token that it takes.
        keys: the versions of each key, by path of the engine and name.
        sealed: whether it answers 503 to everything.
        seen: the paths that it was asked.
    """

    url: str = ""
    token: str = field(default_factory=lambda: f"hvs.{secrets.token_hex(12)}")
    keys: dict[str, list[bytes]] = field(default_factory=lambda: {"transit/leat": [secrets.token_bytes(32)]})
    sealed: bool = False
    seen: list[str] = field(default_factory=list)

    def answer(self, path: str, token: str | None, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.seen.append(path)
        asked = re.fullmatch(r"/v1/(.+)/(encrypt|decrypt)/([^/]+)", path)
        if self.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        if token != self.token:
            return 403, {"errors": ["permission denied"]}
        if asked is None or f"{asked[1]}/{asked[3]}" not in self.keys:
            return 404, {"errors": ["no such key"]}
        versions, bound = self.keys[f"{asked[1]}/{asked[3]}"], base64.b64decode(body["associated_data"])
        if asked[2] == "encrypt":
            nonce = secrets.token_bytes(12)
            sealed = nonce + AESGCM(versions[-1]).encrypt(nonce, base64.b64decode(body["plaintext"]), bound)
            return 200, {"data": {"ciphertext": f"vault:v{len(versions)}:{base64.b64encode(sealed).decode()}"}}
        _, version, text = body["ciphertext"].split(":")
        sealed = base64.b64decode(text)
        try:
            plain = AESGCM(versions[int(version[1:]) - 1]).decrypt(sealed[:12], sealed[12:], bound)
        except InvalidTag:
            return 400, {"errors": ["cipher: message authentication failed"]}
        return 200, {"data": {"plaintext": base64.b64encode(plain).decode()}}


@contextlib.contextmanager
def vault_fake() -> Iterator[VaultFake]:
    """Start the server; it ends with the block."""
    fake = VaultFake()

    def answer(path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        status, said = fake.answer(path, headers.get("X-Vault-Token"), json.loads(body))
        return Answer(status, json.dumps(said).encode())

    with post_server(answer) as fake.url:
        yield fake
