"""Acts on a REST API as ``connection.actions`` declares, with the same client as loads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

from leat.sources.actions import Action, Verb
from leat.sources.driver import Sync
from leat.sources.http.client import Client
from leat.sources.rest_api.acting.verbs import actions_of
from leat.sources.rest_api.http.driver import Connection, open_api


def actions(connection: Connection) -> Iterator[tuple[Verb, Action]]:
    """Yield the declared actions."""
    return actions_of(connection.actions)


def in_flight(connection: Connection) -> int:
    """Return how many requests may be under way at a time."""
    return connection.in_flight


def connect(connection: Connection, sync: Sync) -> AbstractContextManager[Client]:
    """Open the API for the account that acts."""
    return open_api(connection, sync, connection.action_auth or connection.auth, "action")


__all__ = ["actions", "connect", "in_flight"]
