"""The key-encryption key in AWS KMS: data keys are wrapped there, and the key never leaves it.

https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leat.control.keys.problem import KeyProblem
from leat.control.keys.provider import Provider, Wrapped, check_permitted

if TYPE_CHECKING:
    from botocore.client import BaseClient  # type: ignore[import-untyped]

_PREFIX = "aws_kms:"


@dataclass(frozen=True, slots=True)
class KmsProvider:
    """A key of AWS KMS; credentials come from where AWS's own tools look.

    Attributes:
        key_id: id, ARN or alias of the key.
        region: its region; None for that of the environment.
        url: address of the service, for one that isn't AWS.
    """

    key_id: str
    region: str | None = None
    url: str | None = None
    name = "aws_kms"

    def where(self) -> str:
        """Return where the key is."""
        return f"AWS KMS, key {self.key_id}"

    def knows(self, kek: str) -> bool:
        """Return whether it is a key of KMS."""
        return kek.startswith(_PREFIX)

    def wrap(self, secret: bytes, context: str) -> Wrapped:
        """Let KMS encrypt a data key for a context, which its log shows."""
        answer = self._call("encrypt", KeyId=self.key_id, Plaintext=secret, EncryptionContext={"leat": context})
        return Wrapped(_PREFIX + answer["KeyId"], base64.b64encode(answer["CiphertextBlob"]).decode())

    def unwrap(self, wrapped: Wrapped, context: str) -> bytes:
        """Let KMS decrypt it."""
        blob, key = base64.b64decode(wrapped.text), wrapped.kek.removeprefix(_PREFIX)
        answer = self._call("decrypt", KeyId=key, CiphertextBlob=blob, EncryptionContext={"leat": context})
        plain: bytes = answer["Plaintext"]
        return plain

    @contextlib.contextmanager
    def renewed(self) -> Iterator[Provider]:
        """Give this one: KMS makes new versions of a key itself, and ``key_id`` may name another key by now."""
        yield self

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

        try:
            client = self._client()
            check_permitted(client.meta.endpoint_url)
            answer: dict[str, Any] = getattr(client, operation)(**arguments)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "an error")
            got = f"AWS KMS refuses to {operation} with the key {arguments['KeyId']}: {code}"
            step = (
                f"permit kms:{operation.title()} on this key to the account of leat, and check keys.key_id in policies/"
            )
            raise KeyProblem(got, step) from error
        except (BotoCoreError, ValueError) as error:
            got = f"AWS KMS can't be asked to {operation}: {type(error).__name__}: {error}"
            raise KeyProblem(got, "check keys.region in policies/, the network and the AWS credentials") from error
        return answer

    def _client(self) -> BaseClient:
        from botocore.config import Config  # type: ignore[import-untyped]
        from botocore.session import Session  # type: ignore[import-untyped]

        patience = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 3, "mode": "standard"})
        return Session().create_client("kms", region_name=self.region, endpoint_url=self.url, config=patience)
