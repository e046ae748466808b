"""Sends the events of the fake as Stripe does: signed, in no order, again after a failure.

See https://docs.stripe.com/webhooks. Where they go is put to ``/_fake/webhook_endpoints/<id>`` as ``url`` and
``secret``, and stored in the folder of the fake.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import queue
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from leat.files import atomic_write

_WAITS = (0.0, 1.0, 5.0, 30.0)
"""Seconds before each attempt; Stripe itself goes on for three days."""


class Webhooks:
    """The endpoints, and a thread that sends to them.

    Args:
        folder: where the endpoints are stored; None for nowhere.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._path = folder / "stripe_webhooks.json" if folder else None
        self._queue: queue.Queue[bytes] = queue.Queue(10_000)
        self._thread: threading.Thread | None = None
        self.endpoints: dict[str, Mapping[str, str]] = {}
        if self._path and self._path.exists():
            self.endpoints = json.loads(self._path.read_text(encoding="utf-8"))

    def register(self, key: str, url: str, secret: str) -> None:
        """Send events to an address from now on."""
        endpoint = {"url": url, "secret": secret}
        if self.endpoints.get(key) == endpoint:
            return
        self.endpoints[key] = endpoint
        if self._path:
            atomic_write(self._path, json.dumps(self.endpoints))

    def send(self, event: Mapping[str, Any]) -> None:
        """Send an event to all endpoints; returns at once."""
        if not self.endpoints:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        self._queue.put(json.dumps(event).encode())

    def _run(self) -> None:
        while True:
            body = self._queue.get()
            for endpoint in list(self.endpoints.values()):
                threading.Thread(target=_deliver, args=(endpoint, body), daemon=True).start()


def _deliver(endpoint: Mapping[str, str], body: bytes) -> None:
    for wait in _WAITS:
        time.sleep(wait)
        headers = {"Stripe-Signature": sign(endpoint["secret"], body), "Content-Type": "application/json"}
        try:
            if requests.post(endpoint["url"], data=body, headers=headers, timeout=10).ok:
                return
        except requests.RequestException:
            continue


def register_webhooks(stripe: str, key: str, url: str, secret: str) -> None:
    """Let a fake that is served send its events to an address."""
    where, headers = f"{stripe}/_fake/webhook_endpoints/leat", {"Authorization": f"Bearer {key}"}
    requests.put(where, headers=headers, json={"url": url, "secret": secret}, timeout=30).raise_for_status()


def sign(secret: str, body: bytes) -> str:
    """Return the header ``Stripe-Signature`` of a body, signed now."""
    at = int(time.time())
    return f"t={at},v1={hmac.new(secret.encode(), f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"
