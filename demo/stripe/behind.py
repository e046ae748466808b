"""The localstripe behind the fake of Stripe, if there is one: what it answers, or nothing."""

from __future__ import annotations

import json
import urllib.request
from typing import Any
from urllib.error import HTTPError

_LACKS = ("events", "disputes", "payouts")
"""Lists that localstripe lacks, or has without what belongs to them."""
_PATHS = {"prices": "plans", "subscriptions": "subscriptions?status=all"}


class Behind:
    """A localstripe.

    Args:
        url: its address; None for none.
    """

    def __init__(self, url: str | None) -> None:
        self._url = url

    def ask(self, method: str, path: str, body: bytes = b"", kind: str | None = None) -> tuple[int, Any]:
        """Return status and JSON of its answer."""
        if self._url is None:
            return 404, {}
        headers = {"Authorization": "Bearer sk_test_behind", **({"Content-Type": kind} if kind else {})}
        request = urllib.request.Request(self._url + path, body or None, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 - a server of the demo on loopback
                text = reply.read()
                return reply.status, json.loads(text) if text else {}
        except HTTPError as error:
            with error:
                text = error.read()
            return error.code, json.loads(text) if text.startswith(b"{") else {"error": {"message": text.decode()}}

    def listed(self, name: str) -> list[dict[str, Any]]:
        """Return everything of a list."""
        if name in (*_LACKS, "payment_methods"):
            return []
        path = _PATHS.get(name, name)
        status, body = self.ask("GET", f"/v1/{path}{'&' if '?' in path else '?'}limit=1000000")
        return list(body["data"]) if status == 200 else []

    def get(self, name: str, key: str) -> dict[str, Any] | None:
        """Return an object."""
        if name in _LACKS:
            return None
        status, body = self.ask("GET", f"/v1/{_PATHS['prices'] if name == 'prices' else name}/{key}")
        return body if status == 200 else None

    def methods(self, customer: str) -> list[dict[str, Any]]:
        """Return the cards of a customer; localstripe lists nothing else."""
        _, body = self.ask("GET", f"/v1/payment_methods?type=card&limit=1000&customer={customer}")
        return list(body.get("data", ()))
