"""Every way in which an HTTP server fails, one test each: what the client makes of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import NoReturn

import pytest

from leat.demo.servers.process import free_port
from leat.sources.errors import (
    Forbidden,
    NotConfigured,
    NotFound,
    RateLimited,
    Rejected,
    TimedOut,
    Unauthenticated,
    Unavailable,
    UnexpectedShape,
)
from leat.sources.http.client import HttpRequest, Limits, Version
from tests.servers.api_server.handler import ApiServer, serving
from tests.servers.api_server.state import Fault, Rate, State
from tests.sources.http_client import client_of

THINGS = [{"id": number, "name": f"thing {number}"} for number in range(50)]
IMPATIENT = Limits(timeout=0.3, total=0.8, attempts=2)


@pytest.fixture(scope="module")
def running() -> Iterator[ApiServer]:
    with serving() as server:
        yield server


@pytest.fixture
def server(running: ApiServer) -> ApiServer:
    fresh = State(collections={"things": THINGS})
    running.state = fresh
    return running


def test_an_answer_is_parsed_and_recorded(server: ApiServer, tmp_path: Path) -> None:
    with client_of(tmp_path, server.url) as (client, calls):
        answer = client.get("v1/things", {"limit": 2, "gone": None}, template="/v1/things")
        assert [thing["id"] for thing in client.json(answer)["data"]] == [0, 1]
    assert server.state.seen[0].query == {"limit": "2"}
    (call,) = calls
    assert (call.method, call.path, call.status, call.attempt, call.error) == ("GET", "/v1/things", 200, 1, None)
    assert call.received_bytes == len(answer.body)


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Rejected), (401, Unauthenticated), (403, Forbidden), (404, NotFound), (410, NotFound), (422, Rejected)],
)
def test_a_refusal_stops_at_once(server: ApiServer, tmp_path: Path, status: int, error: type[Exception]) -> None:
    server.state.faults = [Fault("status", status=status, times=-1)]
    with client_of(tmp_path, server.url) as (client, calls), pytest.raises(error, match=f"HTTP {status}.*Next: "):
        client.get("v1/things")
    assert [(call.status, call.error) for call in calls] == [(status, error.__name__)]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_5xx_is_tried_again(server: ApiServer, tmp_path: Path, status: int) -> None:
    with client_of(tmp_path, server.url) as (client, calls):
        client.get("v1/things")
        server.state.faults = [Fault("status", status=status)]
        assert client.get("v1/things").status == 200
    assert [(call.status, call.attempt) for call in calls] == [(200, 1), (status, 1), (200, 2)]


def test_5xx_that_stays_is_reported(server: ApiServer, tmp_path: Path) -> None:
    server.state.faults = [Fault("status", status=500, times=-1)]
    with (
        client_of(tmp_path, server.url, limits=IMPATIENT) as (client, _),
        pytest.raises(Unavailable, match=r"shop: GET /v1/things: HTTP 500\. Next: try later"),
    ):
        client.get("v1/things")


def test_a_post_is_not_sent_twice(server: ApiServer, tmp_path: Path) -> None:
    server.state.faults = [Fault("status", after=1)]
    with client_of(tmp_path, server.url) as (client, _):
        client.get("v1/things")
        with pytest.raises(Unavailable):
            client.send(HttpRequest("v1/things", "POST", json={"name": "new"}))
    assert len(server.state.seen) == 2


def test_429_with_seconds_is_waited_for(server: ApiServer, tmp_path: Path) -> None:
    server.state.faults = [Fault("status", status=429, headers={"Retry-After": "1"})]
    with client_of(tmp_path, server.url) as (client, calls):
        assert client.get("v1/things").status == 200
    first, second = server.state.seen
    assert second.at - first.at >= 0.95
    assert [call.error for call in calls] == ["RateLimited", None]


def test_429_with_a_date_is_waited_for(server: ApiServer, tmp_path: Path) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    server.state.faults = [Fault("status", status=429, headers={"Retry-After": at})]
    with client_of(tmp_path, server.url) as (client, _):
        assert client.get("v1/things").status == 200
    assert server.state.seen[1].at - server.state.seen[0].at >= 0.9  # a date has whole seconds


def test_429_without_retry_after_backs_off(server: ApiServer, tmp_path: Path) -> None:
    server.state.faults = [Fault("status", status=429, times=2)]
    with client_of(tmp_path, server.url) as (client, _):
        assert client.get("v1/things").status == 200
    first, second, third = server.state.seen
    assert second.at - first.at >= 0.2
    assert third.at - second.at >= 0.45


def test_429_of_a_post_is_sent_again_for_nothing_was_done(server: ApiServer, tmp_path: Path) -> None:
    server.state.faults = [Fault("status", status=429, headers={"Retry-After": "0"})]
    with client_of(tmp_path, server.url) as (client, _):
        assert client.send(HttpRequest("v1/things", "POST", json={})).status == 200


def test_a_long_retry_after_ends_the_run_and_is_reported(server: ApiServer, tmp_path: Path) -> None:
    server.state.faults = [Fault("status", status=429, headers={"Retry-After": "3600"})]
    with client_of(tmp_path, server.url) as (client, _):
        with pytest.raises(RateLimited) as caught:
            client.get("v1/things")
        assert caught.value.retry_after == 3600
        with pytest.raises(RateLimited, match=r"not sent: the server asked to wait; .* in 3\d\d\d s"):
            client.get("v1/things")
    assert len(server.state.seen) == 1, "the second is not even sent"


@pytest.mark.parametrize("status", [403, 503])
def test_a_refusal_that_says_how_long_to_wait_is_a_limit(server: ApiServer, tmp_path: Path, status: int) -> None:
    server.state.faults = [Fault("status", status=status, headers={"Retry-After": "0"})]
    with client_of(tmp_path, server.url) as (client, calls):
        assert client.get("v1/things").status == 200
    assert calls[0].error == "RateLimited"


def test_a_server_that_hangs_times_out(server: ApiServer, tmp_path: Path) -> None:
    server.state.faults = [Fault("hang", times=-1)]
    began = time.monotonic()
    with (
        client_of(tmp_path, server.url, limits=IMPATIENT) as (client, _),
        pytest.raises(TimedOut, match="no answer in"),
    ):
        client.get("v1/things")
    assert time.monotonic() - began < 5


def test_a_server_that_hangs_once_is_asked_again(server: ApiServer, tmp_path: Path) -> None:
    server.state.faults = [Fault("hang")]
    with client_of(tmp_path, server.url, limits=Limits(timeout=0.3, total=5)) as (client, calls):
        assert client.get("v1/things").status == 200
    assert [call.error for call in calls] == ["TimedOut", None]


def test_a_server_that_drips_is_given_up_in_time(server: ApiServer, tmp_path: Path) -> None:
    server.state.faults = [Fault("drip", times=-1)]
    began = time.monotonic()
    with (
        client_of(tmp_path, server.url, limits=IMPATIENT) as (client, _),
        pytest.raises(TimedOut, match=r"no end of the answer, in 0\.8 s"),
    ):
        client.get("v1/things")
    assert time.monotonic() - began < 5, "each byte came in time, the answer never did"


def test_a_body_shorter_than_announced_is_no_answer(server: ApiServer, tmp_path: Path) -> None:
    with client_of(tmp_path, server.url) as (client, calls):
        client.get("v1/things/1")
        server.state.faults = [Fault("short")]
        assert len(client.json(client.get("v1/things"))["data"]) == 50
    assert "Unavailable" in [call.error for call in calls]


def test_a_body_shorter_than_announced_is_reported(server: ApiServer, tmp_path: Path) -> None:
    server.state.faults = [Fault("short", times=-1)]
    with client_of(tmp_path, server.url) as (client, _), pytest.raises(Unavailable, match="ended too early"):
        client.get("v1/things")


@pytest.mark.parametrize(("kind", "words"), [("truncated", "not JSON"), ("html", "not JSON \\(text/html")])
def test_what_is_no_json_is_reported(server: ApiServer, tmp_path: Path, kind: str, words: str) -> None:
    server.state.faults = [Fault(kind, times=-1)]
    with client_of(tmp_path, server.url) as (client, _):
        answer = client.get("v1/things")
        with pytest.raises(UnexpectedShape, match=words):
            client.json(answer)


def test_a_bad_gzip_is_reported(server: ApiServer, tmp_path: Path) -> None:
    server.state.faults = [Fault("bad_gzip", times=-1)]
    with client_of(tmp_path, server.url) as (client, _), pytest.raises(UnexpectedShape, match="decompressed"):
        client.get("v1/things")


def test_a_connection_that_is_cut_is_tried_again(server: ApiServer, tmp_path: Path) -> None:
    with client_of(tmp_path, server.url) as (client, calls):
        client.get("v1/things")
        server.state.faults = [Fault("cut")]
        assert client.get("v1/things").status == 200
    assert [call.error for call in calls] == [None, "Unavailable", None]


def test_a_server_that_is_down_is_asked_once(tmp_path: Path) -> None:
    port = free_port()
    with client_of(tmp_path, f"http://127.0.0.1:{port}/") as (client, calls):
        with pytest.raises(Unavailable, match=rf"127\.0\.0\.1:{port} refuses connections") as raised:
            client.get("v1/things")
        assert [(call.status, call.error) for call in calls] == [(None, "Unavailable")]
        assert not raised.value.reached


def _no_such_host(_host: str, _port: int) -> NoReturn:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_the_reason_for_no_connection_is_said(server: ApiServer, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with client_of(tmp_path / "a", server.url.replace("http://", "https://")) as (client, _):
        with pytest.raises(Rejected, match="doesn't speak TLS on this port") as raised:
            client.get("v1/things")
        assert not raised.value.reached
    (tmp_path / "b").mkdir()
    unknown = Limits(timeout=2, attempts=1, look_up=_no_such_host)
    named = pytest.raises(Unavailable, match=r"no host has the name no-such-host\.invalid")
    with client_of(tmp_path / "b", "http://no-such-host.invalid/", limits=unknown) as (client, _), named:
        client.get("v1/things")


def test_credentials_never_go_to_another_host(server: ApiServer, tmp_path: Path) -> None:
    with serving(State(collections={"things": THINGS})) as other:
        away = Fault("redirect", status=302, headers={"Location": f"{other.url}v1/things"}, times=-1)
        server.state.faults = [away]
        auth = {"kind": "api_key", "key": {"file": "key"}, "header": "X-Api-Key"}
        (tmp_path / "key").write_text("of-great-value")
        with client_of(tmp_path, server.url, auth) as (client, _):
            with pytest.raises(Rejected, match="another host"):
                client.get("v1/things")
            with pytest.raises(Rejected, match="another host"):
                client.get(f"{other.url}v1/things")
        assert other.state.seen == []


def test_redirects_in_a_circle_end(server: ApiServer, tmp_path: Path) -> None:
    server.state.faults = [Fault("redirect", status=307, headers={"Location": "/v1/things"}, times=-1)]
    with client_of(tmp_path, server.url) as (client, _), pytest.raises(Rejected, match="more than 3 redirects"):
        client.get("v1/things")


def test_a_private_address_is_refused_unless_it_is_allowed(server: ApiServer, tmp_path: Path) -> None:
    for url in (server.url, "http://169.254.169.254/latest", "http://[::1]:9/", "http://10.1.2.3/"):
        with (
            pytest.raises(NotConfigured, match=r"not a public address.*allow_private: true"),
            client_of(tmp_path, url, limits=Limits(allow_private=False)),
        ):
            pass
    assert server.state.seen == []


@pytest.mark.parametrize("style", ["x", "draft", "structured"])
def test_the_servers_own_limit_slows_the_client_before_a_429(server: ApiServer, tmp_path: Path, style: str) -> None:
    server.state.rate = Rate(limit=6, window=2, headers=style)
    with client_of(tmp_path, server.url, limits=Limits(timeout=5, total=30, in_flight=4, reserve=0)) as (client, calls):
        client.get("v1/things")
        answers = list(client.each(HttpRequest("v1/things", params={"page": n}) for n in range(1, 10)))
    assert [answer.status for answer in answers] == [200] * 9
    assert {call.status for call in calls} == {200}, "no request was one too many"
    assert {call.rate_limit for call in calls} == {6}
    assert all(call.rate_remaining is not None and call.rate_reset_at is not None for call in calls)


def test_a_share_of_the_servers_limit_is_left_to_others(server: ApiServer, tmp_path: Path) -> None:
    """The whole quota is never eaten."""
    server.state.rate = Rate(limit=20, window=3600, headers="x")
    with client_of(tmp_path, server.url, limits=Limits(timeout=5, reserve=0.25)) as (client, calls):
        with pytest.raises(RateLimited, match="not sent: the server's limit of requests is used up, but for what"):
            for _ in range(20):
                client.get("v1/things")
        assert calls[-1].rate_remaining == 5


def test_versions_and_their_end_are_recorded(server: ApiServer, tmp_path: Path) -> None:
    server.state.versions = {
        "2025-01": {"Deprecation": "@1767225600", "Sunset": "Thu, 31 Dec 2026 23:59:59 GMT"},
        "2026-01": {},
    }
    with client_of(tmp_path, server.url, version=Version("2025-01", "API-Version")) as (client, calls):
        client.get("v1/things")
    (call,) = calls
    assert (call.version_asked, call.version_served) == ("2025-01", "2025-01")
    assert call.deprecated_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert call.sunset_at == datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
