"""How fast a bucket is listed, compared with boto3's paginator and plain HTTP on the same server, and with what memory.

::

    python -m bench.s3_listing [--keys 20000 200000] [--folder DIR]

SeaweedFS runs for real; it gets empty objects first, which takes minutes, but only once if ``--folder`` lasts.
Every measurement is a process of its own: imports aren't counted, peak memory is its own.

``http`` asks for the same pages with as many requests in flight and drops the answers: what the server itself takes.
``leat`` is the whole driver: lists, sorts, writes the listing, and yields Arrow rows; ``nothing new`` is its second
run.
"""

from __future__ import annotations

import argparse
import http.client
import importlib.util
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from leat.demo.servers.process import stop
from leat.demo.servers.seaweedfs import start_seaweedfs
from leat.sources.http.sigv4 import Keys, SigV4, signed_headers

KEYS = Keys("bench", "not-a-secret-at-all")
FOLDERS, IN_FLIGHT, RUNS = 20, 8, 3


def ask(connection: http.client.HTTPConnection, url: str, method: str, path: str) -> bytes:
    headers = signed_headers(method, url + path, b"", {}, SigV4(KEYS, "us-east-1"), datetime.now(UTC))
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status >= 300 and answer.status not in (404, 409):
        raise RuntimeError(body.decode())
    return body


def seed(url: str, bucket: str, count: int) -> None:
    """Put empty objects into folders, unless the last one is there."""

    def put(start: int) -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc)
        for number in range(start, count, 16):
            ask(connection, url, "PUT", f"/{bucket}/" + quote(f"data/{number % FOLDERS:02}/part-{number:07}.parquet"))

    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    if b"<Key>" in ask(connection, url, "GET", f"/{bucket}?list-type=2&prefix=done"):
        return
    ask(connection, url, "PUT", f"/{bucket}")
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(put, range(16)))
    ask(connection, url, "PUT", f"/{bucket}/done")


def by_http(url: str, bucket: str, _folder: Path) -> tuple[int, float]:
    def chain(prefix: str) -> int:
        connection, count, after = http.client.HTTPConnection(urlsplit(url).netloc), 0, ""
        while True:
            query = {"list-type": "2", "prefix": prefix, **({"continuation-token": after} if after else {})}
            body = ask(connection, url, "GET", f"/{bucket}?{urlencode(query)}")
            count += body.count(b"<Contents>")
            match = re.search(rb"<NextContinuationToken>([^<]*)<", body)
            if not match:
                return count
            after = match[1].decode()

    began = time.monotonic()
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        count = sum(pool.map(chain, [f"data/{number:02}/" for number in range(FOLDERS)]))
    return count, time.monotonic() - began


def by_boto3(url: str, bucket: str, _folder: Path) -> tuple[int, float]:
    import boto3

    keys = {"aws_access_key_id": KEYS.access_key, "aws_secret_access_key": KEYS.secret_key}
    client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys)
    began = time.monotonic()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return sum(len(page.get("Contents", ())) for page in pages), time.monotonic() - began


def by_obstore(url: str, bucket: str, _folder: Path) -> tuple[int, float]:
    import obstore  # type: ignore[import-not-found]

    keys = {"access_key_id": KEYS.access_key, "secret_access_key": KEYS.secret_key}
    options = {"endpoint": f"{url}/{bucket}", "region": "us-east-1", "client_options": {"allow_http": True}}
    store = obstore.store.S3Store(bucket, **keys, **options)
    began = time.monotonic()
    return sum(len(batch) for batch in obstore.list(store)), time.monotonic() - began


def by_leat(url: str, bucket: str, folder: Path) -> tuple[int, float]:
    import pyarrow.compute  # noqa: F401
    import requests  # noqa: F401

    from leat.sources.cloud_storage.s3 import driver as s3
    from leat.sources.driver import Sync
    from leat.sources.events import Cursor, Rows

    os.environ["BENCH_SECRET"] = KEYS.secret_key
    connection = s3.Connection.model_validate(
        {"url": url, "access_key": KEYS.access_key, "secret_key": {"env": "BENCH_SECRET"}, "buckets": [bucket]}
    )
    state = folder / "cursor.json"
    cursor: Mapping[str, Any] | None = json.loads(state.read_text()) if state.exists() else None
    sync = Sync("bench", frozenset({"objects"}), cursor, folder, folder, datetime.now(UTC))
    began, count = time.monotonic(), 0
    for event in s3.extract(connection, sync):
        if isinstance(event, Rows):
            count += event.table.num_rows
        elif isinstance(event, Cursor):
            state.write_text(json.dumps(event.value))
    return count, time.monotonic() - began


WAYS: dict[str, Callable[[str, str, Path], tuple[int, float]]] = {
    "http": by_http,
    "leat": by_leat,
    "leat, nothing new": by_leat,
    "boto3": by_boto3,
    "obstore": by_obstore,
}


def measure(way: str, url: str, bucket: str, folder: Path) -> tuple[int, float, float]:
    """Run one way in a process of its own; returns keys, seconds and megabytes at most."""
    argv = [sys.executable, "-m", "bench.s3_listing", "--one", way, url, bucket, str(folder)]
    return tuple(json.loads(subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout))  # type: ignore[return-value]


def compare(url: str, count: int) -> None:
    bucket = f"keys-{count}"
    seed(url, bucket, count)
    ways = [way for way in WAYS if way != "obstore" or importlib.util.find_spec("obstore")]
    taken: dict[str, list[tuple[int, float, float]]] = {way: [] for way in ways}
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as scratch:
            for way in ways:
                taken[way].append(measure(way, url, bucket, Path(scratch)))
    boto3 = statistics.median(seconds for _, seconds, _ in taken["boto3"])
    print(f"\n{count:,} keys")
    for way, runs in taken.items():
        seconds = statistics.median(run[1] for run in runs)
        memory = max(run[2] for run in runs)
        print(f"{way:20}{runs[0][0]:9,} keys {seconds:8.2f} s {boto3 / seconds:6.1f}× boto3's speed {memory:6.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--folder", type=Path, help="where the server keeps its data; else a temporary folder")
    parser.add_argument("--one", nargs=4, metavar=("WAY", "URL", "BUCKET", "DIR"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        way, url, bucket, folder = options.one
        count, seconds = WAYS[way](url, bucket, Path(folder))
        print(json.dumps([count, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
        return
    with tempfile.TemporaryDirectory() as scratch:
        server = start_seaweedfs(options.folder or Path(scratch), {"bench": (KEYS.access_key, KEYS.secret_key)})
        try:
            for count in options.keys:
                compare(f"http://127.0.0.1:{server.port}", count)
        finally:
            stop(server.pid, wait=0.2)


if __name__ == "__main__":
    main()
