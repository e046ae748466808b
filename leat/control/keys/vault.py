"""The key-encryption key in the transit engine of HashiCorp Vault or OpenBao: data keys are wrapped there.

https://developer.hashicorp.com/vault/api-docs/secret/transit
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from leat.control.keys.problem import KeyProblem
from leat.control.keys.provider import Provider, Wrapped, check_permitted
from leat.tls import limit_versions

_PREFIX = "vault:"
_TIMEOUT = (5, 10)


@dataclass(frozen=True, slots=True)
class VaultProvider:
    """A key of the transit engine.

    Attributes:
        url: address of Vault.
        key: name of the key.
        token: returns a token that may encrypt and decrypt with it.
        mount: path of the engine.
        namespace: of Vault Enterprise.
    """

    url: str
    key: str
    token: Callable[[], str]
    mount: str = "transit"
    namespace: str | None = None
    name = "vault"

    def where(self) -> str:
        """Return where the key is."""
        return f"Vault at {self.url}, key {self.mount}/{self.key}"

    def knows(self, kek: str) -> bool:
        """Return whether it is a key of Vault."""
        return kek.startswith(_PREFIX)

    def wrap(self, secret: bytes, context: str) -> Wrapped:
        """Let Vault encrypt a data key for a context."""
        data = self._post("encrypt", f"{self.mount}/{self.key}", context, plaintext=base64.b64encode(secret).decode())
        return Wrapped(f"{_PREFIX}{self.mount}/{self.key}", str(data["ciphertext"]))

    def unwrap(self, wrapped: Wrapped, context: str) -> bytes:
        """Let Vault decrypt it."""
        data = self._post("decrypt", wrapped.kek.removeprefix(_PREFIX), context, ciphertext=wrapped.text)
        return base64.b64decode(data["plaintext"])

    @contextlib.contextmanager
    def renewed(self) -> Iterator[Provider]:
        """Give this one: Vault makes new versions of a key itself, and wraps with the newest."""
        yield self

    def _post(self, operation: str, key: str, context: str, **body: str) -> dict[str, Any]:
        import requests

        check_permitted(self.url)
        mount, _, name = key.rpartition("/")
        headers = {"X-Vault-Token": self.token(), "X-Vault-Request": "true"}
        if self.namespace:
            headers["X-Vault-Namespace"] = self.namespace
        body["associated_data"] = base64.b64encode(context.encode()).decode()
        asked = f"Vault at {self.url} was asked to {operation} with the key {key}"
        try:
            url = f"{self.url.rstrip('/')}/v1/{mount}/{operation}/{name}"
            with requests.Session() as session:
                limit_versions(session)
                answer = session.post(url, json=body, headers=headers, timeout=_TIMEOUT, allow_redirects=False)
        except requests.RequestException as error:
            got = f"{asked}, and didn't answer: {type(error).__name__}"
            raise KeyProblem(got, "check keys.url in policies/, and that Vault runs") from error
        try:
            data: dict[str, Any] = answer.json()["data"] if answer.ok else {}
            if answer.ok and set(data) & {"ciphertext", "plaintext"}:
                return data
        except (ValueError, KeyError, TypeError, binascii.Error):
            pass
        got = f"{asked}, and answered HTTP {answer.status_code}"
        step = (
            "see that Vault is unsealed, and that the token's policy permits update on " + f"{mount}/{operation}/{name}"
        )
        raise KeyProblem(got, step)
