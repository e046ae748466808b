"""Logins and token requests of a vendor's own form, and signatures of AWS, against servers that behave like theirs."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from pydantic import ValidationError

from leat.sources.errors import IntegrationError, Unauthenticated, UnexpectedShape
from leat.sources.http.client import HttpRequest
from leat.sources.http.sigv4 import Keys, SigV4
from leat.sources.settings import redact
from tests.kit.raw_server import RawServer, answer, raw_server
from tests.sources.http_client import AUTH, client_of

SECRET = "planted-hunter-22"
LARK = {
    "kind": "token_request",
    "token_url": "{url}open-apis/auth/v3/tenant_access_token/internal",
    "body": {"app_id": "cli_1", "app_secret": {"file": "secret"}},
    "token": "tenant_access_token",
    "expires_in": "expire",
}
WECHAT = {
    "kind": "token_request",
    "token_url": "{url}cgi-bin/token",
    "method": "GET",
    "params": {"grant_type": "client_credential", "appid": "wx1", "secret": {"file": "secret"}},
    "header": "X-Token",
    "prefix": "",
}
SHOPWARE = {
    "kind": "token_request",
    "token_url": "{url}api/oauth/token",
    "headers": {"sw-version": 6},
    "body": {"grant_type": "client_credentials", "client_id": "us", "client_secret": {"file": "secret"}, "x": True},
    "body_as": "form",
    "token": "data[0].token",
}
METABASE = {
    "kind": "session",
    "login_url": "{url}api/session",
    "body": {"username": "us", "password": {"file": "secret"}},
    "token": "id",
    "header": "X-Metabase-Session",
}
COUCHDB = {
    "kind": "session",
    "login_url": "{url}_session",
    "body": {"name": "us", "password": {"file": "secret"}},
    "body_as": "form",
}


class Vendor:
    """A server that gives out numbered tokens, and answers only those who show the newest.

    Attributes:
        gives: makes the answer to the login of a token.
        shown: finds the token in the head of a request.
        logins: bodies and heads of the logins that came.
        reads: how many requests were answered.
    """

    def __init__(self, path: str, gives: Callable[[str], bytes], shown: str) -> None:
        self.path, self.gives, self.shown = path, gives, re.compile(shown)
        self.logins: list[tuple[str, bytes]] = []
        self.reads = 0
        self.good = ""

    def __call__(self, _server: RawServer, client: socket.socket, head: str, body: bytes) -> None:
        if head.split(" ")[1].partition("?")[0] == self.path:
            self.logins.append((head, body))
            self.good = f"token-{len(self.logins)}"
            client.sendall(self.gives(self.good))
            return
        match = self.shown.search(head)
        self.reads += 1
        client.sendall(answer([1]) if match and match[1] == self.good else answer({}, "401 Unauthorized"))


def block(auth: dict[str, Any], server: RawServer) -> dict[str, Any]:
    return {key: value.replace("{url}", server.url) if isinstance(value, str) else value for key, value in auth.items()}


VENDORS = {
    "lark": (
        LARK,
        "/open-apis/auth/v3/tenant_access_token/internal",
        lambda token: answer({"code": 0, "tenant_access_token": token, "expire": 7200}),
        r"Authorization: Bearer (\S+)",
    ),
    "wechat": (
        WECHAT,
        "/cgi-bin/token",
        lambda token: answer({"access_token": token, "expires_in": "7200"}),
        r"X-Token: (\S+)",
    ),
    "shopware": (
        SHOPWARE,
        "/api/oauth/token",
        lambda token: answer({"data": [{"token": token}]}, "201 Created"),
        r"Authorization: Bearer (\S+)",
    ),
    "metabase": (METABASE, "/api/session", lambda token: answer({"id": token}), r"X-Metabase-Session: (\S+)"),
    "couchdb": (
        COUCHDB,
        "/_session",
        lambda token: answer({"ok": True}, headers={"Set-Cookie": f"AuthSession={token}; Version=1; Path=/; HttpOnly"}),
        r"Cookie: AuthSession=(\S+)",
    ),
    "form that leads to a page": (
        COUCHDB,
        "/_session",
        lambda token: answer(b"", "302 Found", {"Set-Cookie": f"s={token}", "Location": "https://elsewhere.example/"}),
        r"Cookie: s=(\S+)",
    ),
}


@pytest.mark.parametrize("name", VENDORS)
def test_a_login_is_made_once_and_again_when_it_is_refused(tmp_path: Path, name: str) -> None:
    auth, path, gives, shown = VENDORS[name]
    (tmp_path / "secret").write_text(SECRET + "\n")
    vendor = Vendor(path, gives, shown)
    with raw_server(vendor) as server, client_of(tmp_path, server.url, block(auth, server)) as (client, calls):
        assert [client.json(client.get("a")) for _ in range(3)] == [[1]] * 3
        assert (len(vendor.logins), vendor.reads) == (1, 3)
        vendor.good = "none any more"
        assert client.json(client.get("a")) == [1]
        assert (len(vendor.logins), vendor.reads) == (2, 5)
    assert redact("token-1 token-2") == "*** ***"
    assert SECRET not in str(calls)


def test_what_is_sent_is_what_is_declared(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    sent: dict[str, tuple[str, bytes]] = {}
    for name, (auth, path, gives, shown) in VENDORS.items():
        vendor = Vendor(path, gives, shown)
        with raw_server(vendor) as server, client_of(tmp_path, server.url, block(auth, server)) as (client, _):
            client.get("a")
        sent[name] = vendor.logins[0]
    assert json.loads(sent["lark"][1]) == {"app_id": "cli_1", "app_secret": SECRET}
    assert sent["wechat"][0].startswith("GET /cgi-bin/token?grant_type=client_credential&appid=wx1&secret=planted-hunt")
    assert sent["wechat"][1] == b""
    assert parse_qs(sent["shopware"][1].decode())["client_secret"] == [SECRET]
    assert parse_qs(sent["shopware"][1].decode())["x"] == ["true"]
    assert "sw-version: 6" in sent["shopware"][0]
    assert "Content-Type: application/x-www-form-urlencoded" in sent["couchdb"][0]
    assert json.loads(sent["metabase"][1]) == {"username": "us", "password": SECRET}


def test_a_token_without_a_lifetime_is_renewed_by_a_401_alone(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    for odd in (None, "soon", -5, True, 1e400, {"a": 1}, "9" * 400):
        vendor = Vendor(
            "/t", lambda token, odd=odd: answer({"access_token": token, "expires_in": odd}), r"Bearer (\S+)"
        )
        with raw_server(vendor) as server:
            auth = {"kind": "token_request", "token_url": f"{server.url}t"}
            with client_of(tmp_path, server.url, auth) as (client, _):
                assert [client.json(client.get("a")) for _ in range(2)] == [[1], [1]]
        assert len(vendor.logins) == 1


@pytest.mark.parametrize(
    ("auth", "reply", "error", "words"),
    [
        (METABASE, answer({"errors": SECRET}, "401 No"), Unauthenticated, "access token at .*/api/session: HTTP 401"),
        (METABASE, answer({"errors": SECRET}, "422 No"), Unauthenticated, "HTTP 422"),
        (METABASE, answer({"error": "wrong password"}), UnexpectedShape, "without a token at id.*correct auth.token"),
        (METABASE, answer({"id": {"deep": 1}}), UnexpectedShape, "without a token at id"),
        (METABASE, answer({"id": "a\r\nX-Evil: 1"}), UnexpectedShape, "without a token at id"),
        (METABASE, answer({"id": ""}), UnexpectedShape, "without a token at id"),
        (METABASE, answer(b"<html>"), UnexpectedShape, "without a token at id"),
        (COUCHDB, answer({"ok": True}), UnexpectedShape, "sets no cookie.*name auth.token"),
        (LARK, answer({"code": 10003, "msg": "invalid"}), UnexpectedShape, "access token at .*tenant_access_token"),
    ],
)  # fmt: skip
def test_a_login_that_fails_says_what_to_do(
    tmp_path: Path, auth: dict[str, Any], reply: bytes, error: type[IntegrationError], words: str
) -> None:
    (tmp_path / "secret").write_text(SECRET)
    with (
        raw_server(lambda _server, client, _head, _body: client.sendall(reply)) as server,
        client_of(tmp_path, server.url, block(auth, server)) as (client, calls),
    ):
        with pytest.raises(error, match=words) as caught:
            client.get("a")
        assert len(server.seen) == len(calls) == 1, "it is tried once, and nothing is read without it"
    assert SECRET not in str(caught.value)


def test_a_session_that_is_refused_when_fresh_ends(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    vendor = Vendor("/api/session", lambda _token: answer({"id": "another"}), r"X-Metabase-Session: (\S+)")
    with (
        raw_server(vendor) as server,
        client_of(tmp_path, server.url, block(METABASE, server)) as (client, _),
        pytest.raises(Unauthenticated, match="also with a token fresh from the server"),
    ):
        client.get("a")
    assert len(vendor.logins) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"body": {"password": SECRET}}, "password: a secret is never written here"),
        ({"body": {"auth": {"clientSecret": SECRET}}}, "clientSecret: a secret is never written here"),
        ({"params": {"api_key": SECRET}}, "api_key: a secret is never written here"),
        ({"params": {"a": {"b": 1}}}, "params has to be names with values"),
        ({"body": [1], "body_as": "form"}, "body has to be names with values"),
        ({"header": None}, "name both token and header"),
        ({"token": "a..b"}, "is no path at character"),
        ({"password": {"env": "X"}}, "Extra inputs are not permitted"),
        ({"body_as": "xml"}, "'json' or 'form'"),
    ],
)
def test_mistakes_in_a_login_are_reported(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        AUTH.validate_python({**METABASE, **change})
    assert "input_value" not in words
    assert caught.value.errors()[0]["loc"][0] == "session"


# The vectors that AWS publishes for Signature Version 4 (aws-sig-v4-test-suite), each as it goes over the wire.
SUITE = [
    ("GET", "/", {}, b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("POST", "/", {}, b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    (
        "GET",
        "/?Param2=value2&Param1=value1",
        {},
        b"",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    ("GET", "/?Param1=value1", {}, b"", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
    ("POST", "/?Param1=value1", {}, b"", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
    ("GET", "/?%E1%88%B4=bar", {}, b"", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
    ("POST", "/?p=", {}, b"", "e71688addb58a26418614085fb730ba3faa623b461c17f48f2fbdb9361b94a9b"),
    (
        "POST",
        "/?%40%23%24%25%5E=&%2B=%2F%2C%3F%3E%3C%60%22%3B%3A%5C%7C%5D%5B%7B%7D",
        {},
        b"",
        "66c82657c86e26fb25238d0e69f011edc4c6df5ae71119d7cb98ed9b87393c1e",
    ),
    (
        "GET",
        "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        {},
        b"",
        "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    ),
    (
        "POST",
        "/",
        {"Content-Type": "application/x-www-form-urlencoded"},
        b"Param1=value1",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
    (
        "POST",
        "/",
        {"Content-Type": "application/x-www-form-urlencoded; charset=utf8"},
        b"Param1=value1",
        "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe",
    ),
]


@pytest.mark.parametrize(("method", "target", "headers", "body", "signature"), SUITE)
def test_signatures_are_those_that_aws_publishes(
    method: str, target: str, headers: dict[str, str], body: bytes, signature: str
) -> None:
    keys = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    signer = SigV4(keys, "us-east-1", "service", lambda: datetime(2015, 8, 30, 12, 36, tzinfo=UTC))
    request = requests.Request(method, f"https://example.amazonaws.com{target}", headers=headers, data=body).prepare()
    assert signer(request).headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={'content-type;' if headers else ''}host;x-amz-date, Signature={signature}"
    )


def expected_by_botocore(head: str, body: bytes, service: str, token: str | None) -> str:
    """Return the signature that botocore computes for a request that came."""
    line, *lines = head.split("\r\n")
    method, target, _ = line.split(" ")
    headers = dict(part.split(": ", 1) for part in lines)
    signed = re.search(r"SignedHeaders=([^,]+)", headers["Authorization"])
    names = signed[1].split(";") if signed else []
    relevant = {name: value for name, value in headers.items() if name.lower() in names}
    request = AWSRequest(method, f"http://{headers['Host']}{target}", headers=relevant, data=body)
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials("AK", SECRET, token), service, "eu-central-1")
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return str(signer.signature(text, request))


@pytest.mark.parametrize("session", [False, True])
@pytest.mark.parametrize("service", ["es", "execute-api", "aoss"])
def test_requests_are_signed_as_botocore_signs_them(tmp_path: Path, service: str, session: bool) -> None:
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "token").write_text("temporary+token/==")
    auth = {"kind": "aws_sigv4", "access_key": "AK", "secret_key": {"file": "secret"}}
    auth |= {"region": "eu-central-1", "service": service}
    auth |= {"session_token": {"file": "token"}} if session else {}

    def handle(_server: RawServer, client: socket.socket, head: str, body: bytes) -> None:
        wanted = expected_by_botocore(head, body, service, "temporary+token/==" if session else None)
        client.sendall(answer([1]) if f"Signature={wanted}" in head else answer({}, "403 Forbidden"))

    with raw_server(handle) as server, client_of(tmp_path, server.url, auth) as (client, calls):
        client.get("_cat/indices", {"format": "json", "h": "index,docs.count", "s": "a b+c/ä"})
        client.get("v1/caf%C3%A9/a%20b/items:search")
        client.send(HttpRequest("search", "POST", json={"q": "ü"}))
    assert SECRET not in str(calls)
    assert unquote(server.paths()[1]) == "/v1/café/a b/items:search"
