"""A client of the shared HTTP stack for tests, and what was recorded of its calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from leat.sources.driver import Sync
from leat.sources.http.auth import Auth, sign_in
from leat.sources.http.calls import ApiCall
from leat.sources.http.client import Client, Limits, Version, open_client

AUTH: TypeAdapter[Any] = TypeAdapter(Auth)


def sync_of(folder: Path, called: Callable[[ApiCall], None] = lambda _call: None, name: str = "shop") -> Sync:
    own = folder / "sources" / name
    own.mkdir(parents=True, exist_ok=True)
    return Sync(name, frozenset({"things"}), None, folder, own, datetime.now(UTC), called=called)


@contextmanager
def client_of(
    folder: Path,
    url: str,
    auth: dict[str, Any] | None = None,
    limits: Limits | None = None,
    version: Version | None = None,
    name: str = "shop",
) -> Iterator[tuple[Client, list[ApiCall]]]:
    """Open a client with an ``auth:`` block as YAML has it; gives it and the calls that it records."""
    calls: list[ApiCall] = []
    sync = sync_of(folder, calls.append, name)
    signer = sign_in(AUTH.validate_python(auth or {"kind": "none"}), sync)
    limits = limits or Limits(timeout=2, total=6)
    with open_client(sync, url, signer, limits=limits, version=version) as client:
        yield client, calls
