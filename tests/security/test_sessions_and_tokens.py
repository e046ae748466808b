"""Sessions, tokens and one-time links: what lets somebody in, for how long, and what ends it; on both stores."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from leat.control.audit_tables import AuditEvent
from leat.control.engine import writing
from leat.control.security_tables import AccessSession, ApiToken, Person
from leat.security.default_policy import DEFAULT_POLICY
from leat.security.links import VALID, make_link, redeem_link
from leat.security.people import Identity, deactivate, end_access_of_leavers, list_people, save_person
from leat.security.policy import Policy
from leat.security.principal import Principal, Role, local_principal
from leat.security.sessions import (
    ABSOLUTE,
    IDLE,
    MOST,
    ProviderTokens,
    create_session,
    end_all_of,
    end_expired,
    end_provider_session,
    end_session,
    provider_tokens,
    read_session,
    rotate_session,
)
from leat.security.tokens import TokenRefused, create_token, list_tokens, read_token, revoke_token

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
ADA = Identity("https://id.example", "u-1", "ada", "Ada L.", "ada@example.com")
HOUR = timedelta(hours=1)


def sign_in(
    store: Engine, identity: Identity = ADA, role: Role | None = "analyst", now: datetime = NOW, **options: object
) -> str:
    with writing(store) as session:
        return create_session(session, save_person(session, identity, role, now), "oidc", now, **options)  # type: ignore[arg-type]


def events(store: Engine) -> list[str]:
    with Session(store) as session:
        return list(session.scalars(select(AuditEvent.event).order_by(AuditEvent.id)))


def whole_store(store: Engine) -> str:
    with Session(store) as session:
        tables = ("person", "access_session", "api_token", "spent_once", "sign_in", "audit_event", "audit_person")
        return repr([session.execute(text(f"SELECT * FROM {table}")).all() for table in tables])


def test_a_session_ends_after_eight_hours_without_use_and_after_seven_days(store: Engine) -> None:
    idle, used = sign_in(store), sign_in(store)
    assert read_session(store, idle, NOW + IDLE) is None
    at = NOW
    while at < NOW + ABSOLUTE:
        current = read_session(store, used, at)
        assert current is not None
        assert (current.principal.name, current.principal.role) == ("ada", "analyst")
        at += 7 * HOUR
    assert read_session(store, used, NOW + ABSOLUTE) is None
    assert read_session(store, "nothing", NOW) is None
    assert end_expired(store, NOW + ABSOLUTE) == 2
    assert events(store).count("session.ended") == 2


def test_the_id_changes_with_each_sign_in_and_with_the_role_and_is_stored_nowhere(store: Engine) -> None:
    planted = sign_in(store, Identity("https://id.example", "u-2", "eve"))
    mine = sign_in(store, replaces=planted, tokens=ProviderTokens("refresh-secret", "identity-secret"))
    assert read_session(store, planted, NOW) is None
    with writing(store) as session:
        save_person(session, ADA, "operator", NOW)
    current = read_session(store, mine, NOW)
    assert current is not None
    assert current.must_rotate
    assert current.principal.role == "operator"
    rotated = rotate_session(store, mine, NOW + HOUR)
    assert rotated is not None
    assert read_session(store, mine, NOW + HOUR) is None
    after = read_session(store, rotated, NOW + HOUR)
    assert after is not None
    assert (after.must_rotate, after.expires_at) == (False, NOW + ABSOLUTE)
    assert provider_tokens(store, rotated) == ProviderTokens("refresh-secret", "identity-secret")
    stored = whole_store(store)
    for secret in (planted, mine, rotated, "refresh-secret", "identity-secret"):
        assert secret not in stored
    assert rotate_session(store, mine, NOW) is None


def test_sessions_end_by_sign_out_for_a_person_and_by_the_provider(store: Engine) -> None:
    first, second = sign_in(store), sign_in(store, provider_session="sid-1")
    other = sign_in(store, Identity("https://id.example", "u-2", "bob"))
    assert end_session(store, first)
    assert not end_session(store, first)
    assert end_provider_session(store, "sid-1", "signed out at the provider") == 1
    third = sign_in(store)
    [ada] = [row for row in list_people(store) if row.name == "ada"]
    assert end_all_of(store, ada.id, "an administrator ended them") == 1
    assert [read_session(store, each, NOW) is None for each in (first, second, third, other)] == [True] * 3 + [False]


def test_a_person_has_a_number_of_sessions_at_most(store: Engine) -> None:
    first, *others = [sign_in(store, now=NOW + minute * HOUR / 60) for minute in range(MOST)]
    somebody = sign_in(store, Identity("https://id.example", "u-2", "bob"))
    assert read_session(store, first, NOW + HOUR) is not None  # and so it isn't the one that was used least recently
    late = sign_in(store, now=NOW + HOUR)
    still = [read_session(store, each, NOW + HOUR) is not None for each in (first, *others, late, somebody)]
    assert still == [True, False, *[True] * (MOST - 2), True, True]
    assert events(store).count("session.ended") == 1


def test_a_token_is_shown_once_capped_by_its_owner_and_expires(store: Engine) -> None:
    operator = local_principal("operator")
    row, shown = create_token(store, operator, "nightly", NOW + HOUR, scopes=["read", "run:payments"], now=NOW)
    assert shown.startswith(f"leat_{row.id}_")
    assert shown.rpartition("_")[2] not in whole_store(store)
    principal = read_token(store, shown, NOW)
    assert principal is not None
    assert (principal.kind, principal.role, principal.name) == ("token", "operator", operator.name)
    assert (principal.person, principal.scopes) == (operator.id, {"read", "run:payments"})
    with writing(store) as session:
        session.get_one(Person, operator.id).role = "viewer"
    capped = read_token(store, shown, NOW)
    assert capped is not None
    assert capped.role == "viewer"
    policy = Policy(DEFAULT_POLICY.rules, {"default": "analyst"})
    by_policy = read_token(store, shown, NOW, policy)
    assert by_policy is not None
    assert by_policy.role == "analyst"  # the role of an account of the machine is what the policy says now
    for wrong in (shown[:-1], f"{shown}a", shown.removeprefix("leat_"), f"leat_{row.id}_", "leat__", "", "leat_x_y"):
        assert read_token(store, wrong, NOW) is None
    assert read_token(store, shown, NOW + HOUR) is None
    assert [each.used_at for each in list_tokens(store, operator.id)] == [NOW]
    assert revoke_token(store, row.id, operator, NOW)
    assert not revoke_token(store, row.id, operator, NOW)
    assert read_token(store, shown, NOW) is None
    assert events(store) == ["person.added", "token.created", "token.revoked"]


@pytest.mark.parametrize(
    ("owner", "role", "expires_at", "scopes", "message"),
    [
        (local_principal("analyst"), "operator", NOW + HOUR, [], "never has more rights"),
        (local_principal(None), None, NOW + HOUR, [], "only a person with a role"),
        (Principal("tok_1", "ada", "token", frozenset({"admin"}), "token"), None, NOW + HOUR, [], "not another token"),
        (local_principal(), None, NOW, [], "has to expire"),
        (local_principal(), None, NOW + 400 * 24 * HOUR, [], "has to expire"),
        (local_principal(), None, NOW + HOUR, ["raed"], "no scope"),
    ],
)
def test_a_token_that_is_more_than_its_owner_is_refused(
    store: Engine, owner: Principal, role: Role | None, expires_at: datetime, scopes: list[str], message: str
) -> None:
    with pytest.raises(TokenRefused, match=message):
        create_token(store, owner, "x", expires_at, role=role, scopes=scopes, now=NOW)
    assert list_tokens(store) == []


def test_a_link_signs_in_once(store: Engine) -> None:
    owner = local_principal()
    secret, late = make_link(store, owner, NOW), make_link(store, owner, NOW)
    assert secret not in whole_store(store)
    results: list[str | None] = []
    threads = [
        threading.Thread(target=lambda: results.append(redeem_link(store, secret, "admin", NOW))) for _ in range(4)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    [session_id] = [each for each in results if each is not None]
    assert len(results) == 4
    current = read_session(store, session_id, NOW)
    assert current is not None
    assert (current.principal.id, current.principal.authenticated_by) == (owner.id, "link")
    assert redeem_link(store, late, "admin", NOW + VALID) is None
    assert redeem_link(store, "guessed", "admin", NOW) is None
    assert events(store).count("sign_in.failed") == 5


def test_a_leaver_loses_sessions_and_tokens(store: Engine) -> None:
    stays, leaves = sign_in(store, Identity("https://id.example", "u-2", "bob")), sign_in(store)
    with Session(store) as session:
        ada = session.scalars(select(Person).filter_by(name="ada")).one()
    owner = Principal(ada.id, "ada", "person", frozenset({"analyst"}), "oidc")
    _, token = create_token(store, owner, "x", NOW + HOUR, now=NOW)
    assert end_access_of_leavers(store, ["ADA@example.com", "nobody"], ["bob"], NOW) == [ada.id]
    assert end_access_of_leavers(store, ["ada@example.com"], ["bob"], NOW) == []
    assert read_session(store, leaves, NOW) is None
    assert read_token(store, token, NOW) is None
    assert read_session(store, stays, NOW) is not None
    with Session(store) as session:
        assert session.scalars(select(AccessSession.person_id).where(AccessSession.person_id == ada.id)).all() == []
        assert session.scalars(select(ApiToken.revoked_at)).all() == [NOW]
    end_access_of_leavers(store, [], ["u-1"], NOW)
    assert read_token(store, token, NOW) is None  # what was revoked stays so
    assert deactivate(store, ada.id, "test", NOW) == (0, 0)


def test_two_people_never_have_one_name(store: Engine) -> None:
    with writing(store) as session:
        rows = [
            save_person(session, Identity("https://id.example", subject, name), "viewer", NOW)
            for subject, name in (("1", "ada"), ("2", "Ada"), ("3", "leat"), ("4", "automation/x"))
        ]
        again = save_person(session, Identity("https://id.example", "1", "bob"), "viewer", NOW)
        names = [row.name for row in rows]
        assert again.name == "ada"
    assert names == ["ada", "Ada-2", "leat-2", "automation-x"]
