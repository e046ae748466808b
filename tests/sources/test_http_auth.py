"""Every kind of credentials: what is sent, what expires mid-way, what is stored, what is said when it is refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pydantic import ValidationError

from leat.pipelines.declare.project import open_project
from leat.pipelines.declare.stored_secrets import secret_store
from leat.sources.errors import NotConfigured, Unauthenticated, Unavailable, UnexpectedShape
from leat.sources.http.client import HttpRequest, Limits
from leat.sources.settings import redact
from tests.kit.planted import leaks
from tests.servers.api_server.handler import ApiServer, serving
from tests.servers.api_server.state import Fault, State
from tests.sources.http_client import AUTH, client_of

SECRET = "a-very-planted-secret"


@pytest.fixture(scope="module")
def running() -> Iterator[ApiServer]:
    with serving() as server:
        yield server


@pytest.fixture
def server(running: ApiServer, tmp_path: Path) -> ApiServer:
    running.state = State(collections={"things": [{"id": 1}]}, secrets=[SECRET, f"us:{SECRET}"])
    (tmp_path / "secret").write_text(SECRET + "\n")
    return running


def oauth(server: ApiServer, kind: str, **more: Any) -> dict[str, Any]:
    server.state.auth = "token"
    return {"kind": kind, "token_url": f"{server.url}oauth/token", **more}


def client_credentials(server: ApiServer) -> dict[str, Any]:
    return oauth(server, "oauth2_client_credentials", client_id="us", client_secret={"file": "secret"}, scope="read")


def refresh_token(server: ApiServer, folder: Path) -> dict[str, Any]:
    server.state.refresh_tokens = ["first-refresh"]
    (folder / "refresh").write_text("first-refresh")
    (folder / "refresh").chmod(0o600)
    named = {"client_secret": {"file": "secret"}, "refresh_token": {"file": "refresh"}}
    return oauth(server, "oauth2_refresh_token", client_id="us", client_in="body", **named)


@pytest.mark.parametrize(
    ("wanted", "auth", "sent"),
    [
        ("api_key", {"kind": "api_key", "key": {"file": "secret"}, "header": "X-Api-Key"}, ("X-Api-Key", SECRET)),
        ("api_key", {"kind": "api_key", "key": {"file": "secret"}, "query": "api_key"}, None),
        ("basic", {"kind": "basic", "username": "us", "password": {"file": "secret"}}, ("Authorization", "Basic ")),
        ("bearer", {"kind": "bearer", "token": {"file": "secret"}}, ("Authorization", f"Bearer {SECRET}")),
    ],
)
def test_what_does_not_expire(
    server: ApiServer, tmp_path: Path, wanted: str, auth: dict[str, Any], sent: tuple[str, str] | None
) -> None:
    server.state.auth = wanted
    with client_of(tmp_path, server.url, auth) as (client, calls):
        assert client.get("v1/things", {"page": 1}).status == 200
    (seen,) = server.state.seen
    if sent:
        assert seen.headers[sent[0]].startswith(sent[1])
        assert seen.query == {"page": "1"}
    else:
        assert seen.query == {"page": "1", "api_key": SECRET}
    assert SECRET not in str(calls)


def test_a_refused_credential_is_tried_once(server: ApiServer, tmp_path: Path) -> None:
    server.state.auth, server.state.secrets = "bearer", ["another"]
    auth = {"kind": "bearer", "token": {"file": "secret"}}
    with client_of(tmp_path, server.url, auth) as (client, _), pytest.raises(Unauthenticated) as caught:
        client.get("v1/things")
    assert len(server.state.seen) == 1
    assert SECRET not in str(caught.value)


def test_client_credentials(server: ApiServer, tmp_path: Path) -> None:
    with client_of(tmp_path, server.url, client_credentials(server)) as (client, calls):
        for _ in range(3):
            client.get("v1/things")
    assert server.state.paths() == ["/oauth/token", *["/v1/things"] * 3]
    assert [call.path for call in calls] == server.state.paths(), "token requests are recorded too"
    assert redact(f"token {next(iter(server.state.tokens))}") == "token ***"


def test_an_assertion_is_exchanged(server: ApiServer, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    server.state.public_key = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    (tmp_path / "key.pem").write_bytes(pem)
    auth = oauth(server, "jwt_bearer", issuer="robot", private_key={"file": "key.pem"}, algorithm="ES256", key_id="k1")
    with client_of(tmp_path, server.url, auth) as (client, _):
        assert client.get("v1/things").status == 200
    (tmp_path / "key.pem").write_text("no key at all")
    with (
        client_of(tmp_path, server.url, auth) as (client, _),
        pytest.raises(NotConfigured, match="no private key for ES256") as caught,
    ):
        client.get("v1/things")
    assert "no key at all" not in str(caught.value)


def test_a_token_that_expires_on_the_way_is_renewed_once(server: ApiServer, tmp_path: Path) -> None:
    with client_of(tmp_path, server.url, client_credentials(server)) as (client, calls):
        client.get("v1/things")
        server.state.tokens.clear()
        assert client.get("v1/things").status == 200
    assert server.state.given == 2
    assert [call.status for call in calls] == [200, 200, 401, 200, 200]


def test_threads_renew_a_token_together(server: ApiServer, tmp_path: Path) -> None:
    limits = Limits(timeout=5, in_flight=6)
    with client_of(tmp_path, server.url, client_credentials(server), limits) as (client, _):
        client.get("v1/things")
        server.state.tokens.clear()
        server.state.delay = 0.05
        assert [answer.status for answer in client.each(HttpRequest("v1/things") for _ in range(12))] == [200] * 12
    assert server.state.given == 2


def test_a_token_is_renewed_before_it_expires(server: ApiServer, tmp_path: Path) -> None:
    server.state.lifetime = 0.5  # told as one second
    with client_of(tmp_path, server.url, client_credentials(server)) as (client, calls):
        client.get("v1/things")
        threading.Event().wait(0.95)
        client.get("v1/things")
    assert [call.status for call in calls] == [200] * 4


def test_a_token_that_is_refused_when_fresh_is_reported_clearly(server: ApiServer, tmp_path: Path) -> None:
    """An expired token isn't a cryptic message, and not an endless loop."""
    auth = client_credentials(server)
    server.state.faults = [Fault("status", status=401, times=-1)]
    with (
        client_of(tmp_path, server.url, auth) as (client, _),
        pytest.raises(
            Unauthenticated, match=r"HTTP 401, also with a token fresh from the server\. Next: check the credentials"
        ),
    ):
        client.get("v1/things")
    assert server.state.given == 2


def test_a_rotated_refresh_token_is_stored(server: ApiServer, tmp_path: Path) -> None:
    auth = refresh_token(server, tmp_path)
    for _ in range(3):
        with client_of(tmp_path, server.url, auth) as (client, _):
            client.get("v1/things")
        assert (tmp_path / "refresh").read_text() == server.state.refresh_tokens[0] != "first-refresh"
        assert (tmp_path / "refresh").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["refresh", "refresh.lock", "secret", "sources"]


def test_two_who_refresh_at_once_both_get_a_token(server: ApiServer, tmp_path: Path) -> None:
    auth = refresh_token(server, tmp_path)
    statuses: list[int] = []

    def read(name: str) -> None:
        with client_of(tmp_path, server.url, auth, Limits(timeout=5), name=name) as (client, _):
            statuses.append(client.get("v1/things").status)

    threads = [threading.Thread(target=read, args=(f"shop{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 4
    assert (tmp_path / "refresh").read_text() == server.state.refresh_tokens[0]


def test_a_revoked_refresh_token_is_reported_clearly(server: ApiServer, tmp_path: Path) -> None:
    auth = refresh_token(server, tmp_path)
    server.state.refresh_tokens = []
    words = (
        r"asking for an access token at 127\.0\.0\.1/oauth/token: HTTP 400 invalid_grant the refresh token was used.*"
    )
    with (
        client_of(tmp_path, server.url, auth) as (client, calls),
        pytest.raises(Unauthenticated, match=words + "Next: .*sign in again") as caught,
    ):
        client.get("v1/things")
    assert len(calls) == 1, "it is asked for once"
    assert "first-refresh" not in str(caught.value)


def test_a_wrong_client_is_reported_clearly(server: ApiServer, tmp_path: Path) -> None:
    auth = client_credentials(server)
    (tmp_path / "secret").write_text("not it at all")
    with (
        client_of(tmp_path, server.url, auth) as (client, calls),
        pytest.raises(
            Unauthenticated, match=r"HTTP 401 invalid_client .*Next: check auth\.client_id and auth\.client_secret"
        ),
    ):
        client.get("v1/things")
    assert len(calls) == 1


def test_a_token_server_that_fails_is_no_refusal(server: ApiServer, tmp_path: Path) -> None:
    auth = client_credentials(server)
    server.state.faults = [Fault("status", "/oauth", status=503, times=-1)]
    with client_of(tmp_path, server.url, auth) as (client, _), pytest.raises(Unavailable, match="HTTP 503"):
        client.get("v1/things")
    server.state.faults = [Fault("html", "/oauth", times=-1)]
    with client_of(tmp_path, server.url, auth) as (client, _), pytest.raises(UnexpectedShape, match="not JSON"):
        client.get("v1/things")


@pytest.mark.parametrize(
    ("auth", "words"),
    [
        ({"kind": "api_key", "key": {"file": "k"}}, "exactly one of header and query"),
        ({"kind": "bearer", "token": "written"}, "a secret is never written here"),
        ({"kind": "magic"}, "does not match any of the expected tags"),
        (
            {
                "kind": "oauth2_refresh_token",
                "token_url": "https://x",
                "client_id": "c",
                "refresh_token": {"env": "TOKEN"},
            },
            "name a secret or a file: the server may replace the token",
        ),
    ],
)
def test_mistakes_in_the_block_are_reported(auth: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        AUTH.validate_python(auth)


@pytest.mark.parametrize("named", [{"file": "refresh"}, {"secret": "vendor-refresh"}])
def test_a_refresh_token_is_stored_encrypted(server: ApiServer, tmp_path: Path, named: dict[str, str]) -> None:
    """In a project that is open: a file is taken over, and what replaces the token is stored where it was."""
    auth = {**refresh_token(server, tmp_path), "refresh_token": named}
    project = open_project(tmp_path)
    if "secret" in named:
        (tmp_path / "refresh").unlink()
        secret_store(project).write("vendor-refresh", "first-refresh")
    for _ in range(2):
        with client_of(tmp_path, server.url, auth) as (client, _):
            assert client.get("v1/things").status == 200
    name = named.get("secret", "@file/refresh")
    assert secret_store(project).read(name) == server.state.refresh_tokens[0] != "first-refresh"
    assert not (tmp_path / "refresh").exists()
    assert leaks(tmp_path / ".leat", ["first-refresh", *server.state.refresh_tokens]) == []
