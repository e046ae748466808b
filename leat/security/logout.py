"""OpenID Connect Back-Channel Logout 1.0: the provider says that somebody has signed out there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from leat.control.engine import writing
from leat.control.security_tables import Person, SpentOnce
from leat.security.provider import Provider, SignInFailed, judge_claims
from leat.security.secret_text import hashed
from leat.security.sessions import end_all_of, end_provider_session

TYPE = "logout+jwt"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
_OLDEST = timedelta(minutes=10)
_REASON = "signed out at the identity provider"


class LogoutRefused(Exception):
    """A logout token isn't valid; the text says why. The server answers 400."""


def accept_logout(store: Engine, provider: Provider, token: str, now: datetime | None = None) -> int:
    """End the sessions that a logout token names, and return how many there were.

    The token has to be signed by the provider, have the type of logout tokens, be for leat, recent and not seen before,
    have the event, name a person or a session, and have no nonce, so that an ID token can't pass for one.

    Raises:
        LogoutRefused: it isn't so.
    """
    now = now or datetime.now(UTC)
    try:
        header, claims = provider.verified(token)
        judge_claims(claims, provider, now)
    except SignInFailed as error:
        raise LogoutRefused(str(error)) from error
    kind = str(header.get("typ", "JWT")).lower().removeprefix("application/")
    events, jti, sid, sub = (claims.get(name) for name in ("events", "jti", "sid", "sub"))
    wrong = (
        f"has the type {str(kind)[:40]} instead of {TYPE}; sign_in.untyped_logout accepts JWT" if kind == "jwt"
        and not provider.untyped_logout
        else "is no logout token" if kind not in ("jwt", TYPE)
        else "has no event of a sign-out" if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict)
        else "has a nonce, so it is an ID token" if "nonce" in claims
        else "has no id" if not isinstance(jti, str) or not jti
        else "is too old" if now.timestamp() - claims["iat"] > _OLDEST.total_seconds()
        else "names neither a person nor a session"
        if not any(isinstance(each, str) and each for each in (sid, sub))
        else None
    )  # fmt: skip
    if wrong is not None:
        msg = f"the token {wrong}"
        raise LogoutRefused(msg)
    _spend(store, f"{provider.issuer}#{jti}", now)
    if isinstance(sid, str) and sid:
        return end_provider_session(store, sid, _REASON, now)
    with Session(store) as session:
        person = session.scalar(select(Person.id).filter_by(issuer=provider.issuer, subject=sub))
    return 0 if person is None else end_all_of(store, person, _REASON, now)


def _spend(store: Engine, jti: str, now: datetime) -> None:
    """Note that a token was used, once."""
    try:
        with writing(store) as session:
            session.execute(delete(SpentOnce).where(SpentOnce.expires_at <= now))
            session.add(SpentOnce(id_hash=hashed(jti), kind="logout", subject="", expires_at=now + 2 * _OLDEST,
                                  spent_at=now))  # fmt: skip
    except IntegrityError as error:
        msg = "the token was used before"
        raise LogoutRefused(msg) from error
