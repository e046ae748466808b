"""The systems that are loaded: 200 lists that change all the time, each with its own checksum."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DECLARATION = """\
source: rest_api
driver: http
schedule: "* * * * *"
connection:
  url: http://{address}/
  endpoints:
    items:
      path: lists/{number}
      paging: {{kind: none}}
      records: data
      key: id
      columns: {{id: integer, amount: integer, label: string}}
"""
"""A row with the id 0 has the sum of all others as its amount: a reader who sees half of a load sees another sum."""
_DELAY = 0.05


class Systems:
    """What is there now, by list and by id.

    Args:
        lists: how many lists.
    """

    def __init__(self, lists: int) -> None:
        self._rows = [{n: (n, f"first {n}") for n in range(1, 41)} for _ in range(lists)]
        self._next, self.changes, self._lock = 100, 0, threading.Lock()

    def change(self) -> None:
        """Change something somewhere: a row is added, changed, or removed."""
        with self._lock:
            rows = random.choice(self._rows)  # noqa: S311 - no secret
            self._next, self.changes = self._next + 1, self.changes + 1
            kind = random.choice(("add", "change", "change", "change", "remove"))  # noqa: S311
            if kind == "add" or len(rows) < 20:
                rows[self._next] = (self._next, f"added {self._next}")
            elif kind == "change":
                rows[random.choice(list(rows))] = (self._next, f"changed {self._next}")  # noqa: S311
            else:
                del rows[random.choice(list(rows))]  # noqa: S311

    def rows(self, number: int) -> set[tuple[int, int, str]]:
        """Return what a list has now."""
        with self._lock:
            rows = {(key, *values) for key, values in self._rows[number].items()}
        return rows | {(0, sum(amount for _, amount, _ in rows), "sum")}


@contextmanager
def serving(systems: Systems, host: str) -> Iterator[str]:
    """Serve the lists; gives the address with the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            time.sleep(_DELAY)
            rows = systems.rows(int(self.path.partition("?")[0].rpartition("/")[2]))
            data = [{"id": key, "amount": amount, "label": label} for key, amount, label in sorted(rows)]
            content = json.dumps({"data": data, "total": len(data)}).encode()
            try:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                self.wfile.flush()
            except OSError:  # whoever asked is gone
                self.close_connection = True

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """Say nothing: whoever asked was killed."""

    server = Server((host, 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
