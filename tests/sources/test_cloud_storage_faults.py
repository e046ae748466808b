"""What a storage may do wrong, and what goes on while it is listed: nothing is missed, nothing is deleted in error."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sources.cloud_storage.changes import everything
from sources.cloud_storage.pages import Page
from sources.cloud_storage.shards import Fetch, list_bucket
from sources.cloud_storage.tables import Scope
from sources.driver import Sync
from sources.errors import (
    Forbidden,
    IntegrationError,
    NotFound,
    Rejected,
    Unauthenticated,
    Unavailable,
    UnexpectedShape,
)
from sources.events import Delete, FullScan, Rows
from tests.kit.tables import NOW, Tables
from tests.sources.bucket_fake import OLD, Objects, refused, serving
from tests.sources.calendar_faults import Reply

SECRET = "planted-secret-77120"


@pytest.fixture
def objects() -> Iterator[Objects]:
    with serving() as (storage, _):
        yield storage


@pytest.fixture
def tables(objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tables:
    monkeypatch.setenv("S3_TEST_SECRET", SECRET)
    keys = {"access_key": "AK", "secret_key": {"env": "S3_TEST_SECRET"}}
    return Tables("cloud_storage", "s3", {"url": objects.url, "in_flight": 3, **keys}, tmp_path)


def fill(objects: Objects, count: int, bucket: str = "b", folders: int = 5) -> None:
    for number in range(count):
        objects.put(bucket, f"f{number % folders}/{number:06}")


def test_late_files_are_found_whatever_their_time(objects: Objects, tables: Tables) -> None:
    fill(objects, 30)
    tables.run()
    objects.put("b", "f1/late", at="1999-01-01T00:00:00.000Z")
    tables.run()
    assert ("b", "f1/late") in tables.rows["objects"]
    assert len(tables.rows["objects"]) == 31


def test_object_replaced_with_same_size_and_time_is_found(objects: Objects, tables: Tables) -> None:
    fill(objects, 30)
    tables.run()
    objects.put("b", "f1/000001", etag="other", at=OLD)
    events = tables.run()
    assert tables.rows["objects"]["b", "f1/000001"]["etag"] == "other"
    assert sum(event.table.num_rows for event in events if isinstance(event, Rows) and event.stream == "objects") == 1


def test_nothing_new_yields_nothing_and_a_lost_cache_changes_nothing(objects: Objects, tables: Tables) -> None:
    fill(objects, 30)
    tables.run()
    before = dict(tables.rows["objects"])
    assert tables.run() == []
    for path in (tables.folder / "listings").iterdir():
        path.unlink()
    tables.run()
    assert tables.rows["objects"] == before


def test_listing_is_sharded_with_requests_in_flight(objects: Objects, tables: Tables) -> None:
    """Slow listings: each folder of a bucket is listed by itself, and no page twice as often as there are."""
    objects.page = 50
    fill(objects, 1_000)
    tables.run()
    assert len(tables.rows["objects"]) == 1_000
    assert {query.get("prefix", "") for query in objects.asked} == {"", *(f"f{n}/" for n in range(5))}
    assert len(objects.asked) < 1.5 * 1_000 / 50


def test_memory_does_not_grow_with_the_bucket(tmp_path: Path) -> None:
    def peak(count: int) -> float:
        """Return the most megabytes that Python and Arrow held while so many keys were listed and made into rows."""
        folder = tmp_path / str(count)
        folder.mkdir()
        scope, sync = Scope("b"), Sync("s", frozenset({"objects"}), None, folder, folder, NOW)
        arrow = 0
        tracemalloc.start()
        listing = list_bucket(endless(count), folder, folder / "lines", 4)
        assert listing.count == count
        for _event in everything(listing, scope, sync):
            arrow = max(arrow, pa.total_allocated_bytes())
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return (most + arrow) / 2**20

    small, large = peak(30_000), peak(120_000)
    assert large < 1.25 * small, (small, large)


def endless(count: int) -> Fetch:
    """Return what gives pages of a bucket with so many keys in four folders, without a server."""

    def fetch(params: Mapping[str, str]) -> Page:
        prefix = params["prefix"]
        if "delimiter" in params:
            return Page([], [] if prefix else ["0/", "1/", "2/", "3/"], None)
        start, end = (int(params.get("continuation-token", "0")), count if not prefix else count // 4)
        numbers = range(start, min(start + 1_000, end))
        lines = [b"%s%06d\t\tO\te\t1\t%s\t\t\t" % (prefix.encode() or b"0/", n, OLD.encode()) for n in numbers]
        return Page(lines, [], {"continuation-token": str(numbers.stop)} if numbers.stop < end else None)

    return fetch


def test_folders_are_grouped_where_there_are_many(objects: Objects, tables: Tables) -> None:
    objects.page = 300
    for number in range(290):
        for name in ("a", "b"):
            objects.put("b", f"{number:03}/{name}")
    objects.put("b", "0-at-the-top")
    tables.run()
    assert len(tables.rows["objects"]) == 581
    assert len(objects.asked) < 30, "not one request for each folder"


def test_changes_while_paging_lose_nothing_that_stays(objects: Objects, tables: Tables) -> None:
    objects.page = 10
    fill(objects, 100, folders=1)
    pages = iter(range(1, 1_000))

    def meddle(_bucket: str, query: dict[str, str]) -> Reply | None:
        if "list-type" in query:
            number = next(pages)
            objects.put("b", f"f0/{number * 7:06}-new")
            objects.buckets["b"].pop(f"f0/{number * 5:06}", None)
        return None

    objects.fault = meddle
    tables.run()
    stayed = {f"f0/{number:06}" for number in range(100)} & objects.buckets["b"].keys()
    assert stayed <= {key for _, key in tables.rows["objects"]}
    objects.fault = lambda *_: None
    tables.run()
    assert {key for _, key in tables.rows["objects"]} == objects.buckets["b"].keys()


def on_page(number: int, reply: Any) -> Any:
    seen: list[int] = []

    def fault(_bucket: str, query: dict[str, str]) -> Reply | None:
        if "list-type" not in query:
            return None
        seen.append(1)
        return reply if len(seen) >= number else None

    return fault


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (refused(403, "InvalidAccessKeyId"), Unauthenticated),
        (refused(400, "ExpiredToken"), Unauthenticated),
        (refused(403, "AccessDenied"), Forbidden),
        (refused(404, "NoSuchBucket"), NotFound),
        (refused(400, "AuthorizationHeaderMalformed"), Rejected),
        ((200, {}, b"<html>a page</html>"), UnexpectedShape),
        ((200, {}, b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a"), UnexpectedShape),
        ((200, {}, b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"), UnexpectedShape),
    ],
)
def test_failure_in_the_middle_of_a_listing_changes_nothing(
    reply: Reply, error: type[IntegrationError], objects: Objects, tables: Tables
) -> None:
    objects.page = 10
    fill(objects, 100)
    tables.run()
    cursor, rows = tables.cursor, dict(tables.rows["objects"])
    objects.buckets["b"].popitem()
    objects.fault = on_page(4, reply)
    with pytest.raises(error) as raised:
        tables.run()
    assert "bucket b" in str(raised.value)
    assert SECRET not in str(raised.value)
    assert (tables.cursor, tables.rows["objects"]) == (cursor, rows)
    objects.fault = lambda *_: None
    tables.run()
    assert len(tables.rows["objects"]) == 99


def test_server_that_stops_in_the_middle_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_TEST_SECRET", SECRET)
    with serving() as (objects, _):
        objects.page = 10
        fill(objects, 100)
        objects.fault = on_page(3, (200, {"Content-Length": "100000"}, b"<ListBucketResult>"))
        keys = {"access_key": "AK", "secret_key": {"env": "S3_TEST_SECRET"}}
        tables = Tables("cloud_storage", "s3", {"url": objects.url, "timeout": 1, **keys}, tmp_path)
        with pytest.raises(Unavailable):
            tables.run()
    assert tables.cursor is None


def test_listing_that_goes_round_in_circles_ends(objects: Objects, tables: Tables) -> None:
    fill(objects, 20)
    token = "<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>"
    entry = "<Contents><Key>a</Key><Size>1</Size></Contents>"
    body = f"<ListBucketResult>{token}{entry}</ListBucketResult>".encode()
    objects.fault = on_page(1, (200, {}, body))
    with pytest.raises(UnexpectedShape, match="circles"):
        tables.run()


def test_bucket_that_may_not_be_read_stops_the_run_by_name(objects: Objects, tables: Tables) -> None:
    fill(objects, 5, "open")
    fill(objects, 5, "secret-bucket")
    objects.fault = lambda bucket, _query: refused(403, "AccessDenied") if bucket == "secret-bucket" else None
    with pytest.raises(Forbidden, match="secret-bucket"):
        tables.run()
    tables.connection["buckets"] = ["open"]
    tables.run()
    assert {bucket for bucket, _ in tables.rows["objects"]} == {"open"}


def test_declared_bucket_that_is_gone_is_not_found(objects: Objects, tables: Tables) -> None:
    fill(objects, 5)
    tables.connection["buckets"] = ["b", "gone"]
    with pytest.raises(NotFound, match="gone"):
        tables.run()


def test_bucket_that_empties_is_left_to_the_guard(objects: Objects, tables: Tables) -> None:
    fill(objects, 100)
    tables.run()
    objects.buckets["b"].clear()
    events = tables.run()
    assert FullScan("objects", {"bucket": "b"}) in events
    assert not [event for event in events if isinstance(event, Delete) and event.stream == "objects"]


def test_bucket_that_vanishes_is_left_to_the_guard(objects: Objects, tables: Tables) -> None:
    fill(objects, 20)
    fill(objects, 20, "other")
    tables.run()
    del objects.buckets["b"]
    events = tables.run()
    assert FullScan("objects", {"bucket": "b"}) in events
    assert {bucket for bucket, _ in tables.rows["objects"]} == {"other"}


def test_few_deletes_are_single_events(objects: Objects, tables: Tables) -> None:
    fill(objects, 100)
    tables.run()
    del objects.buckets["b"]["f0/000000"]
    events = tables.run()
    assert Delete("objects", {"bucket": "b", "key": "f0/000000"}) in events
    assert len(tables.rows["objects"]) == 99


def test_broken_entry_is_quarantined_and_the_rest_is_loaded(objects: Objects, tables: Tables) -> None:
    fill(objects, 20)
    tables.run()
    objects.put("b", "f1/000001", size="many")
    objects.put("b", "f1/nul\x00", etag="x")
    objects.put("b", "f2/new")
    tables.run()
    assert sorted(each.key for each in tables.quarantined()) == ["f1/000001", "f1/nul%00"]
    assert ("b", "f2/new") in tables.rows["objects"]
    assert tables.rows["objects"]["b", "f1/000001"]["size"] == 1, "the last good row stays"


def test_odd_keys_survive(objects: Objects, tables: Tables) -> None:
    odd = {
        " lead",
        "a+b",
        "a b",
        "a%20b",
        "ü/é😀",
        "new\nline",
        "tab\there",
        "c\x01d",
        "q&r<s>",
        "a-b",
        "a/b",
        "x" * 1024,
    }
    for key in odd:
        objects.put("b", key)
    tables.run()
    assert {key for _, key in tables.rows["objects"]} == odd
    assert tables.run() == []
