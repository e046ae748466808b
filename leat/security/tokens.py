"""API tokens ``leat_<id>_<secret>``: shown once, stored as a hash, never more than their owner may, and they expire."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leat.control.actor import Actor
from leat.control.audit_events import note
from leat.control.engine import storable, writing
from leat.control.security_tables import ApiToken, Person
from leat.security.access import VERBS
from leat.security.people import LOCAL, Identity, role_of, save_person
from leat.security.policy import Policy
from leat.security.principal import ROLES, Principal, Role, lowest
from leat.security.secret_text import hashed, new_id, new_secret

LONGEST = timedelta(days=366)
_PREFIX = "leat_"
_NOTED = timedelta(minutes=1)


class TokenRefused(Exception):
    """A token can't be made or revoked; the text says why."""


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token as it is stored, without its secret.

    Attributes:
        id: its id, which is part of the token.
        owner: id of the person.
        owner_name: their name.
        name: what it is for.
        role: the most that it may; its owner's role caps it whenever it is used.
        scopes: verbs that it is limited to; none for all of the role.
        created_at: when it was made.
        expires_at: when it stops working.
        used_at: when it was last used, to the minute.
        revoked_at: when it was revoked.
    """

    id: str
    owner: str
    owner_name: str
    name: str
    role: Role
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


def create_token(
    store: Engine,
    owner: Principal,
    name: str,
    expires_at: datetime,
    *,
    role: Role | None = None,
    scopes: Collection[str] = (),
    now: datetime | None = None,
) -> tuple[TokenRow, str]:
    """Make a token and return it with its text, which can't be seen again.

    Args:
        store: the control store.
        owner: the person who makes it, for themselves.
        name: what it is for.
        expires_at: when it stops working; within a year.
        role: the most that it may; the owner's role when None.
        scopes: verbs, or ``verb:integration``, that it is limited to.
        now: the time.

    Raises:
        TokenRefused: a token asks for one, it would have more rights than its owner, or never expire.
    """
    now = now or datetime.now(UTC)
    _validate(owner, name, expires_at, role, scopes, now)
    token_id, secret = new_id("tok").removeprefix("tok_"), new_secret()
    with writing(store) as session:
        person = session.get(Person, owner.person)
        if person is None:
            person = save_person(session, Identity(LOCAL, owner.name, owner.name), owner.role, now)
        elif person.issuer == LOCAL:
            person.role = owner.role
        row = ApiToken(id=token_id, secret_hash=hashed(secret), person=person, name=storable(name),
                       role=role or owner.role, scopes=sorted(set(scopes)), created_at=now,
                       expires_at=expires_at)  # fmt: skip
        session.add(row)
        session.flush()
        detail = {"token": token_id, "role": row.role, "scopes": row.scopes, "expires_at": expires_at.isoformat()}
        note(session, "token.created", detail, by=owner.actor, now=now)
        made = _row(row)
    return made, f"{_PREFIX}{token_id}_{secret}"


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """A valid token.

    Attributes:
        principal: whom it speaks for.
        until: when it has to be looked up again, if nothing changes: it expires, or its use has to be noted again.
    """

    principal: Principal
    until: datetime


def read_token(store: Engine, text: str, now: datetime | None = None, policy: Policy | None = None) -> Principal | None:
    """Return the principal of a token and note that it is used; see :func:`verify_token`."""
    verified = verify_token(store, text, now, policy)
    return None if verified is None else verified.principal


def verify_token(
    store: Engine, text: str, now: datetime | None = None, policy: Policy | None = None
) -> VerifiedToken | None:
    """Look a token up and note that it is used; None if it isn't valid, whatever the cause.

    Args:
        store: the control store.
        text: the token.
        now: the time.
        policy: says which role an account of the machine has now; without it, the one when it last made a token.
    """
    now = now or datetime.now(UTC)
    token_id, _, secret = text.removeprefix(_PREFIX).partition("_")
    if not text.startswith(_PREFIX) or not secret:
        return None
    with Session(store) as session:
        row = session.get(ApiToken, token_id)
        expected = "" if row is None else row.secret_hash
        if not hmac.compare_digest(expected, hashed(secret)) or row is None:
            return None
        person = row.person
        if row.revoked_at is not None or now >= row.expires_at or person.deactivated_at is not None:
            return None
        role = role_of(person, policy)
        roles = frozenset({lowest(row.role, role)} if role else ())  # type: ignore[arg-type]
        scopes = frozenset(row.scopes) or None
        principal = Principal(f"tok_{row.id}", person.name, "token", roles, "token", person.id, scopes)
        noted, expires_at = row.used_at, row.expires_at
    if noted is None or not timedelta() <= now - noted < _NOTED:
        noted = now
        with writing(store) as session:
            used = session.get(ApiToken, token_id)
            if used is not None:
                used.used_at = now
    return VerifiedToken(principal, min(expires_at, noted + _NOTED))


def list_tokens(store: Engine, owner: str | None = None) -> list[TokenRow]:
    """Return tokens, the newest first; those of one person, or of everybody when None."""
    wanted = select(ApiToken).order_by(ApiToken.created_at.desc(), ApiToken.id)
    if owner is not None:
        wanted = wanted.where(ApiToken.person_id == owner)
    with Session(store) as session:
        return [_row(row) for row in session.scalars(wanted)]


def revoke_token(store: Engine, token_id: str, by: Principal, now: datetime | None = None) -> bool:
    """Revoke a token, at once; return whether it was still valid. The caller has asked whether ``by`` may."""
    now = now or datetime.now(UTC)
    with writing(store) as session:
        row = session.get(ApiToken, token_id)
        if row is None or row.revoked_at is not None:
            return False
        row.revoked_at = now
        owner = Actor(row.person.id, row.person.name)
        note(session, "token.revoked", {"token": token_id}, by=by.actor, people={"owner": owner}, now=now)
    return True


def _validate(owner: Principal, name: str, expires_at: datetime, role: Role | None, scopes: Collection[str],
              now: datetime) -> None:  # fmt: skip
    if owner.kind != "person" or owner.role is None:
        msg = "only a person with a role can make a token, not another token"
        raise TokenRefused(msg)
    if role is not None and ROLES.index(role) > ROLES.index(owner.role):
        msg = f"the role {role} is above yours, {owner.role}: a token never has more rights than its owner"
        raise TokenRefused(msg)
    if not name.strip():
        msg = "say what the token is for"
        raise TokenRefused(msg)
    if not now < expires_at <= now + LONGEST:
        msg = f"a token has to expire within {LONGEST.days} days"
        raise TokenRefused(msg)
    for scope in scopes:
        verb, _, _integration = scope.partition(":")
        if verb not in VERBS:
            msg = f"{scope!r} is no scope; scopes are verbs, such as read or run:payments: {', '.join(VERBS)}"
            raise TokenRefused(msg)


def _row(row: ApiToken) -> TokenRow:
    role: Role = row.role  # type: ignore[assignment] # the column has only roles
    return TokenRow(row.id, row.person_id, row.person.name, row.name, role, tuple(row.scopes), row.created_at,
                    row.expires_at, row.used_at, row.revoked_at)  # fmt: skip
