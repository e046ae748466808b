"""WsgiDAV with a few folders; read back by plain HTTP and by hand."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

import requests

from tests.contract.served import served
from tests.contract.world import MAIL, PERSON, REFUSED, SECRET, Keys, Row, Step, World
from tests.servers.wsgidav_server import start_wsgidav

USER = "office"
BUCKET = "files"
_REPORT = {"backup": "books", "run": "2026-a", "tested_at": "2026-11-02T08:00:00Z", "ok": True}
_EMPTY = ("object_versions", "delete_markers", "multipart_uploads", "permissions", "shares", "lifecycle_rules")


@dataclass
class _Server:
    url: str

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> requests.Response:
        url = self.url + quote(path.lstrip("/"))
        answer = requests.request(method, url, data=body, headers=headers, auth=(USER, SECRET), timeout=30)
        assert answer.ok, (method, path, answer.status_code)
        return answer

    def seed(self) -> None:
        for folder in ("press", "backups", "backups/books", "backups/books/2026-a", "tests", "empty"):
            self.ask("MKCOL", f"/{folder}")
        for path in ("press/lamp ü+&.jpg", "backups/books/2026-a/1.dump", "notes.txt"):
            self.ask("PUT", path, b"x" * len(path))
        report = {**_REPORT, "tested_by_email": MAIL, "who": PERSON}
        self.ask("PUT", "tests/1.json", json.dumps(report).encode())

    def files(self) -> set[str]:
        names, folders = set(), ["/"]
        for folder in folders:
            text = self.ask("PROPFIND", folder, Depth="1").text
            paths = {unquote(each) for each in re.findall(r"<(?:\w+:)?href>([^<]*)</", text)}
            paths = {each.replace("&amp;", "&") for each in paths} - {folder}
            folders += sorted(path for path in paths if path.endswith("/"))
            names |= {path.lstrip("/") for path in paths if not path.endswith("/")}
        return names

    def keys(self) -> dict[str, Keys]:
        files = self.files()
        tops = {(BUCKET, f"{file.partition('/')[0]}/" if "/" in file else "") for file in files}
        return {
            **{name: Keys(("bucket",), frozenset()) for name in _EMPTY},
            "buckets": Keys(("bucket",), frozenset({(BUCKET,)})),
            "objects": Keys(("bucket", "key"), frozenset((BUCKET, file) for file in files)),
            "usage_daily": Keys(("bucket", "prefix"), frozenset(tops)),
            "quotas": Keys(("bucket", "prefix", "owner"), frozenset({("", "press/", MAIL)})),
            "backup_runs": Keys(("backup", "run"), frozenset({("books", "2026-a")})),
            "restore_tests": Keys(("bucket", "key"), frozenset({(BUCKET, "tests/1.json")})),
        }

    def add(self) -> Step:
        self.ask("PUT", "press/new one.txt", b"first")
        return Step(_touched(), [("objects", {"key": "press/new one.txt", "size": 5})])

    def change(self) -> Step:
        self.ask("PUT", "press/new one.txt", b"changed")
        return Step(_touched(), [("objects", {"key": "press/new one.txt", "size": 7})])

    def delete(self) -> Step:
        self.ask("DELETE", "press/new one.txt")
        return Step(_touched(), gone=[("objects", {"key": "press/new one.txt"})])


def _touched() -> dict[str, Callable[[Row], bool]]:
    return {
        "objects": lambda row: row["key"] == "press/new one.txt",
        "usage_daily": lambda row: row["prefix"] == "press/",
        "quotas": lambda row: row["prefix"] == "press/",
    }


@contextmanager
def open_world(folder: Path, database: Callable[[], str]) -> Iterator[World]:
    """Start WsgiDAV behind a counting proxy."""
    with served(lambda port: start_wsgidav(folder, {USER: SECRET}, port)) as server:
        system = _Server(f"http://127.0.0.1:{server.port}/")
        system.seed()
        variables = {"CONTRACT_DAV_URL": f"{server.url}/", "CONTRACT_DAV_PASSWORD": SECRET}
        yield World(
            connection={
                "url": {"env": "CONTRACT_DAV_URL"},
                "username": USER,
                "password": {"env": "CONTRACT_DAV_PASSWORD"},
                "bucket": BUCKET,
                "owners": [{"prefix": "press/", "email": MAIL}],
                "quotas": [{"prefix": "press/", "owner": MAIL, "bytes": 1_000}],
                "backups": [{"name": "books", "bucket": BUCKET, "prefix": "backups/books/"}],
                "restore_tests": [{"bucket": BUCKET, "prefix": "tests/"}],
            },
            environment=variables,
            refused={"CONTRACT_DAV_PASSWORD": REFUSED},
            keys=system.keys,
            add=system.add,
            change=system.change,
            delete=system.delete,
            stop=server.stop,
            start=server.start,
            requests=server.requests,
            empty=_EMPTY,
            secrets=[base64.b64encode(f"{USER}:{each}".encode()).decode() for each in (SECRET, REFUSED)],
        )
