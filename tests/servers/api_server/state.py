"""What the server holds, how it behaves, and what it has seen; changed at ``/_control`` or by a test in its process."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leat.files import atomic_write

Record = dict[str, Any]


@dataclass
class Fault:
    """One way to fail.

    Attributes:
        kind: ``status``, ``html``, ``text``, ``redirect``, ``hang``, ``drip``, ``cut``, ``short`` (fewer bytes than
            announced), ``bad_gzip``, ``truncated`` (JSON that ends in the middle).
        path: beginning of the paths that fail.
        times: how often; -1 for always.
        status: of ``status``.
        headers: headers of the answer.
        body: body of ``text``; of ``status`` too.
        after: requests of that path that go well before.
    """

    kind: str
    path: str = "/v1"
    times: int = 1
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    after: int = 0


@dataclass
class Seen:
    """One request that arrived, at a monotonic time in seconds, and the status of its answer."""

    at: float
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    status: int = 0


@dataclass
class Rate:
    """A limit of requests per window of seconds, and how it is reported.

    ``headers`` is ``x`` (``X-RateLimit-*``, reset as a time), ``draft`` (``RateLimit-*``, reset in seconds),
    ``structured`` (``RateLimit`` and ``RateLimit-Policy``) or none; ``retry_after`` is ``seconds``, ``date`` or none.
    """

    limit: int
    window: float
    headers: str = "draft"
    retry_after: str = "seconds"


@dataclass
class State:
    """The server.

    Attributes:
        collections: records by name of the collection; each has an ``id``.
        auth: what a request has to have: ``none``, or ``api_key``, ``basic``, ``bearer``, ``token`` with ``secrets``.
        secrets: accepted keys, ``user:password``, tokens; for ``token`` the clients, as ``id:secret``.
        refresh_tokens: those that are good, each once.
        public_key: verifies assertions, PEM.
        lifetime: seconds that an access token lives.
        tokens: access tokens that are good, and until when (monotonic).
        rate: limit of requests; none for no limit.
        versions: header values by API version, ``Deprecation`` and ``Sunset``; empty for no versions.
        faults: what fails, the first that fits.
        page_size: records in a page.
        etags: whether answers have an ETag.
        delay: seconds before an answer.
        seen: every request but those to ``/_control``.
    """

    folder: Path | None = None
    collections: dict[str, list[Record]] = field(default_factory=dict)
    auth: str = "none"
    secrets: list[str] = field(default_factory=list)
    refresh_tokens: list[str] = field(default_factory=list)
    public_key: str = ""
    lifetime: float = 3600
    tokens: dict[str, float] = field(default_factory=dict)
    rate: Rate | None = None
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    page_size: int = 100
    etags: bool = True
    delay: float = 0
    seen: list[Seen] = field(default_factory=list)
    given: int = 0
    counted: list[float] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def paths(self) -> list[str]:
        """Return the paths of what was asked so far, in order of arrival."""
        return [seen.path for seen in self.seen]


_SETTINGS = ("collections", "auth", "secrets", "refresh_tokens", "public_key", "page_size")


def load_state(folder: Path | None) -> State:
    """Return the server that a folder has, or an empty one."""
    state = State(folder)
    file = None if folder is None else folder / "state.json"
    if file is not None and file.exists():
        for name, value in json.loads(file.read_text(encoding="utf-8")).items():
            setattr(state, name, value)
    return state


def change_state(state: State, changes: dict[str, Any]) -> None:
    """Set attributes of the server, and store what outlives its process."""
    with state.lock:
        for name, value in changes.items():
            if name == "rate":
                state.rate = None if value is None else Rate(**value)
            elif name == "faults":
                state.faults = [Fault(**each) for each in value]
            else:
                setattr(state, name, value)
        if state.folder is not None:
            text = json.dumps({name: getattr(state, name) for name in _SETTINGS})
            atomic_write(state.folder / "state.json", text)
