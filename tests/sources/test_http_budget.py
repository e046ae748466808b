"""One rate budget per credential: threads, streams, integrations and processes share it, and no secret is in it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leat.sources.errors import RateLimited
from leat.sources.http.budget import Budget, open_budget
from leat.sources.http.client import HttpRequest
from leat.sources.http.headers import Quota
from leat.sources.http.request import Limits
from tests.servers.api_server.handler import ApiServer, serving
from tests.servers.api_server.state import State
from tests.sources.http_client import client_of

ON_THE_WAY = 0.25
"""Seconds that a request may take from the clock that lets it go to the clock that sees it, on a busy machine."""


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with serving(State(collections={"things": [{"id": 1}]})) as running:
        yield running


def assert_within(server: ApiServer, rate: float, burst: int) -> None:
    """No stretch of time saw more requests than the rate allows for it."""
    at = sorted(seen.at for seen in server.state.seen)
    for i, first in enumerate(at):
        for j in range(i, len(at)):
            assert j - i + 1 <= burst + rate * (at[j] - first + ON_THE_WAY), (i, j, at[j] - first)


def test_threads_observe_the_declared_rate(server: ApiServer, tmp_path: Path) -> None:
    limits = Limits(rate=40, burst=2, in_flight=8)
    with client_of(tmp_path, server.url, limits=limits) as (client, _):
        assert len(list(client.each(HttpRequest("v1/things") for _ in range(40)))) == 40
    assert_within(server, 40, 2)
    at = [seen.at for seen in server.state.seen]
    assert max(at) - min(at) >= 38 / 40 - ON_THE_WAY


def test_processes_and_integrations_observe_one_rate(server: ApiServer, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "tests.sources.http_crowd", str(tmp_path), server.url, "20", "1", "12"]
    crowd = [subprocess.Popen([*argv, name], stdout=subprocess.PIPE) for name in ("shop", "shop", "depot")]
    assert [child.communicate(timeout=60)[0].count(b"200") for child in crowd] == [12, 12, 12]
    assert len(server.state.seen) == 36
    assert_within(server, 20, 1)


def test_other_credentials_have_a_budget_of_their_own(tmp_path: Path) -> None:
    limits = Limits(rate=1)
    one, other = (open_budget(tmp_path / "budgets", name, "host:80", limits) for name in ("alice", "bob"))
    assert one.take(0).wait == 0
    assert one.take(0).wait > 0.5
    assert other.take(0).wait == 0
    assert open_budget(tmp_path / "budgets", "alice", "host:81", limits).take(0).wait == 0


def test_no_secret_is_in_a_budget(server: ApiServer, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("of-great-value")
    auth = {"kind": "api_key", "key": {"file": "key"}, "query": "api_key"}
    with client_of(tmp_path, server.url, auth, Limits(rate=100)) as (client, _):
        client.get("v1/things")
    folder = tmp_path / "sources" / ".budgets"
    files = sorted(folder.iterdir())
    assert [file.name for file in files if len(file.name) != 64] == ["key"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert not [file for file in files if b"value" in file.read_bytes() or "value" in file.name]
    assert server.state.seen[0].query == {"api_key": "of-great-value"}


def test_a_client_without_limits_writes_nothing(server: ApiServer, tmp_path: Path) -> None:
    with client_of(tmp_path, server.url) as (client, _):
        client.get("v1/things")
    assert [file.name for file in (tmp_path / "sources" / ".budgets").iterdir()] == ["key"]


def test_a_turn_too_far_away_is_not_reserved(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "budget", Limits(rate=0.001))
    assert budget.take(0).wait == 0
    waits = [budget.take(60).wait for _ in range(3)]
    assert max(waits) <= 1000
    assert min(waits) > 990


def test_a_window_that_begins_again_is_whole(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "budget", Limits(reserve=0))
    budget.answered(Quota(3, 1, datetime.now(UTC) + timedelta(seconds=0.2)), None)
    assert budget.take(0).wait == 0
    assert 0 < budget.take(0).wait <= 0.2
    time.sleep(budget.take(0).wait + 0.01)
    assert [budget.take(0).wait > 0 for _ in range(4)] == [False, False, False, True]


def test_requests_under_way_are_taken_off_what_is_left(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "budget", Limits(reserve=0))
    later = datetime.now(UTC) + timedelta(seconds=30)
    budget.answered(Quota(100, 50, later), None)
    for _ in range(4):
        budget.take(0)
    budget.answered(Quota(100, 10, later), None)
    assert json.loads(budget.path.read_bytes())["left"] == 7


def test_a_clock_that_was_set_back_blocks_nobody(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "budget", Limits(rate=1))
    ahead = time.time() + 7200
    budget.path.write_text(json.dumps({"arrival": ahead, "blocked": ahead, "written": ahead}))
    assert budget.take(0).wait == 0


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"arrival": 1'])
def test_a_damaged_file_is_as_none(tmp_path: Path, damage: bytes) -> None:
    budget = Budget(tmp_path / "budget", Limits(rate=1))
    budget.path.write_bytes(damage)
    assert budget.take(0).wait == 0


def test_a_limit_that_lasts_ends_the_run_instead_of_waiting(server: ApiServer, tmp_path: Path) -> None:
    with client_of(tmp_path, server.url, limits=Limits(rate=0.01)) as (client, _):
        client.get("v1/things")
        with pytest.raises(RateLimited, match=r"not sent: limits\.rate is 0\.01 a second; .* in \d+ s") as caught:
            client.get("v1/things")
    assert caught.value.retry_after is not None
    assert 90 < caught.value.retry_after <= 100
