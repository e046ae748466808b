"""The endpoints of a project: what is declared of webhooks, with the secrets in memory."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from leat.hooks.event import Event, read_event, text_of, to_line
from leat.hooks.signatures import Headers, Signed, verify
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.hooks import Hooks
from leat.sources.errors import NotConfigured
from leat.sources.settings import read_secret, read_setting
from leat.warehouse.session import Unreachable


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one integration's webhooks arrive.

    Attributes:
        name: the integration.
        declared: its declaration.
        secrets: the valid secrets.
        url: the address that the sender calls.
        missing: why it can't be used: a secret isn't there.
    """

    name: str
    declared: Hooks
    secrets: Sequence[str] = ()
    url: str = ""
    missing: str | None = None

    def check(self, headers: Headers, body: bytes, query: str) -> None:
        """Check the signature of a request.

        Raises:
            BadSignature: it isn't right.
        """
        url = f"{self.url}?{query}" if query else self.url
        verify(self.declared, self.secrets, Signed(headers, body, time.time(), url))

    def challenge(self, body: bytes) -> str | None:
        """Return what Slack wants to read when it tries an endpoint; None for an event."""
        if self.declared.scheme != "slack" or b"url_verification" not in body:
            return None
        try:
            value = json.loads(body)
        except ValueError:
            return None
        if not isinstance(value, dict) or value.get("type") != "url_verification":
            return None
        return str(value.get("challenge", ""))

    def line(self, headers: Headers, body: bytes, seq: int) -> bytes:
        """Return the line of an event."""
        text = text_of(headers, body)
        event_id, event_type, problem = read_event(self.declared, headers, text)
        now = datetime.now(UTC)
        return to_line(Event(seq, now, self.name, event_id, event_type, text, problem))


def read_endpoints(declarations: Mapping[str, Declaration], project: Path, url: str) -> dict[str, Endpoint]:
    """Return the endpoints by name; one whose secret is missing, or can't be read now, says so."""
    result = {}
    for name, declaration in declarations.items():
        hooks = declaration.hooks
        if hooks is None:
            continue
        try:
            secrets = [read_secret(secret, name, project) for secret in hooks.secrets]
            called = read_setting(hooks.url, name, project) if hooks.url is not None else f"{url}/hooks/{name}"
            result[name] = Endpoint(name, hooks, secrets, called)
        except (NotConfigured, Unreachable) as error:
            result[name] = Endpoint(name, hooks, missing=str(error))
    return result
