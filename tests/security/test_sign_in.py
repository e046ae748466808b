"""Sign-in by OpenID Connect: at a real Canaille, and against tokens that an attacker would send."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leat.control.audit_tables import AuditEvent
from leat.control.store import open_control
from leat.demo.servers.canaille import Accounts, start_canaille
from leat.demo.servers.canaille_browser import Browser
from leat.demo.servers.process import free_port, running
from leat.security.logout import EVENT, LogoutRefused, accept_logout
from leat.security.people import deactivate
from leat.security.policy_declaration import SignInDeclared
from leat.security.provider import Provider, SignInFailed, judge_claims, judge_strength, open_provider
from leat.security.sessions import provider_tokens, read_session
from leat.security.sign_in import VALID, Begun, begin_sign_in, finish_sign_in
from leat.security.signed_in import refresh, sign_out_url
from leat.sources.settings import Named

SECRET = "secret-of-leat"
BACK = "http://127.0.0.1:9/sign-in/finish"
CLIENT = {
    "client_id": "leat", "client_secret": SECRET, "client_name": "leat", "redirect_uris": [BACK],
    "post_logout_redirect_uris": ["http://127.0.0.1:9/"], "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"], "token_endpoint_auth_method": "client_secret_basic", "audience": ["leat"],
    "scope": ["openid", "profile", "email", "groups"],
}  # fmt: skip
PEOPLE = ("ann", "bob", "eve")
ACCOUNTS = Accounts(
    clients=(CLIENT,),
    users=tuple(
        {"user_name": name, "formatted_name": name.title(), "family_name": "X", "password": f"{name}-password",
         "emails": [f"{name}@example.com"]}
        for name in PEOPLE
    ),
    groups=({"display_name": "data", "members": ["ann"]}, {"display_name": "staff", "members": ["ann", "bob"]}),
)  # fmt: skip
ROLES = {"data": "analyst", "staff": "viewer"}


@pytest.fixture(scope="module")
def canaille(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(start_canaille(tmp_path_factory.mktemp("canaille"), ACCOUNTS)) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture(scope="module")
def provider(canaille: str) -> Provider:
    import os

    os.environ["LEAT_TEST_OIDC_SECRET"] = SECRET
    declared = SignInDeclared(
        issuer=canaille,
        client_id="leat",
        client_secret=Named(env="LEAT_TEST_OIDC_SECRET"),
        roles=ROLES,  # type: ignore[arg-type]
    )
    try:
        return open_provider(declared, Path())
    finally:
        del os.environ["LEAT_TEST_OIDC_SECRET"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    engine = open_control(f"sqlite:///{tmp_path / 'control.db'}")
    yield engine
    engine.dispose()


def go_through(canaille: str, url: str, person: str) -> dict[str, str]:
    """Sign in as a person with a browser, agree, and return what the provider sends back."""
    browser = Browser(canaille)
    assert browser.sign_in(person, f"{person}-password")
    page = browser.session.get(url, timeout=30, allow_redirects=False)
    while page.is_redirect and not page.headers["Location"].startswith(BACK):
        page = browser.session.get(urljoin(canaille, page.headers["Location"]), timeout=30, allow_redirects=False)
    if not page.is_redirect:
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
        assert token is not None
        form = {"csrf_token": token[1], "answer": "accept"}
        page = browser.session.post(page.url, data=form, timeout=30, allow_redirects=False)
    return {name: values[0] for name, values in parse_qs(urlsplit(page.headers["Location"]).query).items()}


def refreshed(store: Engine, provider: Provider, session_id: str) -> str | None:
    """Refresh; Canaille's tokens of one person in one second are the same, which its database refuses with a 500."""
    for _ in range(200):
        try:
            return refresh(store, provider, session_id)
        except SignInFailed:
            assert read_session(store, session_id) is not None
    raise AssertionError


def events(store: Engine) -> list[str]:
    with Session(store) as session:
        return list(session.scalars(select(AuditEvent.event).order_by(AuditEvent.id)))


def test_a_person_signs_in_refreshes_and_signs_out(canaille: str, provider: Provider, store: Engine) -> None:
    begun = begin_sign_in(store, provider, BACK, "/runs?x=1")
    query = parse_qs(urlsplit(begun.url).query)
    assert query["code_challenge_method"] == ["S256"]
    assert begun.cookie not in begun.url
    response = go_through(canaille, begun.url, "ann")
    done = finish_sign_in(store, provider, begun.cookie, response)
    assert (done.principal.name, done.principal.role, done.return_to) == ("ann@example.com", "analyst", "/runs?x=1")
    current = read_session(store, done.session_id)
    assert current is not None
    assert current.principal == done.principal
    with pytest.raises(SignInFailed, match="finished before"):
        finish_sign_in(store, provider, begun.cookie, response)  # a response counts once

    first = provider_tokens(store, done.session_id)
    assert refreshed(store, provider, done.session_id) == done.session_id
    assert provider_tokens(store, done.session_id).refresh not in (None, first.refresh)
    lower = Provider(provider.issuer, "leat", SECRET, provider.scopes, "groups", {"staff": "viewer"}, provider.metadata)
    rotated = refreshed(store, lower, done.session_id)
    assert rotated not in (None, done.session_id)
    assert read_session(store, done.session_id) is None
    again = read_session(store, str(rotated))
    assert again is not None
    assert again.principal.role == "viewer"

    url = sign_out_url(store, provider, str(rotated), "http://127.0.0.1:9/")
    assert url is not None
    assert url.startswith(provider.metadata["end_session_endpoint"])
    assert parse_qs(urlsplit(url).query).keys() == {"client_id", "post_logout_redirect_uri", "state", "id_token_hint"}
    assert requests.get(url, timeout=30, allow_redirects=False).status_code < 400
    assert events(store) == [
        "person.added", "session.created", "sign_in.failed", "person.role_changed", "session.rotated",
    ]  # fmt: skip


def test_who_has_no_role_or_is_deactivated_is_refused(canaille: str, provider: Provider, store: Engine) -> None:
    begun = begin_sign_in(store, provider, BACK)
    response = go_through(canaille, begun.url, "eve")
    with pytest.raises(SignInFailed, match=r"eve@example.com has no role here"):
        finish_sign_in(store, provider, begun.cookie, response)
    begun = begin_sign_in(store, provider, BACK)
    done = finish_sign_in(store, provider, begun.cookie, go_through(canaille, begun.url, "bob"))
    deactivate(store, done.principal.id, "left")
    assert read_session(store, done.session_id) is None
    for _ in range(100):  # a second token of bob in one second is refused by Canaille's database
        begun = begin_sign_in(store, provider, BACK)
        with pytest.raises(SignInFailed) as caught:
            finish_sign_in(store, provider, begun.cookie, go_through(canaille, begun.url, "bob"))
        if "refused the code" not in str(caught.value):
            break
    assert str(caught.value) == "bob@example.com is deactivated"
    assert events(store).count("sign_in.failed") >= 2


def test_a_response_of_somebody_else_is_refused(canaille: str, provider: Provider, store: Engine) -> None:
    mine, theirs = begin_sign_in(store, provider, BACK), begin_sign_in(store, provider, BACK)
    response = go_through(canaille, theirs.url, "ann")

    def refused(begun: Begun, sent: dict[str, str], message: str, now: datetime | None = None) -> None:
        with pytest.raises(SignInFailed, match=message):
            finish_sign_in(store, provider, begun.cookie, sent, now)

    refused(mine, response, "belongs to another sign-in")
    for change, message in (
        ({"iss": "https://evil.example"}, "another identity provider"),
        ({"error": "access_denied"}, "refused: access_denied"),
        ({"code": "guessed"}, "refused the code"),
        ({"code": response["code"]}, "refused the code"),  # the verifier of PKCE is that of theirs
    ):
        begun = begin_sign_in(store, provider, BACK)
        state = parse_qs(urlsplit(begun.url).query)["state"][0]
        refused(begun, {**response, "state": state, **change}, message)
    begun = begin_sign_in(store, provider, BACK)
    refused(begun, response, "took too long", datetime.now(UTC) + VALID)


@pytest.mark.parametrize("path", ["https://evil.example", "//evil.example", "/\\evil.example", "x", "/a\nb", "/a\\b"])
def test_nobody_is_sent_elsewhere(provider: Provider, store: Engine, path: str) -> None:
    from leat.control.security_tables import SignIn

    begin_sign_in(store, provider, BACK, path)
    with Session(store) as session:
        assert session.scalars(select(SignIn.return_to)).all() == ["/"]


def test_a_provider_has_to_be_what_is_declared(canaille: str) -> None:
    for issuer, message in (
        ("http://id.example.com", "has to be reached by https"),
        (f"{canaille}/oauth", "answered 404"),
        (f"http://127.0.0.1:{free_port()}", "can't be reached: ConnectionError"),
        (f"{canaille}/.", "says that it is"),
    ):
        declared = SignInDeclared(issuer=issuer, client_id="leat", roles=ROLES)  # type: ignore[arg-type]
        with pytest.raises(SignInFailed, match=message):
            open_provider(declared, Path())


# -- tokens: Canaille sends no logout tokens, so the provider's key is that of the test --------------------------------

KEY = RSAKey.generate_key(2048, {"kid": "k1"})
NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def own(provider: Provider) -> Provider:
    keys = [KeySet([RSAKey.import_key(KEY.as_dict(private=False))])]
    return Provider(provider.issuer, "leat", SECRET, provider.scopes, "groups", ROLES, provider.metadata, keys)  # type: ignore[arg-type]


def logout_token(own: Provider, *, header: dict[str, Any] | None = None, key: Any = KEY, **changes: Any) -> str:
    claims = {"iss": own.issuer, "aud": "leat", "iat": int(NOW.timestamp()), "jti": "j1", "sub": "u-1",
              "events": {EVENT: {}}, **changes}  # fmt: skip
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": "k1", "typ": "logout+jwt", **(header or {})}, claims, key)


def test_the_provider_ends_sessions(own: Provider, store: Engine) -> None:
    from leat.control.engine import writing
    from leat.security.people import Identity, save_person
    from leat.security.sessions import create_session

    with writing(store) as session:
        ada = save_person(session, Identity(own.issuer, "u-1", "ada"), "viewer", NOW)
        ids = [create_session(session, ada, "oidc", NOW, provider_session=sid) for sid in ("s1", "s2", None)]
    assert accept_logout(store, own, logout_token(own, sid="s1"), NOW) == 1
    with pytest.raises(LogoutRefused, match="used before"):
        accept_logout(store, own, logout_token(own, sid="s2"), NOW)
    assert [read_session(store, each, NOW) is None for each in ids] == [True, False, False]
    assert accept_logout(store, own, logout_token(own, jti="j2", sub="nobody"), NOW) == 0
    assert accept_logout(store, own, logout_token(own, jti="j3"), NOW) == 2
    assert [read_session(store, each, NOW) is None for each in ids] == [True] * 3
    assert events(store).count("session.ended") == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"iss": "https://evil.example"}, "wrong issuer"),
        ({"aud": "shop"}, "wrong audience"),
        ({"aud": ["leat", "shop"]}, "wrong authorized party"),
        ({"iat": None}, "wrong time"),
        ({"iat": True}, "wrong time"),
        ({"exp": int(NOW.timestamp()) - 120}, "wrong time"),
        ({"iat": int((NOW + timedelta(minutes=5)).timestamp())}, "wrong time"),
        ({"iat": int((NOW - timedelta(minutes=11)).timestamp())}, "too old"),
        ({"jti": None}, "has no id"),
        ({"events": None}, "no event"),
        ({"events": {EVENT: "x"}}, "no event"),
        ({"nonce": "n"}, "has a nonce"),
        ({"sub": None}, "neither a person nor a session"),
        ({"header": {"typ": "at+jwt"}}, "no logout token"),
        ({"header": {"typ": "JWT"}}, "type jwt instead of logout.jwt; sign_in.untyped_logout"),
        ({"key": RSAKey.generate_key(2048, {"kid": "k1"})}, "hasn't signed"),
        ({"header": {"alg": "HS256"}, "key": OctKey.import_key(SECRET * 3)}, "hasn't signed"),
    ],
)
def test_a_wrong_logout_token_is_refused(own: Provider, store: Engine, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(LogoutRefused, match=message):
        accept_logout(store, own, logout_token(own, **changes), NOW)


def test_a_logout_token_without_its_type_takes_a_declaration(own: Provider, store: Engine) -> None:
    older = replace(own, untyped_logout=True)
    for number, kind in enumerate(("JWT", "logout+jwt", "application/logout+jwt")):
        assert accept_logout(store, older, logout_token(own, header={"typ": kind}, jti=f"t{number}"), NOW) == 0
    with pytest.raises(LogoutRefused, match="no logout token"):
        accept_logout(store, older, logout_token(own, header={"typ": "at+jwt"}), NOW)


def test_an_unsigned_token_is_refused(own: Provider, store: Engine) -> None:
    body = logout_token(own).split(".")[1]
    for token in (f"eyJhbGciOiJub25lIn0.{body}.", "", "a.b.c", logout_token(own)[:-4]):
        with pytest.raises(LogoutRefused, match="hasn't signed"):
            accept_logout(store, own, token, NOW)


def test_how_and_when_people_proved_who_they_are_is_judged(own: Provider, store: Engine) -> None:
    at = int(NOW.timestamp())
    judge_strength({}, own, NOW)
    strict = replace(own, acr=("mfa", "phr"), max_age=3600)
    judge_strength({"acr": "phr", "auth_time": at - 3600}, strict, NOW)
    for claims, message in (
        ({"auth_time": at}, "sign in by a stronger method: mfa or phr"),
        ({"acr": "pwd", "auth_time": at}, "stronger method"),
        ({"acr": ["phr"], "auth_time": at}, "stronger method"),
        ({"acr": "mfa"}, "too old"),
        ({"acr": "mfa", "auth_time": True}, "too old"),
        ({"acr": "mfa", "auth_time": at - 3700}, "too old"),
    ):
        with pytest.raises(SignInFailed, match=message):
            judge_strength(claims, strict, NOW)
    query = parse_qs(urlsplit(begin_sign_in(store, strict, BACK).url).query)
    assert (query["acr_values"], query["max_age"]) == (["mfa phr"], ["3600"])


def test_claims_of_another_application_are_refused(own: Provider) -> None:
    at = int(NOW.timestamp())
    good = {"iss": own.issuer, "aud": ["leat", "shop"], "azp": "leat", "iat": at, "exp": at + 60}
    judge_claims(good, own, NOW)
    with pytest.raises(SignInFailed, match="authorized party"):
        judge_claims({**good, "azp": "shop"}, own, NOW)
