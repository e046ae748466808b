"""The links of mails: finds the integration that signed one, and does what following it means."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from leat.actions.tracking import Visit, read_token, record_visit, unsubscribe
from leat.runs.suppressing import signing_key
from leat.runs.workspace import Workspace
from leat.sources.email.sending.tokens import Kind

__all__ = ["Visit"]


def is_genuine(workspace: Workspace, token: str, kind: Kind) -> bool:
    """Return whether leat wrote a token of this kind, for a mail that it planned."""
    return any(read_token(workspace.store, key, token, (kind,)) for key in _keys(workspace))


def follow(workspace: Workspace, token: str, visit: Visit) -> str | None:
    """Store that a link was followed or a picture loaded; return where the link leads, None for a picture."""
    for key in _keys(workspace):
        if address := record_visit(workspace.store, key, token, visit):
            return address
    return None


def leave(workspace: Workspace, token: str) -> bool:
    """Let the recipient of a mail get no more bulk mail; return whether leat wrote the token."""
    return any(unsubscribe(workspace.store, key, token, datetime.now(UTC)) for key in _keys(workspace))


def _keys(workspace: Workspace) -> Iterator[str]:
    for declaration in workspace.declarations.values():
        if (key := signing_key(workspace, declaration)) is not None:
            yield key
