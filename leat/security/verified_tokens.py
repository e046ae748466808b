"""Tokens that were looked up, for as long as the control store is as it was then.

So most requests need no query, and a token that is revoked, or whose owner loses a role, is refused as soon as the
store says that it has changed: on SQLite with the next request, on Postgres within a second.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Engine

from leat.security.policy import Policy
from leat.security.principal import Principal
from leat.security.secret_text import hashed
from leat.security.tokens import VerifiedToken, verify_token

_MOST = 10_000
"""So many tokens are remembered; then all are forgotten."""


@dataclass(slots=True)
class VerifiedTokens:
    """The tokens of one process, by their hashes.

    Attributes:
        version: returns another value when the control store has changed; it must be quick.
    """

    version: Callable[[], Hashable]
    _tokens: dict[str, tuple[Hashable, Policy, VerifiedToken]] = field(default_factory=dict)

    def find(self, text: str, policy: Policy, now: datetime | None = None) -> Principal | None:
        """Return the principal of a token that was looked up, without a query; None when it has to be looked up."""
        version, of_policy, verified = self._tokens.get(hashed(text), (None, None, None))
        if verified is None or of_policy is not policy or (now or datetime.now(UTC)) >= verified.until:
            return None
        return verified.principal if self.version() == version else None

    def read(self, store: Engine, text: str, policy: Policy, now: datetime | None = None) -> Principal | None:
        """Return the principal of a token, looked up where need be; None if it isn't valid."""
        remembered = self.find(text, policy, now)
        if remembered is not None:
            return remembered
        version = self.version()  # before the query: a change during it must count
        verified = verify_token(store, text, now, policy)
        if verified is None:
            self._tokens.pop(hashed(text), None)
            return None
        if len(self._tokens) >= _MOST:
            self._tokens.clear()
        self._tokens[hashed(text)] = version, policy, verified
        return verified.principal
