"""Canaille, an identity provider (OpenID Connect, SCIM 2.0), as a process on loopback.

Its SQLite database is in ``<folder>/canaille.sqlite`` and its log, security lines included, in
``<folder>/security.log``. Accounts that are given are created when it starts, where they aren't there yet.
"""

from __future__ import annotations

import json
import secrets
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from leat.demo.servers.process import Process, free_port, start
from leat.files import atomic_write

DATABASE, LOG = "canaille.sqlite", "security.log"


@dataclass(frozen=True, slots=True)
class Accounts:
    """What Canaille knows when it starts, as attributes of its own models (``canaille.core.models`` and ``oidc``).

    Attributes:
        clients: OIDC clients, identified by ``client_id``; ``audience`` are ids of clients that its ID tokens are for.
        users: identified by ``user_name``; Canaille has no ``manager``.
        groups: identified by ``display_name``; ``members`` are names of users.
        tokens: identified by ``token_id``; ``client`` and ``subject`` are names, times are ISO 8601.
        consents: identified by ``consent_id``, likewise.
    """

    clients: tuple[dict[str, Any], ...] = ()
    users: tuple[dict[str, Any], ...] = ()
    groups: tuple[dict[str, Any], ...] = ()
    tokens: tuple[dict[str, Any], ...] = ()
    consents: tuple[dict[str, Any], ...] = ()


def service_account(client_id: str, secret: str) -> dict[str, Any]:
    """Return a client that may use SCIM by the client credentials grant (RFC 6749, 4.4)."""
    return {
        "client_id": client_id,
        "client_secret": secret,
        "client_name": client_id,
        "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "client_secret_basic",
        "scope": ["scim"],
    }


def start_canaille(folder: Path, accounts: Accounts | None = None, port: int | None = None) -> Process:
    """Start Canaille and wait until it listens.

    Args:
        folder: of its database, keys and log; existing data is served again.
        accounts: what to create where it isn't there yet.
        port: TCP port on 127.0.0.1; None for a free one.
    """
    folder = folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = port or free_port()
    key = folder / "key"
    if not key.exists():
        atomic_write(key, secrets.token_urlsafe(32))
    atomic_write(folder / "accounts.json", json.dumps(asdict(accounts or Accounts())))
    argv = [sys.executable, "-m", "leat.demo.servers.canaille_app", str(folder), str(port)]
    return start("canaille", argv, folder, port, {"PYTHONPATH": str(Path(__file__).parents[3])})
