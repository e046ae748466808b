"""A fake SCIM service with the faults that real ones have and Canaille hasn't; what it answers is its own invention."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
_FILTER = re.compile(r'meta\.lastModified gt "([^"]+)"')
_MEMBER = re.compile(r'members\[value eq "([^"]+)"\]')


@dataclass
class Fake:
    """What the service holds and how it misbehaves.

    Attributes:
        resources: ``Users`` and ``Groups`` by id.
        page: how many resources it gives at most, whatever is asked for.
        filters: what its ServiceProviderConfig says.
        honours: whether filters have an effect.
        total: makes the ``totalResults`` that it claims of the true one.
        ignores_start: whether it answers each page with the first one.
        members_listed: whether groups in a listing have their members.
        token: the one that it accepts; None for any.
        fault: given the number of the request and the path, what to answer instead: status and body.
        seen: every path that was asked for, with its query.
        changes: what was asked to be changed: method, path and body.
    """

    resources: dict[str, dict[str, Any]] = field(default_factory=lambda: {"Users": {}, "Groups": {}})
    page: int = 1000
    filters: bool = False
    honours: bool = False
    total: Callable[[int], int | None] = lambda count: count
    ignores_start: bool = False
    members_listed: bool = True
    token: str | None = None
    fault: Callable[[int, str], tuple[int, bytes] | None] = lambda _number, _path: None
    seen: list[str] = field(default_factory=list)
    changes: list[tuple[str, str, Any]] = field(default_factory=list)
    granted: int = 0
    url: str = ""

    def user(self, name: str, at: str = "2026-03-01T00:00:00Z", **more: Any) -> dict[str, Any]:
        """Add a user, or put it in place of the one with that name."""
        record = {"id": f"id-{name}", "userName": name, "active": True, "meta": {"lastModified": at}, **more}
        self.resources["Users"][name] = record
        return record

    def group(self, name: str, *members: str, at: str = "2026-03-01T00:00:00Z", **more: Any) -> None:
        """Add a group whose members are named by these values, or put it in place of the one with that name."""
        entries = [{"value": member} for member in members]
        record = {"id": f"id-{name}", "displayName": name, "members": entries, "meta": {"lastModified": at}, **more}
        self.resources["Groups"][name] = record

    def answer(self, target: str) -> tuple[int, bytes]:
        """Return status and body for a path with its query."""
        self.seen.append(target)
        parts = urlsplit(target)
        fault = self.fault(len(self.seen), parts.path)
        if fault:
            return fault
        if parts.path.endswith("/ServiceProviderConfig"):
            return 200, json.dumps({"filter": {"supported": self.filters}}).encode()
        kind, _, name = parts.path.removeprefix("/scim/").partition("/")
        if name:
            named = [record for record in self.resources[kind].values() if record["id"] == name]
            return (200, json.dumps(named[0]).encode()) if named else (404, b"{}")
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        return 200, json.dumps(self._list(kind, query)).encode()

    def change(self, method: str, target: str, body: Any) -> tuple[int, bytes]:
        """Apply the one operation of a PATCH on ``active`` or on ``members``."""
        self.changes.append((method, target, body))
        fault = self.fault(len(self.seen), target)
        if fault:
            return fault
        kind, _, key = target.removeprefix("/scim/").partition("/")
        record = next(each for each in self.resources[kind].values() if each["id"] == key)
        operation = body["Operations"][0]
        if operation["op"] == "replace":
            record[operation["path"]] = operation["value"]
        elif operation["op"] == "add":
            record["members"] = record["members"] + operation["value"]
        else:
            gone = _MEMBER.fullmatch(operation["path"])[1]  # type: ignore[index]
            record["members"] = [each for each in record["members"] if each["value"] != gone]
        return 200, json.dumps(record).encode()

    def _list(self, kind: str, query: dict[str, str]) -> dict[str, Any]:
        matching = list(self.resources[kind].values())
        if self.honours and (wanted := _FILTER.fullmatch(query.get("filter", ""))):
            since = datetime.fromisoformat(wanted[1])
            matching = [each for each in matching if datetime.fromisoformat(each["meta"]["lastModified"]) > since]
        if kind == "Groups" and not self.members_listed:
            matching = [{name: value for name, value in each.items() if name != "members"} for each in matching]
        begin = 0 if self.ignores_start else max(1, int(query.get("startIndex", 1))) - 1
        answer = {"totalResults": self.total(len(matching)), "Resources": matching[begin : begin + self.page]}
        return {name: value for name, value in answer.items() if value is not None}


@contextlib.contextmanager
def serving(fake: Fake) -> Iterator[Fake]:
    """Serve it on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            accepted = fake.token is None or self.headers.get("Authorization") == f"Bearer {fake.token}"
            status, body = fake.answer(self.path) if accepted else (401, b"{}")
            self._send(status, body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fake.granted += 1
            fake.token = f"token-number-{fake.granted}"
            self._send(200, json.dumps({"access_token": fake.token, "expires_in": 3600}).encode())

        def do_PATCH(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            self._send(*fake.change("PATCH", self.path, body))

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
