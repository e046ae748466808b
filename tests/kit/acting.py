"""A project that acts on a desk, and the desk's server, which counts what was done and fails as a test wants.

The server is a fake: no real one fails on demand at a given request. What real servers do is tried by the tests of each
vendor.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from leat.actions.office import Office
from leat.actions.propose import Wish, propose
from leat.control.outbox import ActionRow
from leat.control.store import open_control
from leat.pipelines.declare.project import Project, load_declarations
from leat.sources.driver import add_sources
from tests.kit.project import SOURCES

GUARANTEES = ("guarded", "natural", "probed", "unprobeable")
BY_STORE = [("sqlite", each) for each in GUARANTEES] + [("postgres", each) for each in ("probed", "unprobeable")]
"""Control store and guarantee: all on one, and on the other one that is searched for and one that can't be.

A guarantee decides what is sent to the system, a store how the states are written: neither depends on the other.
"""


@dataclass
class Desk:
    """The state of the desk.

    Attributes:
        deeds: how often each id was done.
        values: what each place has, and how often it was set.
        faults: what happens to the next requests that change something, first to last: ``cut`` does it and cuts the
            connection, ``lost`` cuts it and does nothing, ``slow`` does it and answers after three seconds, a number is
            a status that is answered without doing anything.
    """

    deeds: Counter[str] = field(default_factory=Counter)
    values: dict[str, tuple[int, int]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    url: str = ""
    hold: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # the headers and the body leave in one piece
    desk: Desk

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        kind, name = self.path.strip("/").split("/")
        with self.desk.lock:
            if kind == "deeds":
                self._answer(200, {"id": name} if self.desk.deeds[name] else {})
            else:
                value, times = self.desk.values.get(name, (0, 0))
                self._answer(200, {"value": value, "etag": str(times)})

    def do_PUT(self) -> None:
        self._change()

    def do_POST(self) -> None:
        self._change()

    def _change(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.desk.lock:
            fault = self.desk.faults.pop(0) if self.desk.faults else ""
            if fault.isdigit():
                self._answer(int(fault), {})
                return
            if fault == "lost":
                self._cut()
                return
            status, answer = self._do(body)
        if fault == "cut":
            self._cut()
            return
        if fault == "slow":
            time.sleep(3)
        if fault == "hold":
            self.desk.hold.wait(30)
        self._answer(status, answer)

    def _do(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        kind, _, name = self.path.strip("/").partition("/")
        if kind == "guarded":
            if self.desk.deeds[name]:
                return 412, {}
            self.desk.deeds[name] += 1
            return 201, {"id": name}
        if kind == "natural":
            _, times = self.desk.values.get(name, (0, 0))
            if self.headers["If-Match"] != str(times):
                return 412, {}
            self.desk.values[name] = (body["value"], times + 1)
            return 200, {"value": body["value"], "etag": str(times + 1)}
        self.desk.deeds[body["id"]] += 1
        return 201, {"id": body["id"]}

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(2)

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()
        except OSError:  # the client was killed
            self.close_connection = True


@contextmanager
def desk_server(host: str = "127.0.0.1") -> Iterator[Desk]:
    """Run a desk."""
    desk = Desk()
    handler = type("Handler", (_Handler,), {"desk": desk})
    server = ThreadingHTTPServer((host, 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    desk.url = f"http://{host}:{server.server_address[1]}"
    try:
        yield desk
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class Acting:
    """A project whose integration can act; plain data, so that a process of its own can open it.

    Attributes:
        folder: its folder.
        control_url: URL of its control store.
        integration: name of the declaration.
        environment: variables that such a process needs.
    """

    folder: Path
    control_url: str
    integration: str = "desk"
    environment: Mapping[str, str] = field(default_factory=dict)

    def declare(self, desk: Desk) -> None:
        path = self.folder / "pipelines" / "desk.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(f"source: desk\ndriver: book\nconnection: {{url: '{desk.url}'}}\n")

    @contextmanager
    def office(self) -> Iterator[Office]:
        add_sources(SOURCES)
        project = Project(self.folder, self.folder / ".leat", None, self.control_url)
        store = open_control(self.control_url)
        try:
            yield Office(store, project, load_declarations(project))
        finally:
            store.dispose()


def wish(verb: str, place: str = "a", value: int = 1, **more: Any) -> Wish:
    return Wish("desk", verb, {"place": place, "value": value}, more.pop("by", "ann"), **more)


def planned(office: Office, verb: str, place: str = "a", value: int = 1, **more: Any) -> ActionRow:
    return propose(office, wish(verb, place, value, **more))
