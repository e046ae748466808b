"""Breaks the machines of a fleet, one thing after another, at random; what is frozen or cut off comes back later."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psycopg2

from bench.fleet.machines import Machine

_LEASE = 30.0
_LONGEST = 15.0
_RAY_STARTS = 30.0  # seconds until a machine of Ray is at work again


@dataclass
class Faults:
    """Breaks things.

    Attributes:
        servers: the machines of `leat serve`; at most one of them is away at a time, so that the API can answer.
        database: the machine of Postgres.
        url: URL of its database.
        ray: the head and the other machine of a Ray cluster, if there is one; at most one of them is away.
        store: the machine of the object store.
        seed: of the random choice.
        done: how often each fault was made.
        when: when each was made, and what it was.
    """

    servers: Sequence[Machine]
    database: Machine
    url: str
    seed: int
    ray: Sequence[Machine] = ()
    store: Machine | None = None
    done: Counter[str] = field(default_factory=Counter)
    when: list[tuple[float, str]] = field(default_factory=list)
    _away: threading.Semaphore = field(default_factory=threading.Semaphore)
    _ray_away: threading.Semaphore = field(default_factory=threading.Semaphore)
    _returns: list[threading.Thread] = field(default_factory=list)

    def break_things(self, times: int, every: float) -> None:
        """Break something so often, with a pause of so many seconds on average; returns when all is back."""
        chance = random.Random(self.seed)  # noqa: S311 - no secret
        kinds: list[tuple[int, Callable[[random.Random], bool]]] = [
            (6, self.kill_process),
            (2, self.kill_machine),
            (3, self.freeze_machine),
            (2, self.cut_off),
            (5, self.end_connections),
            (1, self.kill_postgres),
        ]
        if self.ray:
            kinds += [(1, self.kill_ray_head), (1, self.kill_ray_machine), (2, self.freeze_ray_node)]
        if self.store:
            kinds += [(1, self.kill_store)]
        while self.done.total() < times:
            time.sleep(chance.uniform(0.5, 1.5) * every)
            [kind] = chance.choices([each for _, each in kinds], [weight for weight, _ in kinds])
            if kind(chance):
                self.done[kind.__name__] += 1
                self.when.append((time.monotonic(), kind.__name__))
        for thread in self._returns:
            thread.join()

    def kill_process(self, chance: random.Random) -> bool:
        """Kill -9 of web, worker or supervisor on some machine."""
        name = chance.choice(("leat.serve.web", "leat.serve.worker", "leat serve"))
        machine = chance.choice(self.servers)
        pids = machine.pids(name)
        return bool(pids) and machine.signal(signal.SIGKILL, name) > 0

    def kill_machine(self, chance: random.Random) -> bool:
        """Take the power from a machine, and give it back a second later."""
        machine = chance.choice(self.servers)
        return self._leave(1.0, machine.kill, machine.start)

    def freeze_machine(self, chance: random.Random) -> bool:
        """Stop all processes of a machine, half the time until its leases have run out, and continue them."""
        machine = chance.choice(self.servers)
        seconds = _LEASE + chance.uniform(1, 10) if chance.random() < 0.5 else chance.uniform(0.5, _LONGEST)
        return self._leave(seconds, lambda: machine.signal(signal.SIGSTOP), lambda: machine.signal(signal.SIGCONT))

    def cut_off(self, chance: random.Random) -> bool:
        """Cut a machine off the network, half the time until its leases have run out."""
        machine = chance.choice(self.servers)
        seconds = _LEASE + chance.uniform(1, 10) if chance.random() < 0.5 else chance.uniform(0.5, _LONGEST)
        return self._leave(seconds, lambda: machine.cut_off(cut=True), lambda: machine.cut_off(cut=False))

    def end_connections(self, chance: random.Random) -> bool:
        """End some connections of the database, whatever they are doing."""
        sql = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND random() < %s"""
        try:
            with contextlib.closing(psycopg2.connect(self.url, connect_timeout=2)) as connection:
                connection.cursor().execute(sql, (chance.choice((0.1, 0.5, 1.0)),))
        except psycopg2.Error:
            return False
        return True

    def kill_postgres(self, _chance: random.Random) -> bool:
        """Kill -9 of the postmaster."""
        pids = self.database.pids("postgres -D")
        return bool(pids) and self.database.signal(signal.SIGKILL, "postgres -D") > 0

    def kill_ray_head(self, chance: random.Random) -> bool:
        """Kill -9 of the head's own store or of its dashboard, after which all of it is started again."""
        name = chance.choice(("gcs/gcs_server", "dashboard/dashboard.py"))
        head = self.ray[0]
        return self._leave(0, lambda: head.signal(signal.SIGKILL, name), lambda: None, self._ray_away, _RAY_STARTS)

    def kill_ray_machine(self, chance: random.Random) -> bool:
        """Take the power from a machine of the Ray cluster, and give it back a second later."""
        machine = chance.choice(self.ray)
        return self._leave(1.0, machine.kill, machine.start, self._ray_away, _RAY_STARTS)

    def freeze_ray_node(self, chance: random.Random) -> bool:
        """Stop all processes of a machine that runs jobs until their leases have run out, and continue them."""
        machine, seconds = self.ray[1], _LEASE + chance.uniform(1, 10)
        return self._leave(
            seconds,
            lambda: machine.signal(signal.SIGSTOP),
            lambda: machine.signal(signal.SIGCONT),
            self._ray_away,
            _RAY_STARTS / 2,
        )

    def kill_store(self, _chance: random.Random) -> bool:
        """Kill -9 of the object store."""
        return self.store is not None and self.store.signal(signal.SIGKILL, "-logtostderr") > 0

    def _leave(
        self,
        seconds: float,
        leave: Callable[[], object],
        come_back: Callable[[], object],
        away: threading.Semaphore | None = None,
        after: float = 3,
    ) -> bool:
        """Let a machine be away for a while; False while another one is, or was so many seconds ago."""
        away = away or self._away
        if not away.acquire(blocking=False):
            return False
        leave()

        def return_later() -> None:
            time.sleep(seconds)
            come_back()
            time.sleep(after)  # until the others see it again
            away.release()

        thread = threading.Thread(target=return_later)
        thread.start()
        self._returns.append(thread)
        return True
