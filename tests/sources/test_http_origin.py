"""Where requests go: no link, redirect, value or second answer of a resolver leads them anywhere else."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from leat.sources.errors import IntegrationError, NotConfigured, Rejected
from leat.sources.http.address import Address, below, fits, follow, is_public, moves, origin
from leat.sources.http.client import Client, HttpRequest, Limits
from leat.sources.rest_api.declaration.endpoint import Endpoint
from leat.sources.rest_api.pages.requests import NoSegment, first_request
from tests.kit.raw_server import RawServer, answer, raw_server
from tests.sources.http_client import client_of

SECRET = "of-great-value"
AWAY = [
    "http://127.0.0.1:{other}\\@127.0.0.1:{own}/steal",
    "http://127.0.0.1:{other}\\.127.0.0.1:{own}/steal",
    "//127.0.0.1:{other}\\@127.0.0.1:{own}/steal",
    "http:\\\\127.0.0.1:{other}/steal",
    "http:/\\127.0.0.1:{other}/steal",
    "http://127.0.0.1:{own}@127.0.0.1:{other}/steal",
    "http://us:password@127.0.0.1:{own}/steal",
    "http://@127.0.0.1:{own}/steal",
    "http://127.0.0.1:{other}#@127.0.0.1:{own}/steal",
    "http://127.0.0.1:{other}?@127.0.0.1:{own}/steal",
    "http://127.0.0.1:{other}\t@127.0.0.1:{own}/steal",
    "http://127.0.0.1:{own}/steal now",
    "http://127.0.0.1:{own}/steal\x7f",
    "http://127.0.0.1:{own}/\u00a0steal",
    "//127.0.0.1:{other}/steal",
    "http://localhost:{own}/steal",
    "https://127.0.0.1:{own}/steal",
    "http://127.0.0.1:99999999/steal",
    "http://[::1/steal",
    "ftp://127.0.0.1:{own}/steal",
    "items:search",
    "javascript:alert(1)",
]


@pytest.fixture(scope="module")
def other() -> Iterator[RawServer]:
    with raw_server(lambda _server, client, _head, _body: client.sendall(answer([{"id": 666}]))) as server:
        yield server


@contextlib.contextmanager
def signed(folder: Path, url: str, limits: Limits | None = None) -> Iterator[Client]:
    (folder / "key").write_text(SECRET)
    auth = {"kind": "bearer", "token": {"file": "key"}}
    with client_of(folder, url, auth, limits or Limits(timeout=2, total=6, attempts=1)) as (client, _):
        yield client


@pytest.mark.parametrize("target", AWAY)
def test_no_link_and_no_redirect_leads_away(other: RawServer, tmp_path: Path, target: str) -> None:
    before = list(other.seen)

    def handle(server: RawServer, client: socket.socket, head: str, _body: bytes) -> None:
        location = target.format(own=server.port, other=other.port)
        client.sendall(answer([], "302 Found", {"Location": location}) if "GET /u" in head else answer([]))

    with raw_server(handle) as server, signed(tmp_path, server.url) as client:
        with pytest.raises(Rejected):
            client.get("u")
        with pytest.raises(Rejected):
            client.follow(f"{server.url}u", target.format(own=server.port, other=other.port), "GET /u")
        if "://" in target:
            with pytest.raises(Rejected):
                client.get(target.format(own=server.port, other=other.port))
        assert server.paths() == ["/u"], "only what was asked for was sent, with the token"
    assert other.seen == before


@pytest.mark.parametrize(
    ("location", "sent"),
    [
        ("/b?page=2", "/b?page=2"),
        ("b/c", "/v1/b/c"),
        ("../b", "/b"),
        ("?page=2", "/v1/a?page=2"),
        ("/caf\u00e9", "/caf%C3%A9"),
        ("http://127.0.0.1:{own}/%e0%a4%b9", "/%E0%A4%B9"),
    ],
)
def test_a_redirect_within_the_origin_is_followed_as_it_is_written(tmp_path: Path, location: str, sent: str) -> None:
    def handle(server: RawServer, client: socket.socket, head: str, _body: bytes) -> None:
        away = {"Location": location.format(own=server.port)}
        client.sendall(answer([], "307 Moved", away) if "/v1/a?page=1" in head else answer([]))

    with raw_server(handle) as server, signed(tmp_path, f"{server.url}v1/") as client:
        assert client.get("a", {"page": 1}).status == 200
        assert server.paths() == ["/v1/a?page=1", sent], "the location has its query already"
        assert all(SECRET in head for head in server.seen)


def test_a_post_that_is_answered_elsewhere_is_read_there(tmp_path: Path) -> None:
    def handle(_server: RawServer, client: socket.socket, head: str, _body: bytes) -> None:
        client.sendall(answer(b"", "303 See Other", {"Location": "/done"}) if "POST" in head else answer([1]))

    with raw_server(handle) as server, signed(tmp_path, server.url) as client:
        assert client.json(client.send(HttpRequest("jobs", "POST", json={"a": 1}))) == [1]
        assert [head.split(" HTTP")[0] for head in server.seen] == ["POST /jobs", "GET /done"]


def test_a_colon_in_a_path_is_no_scheme(tmp_path: Path) -> None:
    with (
        raw_server(lambda _server, client, _head, _body: client.sendall(answer([]))) as server,
        signed(tmp_path, f"{server.url}v1/") as client,
    ):
        for path in ("items:search", "/v2/items:search", "a:b/c:d", "http:x"):
            client.get(path)
        assert server.paths() == ["/v1/items:search", "/v2/items:search", "/v1/a:b/c:d", "/v1/http:x"]


def test_paths_are_put_below_an_address() -> None:
    base = "https://host/api/v1/"
    assert [below(base, path) for path in ("a", "/a", "a//b", "?p=1", "", "a:b", "https://x/y")] == [
        "https://host/api/v1/a",
        "https://host/a",
        "https://host/api/v1/a//b",
        "https://host/api/v1/?p=1",
        "https://host/api/v1/",
        "https://host/api/v1/a:b",
        "https://x/y",
    ]
    assert below("https://host", "a") == "https://host/a"


STEPS = ["..", ".", "", "%2e%2e", "%2E.", "..;", "..;x=1", "%252e%252e", "%25252E", " ..", ".%3B"]
NAMES = [
    "ok",
    "...",
    "a..b",
    "..a",
    "a.",
    "über/uns",
    "https://host/",
    "items:search",
    "%",
    "%zz",
    "100%",
    "a b",
    "a;b",
]
NAMES += ["+", "../../x", "..\\b", "?", "#", "\r\n", ";"]


def of_tag(value: str) -> HttpRequest:
    """Return a request whose path has a value in it, as a source makes one of a row."""
    return HttpRequest(f"tags/v1/{quote(value, safe='')}/items", template="/tags/v1/{t}/items", exact=True)


@pytest.mark.parametrize("value", STEPS)
def test_a_value_that_is_a_step_is_not_sent(tmp_path: Path, value: str) -> None:
    assert moves(value)
    with (
        raw_server(lambda _server, client, _head, _body: client.sendall(answer([]))) as server,
        signed(tmp_path, server.url) as client,
    ):
        with pytest.raises(Rejected, match=r"GET /tags/v1/\{t\}/items: not sent: with a row's value"):
            client.send(of_tag(value))
        assert server.seen == []


@pytest.mark.parametrize("value", STEPS)
def test_a_row_with_such_a_value_has_no_request(value: str) -> None:
    endpoint = Endpoint.model_validate({"path": "tags/{t}/items", "key": "k", "columns": {"k": "integer"}})
    with pytest.raises(NoSegment):
        first_request(endpoint, {"t": value})


def test_any_other_value_is_one_segment(tmp_path: Path) -> None:
    with (
        raw_server(lambda _server, client, _head, _body: client.sendall(answer([]))) as server,
        signed(tmp_path, f"{server.url}api/") as client,
    ):
        for value in NAMES:
            client.send(of_tag(value))
        segments = [path.split("/") for path in server.paths()]
    assert len(segments) == len(NAMES)
    assert all(len(parts) == 6 and parts[:4] == ["", "api", "tags", "v1"] for parts in segments)


@pytest.mark.parametrize(
    ("template", "sent", "right"),
    [
        ("http://h/a/{x}/c", "http://h/a/b/c", True),
        ("http://h/a/{x}/c", "http://h/a/c", False),
        ("http://h/a/{x}/c", "http://h/a/../c", False),
        ("http://h/a/{x}/c", "http://h/a/b/d", False),
        ("http://h/a/../v2/{x}", "http://h/v2/7", True),
        ("http://h/a/{x}.{y}", "http://h/a/..", False),
        ("http://h/a b/{x}", "http://h/a%20b/1?q=..", True),
        ("http://h/{x}:search", "http://h/a%3Ab:search", True),
        ("http://h/a/", "http://h/a", False),
    ],
)
def test_what_is_sent_fits_the_declared_path(template: str, sent: str, right: bool) -> None:
    assert fits(template, sent) is right


@pytest.mark.parametrize(
    "url", ["http://h\\@x/", "http://u:p@h/", "ftp://h/", "//h/", "h", "http://", "http://h:x/", ""]
)
def test_an_address_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match=r"^(it|its) "):
        origin(url)
    with pytest.raises(NotConfigured, match="write https://host/path"), client_of(tmp_path, url):
        pass


def test_an_origin_is_one_whatever_its_spelling() -> None:
    assert origin("HTTPS://EXAMPLE.org/a?b#c") == origin("https://example.org:443") == ("https", "example.org", 443)
    assert origin("http://[::1]:8080/") == ("http", "::1", 8080)
    assert origin("http://bücher.example/") == origin("http://xn--bcher-kva.example/")
    assert follow("https://h/a/b", "c?d=e:f@g") == "https://h/a/c?d=e:f@g"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - it is an address that nobody may dial
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d70e", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
    ],
)
def test_public_addresses_lead_to_no_private_ones(address: str, public: bool) -> None:
    assert is_public(address) is public


class Rebinding:
    """A resolver that gives a public address first, and this machine's afterwards."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[Address]:
        self.asked.append(host)
        return [(socket.AF_INET, ("192.0.2.1" if len(self.asked) > 9 else self.first(len(self.asked)), port))]

    def first(self, times: int) -> str:
        return "127.0.0.1" if times > 1 else "93.184.215.14"


@pytest.mark.parametrize("auth", [None, "token"])
def test_a_name_that_moves_after_it_was_checked_is_not_dialled(tmp_path: Path, auth: str | None) -> None:
    resolver = Rebinding()
    limits = Limits(timeout=0.3, total=0.5, attempts=1, allow_private=False, look_up=resolver)
    (tmp_path / "key").write_text(SECRET)
    with raw_server(lambda _server, client, _head, _body: client.sendall(answer({"access_token": "abcd"}))) as server:
        url = f"http://api.example.org:{server.port}/"
        block = {"kind": "oauth2_client_credentials", "client_id": "us", "client_secret": {"file": "key"}}
        block |= {"token_url": f"http://login.example.org:{server.port}/token"}
        with client_of(tmp_path, url, block if auth else None, limits) as (client, _), pytest.raises(IntegrationError):
            client.get("x")
        assert server.seen == [], "nothing came to this machine"
    assert resolver.asked[0] == "api.example.org"
    assert auth is None or "login.example.org" in resolver.asked, "the address of tokens is looked up the same way"


def test_an_allowed_name_is_dialled_where_it_was_looked_up(tmp_path: Path) -> None:
    with raw_server(lambda _server, client, _head, _body: client.sendall(answer([1]))) as server:
        limits = Limits(timeout=2, look_up=lambda _host, port: [(socket.AF_INET, ("127.0.0.1", port))])
        with client_of(tmp_path, f"http://api.example.org:{server.port}/", limits=limits) as (client, _):
            assert client.json(client.get("x")) == [1]
        assert f"Host: api.example.org:{server.port}" in server.seen[0]


def test_a_proxy_is_not_asked_to_look_up_what_is_to_be_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(lambda _server, client, _head, _body: client.sendall(answer([1]))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        public = Limits(timeout=2, look_up=lambda _host, port: [(socket.AF_INET, ("93.184.215.14", port))])
        with client_of(tmp_path, "http://api.example.org/", limits=public) as (client, _):
            assert client.json(client.get("x")) == [1]
        assert proxy.paths() == ["http://api.example.org/x"]
        checked = Limits(timeout=2, allow_private=False, look_up=public.look_up)
        with (
            client_of(tmp_path, "http://api.example.org/", limits=checked) as (client, _),
            pytest.raises(NotConfigured, match=r"the environment names a proxy.*NO_PROXY"),
        ):
            client.get("x")
        assert len(proxy.seen) == 1
