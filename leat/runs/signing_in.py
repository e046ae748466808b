"""Signing in to `leat serve` in a browser: at the identity provider, or by a one-time link where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from leat.runs.access import local_user
from leat.runs.workspace import Workspace
from leat.security.provider import SignInFailed
from leat.sources.errors import NotConfigured

if TYPE_CHECKING:
    from leat.security.provider import Provider
    from leat.security.sign_in import Begun, SignedIn

__all__ = ["SignInFailed"]

FINISH = "/sign-in/finish"
"""Where the identity provider sends the browser back to."""


def link(workspace: Workspace, url: str) -> str | None:
    """Return a link that signs the account of this process in, once; None where there is an identity provider.

    Args:
        workspace: the project.
        url: address of the server.
    """
    if workspace.security.sign_in is not None:
        return None
    from leat.security.links import make_link

    return f"{url}/sign-in/link?{urlencode({'secret': make_link(workspace.store, local_user(workspace))})}"


def redeem(workspace: Workspace, secret: str, replaces: str | None) -> str | None:
    """Return the id of a new session for the secret of a link; None if the link isn't valid any more.

    Args:
        workspace: the project.
        secret: what the link had.
        replaces: id of the session that the browser had before.
    """
    from leat.security.links import redeem_link

    owner = local_user(workspace)
    if workspace.security.sign_in is not None or owner.role is None:
        return None
    return redeem_link(workspace.store, secret, owner.role, replaces=replaces)


def provider_of(workspace: Workspace) -> Provider | None:
    """Return the identity provider; None if none is declared.

    Raises:
        NotConfigured: a variable that is named isn't set.
        SignInFailed: it can't be reached.
    """
    declared = workspace.security.sign_in
    if declared is None:
        return None
    from leat.security.provider import open_provider

    return open_provider(declared, workspace.project.folder)


def provider_problem(workspace: Workspace) -> str | None:
    """Return why nobody can sign in at the identity provider now; None if it answers, or none is declared."""
    try:
        provider_of(workspace)
    except (NotConfigured, SignInFailed) as error:
        return str(error)
    return None


def begin(workspace: Workspace, provider: Provider, url: str, return_to: str) -> Begun:
    """Begin a sign-in; see :func:`leat.security.sign_in.begin_sign_in`."""
    from leat.security.sign_in import begin_sign_in

    return begin_sign_in(workspace.store, provider, url + FINISH, return_to)


def finish(
    workspace: Workspace, provider: Provider, cookie: str, response: Mapping[str, str], replaces: str | None
) -> SignedIn:
    """Finish a sign-in; see :func:`leat.security.sign_in.finish_sign_in`.

    Raises:
        SignInFailed: it isn't valid; it is recorded.
    """
    from leat.security.sign_in import finish_sign_in

    return finish_sign_in(workspace.store, provider, cookie, response, replaces=replaces)


def ask_again(workspace: Workspace, session_id: str) -> str | None:
    """Ask the provider whether a person may still be in; return the id of the session, None if it has ended.

    Raises:
        NotConfigured: a variable that is named isn't set.
        SignInFailed: the provider can't be reached; the session stays.
    """
    from leat.security.signed_in import refresh

    provider = provider_of(workspace)
    return session_id if provider is None else refresh(workspace.store, provider, session_id)


def rotate(workspace: Workspace, session_id: str) -> str | None:
    """Give a session another id and return it; None if it has ended."""
    from leat.security.sessions import rotate_session

    return rotate_session(workspace.store, session_id, policy=workspace.security.policy)


def remove_expired(workspace: Workspace) -> int:
    """Remove sessions that have ended by themselves; return how many there were."""
    from leat.security.sessions import end_expired

    return end_expired(workspace.store)


def sign_out(workspace: Workspace, provider: Provider | None, session_id: str, back_to: str) -> str | None:
    """End a session; return the page of the identity provider that ends the one there, None if it has none."""
    from leat.security.sessions import end_session
    from leat.security.signed_in import sign_out_url

    url = None if provider is None else sign_out_url(workspace.store, provider, session_id, back_to)
    end_session(workspace.store, session_id)
    return url


def accept_logout(workspace: Workspace, provider: Provider, token: str) -> int:
    """End the sessions that a logout token of the identity provider names; return how many there were.

    Raises:
        ValueError: it isn't valid.
    """
    from leat.security.logout import LogoutRefused
    from leat.security.logout import accept_logout as accept

    try:
        return accept(workspace.store, provider, token)
    except LogoutRefused as error:
        raise ValueError(str(error)) from error
