"""SeaweedFS with a bucket with versions and one that doesn't; read back and changed by boto3."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from leat.demo.servers.seaweedfs import start_seaweedfs
from tests.contract.served import served
from tests.contract.world import MAIL, PERSON, REFUSED, SECRET, Keys, Row, Step, World

ACCESS_KEY = "AKIACONTRACT"
VERSIONED, PLAIN = "kept", "plain"
_STRANGER = f"arn:aws:iam::111122223333:user/{MAIL}"
_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "Partner",
            "Effect": "Allow",
            "Principal": {"AWS": _STRANGER},
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{PLAIN}/press/*",
        }
    ],
}
_RULE = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30}}
_REPORT = {"backup": "books", "run": "2026-a", "tested_at": "2026-11-02T08:00:00Z", "ok": True}
DECLARED = {
    "owners": [{"prefix": "press/", "email": MAIL}],
    "quotas": [{"bucket": PLAIN, "bytes": 1_000}],
    "backups": [{"name": "books", "bucket": PLAIN, "prefix": "backups/books/"}],
    "restore_tests": [{"bucket": PLAIN, "prefix": "tests/"}],
}


@dataclass
class _Storage:
    s3: Any

    def put(self, bucket: str, key: str, content: bytes) -> None:
        self.s3.put_object(Bucket=bucket, Key=key, Body=content)

    def seed(self) -> None:
        for bucket in (VERSIONED, PLAIN):
            self.s3.create_bucket(Bucket=bucket)
        self.s3.put_bucket_versioning(Bucket=VERSIONED, VersioningConfiguration={"Status": "Enabled"})
        for content in (b"one", b"second"):
            self.put(VERSIONED, "docs/a.txt", content)
            self.put(VERSIONED, "docs/b c+ü.txt", content)
        self.s3.delete_object(Bucket=VERSIONED, Key="docs/a.txt")
        for key in ("press/lamp.jpg", "backups/books/2026-a/1.dump", "backups/books/2026-a/2.dump", "a/b", "a-b"):
            self.put(PLAIN, key, b"x" * len(key))
        self.put(PLAIN, "tests/1.json", json.dumps({**_REPORT, "tested_by_email": MAIL, "who": PERSON}).encode())
        self.s3.put_bucket_policy(Bucket=PLAIN, Policy=json.dumps(_POLICY))
        self.s3.put_bucket_lifecycle_configuration(Bucket=PLAIN, LifecycleConfiguration={"Rules": [_RULE]})
        self.s3.create_multipart_upload(Bucket=PLAIN, Key="press/film.mov")

    def keys(self) -> dict[str, Keys]:
        expected: dict[str, set[tuple[Any, ...]]] = {name: set() for name in _COLUMNS}
        for bucket in (VERSIONED, PLAIN):
            expected["buckets"].add((bucket,))
            listed = self.s3.list_objects_v2(Bucket=bucket).get("Contents", ())
            expected["objects"] |= {(bucket, each["Key"]) for each in listed}
            uploads = self.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", ())
            expected["multipart_uploads"] |= {(bucket, each["Key"], each["UploadId"]) for each in uploads}
            for each in self.s3.get_bucket_acl(Bucket=bucket)["Grants"]:
                expected["permissions"].add((bucket, each["Grantee"]["ID"], each["Permission"], "acl", ""))
            folders = {(each["Key"].rpartition("/")[0] + "/").partition("/")[0] for each in listed}
            expected["usage_daily"] |= {(bucket, f"{folder}/" if folder else "") for folder in folders}
        versions = self.s3.list_object_versions(Bucket=VERSIONED)
        for stream, name in (("object_versions", "Versions"), ("delete_markers", "DeleteMarkers")):
            expected[stream] = {(VERSIONED, each["Key"], each["VersionId"]) for each in versions.get(name, ())}
        expected["permissions"].add((PLAIN, _STRANGER, "s3:GetObject", "policy Partner", "press/"))
        expected["shares"] = {(PLAIN, "press/", _STRANGER, "s3:GetObject", "policy Partner")}
        expected["lifecycle_rules"] = {(PLAIN, "old")}
        expected["quotas"], expected["backup_runs"] = {(PLAIN, "", "")}, {("books", "2026-a")}
        expected["restore_tests"] = {(PLAIN, "tests/1.json")}
        return {name: Keys(columns, frozenset(expected[name])) for name, columns in _COLUMNS.items()}

    def add(self) -> Step:
        self.put(VERSIONED, "docs/new one.txt", b"first")
        return Step(_touched(), [("objects", {"key": "docs/new one.txt", "size": 5})])

    def change(self) -> Step:
        self.put(VERSIONED, "docs/new one.txt", b"other")
        seen: list[tuple[str, Row]] = [("object_versions", {"key": "docs/new one.txt", "is_latest": True})]
        return Step(_touched(), [*seen, ("object_versions", {"key": "docs/new one.txt", "is_latest": False})])

    def delete(self) -> Step:
        self.s3.delete_object(Bucket=VERSIONED, Key="docs/new one.txt")
        seen: list[tuple[str, Row]] = [("delete_markers", {"key": "docs/new one.txt", "is_latest": True})]
        return Step(_touched(), seen, [("objects", {"key": "docs/new one.txt"})])


_COLUMNS = {
    "buckets": ("bucket",),
    "objects": ("bucket", "key"),
    "object_versions": ("bucket", "key", "version_id"),
    "delete_markers": ("bucket", "key", "version_id"),
    "multipart_uploads": ("bucket", "key", "upload_id"),
    "permissions": ("bucket", "principal", "permission", "origin", "prefix"),
    "shares": ("bucket", "prefix", "principal", "permission", "origin"),
    "usage_daily": ("bucket", "prefix"),
    "quotas": ("bucket", "prefix", "owner"),
    "lifecycle_rules": ("bucket", "rule_id"),
    "backup_runs": ("backup", "run"),
    "restore_tests": ("bucket", "key"),
}


def _touched() -> dict[str, Callable[[Row], bool]]:
    def is_new(row: Row) -> bool:
        return row["key"] == "docs/new one.txt"

    def is_docs(row: Row) -> bool:
        return (row["bucket"], row["prefix"]) == (VERSIONED, "docs/")

    named = dict.fromkeys(("objects", "object_versions", "delete_markers"), is_new)
    return {**named, "usage_daily": is_docs}


def client(port: int, secret: str = SECRET) -> Any:
    url = f"http://127.0.0.1:{port}"
    keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": secret, "region_name": "us-east-1"}
    return boto3.client("s3", endpoint_url=url, **keys)


@contextmanager
def open_world(folder: Path, database: Callable[[], str]) -> Iterator[World]:
    """Start SeaweedFS behind a counting proxy."""
    accounts = {"office": (ACCESS_KEY, SECRET)}
    with served(lambda port: start_seaweedfs(folder, accounts, port), patience=0.2) as server:
        system = _Storage(client(server.port))
        system.seed()
        url = f"{server.url}/"
        yield World(
            connection={
                "url": {"env": "CONTRACT_S3_URL"},
                "access_key": ACCESS_KEY,
                "secret_key": {"env": "CONTRACT_S3_SECRET_KEY"},
                **DECLARED,
            },
            environment={"CONTRACT_S3_URL": url, "CONTRACT_S3_SECRET_KEY": SECRET},
            refused={"CONTRACT_S3_SECRET_KEY": REFUSED},
            keys=system.keys,
            add=system.add,
            change=system.change,
            delete=system.delete,
            stop=server.stop,
            start=server.start,
            requests=server.requests,
        )
