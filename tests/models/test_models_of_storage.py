"""What the shipped models say about a storage, at the edges that the demo's lacks, on both engines."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from statistics import linear_regression
from typing import Any

import pytest

from leat.sources.cloud_storage.actions import RUN
from tests.kit.built import Row, build_shipped
from tests.kit.engines import ENGINES
from tests.kit.loaded import utc, warehouse_of

NOW = utc(2026, 11, 20, 9)
DAY = date(2026, 11, 20)
MD5 = "0123456789abcdef" * 2
Build = Callable[..., dict[str, list[Row]]]


@pytest.fixture(params=ENGINES)
def build(request: pytest.FixtureRequest, tmp_path: Path) -> Build:
    """Give a function that builds models from rows of streams of cloud storage, and of single sign-on if given."""
    warehouse = warehouse_of(request.param, tmp_path, request)

    def built(*names: str, sso: list[Row] | None = None, **streams: list[Row]) -> dict[str, list[Row]]:
        given: dict[str, Any] = {"cloud_storage": {"objects": [], "object_versions": [], **streams}}
        return build_shipped(
            warehouse, tmp_path / "project", names, given | ({} if sso is None else {"sso": {"users": sso}}), NOW
        )

    return built


def stored(key: str, **more: Any) -> Row:
    folder, slash, _ = key.partition("/")
    return {"bucket": "b", "key": key, "prefix": folder + slash if slash else "", "size": 1, **more}


def test_types_come_from_the_last_ending_of_the_name(build: Build) -> None:
    expected = {
        "a/Report.PDF": ("pdf", "document"),
        "a/b.c/archive.tar.gz": ("gz", "archive"),
        "a.b/plain": ("", "other"),
        ".profile": ("", "other"),
        "a/.env.json": ("json", "data"),
        "v1.the final draft": ("", "other"),
        "ends.": ("", "other"),
        "prices 2026 €.csv": ("csv", "table"),
        "x.unheardof": ("unheardof", "other"),
        "x.waytoolongending": ("", "other"),
        "folder/": ("", "other"),
    }
    rows = build("stored_files", objects=[stored(key) for key in expected])["stored_files"]
    assert {row["key"]: (row["extension"], row["type"]) for row in rows} == expected


def test_usage_counts_old_versions_apart(build: Build) -> None:
    rows = usage(build)
    reported = {(row["prefix"], row["owner"]): row for row in rows}
    names = ("objects", "bytes", "empty_objects", "noncurrent_objects", "noncurrent_bytes", "largest_bytes")
    assert [reported["d/", "ann@x.org"][name] for name in names] == [2, 10, 1, 1, 7, 10]
    assert [reported["", "1"][name] for name in names] == [0, 0, 0, 1, 5, None]
    assert sum(row["share_of_bytes"] for row in rows) == 1


def usage(build: Build) -> list[Row]:
    def version(key: str, number: str, latest: bool, **more: Any) -> Row:
        row = stored(key, version_id=number, is_latest=latest, **more)
        return {name: value for name, value in row.items() if name != "prefix"}

    objects = [
        stored("d/a.svg", size=10, owner_email="ann@x.org", owner_id="1"),
        stored("d/b.svg", size=0, owner_email="ann@x.org"),
        stored("gone.svg", size=99, _deleted_at=NOW),
    ]
    versions = [
        version("d/a.svg", "1", False, size=7, owner_email="ann@x.org"),
        version("d/a.svg", "2", True, size=10, owner_email="ann@x.org"),
        version("lost.svg", "1", False, size=5, owner_id="1"),
    ]
    return build("stored_files", "storage_usage", objects=objects, object_versions=versions)["storage_usage"]


def test_growth_sees_what_goes_and_comes_back(build: Build) -> None:
    def day(ago: int, prefix: str, size: int) -> Row:
        row = {"bucket": "b", "prefix": prefix, "owner": "o", "day": DAY - timedelta(days=ago), "objects": size // 10}
        return {**row, "bytes": size, "noncurrent_bytes": 0}

    rows = build(
        "storage_growth",
        usage_daily=[day(5, "a/", 100), day(4, "b/", 10), day(3, "b/", 10), day(0, "a/", 40), day(0, "b/", 70)],
    )["storage_growth"]
    reported = {(row["prefix"], (DAY - row["day"]).days): row for row in rows}
    assert set(reported) == {("a/", 5), ("a/", 4), ("a/", 0), ("b/", 4), ("b/", 3), ("b/", 0)}
    assert (reported["a/", 4]["bytes"], reported["a/", 4]["added_bytes"]) == (0, -100)
    assert (reported["a/", 0]["previous_day"], reported["a/", 0]["bytes_per_day"]) == (DAY - timedelta(days=4), 10)
    assert (reported["b/", 0]["added_bytes"], reported["b/", 0]["bytes_per_day"]) == (60, 20)
    assert reported["b/", 4]["added_bytes"] is None


def test_months_add_up(build: Build) -> None:
    times = [utc(2026, 1, 31, 23), utc(2026, 2, 1), utc(2026, 2, 28), None]
    objects = [stored(f"{n}.pdf", size=10, last_modified=at) for n, at in enumerate(times)]
    rows = build("stored_files", "storage_written", objects=objects)["storage_written"]
    assert sorted((row["month"], row["objects"], row["bytes_so_far"]) for row in rows) == [
        (date(2026, 1, 1), 1, 10),
        (date(2026, 2, 1), 2, 30),
    ]


def test_quotas_follow_a_straight_line(build: Build) -> None:
    chance = random.Random(7)  # noqa: S311 - test data
    usage_daily: list[Row] = [
        {"bucket": bucket, "prefix": prefix, "owner": owner, "day": DAY - timedelta(days=ago), "bytes": size}
        for ago in sorted(chance.sample(range(90), 40))
        for bucket, prefix, owner in [("b", "", "ann"), ("b", "p/", "ann"), ("b", "p/", "bob"), ("c", "p/", "ann")]
        if chance.random() < 0.9
        for size in [5_000_000_000 - ago * chance.randrange(1_000_000, 20_000_000)]
    ]
    scopes = [("", "", ""), ("b", "", ""), ("b", "p/", ""), ("", "p/", "ann"), ("", "", "bob"), ("c", "", "ann")]
    quotas = [
        {"bucket": b, "prefix": p, "owner": o, "limit_bytes": 40_000_000_000, "used_bytes": 4_500_000_000}
        for b, p, o in scopes
    ]
    rows = build("quota_forecast", usage_daily=usage_daily, quotas=quotas)["quota_forecast"]
    days = sorted({row["day"] for row in usage_daily})[-30:]
    for row in rows:
        scope = {name: row[name] for name in ("bucket", "prefix", "owner") if row[name]}
        sums = [sum(u["bytes"] for u in usage_daily if u["day"] == day and scope.items() <= u.items()) for day in days]
        slope = linear_regression([(day - days[-1]).days for day in days], sums).slope
        assert math.isclose(row["bytes_per_day"], slope, rel_tol=1e-9)
        assert (row["days_with_data"], row["first_day"], row["last_day"]) == (30, days[0], days[-1])
        left = math.ceil(35_500_000_000 / slope) if slope > 0 else None
        assert row["status"] == ("filling" if slope > 0 else "steady")
        assert row["days_left"] == (left if left and left <= 3650 else None)
        assert row["full_on"] == (days[-1] + timedelta(days=row["days_left"]) if row["days_left"] else None)
    assert {row["status"] for row in rows} >= {"filling"}


def test_quotas_that_need_no_forecast(build: Build) -> None:
    sizes = {"grows/": (10, 20), "slow/": (10, 10.0001), "shrinks/": (20, 10), "new/": (0, 10)}
    usage_daily = [
        {"bucket": "b", "prefix": prefix, "owner": "o", "day": DAY - timedelta(days=ago), "bytes": int(size * 10_000)}
        for prefix, pair in sizes.items()
        for ago, size in zip((1, 0), pair, strict=True)
        if size
    ]
    used = {"grows/": 200_000, "slow/": 100_001, "shrinks/": 100_000, "new/": 100_000, "over/": 9, "full/": 8, "no/": 0}
    limits = {"over/": 8, "full/": 8, "no/": 0, "slow/": 10_000_000}
    quotas = [
        {"bucket": "b", "prefix": p, "owner": "", "limit_bytes": limits.get(p, 300_000), "used_bytes": bytes_}
        for p, bytes_ in used.items()
    ]
    reported = {
        r["prefix"]: r for r in build("quota_forecast", usage_daily=usage_daily, quotas=quotas)["quota_forecast"]
    }
    assert {prefix: (row["status"], row["days_left"]) for prefix, row in reported.items()} == {
        "grows/": ("filling", 1),
        "slow/": ("filling", None),
        "shrinks/": ("steady", None),
        "new/": ("filling", 2),
        "over/": ("over", None),
        "full/": ("full", None),
        "no/": ("full", None),
    }
    assert reported["no/"]["used_share"] is None
    assert reported["grows/"]["full_on"] == DAY + timedelta(days=1)


def test_one_day_makes_no_line(build: Build) -> None:
    usage_daily = [{"bucket": "b", "prefix": "p/", "owner": "o", "day": DAY, "bytes": 5}]
    quotas = [{"bucket": "b", "prefix": "p/", "owner": "", "limit_bytes": 9, "used_bytes": 5}]
    (row,) = build("quota_forecast", usage_daily=usage_daily, quotas=quotas)["quota_forecast"]
    assert (row["status"], row["bytes_per_day"], row["full_on"]) == ("unknown", None, None)


def test_quotas_without_any_day_are_there(build: Build) -> None:
    quotas = [{"bucket": "b", "prefix": "", "owner": "", "limit_bytes": 9, "used_bytes": 5}]
    (row,) = build("quota_forecast", usage_daily=[], quotas=quotas)["quota_forecast"]
    assert (row["status"], row["days_with_data"], row["last_day"]) == ("unknown", 0, None)


def test_duplicates_are_reported_by_tags_of_content_alone(build: Build) -> None:
    objects = [
        stored("new.bin", etag=MD5, size=50, last_modified=utc(2026, 3, 1), owner_id="2"),
        stored("old.bin", etag=MD5.upper(), size=50, last_modified=utc(2026, 1, 1), owner_id="1"),
        stored("c.bin", bucket="c", etag=MD5, size=50, last_modified=utc(2026, 2, 1), owner_id="1"),
        stored("other size", etag=MD5, size=51),
        stored("parts 1", etag=f"{MD5}-3", size=900, last_modified=utc(2026, 1, 1)),
        stored("parts 2", etag=f"{MD5}-3", size=900, last_modified=utc(2026, 1, 1)),
        stored("webdav 1", etag="900-1234", size=900),
        stored("webdav 2", etag="900-1234", size=900),
        stored("empty 1", etag="d41d8cd98f00b204e9800998ecf8427e", size=0),
        stored("empty 2", etag="d41d8cd98f00b204e9800998ecf8427e", size=0),
        stored("gone", etag=MD5, size=50, _deleted_at=NOW),
        stored("untagged", etag=None, size=50),
    ]
    rows = build("stored_files", "storage_duplicates", objects=objects)["storage_duplicates"]
    whole, parts = sorted(rows, key=lambda row: row["in_parts"])
    assert (whole["copies"], whole["buckets"], whole["owners"], whole["wasted_bytes"]) == (3, 2, 2, 100)
    assert (whole["first_key"], whole["last_key"], whole["last_bucket"]) == ("old.bin", "new.bin", "b")
    assert (parts["copies"], parts["wasted_bytes"], parts["first_key"]) == (2, 900, "parts 1")


def test_cold_begins_with_the_day(build: Build) -> None:
    ages = {timedelta(days=89, hours=23): 1, timedelta(days=90): 2, timedelta(days=180): 4, timedelta(days=365): 8}
    ages[-timedelta(days=2)] = 16  # a clock that is ahead
    objects = [stored(f"d/{size}", size=size, last_modified=NOW - age) for age, size in ages.items()]
    (row,) = build("stored_files", "cold_data", objects=objects)["cold_data"]
    assert [row[f"bytes_{days}_days"] for days in (90, 180, 365)] == [14, 12, 8]
    assert (row["oldest_days"], row["newest_days"], row["objects_365_days"]) == (365, 0, 1)
    assert row["share_365_days"] == 8 / 31


def shared(prefix: str, principal: str, **more: Any) -> Row:
    row = {"bucket": "b", "prefix": prefix, "principal": principal, "permission": "READ", "origin": "acl"}
    return {**row, "is_public": principal == "*", **more}


OPEN = [
    shared("d/sub/", "*"),
    shared("d/s", "1234"),
    shared("to", "5678"),
    shared("", "ann", email="Ann@X.org"),
    shared("nothing/", "lea", email="lea@x.org"),
    shared("d/", "old", expires_at=NOW - timedelta(days=1)),
    shared("d/", "soon", expires_at=NOW + timedelta(days=1)),
]
REACHED = [stored("d/sub/1", size=1), stored("d/s2", size=2), stored("top", size=4), stored("e/1", bucket="c", size=8)]


def test_shares_reach_what_is_beneath_them(build: Build) -> None:
    users = [
        {"id": "1", "email": "ann@x.org", "active": True},
        {"id": "0", "email": "ANN@x.org", "active": False},
        {"id": "2", "email": "lea@x.org", "active": False},
    ]
    rows = build("open_shares", objects=REACHED, shares=OPEN, sso=users)["open_shares"]
    assert {row["principal"]: (row["kind"], row["user_id"], row["objects"], row["bytes"]) for row in rows} == {
        "*": ("public", None, 1, 1),
        "1234": ("foreign", None, 2, 3),
        "5678": ("foreign", None, 1, 4),
        "ann": ("user", "1", 3, 7),
        "lea": ("leaver", "2", 0, 0),
        "soon": ("foreign", None, 2, 3),
    }


def test_shares_are_reported_without_single_sign_on(build: Build) -> None:
    rows = build("open_shares", objects=REACHED, shares=OPEN)["open_shares"]
    assert {row["kind"] for row in rows} == {"public", "foreign"}


def test_backups_say_what_is_wrong_with_them(build: Build) -> None:
    def run(backup: str, days: float, size: int = 10) -> Row:
        return {"backup": backup, "run": f"{days}", "bytes": size, "objects": 1, "ended_at": NOW - timedelta(days=days)}

    def test(backup: str, days: float, ok: bool = True) -> Row:
        return {
            "bucket": "b",
            "key": f"{backup}{days}",
            "backup": backup,
            "tested_at": NOW - timedelta(days=days),
            "ok": ok,
        }

    names = ["good", "empty", "late", "untested", "failed", "stale"]
    last = {"empty": run("empty", 1, 0), "late": run("late", 8)}
    runs = [last.get(name, run(name, 7.5)) for name in names] + [run("good", 9, 5), run("good", 12, 5)]
    tests = [test("good", 90), test("good", 95, ok=False), test("empty", 1), test("late", 1), test("stale", 91)]
    objects: list[Row] = []
    tests += [test("failed", 5), test("failed", 4, ok=False), test("vanished", 1)]
    own = "20261119T090000Z-0f3k2p9s"
    assert RUN.fullmatch(own), "this is how leat names its runs"
    for name, folder in (("ours", "a/ours"), ("half", "b")):
        runs.append({**run(name, 1), "run": own.replace("0f", name[:2]), "bucket": "b"})
        tests.append({**test(name, 2), "run": "20261118T090000Z-0f3k2p9s"})
        objects.append({"bucket": "b", "key": f"{folder}/{runs[-1]['run']}/objects/manifest.json"})
    objects.append({"bucket": "b", "key": f"a/ours/{own.replace('0f', 'ou')}/manifest.json"})
    rows = build("backup_coverage", backup_runs=runs, restore_tests=tests, objects=objects)["backup_coverage"]
    reported = {row["backup"]: row for row in rows}
    assert {name: row["reason"] for name, row in reported.items()} == {
        "good": None,
        "empty": "the last run is empty",
        "late": "no run for more than 7 days",
        "untested": "never restored",
        "failed": "the last restore test failed",
        "stale": "not restored for more than 90 days",
        "vanished": "no run exists",
        "ours": None,
        "half": "the last run is incomplete",
    }
    assert {name for name, row in reported.items() if row["covered"]} == {"good", "ours"}
    ours = reported["ours"]
    assert (ours["last_run_by_leat"], ours["last_run_complete"], ours["runs_since_success"]) == (True, True, 1)
    assert ours["last_success_run"] == "20261118T090000Z-0f3k2p9s"
    assert (reported["late"]["last_run_by_leat"], reported["late"]["last_run_complete"]) == (False, None)
    good = reported["good"]
    assert (good["runs"], good["bytes"], good["size_ratio"], good["longest_gap_days"]) == (3, 20, 2, 3)
    assert (good["last_run_age_days"], good["last_success_age_days"], good["last_test_ok"]) == (7, 90, True)
