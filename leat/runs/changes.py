"""Whether something has changed in a project, for less than it costs to read it again."""

from __future__ import annotations

import time
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from leat.runs.workspace import Workspace
from leat.security.policy import Policy
from leat.security.principal import Principal

if TYPE_CHECKING:  # SQLAlchemy takes long to import
    from leat.control.changes import StoreChanges
    from leat.security.sessions import CurrentSession
    from leat.security.tokens import VerifiedToken
    from leat.security.verified import Verified

_SECONDS = 1.0


@dataclass(frozen=True)
class Changes:
    """What a process looks at before it answers as it did a moment ago.

    Attributes:
        workspace: the project.
    """

    workspace: Workspace

    def version(self) -> Hashable:
        """Return a value that is another one when the control store or what readers see has changed.

        On Postgres, a change by another process may go unseen for a second.
        """
        publication = self.workspace.warehouse.publication
        published = int(time.monotonic() / _SECONDS) if publication is None else publication.version()
        return self._store.version(), published

    def find_principal(self, token: str, policy: Policy) -> Principal | None:
        """Return whom a token speaks for, if that takes no query; None when it does, or the token isn't valid."""
        verified = self._tokens.find(token, policy)
        return None if verified is None else verified.principal

    def read_principal(self, token: str, policy: Policy) -> Principal | None:
        """Return whom a token speaks for; None if it isn't valid."""
        verified = self._tokens.read(self.workspace.store, token, policy)
        return None if verified is None else verified.principal

    def find_session(self, session_id: str, policy: Policy) -> CurrentSession | None:
        """Return a session, if that takes no query; None when it does, or it has ended."""
        return self._sessions.find(session_id, policy)

    def read_session(self, session_id: str, policy: Policy) -> CurrentSession | None:
        """Return a session; None if it has ended."""
        return self._sessions.read(self.workspace.store, session_id, policy)

    def close(self) -> None:
        """Close the connection to the control store."""
        if "_store" in self.__dict__:
            self._store.close()

    @cached_property
    def _store(self) -> StoreChanges:
        from leat.control.changes import StoreChanges

        return StoreChanges(self.workspace.store)

    @cached_property
    def _tokens(self) -> Verified[VerifiedToken]:
        from leat.security.tokens import verify_token
        from leat.security.verified import Verified

        return Verified(self._store.version, verify_token)

    @cached_property
    def _sessions(self) -> Verified[CurrentSession]:
        from leat.security.sessions import read_session
        from leat.security.verified import Verified

        return Verified(self._store.version, read_session)
