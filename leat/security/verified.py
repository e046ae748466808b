"""Tokens and sessions that were looked up, for as long as the control store is as it was then.

So most requests need no query, and a token that is revoked, a session that is ended, or one whose owner loses a role is
refused as soon as the store says that it has changed: on SQLite with the next request, on Postgres within a second, or
at once if this process made the change. While the store doesn't answer, what was looked up last counts for ten seconds
more: nobody can revoke anything in a store that doesn't answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from leat.security.policy import Policy
from leat.security.secret_text import hashed
from leat.warehouse.session import Unreachable

AWAY = 10.0
"""Seconds for which what was last looked up counts while the store doesn't answer."""
_MOST = 10_000
"""So many are remembered; then all are forgotten."""


class _Valid(Protocol):
    @property
    def until(self) -> datetime:
        """When it has to be looked up again, if nothing changes."""


V = TypeVar("V", bound=_Valid)


@dataclass(slots=True)
class Verified(Generic[V]):
    """The tokens of one process, or its sessions, by the hashes of their secrets.

    Attributes:
        version: returns another value when the control store has changed; it must be quick.
        verify: looks one up; None if it isn't valid.
    """

    version: Callable[[], Hashable]
    verify: Callable[[Engine, str, datetime | None, Policy], V | None]
    _remembered: dict[str, tuple[Hashable, Policy, V, float]] = field(default_factory=dict)

    def find(self, secret: str, policy: Policy, now: datetime | None = None) -> V | None:
        """Return what was looked up, without a query; None when it has to be looked up."""
        version, verified, _ = self._look(secret, policy, now)
        return verified if verified is not None and self.version() == version else None

    def read(self, store: Engine, secret: str, policy: Policy, now: datetime | None = None) -> V | None:
        """Return what a secret belongs to, looked up where need be; None if it isn't valid."""
        remembered = self.find(secret, policy, now)
        if remembered is not None:
            return remembered
        version = self.version()  # before the query: a change during it must count
        try:
            verified = self.verify(store, secret, now, policy)
        except (InterfaceError, OperationalError, Unreachable):
            _, last, at = self._look(secret, policy, now)
            if last is None or time.monotonic() - at >= AWAY:
                raise
            return last
        if verified is None:
            self._remembered.pop(hashed(secret), None)
            return None
        if len(self._remembered) >= _MOST:
            self._remembered.clear()
        self._remembered[hashed(secret)] = version, policy, verified, time.monotonic()
        return verified

    def _look(self, secret: str, policy: Policy, now: datetime | None) -> tuple[Hashable, V | None, float]:
        """Return what was looked up and still counts by itself, for which version of the store, and when."""
        version, of_policy, verified, at = self._remembered.get(hashed(secret), (None, None, None, 0.0))
        if verified is None or of_policy is not policy or (now or datetime.now(UTC)) >= verified.until:
            return None, None, 0.0
        return version, verified, at
