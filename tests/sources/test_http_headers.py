"""Headers of any value: none raises, none stops an integration for more than an hour."""

from __future__ import annotations

import json
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leat.sources.errors import RateLimited
from leat.sources.http.budget import Budget
from leat.sources.http.failures import Advice, error_of
from leat.sources.http.headers import LONGEST_WAIT, Quota, link_of, location_of, moment_of, quota_of, retry_after
from leat.sources.http.request import Limits
from tests.kit.examples import examples
from tests.kit.raw_server import RawServer, answer, raw_server
from tests.sources.http_client import client_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = 3600.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 2.5 ", 2.5),
        ("3.", 3),
        ("999999999", HOUR),
        ("9" * 400, HOUR),
        ("0" * 400 + "7", 7),
        ("-5", None),
        ("", None),
        (None, None),
        ("soon", None),
        ("1e400", None),
        ("NaN", None),
        ("٣", None),
        ("1, 5", None),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30),
        ("Sunday, 01-Mar-26 12:00:30 GMT", 30),
        ("Sun Mar  1 12:00:30 2026", 30),
        ("Sun, 01 Mar 2026 13:00:30 +0100", 30),
        ("Sat, 28 Feb 2026 12:00:30 GMT", 0),
        ("Mon, 01 Mar 2027 12:00:30 GMT", HOUR),
        ("Fri, 31 Dec 9999 23:59:59 -1200", None),
        ("Mon, 01 Jan 0001 00:00:00 +1400", 0),
        ("Sun, 99 Mar 2026 12:00:30 GMT", None),
        ("Sun, 01 Mar 2026 12:00:30 +99999999", None),
        ("@1772366430", 30),
    ],
)
def test_retry_after_of_any_value(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@pytest.mark.parametrize(
    ("reset", "at"),
    [
        ("30", NOW + timedelta(seconds=30)),
        ("1772366430", NOW + timedelta(seconds=30)),
        ("1772366430000", NOW + timedelta(seconds=30)),
        ("1772366430.5", NOW + timedelta(seconds=30.5)),
        ("999999999999999", None),
        ("9" * 400, None),
        ("-1", None),
        ("2026-03-01", None),
    ],
)
def test_a_reset_of_any_value(reset: str, at: datetime | None) -> None:
    assert quota_of({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}, NOW).reset_at == at


ODD = st.one_of(
    st.text(st.characters(max_codepoint=255), max_size=60),
    st.from_regex(r"[@+-]?[0-9.,: /-]{1,40}([A-Z]{3})?", fullmatch=True),
    st.from_regex(r'("[a-z]";)?[rtqw]=[0-9]{1,30}(;[rtqw]=[0-9-]{1,30})?', fullmatch=True),
    st.from_regex(
        r"[A-Z][a-z]{2}, [0-9]{1,3}[ -][A-Z][a-z]{2}[ -][0-9]{1,5} [0-9:]{1,9} [A-Z+-]?[0-9A-Z]{1,9}", fullmatch=True
    ),
)
NAMES = ["Retry-After", "RateLimit", "RateLimit-Policy", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"]
NAMES += ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Rate-Limit-Reset", "Link", "Location"]


@examples()
@given(st.dictionaries(st.sampled_from(NAMES), ODD), st.sampled_from([403, 429, 503]))
def test_no_header_raises(headers: dict[str, str], status: int) -> None:
    quota_of(headers, NOW), moment_of(headers.get("Location")), link_of(headers, "next"), location_of(headers)
    error = error_of("shop", "GET /a", status, headers, b"", Advice())
    if isinstance(error, RateLimited) and error.retry_after is not None:
        assert 0 <= error.retry_after <= LONGEST_WAIT


def test_links_full_of_blanks_take_no_time() -> None:
    began = time.process_time()
    for odd in ("<a>" + ";a" * 30_000, "<a>;b" + " " * 60_000, "<a>;b" + " =" * 30_000, "<" * 60_000, "<a>;" * 15_000):
        link_of({"Link": odd}, "next")
    assert time.process_time() - began < 3


def blocked_for(budget: Budget) -> float:
    """Return the seconds for which everybody waits, as it is written."""
    state = json.loads(budget.path.read_bytes())
    until = max(float(state.get("blocked", 0)), float(state["reset"]) if state.get("left", 1) <= 0 else 0)
    return until - time.time()


def later(budget: Budget, seconds: float) -> None:
    """Let time pass for a budget: everything in it was so many seconds ago."""
    state = json.loads(budget.path.read_bytes())
    for name in ("blocked", "reset", "told", "written", "arrival"):
        if name in state:
            state[name] -= seconds
    state["under_way"] = [at - seconds for at in state.get("under_way", ())]
    budget.path.write_text(json.dumps(state))


def test_a_wait_of_years_is_an_hour_and_then_one_request_looks(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "budget", Limits())
    nothing = Quota(None, None, None)
    budget.answered(nothing, 999_999_999)
    assert HOUR - 5 < blocked_for(budget) <= HOUR
    assert budget.take(60).because == "the server asked to wait"
    later(budget, HOUR + 1)
    assert [budget.take(0).wait > 0 for _ in range(3)] == [False, True, True], "one looks, the others wait"
    budget.answered(nothing, 999_999_999)
    assert HOUR - 5 < blocked_for(budget) <= HOUR, "it is still unwell"
    later(budget, HOUR + 1)
    assert budget.take(0).wait == 0
    budget.answered(nothing, None)
    assert [budget.take(0).wait for _ in range(3)] == [0, 0, 0], "it is well again"


def test_a_probe_without_an_answer_is_followed_by_another(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "budget", Limits())
    budget.answered(Quota(None, None, None), 999_999_999)
    later(budget, HOUR + 1)
    assert [budget.take(0).wait > 0 for _ in range(2)] == [False, True]
    later(budget, 10)
    assert [budget.take(0).wait > 0 for _ in range(2)] == [False, True]


def test_a_short_wait_needs_no_probe(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "budget", Limits())
    budget.answered(Quota(None, None, None), 30)
    later(budget, 31)
    assert [budget.take(0).wait for _ in range(3)] == [0, 0, 0]


def test_a_reset_a_year_ahead_is_an_hour_and_then_one_request_looks(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "budget", Limits(reserve=0))
    year = datetime.now(UTC) + timedelta(days=365)
    budget.answered(Quota(100, 0, year), None)
    assert HOUR - 5 < blocked_for(budget) <= HOUR
    later(budget, HOUR + 1)
    assert [budget.take(0).wait > 0 for _ in range(3)] == [False, True, True]
    budget.answered(Quota(100, 0, year), None)
    assert HOUR - 5 < blocked_for(budget) <= HOUR


def test_what_is_left_of_a_day_is_not_used_up_by_an_hour(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "budget", Limits(reserve=0))
    budget.answered(Quota(100, 50, datetime.now(UTC) + timedelta(hours=20)), None)
    later(budget, HOUR + 1)
    assert [budget.take(0).wait for _ in range(3)] == [0, 0, 0]


def test_what_an_older_version_wrote_ends_within_an_hour(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "budget", Limits())
    ahead = time.time() + 1e9
    budget.path.write_text(json.dumps({"blocked": ahead, "left": 0, "reset": ahead, "written": time.time()}))
    assert HOUR - 5 < budget.take(0).wait <= HOUR
    later(budget, HOUR + 1)
    assert budget.take(0).wait == 0


@pytest.mark.parametrize(
    "odd",
    [
        '{"blocked": "x"}',
        '{"left": null}',
        '{"left": 3}',
        '{"written": {}}',
        '{"under_way": 5}',
        "[" * 20_000,
        "7",
        "NaN",
    ],
)
def test_a_file_that_holds_what_cannot_be_is_as_none(tmp_path: Path, odd: str) -> None:
    budget = Budget(tmp_path / "budget", Limits(rate=1000, burst=10))
    budget.path.write_text(odd)
    assert budget.take(0).wait == 0
    budget.answered(Quota(5, 4, datetime.now(UTC) + timedelta(seconds=30)), None)
    assert budget.take(0).wait == 0


def test_a_server_that_blocks_for_years_is_read_as_soon_as_it_is_well(tmp_path: Path) -> None:
    replies = [answer([], "429 Slow", {"Retry-After": "999999999"}), answer([1])]

    def handle(server: RawServer, client: socket.socket, _head: str, _body: bytes) -> None:
        client.sendall(replies[min(len(server.seen) - 1, 1)])

    with raw_server(handle) as server, client_of(tmp_path, server.url) as (client, _):
        with pytest.raises(RateLimited) as caught:
            client.get("a")
        assert caught.value.retry_after == HOUR
        with pytest.raises(RateLimited, match=r"not sent: the server asked to wait; .* in 3[56]\d\d s"):
            client.get("a")
        (file,) = [path for path in (tmp_path / "sources" / ".budgets").iterdir() if path.name != "key"]
        later(Budget(file, Limits()), HOUR + 1)
        assert client.json(client.get("a")) == [1]
        assert client.json(client.get("a")) == [1]
