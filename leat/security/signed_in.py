"""Sessions of people who have signed in by OpenID Connect: asking the provider again, and signing out there as well."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlencode

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leat.control.actor import Actor
from leat.control.audit_events import note
from leat.control.engine import writing
from leat.control.security_tables import AccessSession, Person
from leat.security.provider import Provider, SignInFailed
from leat.security.secret_text import hashed, new_secret
from leat.security.sessions import ProviderTokens, end_session, provider_tokens, replace_tokens, rotate_session


def refresh(store: Engine, provider: Provider, session_id: str, now: datetime | None = None) -> str | None:
    """Ask the provider whether a person may still be in; return the id of the session, another one if the role changed.

    Without a refresh token the session stays as it is. None: the provider refuses, or they have no role any more; the
    session has ended.

    Raises:
        SignInFailed: the provider can't be reached; the session stays.
    """
    from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]
    from requests import RequestException

    now = now or datetime.now(UTC)
    tokens = provider_tokens(store, session_id)
    if tokens.refresh is None:
        return session_id
    try:
        new = provider.client().refresh_token(provider.metadata["token_endpoint"], tokens.refresh)
    except OAuthError:
        end_session(store, session_id, "the identity provider ended it", now)
        return None
    except RequestException as error:
        msg = "the identity provider can't be reached"
        raise SignInFailed(msg) from error
    # at once: the provider may have made the old one invalid
    replace_tokens(store, session_id, ProviderTokens(new.get("refresh_token") or tokens.refresh,
                                                     new.get("id_token") or tokens.identity))  # fmt: skip
    with Session(store) as session:
        row = session.get(AccessSession, hashed(session_id))
        if row is None:
            return None
        person_id, subject = row.person_id, row.person.subject
    claims = provider.userinfo(new["access_token"], subject)
    role = provider.role_of(claims)
    if role is None:
        end_session(store, session_id, "no role any more", now)
    with writing(store) as session:
        person = session.get_one(Person, person_id)
        person.role_from = ", ".join(provider.groups_of(claims)) or None
        if person.role == role:
            return None if role is None else session_id
        note(session, "person.role_changed", {"from": person.role, "to": role},
             people={"person": Actor(person.id, person.name)}, now=now)  # fmt: skip
        person.role = role
    return None if role is None else rotate_session(store, session_id, now)


def sign_out_url(store: Engine, provider: Provider, session_id: str, back_to: str) -> str | None:
    """Return the page of the provider that ends the session there as well; None if it has none.

    OpenID Connect RP-Initiated Logout 1.0. Call it before :func:`leat.security.sessions.end_session`.
    """
    endpoint = provider.metadata.get("end_session_endpoint")
    if not endpoint:
        return None
    hint = provider_tokens(store, session_id).identity
    query = {"client_id": provider.client_id, "post_logout_redirect_uri": back_to, "state": new_secret()[:16]}
    if hint is not None:
        query["id_token_hint"] = hint
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"
