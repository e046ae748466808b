"""Buckets with versions and without, access, backups and totals on moto; a folder on WsgiDAV."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from leat.demo.servers.process import running
from leat.sources.cloud_storage.s3.pages import parse_page
from leat.sources.errors import NotConfigured, NotFound, Unauthenticated
from leat.sources.http.sigv4 import Keys, SigV4, signed_headers
from tests.kit.tables import NOW, Tables
from tests.servers.moto_server import start_moto
from tests.servers.wsgidav_server import files_of, start_wsgidav

SECRET = "planted-secret-81273"
URL_OF_ALL = "http://acs.amazonaws.com/groups/global/AllUsers"


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(start_moto(tmp_path_factory.mktemp("moto"))) as process:
        yield f"http://127.0.0.1:{process.port}"


@pytest.fixture
def s3(moto: str) -> Any:
    requests.post(f"{moto}/moto-api/reset", timeout=30)
    keys = {"aws_access_key_id": "AK", "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=moto, **keys)
    client.create_bucket(Bucket="company")
    return client


@pytest.fixture
def tables(moto: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tables:
    monkeypatch.setenv("S3_TEST_SECRET", SECRET)
    return Tables(
        "cloud_storage", "s3", {"url": moto, "access_key": "AK", "secret_key": {"env": "S3_TEST_SECRET"}}, tmp_path
    )


def versioning(s3: Any, status: str) -> None:
    s3.put_bucket_versioning(Bucket="company", VersioningConfiguration={"Status": status})


def put(s3: Any, key: str, content: bytes = b"x") -> None:
    s3.put_object(Bucket="company", Key=key, Body=content)


def test_versions_and_delete_markers(s3: Any, tables: Tables) -> None:
    versioning(s3, "Enabled")
    put(s3, "a", b"1")
    put(s3, "a", b"22")
    put(s3, "b")
    s3.delete_object(Bucket="company", Key="b")
    tables.run()
    assert tables.column("objects", "key") == ["a"]
    assert tables.column("objects", "size") == [2]
    assert sorted(tables.column("object_versions", "size")) == [1, 1, 2]
    assert tables.column("delete_markers", "is_latest") == [True]
    marker = tables.column("delete_markers", "version_id")[0]
    s3.delete_object(Bucket="company", Key="b", VersionId=marker)
    tables.run()
    assert tables.column("objects", "key") == ["a", "b"], "what was restored is there again"
    assert tables.table("delete_markers") == []
    assert tables.run() == []


def test_versioning_that_is_switched_on_and_suspended(s3: Any, tables: Tables) -> None:
    put(s3, "a")
    tables.run()
    assert (tables.column("buckets", "versioning"), tables.table("object_versions")) == (["off"], [])
    assert tables.column("objects", "version_id") == [None]
    versioning(s3, "Enabled")
    put(s3, "a", b"22")
    tables.run()
    assert len(tables.table("object_versions")) == 2
    versioning(s3, "Suspended")
    put(s3, "a", b"333")
    tables.run()
    assert tables.column("buckets", "versioning") == ["suspended"]
    assert tables.column("objects", "size") == [3]
    assert "null" in tables.column("object_versions", "version_id")


def test_uploads_in_parts_come_and_go(s3: Any, tables: Tables) -> None:
    upload = s3.create_multipart_upload(Bucket="company", Key="film é.mov")["UploadId"]
    tables.run()
    assert tables.column("multipart_uploads", "key") == ["film é.mov"]
    s3.abort_multipart_upload(Bucket="company", Key="film é.mov", UploadId=upload)
    tables.run()
    assert tables.table("multipart_uploads") == []


def test_shares_are_permissions_of_others(s3: Any, tables: Tables) -> None:
    condition = {"DateLessThan": {"aws:CurrentTime": "2026-12-31T00:00:00Z"}}
    partner = {"AWS": "arn:aws:iam::111122223333:user/Erin@Partner.example"}
    base = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Condition": condition}
    statement = {"Sid": "P", **base, "Principal": partner, "Resource": "arn:aws:s3:::company/sales/*"}
    denied = {"Sid": "D", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "*"}
    s3.put_bucket_policy(
        Bucket="company", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement, denied]})
    )
    tables.run()
    shares = tables.table("shares")
    assert {(row["prefix"], row["permission"]) for row in shares} == {
        ("sales/", "s3:GetObject"),
        ("sales/", "s3:PutObject"),
    }
    assert {row["email"] for row in shares} == {"erin@partner.example"}
    assert {row["expires_at"] for row in shares} == {datetime(2026, 12, 31, tzinfo=UTC)}
    assert "deny" in tables.column("permissions", "effect")
    assert tables.column("buckets", "is_public") == [False]
    s3.put_bucket_acl(Bucket="company", ACL="public-read")
    tables.run()
    assert tables.column("buckets", "is_public") == [True]
    assert [row["origin"] for row in tables.table("shares") if row["is_public"]] == ["acl"]
    s3.delete_bucket_policy(Bucket="company")
    s3.put_bucket_acl(Bucket="company", ACL="private")
    tables.run()
    assert tables.table("shares") == []


def test_lifecycle_rules(s3: Any, tables: Tables) -> None:
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30}}
    s3.put_bucket_lifecycle_configuration(Bucket="company", LifecycleConfiguration={"Rules": [rule]})
    tables.run()
    row = tables.table("lifecycle_rules")[0]
    assert (row["rule_id"], row["prefix"], row["expiration_days"]) == ("old", "logs/", 30)


def test_usage_and_quotas(s3: Any, tables: Tables) -> None:
    tables.connection["owners"] = [
        {"prefix": "a/", "email": "A@x.example"},
        {"prefix": "a/deep/", "email": "b@x.example"},
    ]
    tables.connection["quotas"] = [{"prefix": "a/", "bytes": 5}, {"owner": "b@x.example", "bytes": 100}]
    for key, content in (("a/1", b"123"), ("a/deep/2", b"1234"), ("c", b"12")):
        put(s3, key, content)
    tables.run()
    usage = {(row["prefix"], row["owner"]): row["bytes"] for row in tables.table("usage_daily") if row["prefix"]}
    assert usage == {("a/", "a@x.example"): 3, ("a/", "b@x.example"): 4}
    assert [(row["used_bytes"], row["is_over"]) for row in tables.table("quotas")] == [(4, False), (7, True)]
    s3.delete_object(Bucket="company", Key="a/deep/2")
    tables.run()
    assert ("company", "a/", "b@x.example", NOW.date()) not in tables.rows["usage_daily"]
    before = len(tables.table("usage_daily"))
    tables.run(NOW + timedelta(days=1))
    assert len(tables.table("usage_daily")) == 2 * before, "a day is added, the one before stays"
    assert tables.run(NOW + timedelta(days=1)) == []


def test_backups_and_their_tests(s3: Any, tables: Tables) -> None:
    tables.connection["backups"] = [{"name": "books", "bucket": "company", "prefix": "backups/books/"}]
    tables.connection["restore_tests"] = [{"bucket": "company", "prefix": "tests/"}]
    for key in ("a/1", "a/2", "b.dump"):
        put(s3, f"backups/books/{key}", b"123")
    good = {"backup": "books", "run": "a", "tested_at": "2026-11-02T08:00:00+01:00", "ok": True, "host": "h"}
    put(s3, "tests/1.json", json.dumps(good).encode())
    put(s3, "tests/2.json", b'{"backup": "books"}')
    put(s3, "tests/3.json", b"[" * 70_000)
    tables.run()
    assert [(row["run"], row["objects"], row["bytes"]) for row in tables.table("backup_runs")] == [
        ("a", 2, 6),
        ("b.dump", 1, 3),
    ]
    assert tables.column("restore_tests", "tested_at") == [datetime(2026, 11, 2, 7, tzinfo=UTC)]
    assert json.loads(tables.column("restore_tests", "extra")[0]) == {"host": "h"}
    assert sorted(each.key for each in tables.quarantined()) == ["company/tests/2.json", "company/tests/3.json"]
    assert tables.run() == []
    put(s3, "tests/2.json", json.dumps({**good, "ok": False}).encode())
    s3.delete_object(Bucket="company", Key="tests/1.json")
    tables.run()
    assert tables.column("restore_tests", "ok") == [False]


def test_empty_account_and_empty_bucket(s3: Any, tables: Tables) -> None:
    tables.run()
    assert (len(tables.table("buckets")), tables.table("objects")) == (1, [])
    assert tables.run() == []


def test_a_change_of_the_declaration_reads_everything_again(s3: Any, tables: Tables) -> None:
    put(s3, "a/1")
    tables.run()
    tables.connection["owners"] = [{"prefix": "a/", "email": "new@x.example"}]
    tables.run()
    assert tables.column("objects", "owner_email") == ["new@x.example"]


def test_nothing_new_imports_nothing_heavy(s3: Any, tables: Tables, moto: str) -> None:
    put(s3, "a/1")
    now = datetime.now(UTC)
    tables.run(now)
    program = f"""
import json, sys
from datetime import datetime
from pathlib import Path
from leat.sources.cloud_storage.s3 import driver as s3
from leat.sources.driver import Sync
connection = s3.Connection.model_validate(json.loads({json.dumps(json.dumps(tables.connection))}))
folder = Path({str(tables.folder)!r})
cursor = json.loads({json.dumps(json.dumps(tables.cursor))})
now = datetime.fromisoformat("{now.isoformat()}")
sync = Sync("cloud_storage", frozenset({sorted(tables.keys)!r}), cursor, folder, folder, now)
assert list(s3.extract(connection, sync)) == []
assert not {{"pyarrow", "pandas", "dlt", "boto3", "botocore"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_keys_that_are_missing_are_not_configured(tables: Tables) -> None:
    del tables.connection["secret_key"]
    with pytest.raises(NotConfigured, match="secret_key"):
        tables.run()


@pytest.mark.parametrize("path", ["/", "/company", "/company/a%20b/%C3%BC%2B.txt"])
@pytest.mark.parametrize("token", [None, "session+token/=="])
def test_signature_is_that_of_botocore(path: str, token: str | None) -> None:
    url = f"https://s3.example.com{path}?list-type=2&prefix=a%2Fb%20c&versions="
    mine = signed_headers("GET", url, b"body", {}, SigV4(Keys("AK", SECRET, token), "eu-west-1"), datetime.now(UTC))
    request = AWSRequest("GET", url, data=b"body")
    request.context["timestamp"] = mine["x-amz-date"]
    signer = S3SigV4Auth(Credentials("AK", SECRET, token), "s3", "eu-west-1")
    request.headers["X-Amz-Content-SHA256"] = mine["x-amz-content-sha256"]
    request.headers["X-Amz-Date"] = mine["x-amz-date"]
    if token:
        request.headers["X-Amz-Security-Token"] = token
    text = signer.string_to_sign(request, signer.canonical_request(request))
    assert mine["Authorization"].endswith(signer.signature(text, request))


def test_entries_that_differ_in_shape_are_all_read() -> None:
    entries = (
        b"<Contents><Key>a%0A</Key><Size>1</Size></Contents>"
        b"<Contents><Size>2</Size><Owner><ID>o</ID></Owner><Key>b</Key></Contents>"
    )
    page = parse_page(b"<ListBucketResult><EncodingType>url</EncodingType>" + entries + b"</ListBucketResult>")
    assert [line.split(b"\t")[0] for line in page.lines] == [b"a%0A", b"b"]
    assert [line.split(b"\t")[4] for line in page.lines] == [b"1", b"2"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Tables]]:
    monkeypatch.setenv("DAV_TEST_PASSWORD", SECRET)
    with running(start_wsgidav(tmp_path / "dav", {"office": SECRET})) as process:
        connection = {
            "url": f"http://127.0.0.1:{process.port}/",
            "username": "office",
            "password": {"env": "DAV_TEST_PASSWORD"},
        }
        yield files_of(tmp_path / "dav"), Tables("cloud_storage", "webdav", connection, tmp_path)


def test_webdav_folders(folder: tuple[Path, Tables], monkeypatch: pytest.MonkeyPatch) -> None:
    files, tables = folder
    odd = {"a b.txt", "ü+&.txt", "deep/er/100%.txt", "deep-er.txt"}
    for name in odd:
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        (files / name).write_text(name)
    tables.run()
    assert {key for _, key in tables.rows["objects"]} == odd
    assert tables.run() == []
    (files / "a b.txt").unlink()
    (files / "deep/er/new.txt").write_text("late")
    tables.run()
    assert {key for _, key in tables.rows["objects"]} == (odd - {"a b.txt"}) | {"deep/er/new.txt"}
    monkeypatch.setenv("DAV_TEST_PASSWORD", "revoked-password")
    with pytest.raises(Unauthenticated):
        tables.run()
    monkeypatch.setenv("DAV_TEST_PASSWORD", SECRET)
    tables.connection["url"] += "deep-er.txt"
    with pytest.raises(NotFound, match="folder"):
        tables.run()


def test_webdav_broken_report_and_owner(folder: tuple[Path, Tables]) -> None:
    files, tables = folder
    (files / "tests").mkdir()
    (files / "tests" / "1.json").write_text("no json")
    tables.connection |= {
        "bucket": "dav",
        "owners": [{"prefix": "tests/", "email": "o@x.example"}],
        "restore_tests": [{"bucket": "dav", "prefix": "tests/"}],
    }
    tables.run()
    assert [each.key for each in tables.quarantined()] == ["dav/tests/1.json"]
    assert tables.column("usage_daily", "owner") == ["o@x.example"]
