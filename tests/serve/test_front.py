"""What the front refuses: huge and slow requests, paths and hosts that others may read otherwise."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from leat.limits import REQUEST_BODY_BYTES as LIMIT
from leat.serve.options import Options, is_loopback
from tests.kit.child import wait_until
from tests.kit.serving import exchange, fronted

CLOSE = b"Host: 127.0.0.1\r\nConnection: close\r\n"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the path and the size of the body."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    if scope["path"] == "/fails":
        raise ZeroDivisionError
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps([scope["path"], size]).encode()})


async def hook(scope: Any, receive: Any, send: Any) -> None:
    scope["path"] = "hook:" + scope["path"]
    await echo(scope, receive, send)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with fronted(echo, hook, body_seconds=1.5, head_seconds=0.4) as number:
        yield number


def status(answer: bytes) -> int:
    return int(answer.split()[1])


def problem(answer: bytes) -> str:
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["type"]).removeprefix("/problems/")


def test_an_answer_has_security_headers_and_the_id_of_its_request(port: int) -> None:
    answer = requests.get(f"http://127.0.0.1:{port}/x", headers={"X-Request-Id": "from-the-proxy"}, timeout=5)
    assert answer.json() == ["/x", 0]
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; object-src 'none'; frame-anc")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"] == "from-the-proxy"
    assert "server" not in answer.headers
    again = requests.get(f"http://127.0.0.1:{port}/x", headers={"X-Request-Id": "a b"}, timeout=5)
    assert len(again.headers["x-request-id"]) == 16


def test_what_fails_says_nothing_of_why(port: int) -> None:
    answer = requests.get(f"http://127.0.0.1:{port}/fails", timeout=5)
    assert answer.status_code == 500
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "ZeroDivision" not in answer.text


@pytest.mark.parametrize(
    "path",
    ["//hooks/x", "/hooks/../v1/runs", "/hooks/%2e%2e/v1", "/v1/..%2fhooks/x", "/./livez", "/a\\b", "/a%00b", "/%2Fx"],
)
def test_a_path_that_others_may_read_otherwise_is_refused(port: int, path: str) -> None:
    answer = exchange(port, f"GET {path} HTTP/1.1\r\n".encode() + CLOSE + b"\r\n")
    assert status(answer) == 400


def test_another_host_is_refused(port: int) -> None:
    for host, wanted in (
        ("evil.example", 421),
        ("", 421),
        ("localhost:80", 200),
        ("[::1]:80", 200),
        ("LOCALHOST", 200),
    ):
        answer = exchange(port, f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert status(answer) == wanted, host


def test_a_body_that_is_too_large_is_refused_before_and_while_it_comes(port: int) -> None:
    head = b"POST /hooks/x HTTP/1.1\r\n" + CLOSE
    answer = exchange(port, head + f"Content-Length: {LIMIT + 1}\r\n\r\n".encode())
    assert (status(answer), problem(answer)) == (413, "too-large")
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    answer = exchange(port, head + b"Transfer-Encoding: chunked\r\n\r\n", chunk * 17)
    assert status(answer) == 413
    answer = exchange(port, head + f"Content-Length: {LIMIT}\r\n\r\n".encode(), b"x" * LIMIT)
    assert json.dumps(["hook:/hooks/x", LIMIT]).encode() in answer


def test_two_lengths_of_one_body_are_refused(port: int) -> None:
    head = b"POST /a HTTP/1.1\r\n" + CLOSE
    for lengths in (
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /b",
        b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        b"Content-Length: +4\r\n\r\nabcd",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    ):
        answer = exchange(port, head + lengths)
        assert (status(answer), problem(answer)) == (400, "no-http"), lengths


def test_slow_clients_are_ended_and_others_served_meanwhile(port: int) -> None:
    silent = exchange(port)
    assert (status(silent), problem(silent)) == (408, "too-slow")
    assert status(exchange(port, b"GET / HTTP/1.1\r\nHost: 127")) == 408
    slow = exchange(port, b"POST /a HTTP/1.1\r\n" + CLOSE + b"Content-Length: 10\r\n\r\nabc")
    assert (status(slow), problem(slow)) == (408, "too-slow")
    assert requests.get(f"http://127.0.0.1:{port}/", timeout=5).ok


def test_a_head_that_is_too_large_is_refused(port: int) -> None:
    answer = exchange(port, b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 70_000)
    assert (status(answer), problem(answer)) == (431, "head-too-large")


def test_more_connections_than_the_limit_are_answered_by_a_problem() -> None:
    """As many idle connections as there may be, one more that is refused, and one in the place of one that has gone."""
    asked = b"GET / HTTP/1.1\r\n" + CLOSE + b"\r\n"
    with fronted(echo, hook, head_seconds=60, connections=200) as port, contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30)) for _ in range(200)]
        wait_until(lambda: status(exchange(port, asked, patience=30)) == 503)
        answer = exchange(port, asked, patience=30)
        head = answer.partition(b"\r\n\r\n")[0].lower()
        assert (status(answer), problem(answer)) == (503, "busy")
        for header in (b"content-type: application/problem+json", b"retry-after: 5", b"connection: close"):
            assert header in head
        held[0].close()
        wait_until(lambda: status(exchange(port, asked, patience=30)) == 200)


def test_addresses() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "a.example")))  # noqa: S104 - none is bound
    assert "leat.example.com" in Options("/", url="https://leat.example.com/").hosts
