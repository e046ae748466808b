"""What the shipped models say about API calls, on both engines."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kit import shipped
from tests.kit.engines import ENGINES
from tests.kit.loaded import utc, warehouse_of
from tests.kit.shipped import some_models

NOW = utc(2026, 11, 20, 9)
HOSTS, PATHS = ("api.shop.example", "files.example:8443"), ("/v1/charges/{id}", "/v1/refunds", "/old")


def calls(chance: random.Random) -> list[dict[str, Any]]:
    result = []
    for number in range(200):
        path, status = chance.choice(PATHS), chance.choice([200, 200, 404, 429, None])
        limited = status is not None and chance.random() < 0.5
        versioned = status is not None and chance.random() < 0.5
        result.append(
            {
                "id": number,
                "integration": chance.choice(["shop", "till"]),
                "run_id": "r",
                "called_at": NOW - timedelta(seconds=chance.randrange(60)),  # some at the same instant
                "host": HOSTS[path == "/old"],
                "method": "GET",
                "path": path,
                "status": status,
                "rate_limit": chance.choice([100, 0, None]) if limited else None,
                "rate_remaining": chance.randrange(100) if limited else None,
                "rate_reset_at": NOW + timedelta(minutes=1) if limited else None,
                "version_asked": "2026-01-01" if versioned else None,
                "version_served": chance.choice(["2026-01-01", "2025-06-01"]) if versioned else None,
                "deprecated_at": NOW - timedelta(days=9) if versioned and path == "/old" else None,
                "sunset_at": NOW + timedelta(days=90) if versioned and path == "/old" else None,
            }
        )
    return result


@pytest.fixture(params=ENGINES)
def built(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Give the calls, and the rows of the models that read them."""
    made = calls(random.Random(3))  # noqa: S311 - test data
    models = some_models(tmp_path, ("rate_limits", "api_versions"), ("platform",))
    warehouse = warehouse_of(request.param, tmp_path, request)
    return made, shipped.built(warehouse, models, "platform", {"api_calls": made}, NOW)


def test_rate_limits(built: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    made, tables = built
    wanted: dict[tuple[str, str], dict[str, Any]] = {}
    for row in sorted(made, key=lambda row: (row["called_at"], row["id"])):
        if row["rate_remaining"] is not None:
            wanted[row["integration"], row["host"]] = row
    assert len(tables["rate_limits"]) == len(wanted) == 4
    for row in tables["rate_limits"]:
        last = wanted[row["integration"], row["host"]]
        same = ("rate_limit", "rate_remaining", "rate_reset_at")
        assert [row[name] for name in same] == [last[name] for name in same]
        assert row["told_at"] == last["called_at"]
        assert row["share_left"] == (last["rate_remaining"] / last["rate_limit"] if last["rate_limit"] else None)
        assert row["refused"] == sum(
            call["status"] == 429
            for call in made
            if (call["integration"], call["host"]) == (row["integration"], row["host"])
        )


def test_api_versions(built: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    made, tables = built
    key = ("integration", "host", "path")
    wanted: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in sorted(made, key=lambda row: (row["called_at"], row["id"])):
        if row["version_served"] is not None:
            wanted[tuple(row[name] for name in key)] = row
    assert len(tables["api_versions"]) == len(wanted) == 6
    for row in tables["api_versions"]:
        last = wanted[tuple(row[name] for name in key)]
        for name in ("version_asked", "version_served", "deprecated_at", "sunset_at"):
            assert row[name] == last[name], name
        of_path = [call for call in made if [call[name] for name in key] == [row[name] for name in key]]
        assert (row["told_at"], row["calls"]) == (last["called_at"], len(of_path))
        assert row["last_called_at"] == max(call["called_at"] for call in of_path)
