"""What is asked of the fleet while it is broken: reads, webhooks and actions by its proxy, reads of its tables."""

from __future__ import annotations

import contextlib
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import psycopg2
import requests

from bench.fleet.bucket import Changing
from bench.fleet.ray import Submitted
from bench.serve_killed import SECRET, Asked
from leat.actions.decide import approve
from leat.actions.office import Office
from leat.demo.stripe.webhooks import sign
from tests.kit.acting import GUARANTEES, planned

_TIMEOUT = 10


@dataclass
class Load:
    """What is asked, and what came of it.

    Attributes:
        url: of the proxy.
        tokens: of the clients that read; the proxy leads each to a server.
        office: plans and approves actions.
        database: URL of the warehouse and the control store.
        lists: how many lists there are.
        submitted: runs on a Ray cluster, which alone loads the last lists; None without one.
        bucket: a bucket that is listed; None without one.
    """

    url: str
    tokens: list[str]
    office: Office
    database: str
    lists: int
    submitted: Submitted | None = None
    bucket: Changing | None = None
    asked: Asked = field(default_factory=Asked)
    hooked: Asked = field(default_factory=Asked)
    acknowledged: set[str] = field(default_factory=set)
    requested: set[str] = field(default_factory=set)
    planned: int = 0
    reads: int = 0
    torn: list[str] = field(default_factory=list)
    stuck: Counter[str] = field(default_factory=Counter)
    ended: dict[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    _number: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def works(self) -> list[tuple[Callable[[], None], float]]:
        """Return what is done again and again, each with the pause in seconds in between."""
        reads = [(self._reader(token), 0.1) for token in self.tokens]
        more: list[tuple[Callable[[], None], float]] = []
        if self.submitted is not None:
            more.append((self.submitted.submit, 10.0))
        if self.bucket is not None:
            more.append((self.bucket.change, 0.3))
        return [
            *reads,
            *more,
            (self.hook, 0.2),
            (self.act, 1.0),
            (self.request_run, 2.0),
            (self.read_tables, 0.02),
            (self.look_at_runs, 1.0),
        ]

    def _reader(self, token: str) -> Callable[[], None]:
        by = {"Authorization": f"Bearer {token}"}

        def read() -> None:
            self.asked.ask(lambda: requests.get(f"{self.url}/v1/integrations", headers=by, timeout=_TIMEOUT), 200)

        return read

    def hook(self) -> None:
        """Send a webhook."""
        event_id = f"evt_{self._next()}"
        body = json.dumps({"id": event_id, "type": "thing.changed"}).encode()
        signed = {"Stripe-Signature": sign(SECRET, body)}
        url = f"{self.url}/hooks/tally"
        if self.hooked.ask(lambda: requests.post(url, body, headers=signed, timeout=_TIMEOUT), 200):
            self.acknowledged.add(event_id)

    def request_run(self) -> None:
        """Ask for a run of some list."""
        scheduled = self.lists - (len(self.submitted.alone) if self.submitted else 0)
        asked = {"integrations": [f"list_{random.randrange(scheduled):03d}"]}  # noqa: S311 - no secret
        headers = {"Authorization": f"Bearer {self.tokens[0]}"}
        with contextlib.suppress(requests.RequestException):
            answer = requests.post(f"{self.url}/v1/runs", json=asked, headers=headers, timeout=_TIMEOUT)
            if answer.status_code == 202:
                self.requested.add(answer.json()["id"])

    def act(self) -> None:
        """Plan an action and approve it; when the control store can't be reached, there is none."""
        number = self._next()
        with contextlib.suppress(Exception):
            approve(self.office.store, planned(self.office, GUARANTEES[number % 4], f"place_{number}", 1), "bob")
            self.planned += 1

    def read_tables(self) -> None:
        """Read a list as an analyst: it has to be as it was at one moment."""
        name = f"list_{random.randrange(self.lists):03d}"  # noqa: S311 - no secret
        sql = f"""SELECT sum(amount) FILTER (WHERE id <> 0), sum(amount) FILTER (WHERE id = 0), count(*),
        count(DISTINCT id) FROM {name}.items WHERE _deleted_at IS NULL"""
        for rows in self._query(sql):
            self.reads += 1
            if rows[0] != rows[1] or rows[2] != rows[3]:
                self.torn.append(f"{name}: {rows}")

    def look_at_runs(self) -> None:
        """Look for runs that count as running 30 seconds after their lease ran out, and for those that end twice."""
        sql = """SELECT run.id FROM run JOIN integration ON integration.id = run.integration_id
        JOIN leat_locks.leases ON leases.name = integration.name
        WHERE run.status = 'running' AND leases.expires_at < clock_timestamp() - interval '30 seconds'"""
        for (run,) in self._query(sql):
            self.stuck[str(run)] += 1
        sql = "SELECT id, status FROM run WHERE status <> 'running' AND started_at > now() - interval '5 minutes'"
        for run, status in self._query(sql):
            first = self.ended.setdefault(str(run), str(status))
            if first != status:
                self.changed.append(f"run {run} had ended as {first}, then as {status}")

    def _query(self, sql: str) -> list[tuple[object, ...]]:
        try:
            with contextlib.closing(psycopg2.connect(self.database, connect_timeout=2)) as connection:
                cursor = connection.cursor()
                cursor.execute(sql)
                return cursor.fetchall()
        except psycopg2.Error:  # the database is down, or the table isn't there yet
            return []

    def _next(self) -> int:
        with self._lock:
            self._number += 1
            return self._number


@contextlib.contextmanager
def under(works: list[tuple[Callable[[], None], float]]) -> Iterator[None]:
    """Do all of it, each in a thread of its own, until the block ends."""
    ended = threading.Event()

    def go(work: Callable[[], None], pause: float) -> None:
        while not ended.wait(pause):
            work()

    threads = [threading.Thread(target=go, args=each) for each in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()
