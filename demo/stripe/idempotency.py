"""Idempotency keys as Stripe treats them: for a day, the same request under the same key gives the stored answer.

Source: docs.stripe.com/api/idempotent_requests and docs.stripe.com/error-codes. What is stored is the answer of a
request that was executed, whether it succeeded or not; one that failed validation stores nothing.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

LASTS = 86_400
"""Seconds for which a key is remembered; Stripe promises at least so many."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a key was used for.

    Attributes:
        request: hash of what was asked.
        at: seconds since 1970.
        status: of the answer.
        body: its JSON.
    """

    request: str
    at: float
    status: int
    body: Any


class OtherRequest(Exception):
    """The key was used for another request."""


class InFlight(Exception):
    """The request of this key is being executed."""


@dataclass
class Keys:
    """The keys that were used.

    Attributes:
        file: where they are stored; None for nowhere.
        clock: the time, in seconds since 1970.
    """

    file: Path | None = None
    clock: Callable[[], float] = time.time
    _stored: dict[str, Stored] = field(default_factory=dict)
    _running: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if self.file and self.file.exists():
            for line in self.file.read_text(encoding="utf-8").splitlines():
                key, *stored = json.loads(line)
                self._stored[key] = Stored(*stored)

    def begin(self, key: str, request: str) -> Stored | None:
        """Begin a request; returns the stored answer when there is one.

        Raises:
            OtherRequest: the key was used for another request.
            InFlight: this request is being executed.
        """
        with self._lock:
            stored = self._stored.get(key)
            if stored is not None and self.clock() - stored.at < LASTS:
                if stored.request != request:
                    raise OtherRequest
                return stored
            if key in self._running:
                raise InFlight
            self._running.add(key)
            return None

    def end(self, key: str, request: str, status: int, body: Any, *, executed: bool) -> None:
        """End a request, and store its answer when it was executed."""
        with self._lock:
            self._running.discard(key)
            if not executed:
                return
            stored = Stored(request, self.clock(), status, body)
            self._stored[key] = stored
            if self.file:
                self.file.touch(mode=0o600)
                with self.file.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([key, stored.request, stored.at, status, body]) + "\n")

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._stored = {}
            if self.file:
                self.file.unlink(missing_ok=True)


def hash_request(method: str, path: str, body: bytes) -> str:
    """Return what makes two requests the same: the order of their parameters doesn't matter."""
    parameters = sorted(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    return sha256(json.dumps([method, path, parameters]).encode()).hexdigest()
