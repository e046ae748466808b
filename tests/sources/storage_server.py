"""SeaweedFS or moto with a bucket that has versioning and one that hasn't, read and changed by boto3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import boto3

from leat.demo.servers.process import running
from leat.demo.servers.seaweedfs import start_seaweedfs
from tests.servers.moto_server import start_moto

KEY, SECRET = "AKIAACTIONS", "planted-secret-51423"
VERSIONED, PLAIN = "kept", "plain"


@dataclass
class Server:
    kind: str
    url: str
    s3: Any

    def text(self, bucket: str, key: str) -> str | None:
        try:
            return str(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode())
        except self.s3.exceptions.NoSuchKey:
            return None

    def write(self, bucket: str, key: str, content: str, **more: Any) -> str:
        return str(self.s3.put_object(Bucket=bucket, Key=key, Body=content.encode(), **more)["ETag"]).strip('"')

    def versions(self, key: str) -> int:
        """Return how often something was written under a key of the bucket with versioning."""
        listed = self.s3.list_object_versions(Bucket=VERSIONED, Prefix=key)
        return sum(each["Key"] == key for each in listed.get("Versions", ()))

    def markers(self, key: str) -> int:
        listed = self.s3.list_object_versions(Bucket=VERSIONED, Prefix=key)
        return sum(each["Key"] == key for each in listed.get("DeleteMarkers", ()))

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix)
        return sorted(each["Key"] for each in listed.get("Contents", ()))


@contextmanager
def storage_server(kind: str, folder: Path) -> Iterator[Server]:
    """Start a server: ``seaweedfs`` or ``moto``."""
    start = {"seaweedfs": partial(start_seaweedfs, keys={"office": (KEY, SECRET)}), "moto": start_moto}
    with running(start[kind](folder)) as process:
        url = f"http://127.0.0.1:{process.port}"
        keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
        s3 = boto3.client("s3", endpoint_url=url, **keys)
        for bucket in (VERSIONED, PLAIN):
            s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=VERSIONED, VersioningConfiguration={"Status": "Enabled"})
        yield Server(kind, url, s3)
