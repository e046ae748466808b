"""What the shipped models say about API calls and runs, against the same in Python, on both engines."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.kit.built import Row, build_shipped
from tests.kit.engines import ENGINES
from tests.kit.loaded import utc, warehouse_of

NOW = utc(2026, 11, 20, 9)
Build = Callable[..., dict[str, list[Row]]]


@pytest.fixture(params=ENGINES)
def build(request: pytest.FixtureRequest, tmp_path: Path) -> Build:
    warehouse = warehouse_of(request.param, tmp_path, request)

    def built(*names: str, **streams: list[Row]) -> dict[str, list[Row]]:
        return build_shipped(warehouse, tmp_path / "project", names, {"platform": streams}, NOW)

    return built


def call(number: int, **more: Any) -> Row:
    row = {"id": number, "integration": "shop", "host": "api", "path": "/a", "method": "GET", "called_at": NOW}
    return {**row, "attempt": 1, "status": 200, "milliseconds": 1.0, "received_bytes": 1, **more}


def run(number: int, status: str, minutes: float, **more: Any) -> Row:
    ended = NOW + timedelta(minutes=minutes)
    return {"id": f"{number:04}", "integration": "shop", "status": status, "ended_at": ended, "seconds": 1.0, **more}


def rank(times: list[float], share: int) -> float:
    """Return the nearest-rank percentile: the smallest time within which that share of the calls was answered."""
    return sorted(times)[math.ceil(len(times) * share / 100) - 1]


def test_percentiles_are_times_that_were_measured(build: Build) -> None:
    chance = random.Random(11)  # noqa: S311 - test data
    sizes = {"/one": 1, "/two": 2, "/twenty": 20, "/hundred": 100, "/more": 137}
    calls = [
        call(number, path=path, milliseconds=round(chance.expovariate(0.01), 3))
        for path, size in sizes.items()
        for number in range(size)
    ]
    calls += [call(900, path="/one", status=None, milliseconds=60_000.0), call(901, path="/never", status=None)]
    calls += [call(902, path="/one", milliseconds=7.0, called_at=utc(2026, 11, 21) - timedelta(milliseconds=1))]
    calls += [call(903, path="/one", milliseconds=9.0, called_at=utc(2026, 11, 21))]
    rows = build("api_latency", api_calls=calls)["api_latency"]
    groups: dict[Any, list[float]] = defaultdict(list)
    for each in calls:
        if each["status"]:
            groups[each["path"], each["called_at"].date()].append(each["milliseconds"])
    reported = {(row["path"], row["day"]): row for row in rows}
    assert set(reported) == set(groups)
    for key, times in groups.items():
        row = reported[key]
        assert [row[f"p{share}_ms"] for share in (50, 90, 95, 99)] == [rank(times, share) for share in (50, 90, 95, 99)]
        assert (row["calls"], row["max_ms"]) == (len(times), max(times))
        assert math.isclose(row["mean_ms"], sum(times) / len(times))


def test_errors_are_distinguished(build: Build) -> None:
    calls = [
        call(1, status=404),
        call(2, status=429, error="RateLimited"),
        call(3, status=503, error="Unavailable"),
        call(4, status=None, error="TimedOut", attempt=2),
        call(5, status=503, error="Unavailable", attempt=3, called_at=NOW + timedelta(minutes=1), path="/b"),
        call(6, attempt=4),
        call(7, status=None, host="other"),
        call(8, status=304),
        call(9, called_at=NOW + timedelta(minutes=2)),
    ]
    runs = [run(1, "failed", 0, error_type="TimedOut", error="first"), run(2, "blocked", 1, error="kept back")]
    runs += [run(3, "failed", 2, error_type="TimedOut", error="second"), run(4, "busy", 3), run(5, "loaded", 1.5)]
    made = build("api_errors", "error_types", api_calls=calls, runs=runs)
    row = next(row for row in made["api_errors"] if (row["host"], row["path"]) == ("api", "/a"))
    names = ("calls", "failed", "unanswered", "client_errors", "server_errors", "rate_limited", "retries", "requests")
    assert [row[name] for name in names] == [7, 4, 1, 1, 1, 1, 2, 5]
    assert (row["error_rate"], row["rate_limit_rate"], row["retry_rate"]) == (4 / 7, 1 / 7, 2 / 7)
    assert row["most_attempts"] == 4
    reported = {(row["level"], row["error"]): row for row in made["error_types"]}
    assert {key: (row["times"], row["recovered"]) for key, row in reported.items()} == {
        ("call", "HTTP 404"): (1, True),
        ("call", "RateLimited"): (1, True),
        ("call", "Unavailable"): (2, True),
        ("call", "TimedOut"): (1, True),
        ("call", "no answer"): (1, False),
        ("run", "TimedOut"): (2, False),
        ("run", "blocked"): (1, True),
    }
    assert reported["call", "Unavailable"]["example"] == "GET api/b"
    assert (reported["run", "TimedOut"]["example"], reported["run", "TimedOut"]["share"]) == ("second", 2 / 3)


def integrations(*names: str) -> list[Row]:
    return [{"id": n, "name": name, "status": "active"} for n, name in enumerate(names)]


def test_reliability_counts_failures_in_a_row(build: Build) -> None:
    chance = random.Random(5)  # noqa: S311 - test data
    kinds = ("loaded", "nothing_new", "failed", "failed", "blocked", "busy")
    runs = []
    for name in ("shop", "till", "mail"):
        minutes = 0.0
        for number in range(40):
            minutes += chance.randrange(1, 90)
            status = "loaded" if name == "mail" else chance.choice(kinds)
            seconds = round(chance.random() * 9, 3)
            runs.append(run(number, status, minutes, integration=name, seconds=seconds, error_type=f"E{number}"))
    rows = build("integration_reliability", runs=runs, integrations=integrations("shop", "till", "mail", "new"))
    reported = {row["integration"]: row for row in rows["integration_reliability"]}
    last = max(each["ended_at"] for each in runs)
    for name in ("shop", "till", "mail"):
        ended = [each for each in runs if each["integration"] == name and each["status"] != "busy"]
        good = [each["status"] in ("loaded", "nothing_new") for each in ended]
        spans = [len(list(each)) for ok, each in groupby(good) if not ok]
        hours = recoveries(ended, good)
        row = reported[name]
        assert (row["runs"], row["succeeded"], row["outages"]) == (len(ended), sum(good), len(spans))
        assert row["most_failures_in_a_row"] == max(spans, default=0)
        assert row["failures_in_a_row"] == (0 if good[-1] else spans[-1])
        assert row["mean_hours_to_recover"] == (pytest.approx(sum(hours) / len(hours)) if hours else None)
        times = [each["seconds"] for each, ok in zip(ended, good, strict=True) if ok]
        assert (row["p50_seconds"], row["p95_seconds"]) == (rank(times, 50), rank(times, 95))
        success = max(each["ended_at"] for each, ok in zip(ended, good, strict=True) if ok)
        assert row["hours_since_success"] == pytest.approx((last - success).total_seconds() / 3600)
        errors = [each["error_type"] for each, ok in zip(ended, good, strict=True) if not ok]
        assert row["last_error_type"] == (errors[-1] if errors else None)
        assert row["busy"] == sum(each["integration"] == name and each["status"] == "busy" for each in runs)
    new = reported["new"]
    assert (new["runs"], new["success_rate"], new["failures_in_a_row"], new["last_status"]) == (0, None, 0, None)


def recoveries(ended: list[Row], good: list[bool]) -> list[float]:
    """Return the hours from the first failure of each row of them to the next success."""
    hours, began = [], None
    for each, ok in zip(ended, good, strict=True):
        if not ok:
            began = began or each["ended_at"]
        elif began:
            hours.append((each["ended_at"] - began).total_seconds() / 3600)
            began = None
    return hours


def test_an_integration_that_only_fails_never_recovered(build: Build) -> None:
    runs = [run(number, "failed", number) for number in range(3)]
    (row,) = build("integration_reliability", runs=runs, integrations=integrations("shop"))["integration_reliability"]
    assert (row["success_rate"], row["failures_in_a_row"], row["outages"]) == (0, 3, 1)
    assert (row["mean_hours_to_recover"], row["hours_since_success"], row["p50_seconds"]) == (None, None, None)


def test_days_of_runs_and_freshness_of_streams(build: Build) -> None:
    runs = [
        run(1, "loaded", 0, rows_inserted=3, rows_updated=2, rows_deleted=1, rows_quarantined=4, seconds=2.5),
        run(2, "busy", 1, seconds=None),
        run(3, "failed", 2, seconds=0.5),
        run(4, "nothing_new", 24 * 60),
    ]
    made = build("runs_daily", "stream_freshness", runs=runs, integrations=integrations("platform", "elsewhere"))
    first, second = sorted(made["runs_daily"], key=lambda row: row["day"])
    assert (first["runs"], first["loaded"], first["busy"], first["failed"], first["nothing_new"]) == (3, 1, 1, 1, 0)
    assert (first["rows_changed"], first["rows_quarantined"], first["seconds"], first["max_seconds"]) == (6, 4, 3, 2.5)
    assert (second["runs"], second["nothing_new"]) == (1, 1)
    reported = {(row["integration"], row["stream"]): row for row in made["stream_freshness"]}
    assert {key: row["rows"] for key, row in reported.items()} == {
        ("platform", "runs"): 4,
        ("platform", "integrations"): 2,
    }
    assert {(row["loads"], row["days_since_change"]) for row in reported.values()} == {(1, 0)}
