"""What a storage may do wrong, and what goes on while it is listed: nothing is missed, nothing is deleted in error."""

from __future__ import annotations

import shutil
import tracemalloc
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from leat.sources.cloud_storage.changes import everything
from leat.sources.cloud_storage.s3.pages import Page
from leat.sources.cloud_storage.shards import Fetch, list_bucket
from leat.sources.cloud_storage.tables import Scope
from leat.sources.driver import Sync
from leat.sources.errors import (
    Forbidden,
    IntegrationError,
    NotFound,
    RateLimited,
    Rejected,
    Unauthenticated,
    Unavailable,
    UnexpectedShape,
)
from leat.sources.events import Delete, Event, Failed, FullScan, Listed, Rows
from tests.kit.tables import NOW, Tables
from tests.sources.bucket_fake import OLD, Objects, refused, serving
from tests.sources.calendar_faults import Reply, faulty

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


def scans(events: list[Event], stream: str) -> list[FullScan]:
    return [event for event in events if isinstance(event, FullScan) and event.stream == stream]


def fill(objects: Objects, count: int, bucket: str = "b", folders: int = 5) -> None:
    for number in range(count):
        objects.put(bucket, f"f{number % folders}/{number:06}")


def test_late_files_are_detected_whatever_their_time(objects: Objects, tables: Tables) -> None:
    fill(objects, 30)
    tables.run()
    objects.put("b", "f1/late", at="1999-01-01T00:00:00.000Z")
    tables.run()
    assert ("b", "f1/late") in tables.rows["objects"]
    assert len(tables.rows["objects"]) == 31


def test_object_replaced_with_same_size_and_time_is_detected(objects: Objects, tables: Tables) -> None:
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
    shutil.rmtree(tables.folder / "listings")
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


def test_a_bucket_that_fails_stops_no_other(objects: Objects, tables: Tables) -> None:
    for bucket in ("a-first", "closed", "open"):
        fill(objects, 5, bucket)
    tables.connection["backups"] = [{"name": "nightly", "bucket": "open", "prefix": "f1/"}]
    tables.run()
    assert tables.run() == []
    for bucket in objects.buckets:
        objects.put(bucket, "new")
    objects.fault = lambda bucket, _query: refused(403, "AccessDenied") if bucket == "closed" else None
    before = tables.cursor
    events = tables.run()
    failed = [event for event in events if isinstance(event, Failed)]
    assert {(event.stream, event.where.get("bucket")) for event in failed} == {
        *((name, "closed") for name in ("objects", "object_versions", "delete_markers", "restore_tests", "buckets")),
        *(
            (name, "closed")
            for name in ("permissions", "shares", "lifecycle_rules", "multipart_uploads", "usage_daily")
        ),
        ("quotas", None),
        ("backup_runs", None),
    }
    assert all("bucket closed" in str(event.error) for event in failed)
    counts = [sum(bucket == name for bucket, _ in tables.rows["objects"]) for name in ("a-first", "closed", "open")]
    assert counts == [6, 5, 6]
    assert set(tables.column("buckets", "bucket")) == {"a-first", "closed", "open"}
    assert "closed" in {row["bucket"] for row in tables.table("usage_daily")}
    assert tables.cursor["listings"]["closed"] == before["listings"]["closed"]
    assert {type(event) for event in tables.run()} == {Failed}, "it is said again, nothing else"
    objects.fault = lambda *_: None
    tables.run()
    assert len(tables.rows["objects"]) == 18
    assert tables.run() == []


def test_a_bucket_that_was_never_read_fails_alone(objects: Objects, tables: Tables) -> None:
    fill(objects, 5, "open")
    objects.put("open", "a")
    tables.connection["buckets"] = ["gone", "open"]
    events = tables.run()
    assert {event.where.get("bucket") for event in events if isinstance(event, Failed)} == {"gone", None}
    assert {bucket for bucket, _ in tables.rows["objects"]} == {"open"}
    tables.connection["buckets"] = ["gone"]
    with pytest.raises(NotFound, match="gone"):
        tables.run()


def test_a_server_that_fails_for_one_bucket_after_the_other_stops_the_run(objects: Objects, tables: Tables) -> None:
    for bucket in ("a", "b", "c"):
        fill(objects, 3, bucket)
    objects.fault = lambda bucket, _query: (503, {"Retry-After": "3600"}, b"") if bucket else None
    with pytest.raises(RateLimited):
        tables.run()


def test_bucket_that_empties_is_left_to_the_guard(objects: Objects, tables: Tables) -> None:
    fill(objects, 100)
    tables.run()
    objects.buckets["b"].clear()
    events = tables.run()
    assert "b" in {event.where.get("bucket") for event in scans(events, "objects")}
    assert not [event for event in events if isinstance(event, Delete) and event.stream == "objects"]


def test_bucket_that_vanishes_is_left_to_the_guard(objects: Objects, tables: Tables) -> None:
    fill(objects, 20)
    fill(objects, 20, "other")
    tables.run()
    del objects.buckets["b"]
    events = tables.run()
    assert "b" in {event.where.get("bucket") for event in scans(events, "objects")}
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


# what proves a listing, and odd keys


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("", "IsTruncated is missing"),
        ("<IsTruncated></IsTruncated>", "IsTruncated is missing"),
        ("<IsTruncated>perhaps</IsTruncated>", "IsTruncated is missing"),
        ("<IsTruncated>TRUE</IsTruncated>", "not where to go on"),
        ("<IsTruncated>true</IsTruncated><NextMarker>a</NextMarker>", "not where to go on"),
        ("<IsTruncated>false</IsTruncated><KeyCount>2</KeyCount>", "counts 2 keys and has 1"),
        ('<IsTruncated>false</IsTruncated><Contents id="1"><Key>b</Key></Contents>', "cut off"),
        ("<IsTruncated>false</IsTruncated><x:Contents><x:Key>b</x:Key></x:Contents>", "a form that can't be read"),
        ("<IsTruncated>false</IsTruncated><Contents/>", "a form that can't be read"),
    ],
)
def test_a_page_that_does_not_say_that_it_is_the_last_isnt(
    objects: Objects, tables: Tables, head: str, words: str
) -> None:
    fill(objects, 3)
    tables.run()
    rows = dict(tables.rows["objects"])
    entry = "<Contents><Key>a</Key><Size>1</Size></Contents>"
    objects.fault = on_page(1, (200, {}, f"<ListBucketResult>{head}{entry}</ListBucketResult>".encode()))
    with pytest.raises(UnexpectedShape, match=words):
        tables.run()
    assert tables.rows["objects"] == rows


def test_fresh_tokens_to_the_same_pages_end(objects: Objects, tables: Tables) -> None:
    fill(objects, 3)
    number = iter(range(10_000))

    def alternate(_bucket: str, query: dict[str, str]) -> Reply | None:
        if "list-type" not in query:
            return None
        count = next(number)
        more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>t{count}</NextContinuationToken>"
        entry = f"<Contents><Key>{'ab'[count % 2]}</Key><Size>1</Size></Contents>"
        return 200, {}, f"<ListBucketResult>{more}{entry}</ListBucketResult>".encode()

    objects.fault = alternate
    with pytest.raises(UnexpectedShape, match="a page came twice"):
        tables.run()
    assert next(number) == 3


def test_empty_pages_may_come_but_not_for_ever(tmp_path: Path) -> None:
    pages = iter(range(10_000))

    def fetch(_params: Mapping[str, str]) -> Page:
        number = next(pages)
        return Page([b"k\t\tO\te\t1\t\t\t\t"] if number == 7 else [], [], {"continuation-token": str(number)}, False)

    with pytest.raises(ValueError, match="1001 empty pages in a row"):
        list_bucket(fetch, tmp_path, tmp_path / "lines", 1)


def test_what_proved_a_listing_is_reported(objects: Objects, tables: Tables) -> None:
    objects.page = 10
    for number in range(35):
        objects.put("flat", f"k{number}")
    fill(objects, 60, "folders", folders=5)
    events = tables.run()
    assert {event.where["bucket"]: event.because for event in scans(events, "objects")} == {
        "flat": "IsTruncated false on page 4",
        "folders": "IsTruncated false at the end of each of 6 prefixes",
    }
    objects.put("flat", "new")
    listed = [event for event in tables.run() if isinstance(event, Listed) and event.stream == "objects"]
    assert [event.because for event in listed] == ["flat: IsTruncated false on page 4"]


@pytest.mark.parametrize(
    ("written", "key"),
    [
        (b"a&#1;b", "a\x01b"),
        (b"a&#x1F;b", "a\x1fb"),
        (b"a&#128;b", "a\x80b"),
        (b"a&#xD83D;&#xDE00;b", "a\U0001f600b"),
        (b"&amp;lt;&lt;&quot;&apos;&gt;", "&lt;<\"'>"),
        (b"&copy=1&nbsp;", "&copy=1&nbsp;"),
        (b"a\tb\nc", "a\tb\nc"),
        (b"%41+b", "%41+b"),
        (b"..", ".."),
        (b"a/../b/", "a/../b/"),
        (b"/", "/"),
        (b" ", " "),
    ],
)
def test_a_key_is_what_the_server_wrote(objects: Objects, tables: Tables, written: bytes, key: str) -> None:
    fill(objects, 1)
    body = b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>%s</Key><Size>1</Size></Contents>"
    objects.fault = on_page(1, (200, {}, body % written + b"</ListBucketResult>"))
    tables.run()
    assert [key_ for _, key_ in tables.rows["objects"]] == [key]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (b"<Key></Key><Size>1</Size>", "the server's entry has no Key"),
        (b"<Size>1</Size>", "the server's entry has no Key"),
        (b"<Key>a&#xD800;b</Key><Size>1</Size>", "key is no text in UTF-8"),
        (b"<Key>\xff\xfe</Key><Size>1</Size>", "key is no text in UTF-8"),
        (b"<Key>a&#0;b</Key><Size>1</Size>", "its name holds a NUL, which no warehouse can store"),
        (b"<Key>a</Key><Size>planted</Size>", "size is no number"),
        (b"<Key>a</Key><Size>99999999999999999999999</Size>", None),
        (b"<Key>a</Key><Size>1</Size><LastModified>planted</LastModified>", "last_modified is no time"),
        (b"<Key>a</Key><Size>1</Size><ETag>\xff</ETag>", "etag is no text in UTF-8"),
    ],
)
def test_one_odd_entry_stops_no_bucket(objects: Objects, tables: Tables, entry: bytes, reason: str | None) -> None:
    fill(objects, 1)
    whole = b"".join(b"<Contents><Key>%s</Key><Size>1</Size></Contents>" % key for key in (b"before", b"zz"))
    head = b"<ListBucketResult><IsTruncated>false</IsTruncated>"
    objects.fault = on_page(1, (200, {}, head + whole + b"<Contents>" + entry + b"</Contents></ListBucketResult>"))
    tables.run()
    assert [key for _, key in tables.rows["objects"]] == ["before", "zz"]
    (bad,) = tables.quarantined()
    assert "planted" not in bad.reason
    assert reason in (None, bad.reason)
    assert scans(tables.events, "objects") == []


def test_a_prefix_that_is_no_text_is_listed_and_signed(objects: Objects, tables: Tables) -> None:
    objects.page = 3
    for number in range(6):
        objects.put("b", f"good/{number}")
    seen: list[str] = []

    def odd(_bucket: str, query: dict[str, str]) -> Reply | None:
        if "list-type" not in query:
            return None
        seen.append(query["prefix"])
        head = "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"
        if query.get("delimiter"):
            prefixes = "".join(
                f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>" for name in ("%FFx/", "good/")
            )
            return 200, {}, f"{head}{prefixes}</ListBucketResult>".encode()
        if query["prefix"].endswith("x/"):
            return 200, {}, f"{head}<Contents><Key>%FFx/1</Key><Size>1</Size></Contents></ListBucketResult>".encode()
        return None

    objects.fault = odd
    tables.run()
    assert "\ufffdx/" in seen, "as bytes that are no UTF-8"
    assert {key for _, key in tables.rows["objects"]} == {f"good/{number}" for number in range(6)}
    assert [bad.reason for bad in tables.quarantined()] == ["key is no text in UTF-8"]


def test_odd_rows_about_a_bucket_stop_nothing(objects: Objects, tables: Tables) -> None:
    fill(objects, 2)
    uploads = (
        b"<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>"
        b"<Upload><Key>a</Key><UploadId>1</UploadId><Initiated>planted</Initiated></Upload>"
        b"<Upload><Key>b</Key><UploadId>2</UploadId></Upload></ListMultipartUploadsResult>"
    )
    objects.fault = lambda _bucket, query: (200, {}, uploads) if "uploads" in query else None
    tables.run()
    assert tables.column("multipart_uploads", "key") == ["b"]
    (bad,) = tables.quarantined()
    assert (bad.stream, bad.key) == ("multipart_uploads", "a")
    assert "planted" not in bad.reason
    assert len(tables.rows["objects"]) == 2


# WebDAV


def dav(href: str, folder: bool = False, modified: str = "Mon, 02 Mar 2026 10:00:00 GMT", size: str = "1") -> str:
    kind = "<D:resourcetype><D:collection/></D:resourcetype>" if folder else "<D:resourcetype/>"
    more = f"<D:getcontentlength>{size}</D:getcontentlength><D:getlastmodified>{modified}</D:getlastmodified>"
    properties = f"<D:prop>{kind}{'' if folder else more}</D:prop><D:status>HTTP/1.1 200 OK</D:status>"
    return f"<D:response><D:href>{href}</D:href><D:propstat>{properties}</D:propstat></D:response>"


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[tuple[dict[str, list[str]], Tables]]:
    """Give a WebDAV server's answers by path, each without the folder itself, and what reads it."""
    answers: dict[str, list[str]] = {}

    def answer(_method: str, path: str, _body: str) -> Reply:
        members = "".join(answers.get(path, [])) if path in answers else None
        if members is None:
            return 404, {}, b""
        body = f'<D:multistatus xmlns:D="DAV:">{dav(path, True)}{members}</D:multistatus>'
        return 207, {"Content-Type": "application/xml"}, body.encode()

    with faulty() as server:
        server.fault = answer
        yield answers, Tables("cloud_storage", "webdav", {"url": f"{server.url}dav/", "bucket": "dav"}, tmp_path)


def test_odd_members_of_a_folder_stop_nothing(shelf: tuple[dict[str, list[str]], Tables]) -> None:
    answers, tables = shelf
    answers["/dav/"] = [
        dav("/dav/a%20b"),
        dav("/dav/a#b?c"),
        dav("/dav/%FF"),
        dav("/dav/size", size="planted"),
        dav("/dav/time", modified="planted"),
        dav("/dav/naive", modified="Mon, 02 Mar 2026 10:00:00 -0000"),
        dav("/dav/year", modified="Mon, 02 Mar 99999 10:00:00 GMT"),
        dav("/dav/../", True),
        dav("/dav/%2e%2e/", True),
        dav("/dav/sub/", True),
    ]
    answers["/dav/sub/"] = [dav("/dav/sub/x"), dav("/dav/sub/.."), dav("/dav/sub/%2e/", True)]
    tables.run()
    assert {key for _, key in tables.rows["objects"]} == {"a b", "a#b?c", "naive", "sub/x", "sub/.."}
    reasons = {bad.key: bad.reason for bad in tables.quarantined()}
    assert reasons["size"] == "size is no number"
    assert reasons["time"] == reasons["year"] == "last_modified is no time"
    assert "a step" in reasons["../"]
    assert "a step" in reasons["sub/./"]
    assert tables.rows["objects"]["dav", "naive"]["last_modified"].hour == 10
    answers["/dav/"] = answers["/dav/"][:2]
    events = tables.run()
    because = {event.because for event in events if isinstance(event, Listed) and event.stream == "objects"}
    assert because == {"dav: an answer for each of 1 folders"}


def test_an_answer_about_nothing_is_no_listing(shelf: tuple[dict[str, list[str]], Tables]) -> None:
    answers, tables = shelf
    answers["/dav/"] = [dav("/dav/a"), dav("/dav/sub/", True)]
    answers["/dav/sub/"] = [dav("/dav/sub/x")]
    tables.run()
    rows = dict(tables.rows["objects"])

    def empty(_method: str, path: str, _body: str) -> Reply | None:
        if path == "/dav/sub/":
            return 207, {}, b'<D:multistatus xmlns:D="DAV:"/>'
        return (
            207,
            {},
            f'<D:multistatus xmlns:D="DAV:">{dav(path, True)}{dav("/dav/sub/", True)}</D:multistatus>'.encode(),
        )

    with faulty() as server:
        server.fault = empty  # type: ignore[assignment]
        tables.connection["url"] = f"{server.url}dav/"
        with pytest.raises(UnexpectedShape, match="an answer about nothing"):
            tables.run()
    assert tables.rows["objects"] == rows
