"""Who calls the API: the principal of a token or of a session, and acting in their name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from leat.runs.workspace import Workspace
from leat.security.principal import Principal

if TYPE_CHECKING:
    from datetime import datetime

    from leat.security.sessions import CurrentSession
    from leat.security.tokens import TokenRow


def principal_of_token(workspace: Workspace, text: str) -> Principal | None:
    """Return who a token speaks for; None if it isn't valid."""
    from leat.security.tokens import read_token

    return read_token(workspace.store, text, policy=workspace.security.policy)


def session_of(workspace: Workspace, session_id: str) -> CurrentSession | None:
    """Return a session; None if it has ended."""
    from leat.security.sessions import read_session

    return read_session(workspace.store, session_id, policy=workspace.security.policy)


@contextmanager
def acting_as(principal: Principal) -> Iterator[None]:
    """Let what is recorded name the principal, until the end of the block."""
    from leat.control.actor import acting_as as acting

    with acting(principal.actor):
        yield


def tokens(workspace: Workspace, owner: str | None) -> list[TokenRow]:
    """Return tokens, newest first; those of one person, or all."""
    from leat.security.tokens import list_tokens

    return list_tokens(workspace.store, owner)


def create_token(
    workspace: Workspace, owner: Principal, name: str, expires_at: datetime, **more: Any
) -> tuple[TokenRow, str]:
    """Make a token; see :func:`leat.security.tokens.create_token`.

    Raises:
        ValueError: it would have more rights than its owner, or never expire.
    """
    from leat.security.tokens import TokenRefused
    from leat.security.tokens import create_token as create

    try:
        return create(workspace.store, owner, name, expires_at, **more)
    except TokenRefused as error:
        raise ValueError(str(error)) from error


def revoke_token(workspace: Workspace, token_id: str, by: Principal) -> bool:
    """Revoke a token; return whether it was valid."""
    from leat.security.tokens import revoke_token as revoke

    return revoke(workspace.store, token_id, by)


def audit_events(
    workspace: Workspace,
    event: str | None,
    before: int | None,
    limit: int,
    since: datetime | None = None,
    by: str | None = None,
) -> list[Any]:
    """Return events of the audit log, newest first; see :func:`leat.security.audit.chain.list_events`."""
    from leat.security.audit.chain import list_events

    return list(list_events(workspace.store, event=event, before=before, limit=limit, since=since, by=by))
