"""An endpoint for webhooks that leat sends: a server on loopback that verifies them and answers as a test wants."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook

from tests.kit.post_server import Answer, post_server


@dataclass
class Receiver:
    """An endpoint.

    Attributes:
        url: its address.
        got: the ids and bodies that came, verified.
        status: what it answers.
        headers: of its answers.
        body: of its answers.
    """

    url: str = ""
    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""

    def take(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what came since it was last asked."""
        taken = list(self.got)
        self.got.clear()
        return taken


def new_secret(text: str) -> str:
    """Return a secret of 32 bytes made of four letters."""
    return f"whsec_{base64.b64encode(text.encode() * 8).decode()}"


@contextlib.contextmanager
def receiving(*secrets: str) -> Iterator[Receiver]:
    """Start an endpoint that verifies a signature of each secret; it ends with the block."""
    receiver = Receiver()

    def answer(_path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        for each in secrets:
            Webhook(each).verify(body, dict(headers.items()))
        receiver.got.append((headers["webhook-id"], json.loads(body)))
        return Answer(receiver.status, receiver.body.encode(), receiver.headers)

    with post_server(answer) as url:
        receiver.url = f"{url}/hook"
        yield receiver
