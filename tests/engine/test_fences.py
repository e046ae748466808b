"""Runs on several machines into one warehouse: frozen, killed and cut off at any moment, each fence applies once.

It is in Postgres, or it is a lake whose catalog is there.

Each worker is a process with a state folder of its own, as if on a machine of its own.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from leat.pipelines.load.engine import Engine, Request
from leat.pipelines.load.results import CheckResult
from leat.pipelines.load.run import run_integration
from leat.pipelines.load.writing import refreshing, writing
from leat.sources.errors import Unavailable
from leat.warehouse.connect import open_warehouse
from leat.warehouse.ducklake.shared import SharedLake
from leat.warehouse.lease import Fenced, Lease
from leat.warehouse.postgres.leases import Leases
from leat.warehouse.postgres.warehouse import PostgresWarehouse
from leat.warehouse.session import Busy, Session
from tests.kit.child import CONTEXT, result_of, run_to_end, start_run, wait_until
from tests.kit.engines import shared_lake
from tests.kit.project import Tally, delete, labels, row, rows

LASTS = 0.6
"""Seconds that a lease lasts here."""


@dataclass
class Shared:
    """A warehouse, and projects on machines of their own that load the same integration into it."""

    folder: Path
    server: str
    url: str
    first: Tally = field(init=False)
    lines: int = 0

    def __post_init__(self) -> None:
        self.first = self.machine("first")

    def machine(self, name: str) -> Tally:
        folder = self.folder / name
        folder.mkdir()
        tally = Tally(folder, self.url)
        tally.declare("{fed: {history: true}}")
        if name != "first":
            tally.script.unlink()
            tally.script.symlink_to(self.first.script)
        return tally

    def add(self) -> None:
        """Add a line: one row is added, one changes, and one goes."""
        self.lines += 1
        n = self.lines
        self.first.then(rows("fed", row(n, f"new {n}"), row(0, f"line {n}")), delete("fed", shelf="a", id=n - 2))

    def expected(self) -> dict[tuple[str, int], str]:
        there = {("a", n): f"new {n}" for n in range(max(1, self.lines - 1), self.lines + 1)}
        return {("a", 0): f"line {self.lines}", **there} if self.lines != 2 else there

    def check(self) -> None:
        """Check that nothing is lost or there twice, in the table and in its history."""
        query = self.first.query
        assert labels(self.first, "fed") == self.expected()
        loads = query("SELECT count(*), count(DISTINCT load_id) FROM leat.loads")[0]
        assert loads[0] == loads[1]
        written = query("SELECT label, count(*) FROM tally.fed_history WHERE id = 0 GROUP BY label HAVING count(*) > 1")
        assert written == []
        open_ = query("SELECT id FROM tally.fed_history WHERE valid_to IS NULL GROUP BY id HAVING count(*) > 1")
        assert open_ == []
        assert query("SELECT max(CAST(cursor->>'line' AS INTEGER)) FROM leat.cursors") == [(self.lines,)]

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the server, which has the locks."""
        connection = psycopg2.connect(self.server)
        try:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()


@pytest.fixture
def shared(tmp_path: Path, postgres_url: str) -> Shared:
    return Shared(tmp_path, postgres_url, postgres_url)


@pytest.fixture(params=["postgres", "lake"])
def either(request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str) -> Shared:
    lake = request.param == "lake"
    return Shared(tmp_path, postgres_url, shared_lake(postgres_url, tmp_path / "files") if lake else postgres_url)


def begin(tally: Tally, stop: str = "") -> tuple[Any, Connection]:
    """Start a run in a process that stops itself before the first statement with a pattern, or in a phase."""
    here, there = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_run, args=(tally, stop, there), daemon=True)
    process.start()
    there.close()
    return process, here


def _run(tally: Tally, stop: str, answer: Connection) -> None:
    tally.prepare()
    freeze = _once(lambda: os.kill(os.getpid(), signal.SIGSTOP))

    def hook(name: str, args: tuple[Any, ...]) -> None:
        if name == "leat.statement" and re.search(stop, args[0]):
            freeze()

    if stop.startswith("in "):
        engine = tally.engine(observe=lambda _name, phase: freeze() if phase == stop[3:] else None)
    else:
        engine = tally.engine()
        if stop:
            sys.addaudithook(hook)
    short(engine)
    server_of(engine).frozen = 1.5
    answer.send(asdict(run_integration(engine, "tally", Request())))
    answer.close()


def _once(action: Callable[[], None]) -> Callable[[], None]:
    done: list[bool] = []

    def act() -> None:
        if not done:
            done.append(True)
            action()

    return act


def short(engine: Engine) -> None:
    """Let leases last shortly."""
    server_of(engine).leases.lasts = LASTS


def server_of(engine: Engine) -> PostgresWarehouse:
    warehouse = engine.warehouse
    server = warehouse.server if isinstance(warehouse, SharedLake) else warehouse
    assert isinstance(server, PostgresWarehouse)
    return server


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.parametrize(
    "where",
    [
        "in started",
        "in landed",
        "in applying",
        '"cursors"',
        "COPY|INSERT INTO .tally.\\..fed",
        "in checking",
        "COMMIT",
        "in applied",
    ],
)
def test_a_run_that_was_frozen_past_its_lease_fails_and_the_other_applies(either: Shared, where: str) -> None:
    either.add()
    assert either.first.run().status == "loaded"
    either.add()
    process, answer = begin(either.first, where)
    wait_until(lambda: is_stopped(process.pid))
    (fence,) = either.ask("SELECT fence FROM leat_locks.leases WHERE name = 'tally'")[0]
    either.add()
    other = run_to_end(either.machine("second"))  # it waits as long as the lease lasts
    assert other is not None
    assert (other["status"], other["error"]) == ("loaded", None)
    assert either.ask("SELECT fence FROM leat_locks.leases WHERE name = 'tally'") == [(fence + 1,)]
    os.kill(process.pid, signal.SIGCONT)
    frozen = result_of(process, answer)
    assert frozen is not None
    assert frozen["status"] == "failed"
    assert frozen["error_type"] == "Fenced" or "terminat" in frozen["error"] or "closed" in frozen["error"], frozen
    assert either.first.run().status in ("loaded", "nothing_new")
    either.check()
    assert either.first.query("SELECT count(*) FROM leat.loads") == [(3 if where == "in applied" else 2,)]


def test_workers_that_are_killed_frozen_and_cut_off_at_random_lose_nothing(either: Shared) -> None:
    """Four processes on two machines; a line is added whenever one has ended."""
    chance = random.Random(14)  # noqa: S311 - which faults, not a secret
    machines = [either.first, either.machine("second")]
    either.add()
    assert either.first.run().status == "loaded"
    running: list[tuple[Any, Connection, Tally]] = []
    frozen: list[tuple[float, int]] = []
    ended = {"loaded": 0, "failed": 0, "killed": 0, "busy": 0, "nothing_new": 0}
    faults = 0
    while faults < 30:
        while len(running) < 3:
            machine = machines[faults % 2]
            running.append((*begin(machine), machine))
        time.sleep(chance.uniform(0.02, 0.25))
        fault = chance.choice(["kill", "freeze", "terminate"])
        process = chance.choice(running)[0]
        if fault == "terminate":
            either.ask(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'leat' AND "
                "datname = current_database() ORDER BY random() LIMIT 1"
            )
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL if fault == "kill" else signal.SIGSTOP)
                if fault == "freeze":
                    frozen.append((time.monotonic() + 2 * LASTS, process.pid))
        faults += 1
        for at, pid in [each for each in frozen if each[0] < time.monotonic()]:
            frozen.remove((at, pid))
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        for each in [each for each in running if not each[0].is_alive() or each[1].poll()]:
            running.remove(each)
            result = result_of(each[0], each[1])
            ended["killed" if result is None else result["status"]] += 1
            either.add()
    for _, pid in frozen:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    for process, answer, _ in running:
        result_of(process, answer)
    wait_until(lambda: either.first.run().status == "nothing_new")
    either.check()
    loads = either.first.query("SELECT count(*) FROM leat.loads")[0][0]
    (fences,) = either.ask("SELECT fence FROM leat_locks.leases WHERE name = 'tally'")[0]
    assert loads <= fences
    assert ended["loaded"] <= loads


def test_who_is_frozen_inside_its_apply_holds_its_locks_for_a_while_only(either: Shared) -> None:
    """Although nobody takes the lease over: whoever wants to write something else waits for the same locks."""
    either.add()
    assert either.first.run().status == "loaded"
    either.add()
    process, answer = begin(either.first, "in checking")
    wait_until(lambda: is_stopped(process.pid))
    warehouse = either.first.engine().warehouse
    with warehouse.transaction():
        assert is_stopped(process.pid)
    os.kill(process.pid, signal.SIGCONT)
    frozen = result_of(process, answer)
    assert frozen is not None
    assert (frozen["status"], frozen["error_type"]) == ("failed", "Unreachable")
    assert either.first.run().status == "loaded"
    either.check()


def test_a_load_that_another_transaction_is_in_the_way_of_is_applied_again(shared: Shared) -> None:
    shared.add()
    assert shared.first.run().status == "loaded"
    shared.add()
    tries: list[int] = []

    def audit(session: Session, _declaration: object) -> tuple[CheckResult, ...]:
        tries.append(1)
        if len(tries) == 1:
            session.execute("SET LOCAL deadlock_timeout = '20ms'")
            with psycopg2.connect(shared.server) as other, other.cursor() as cursor:
                cursor.execute("LOCK TABLE leat.rules")
                waiting = threading.Thread(target=cursor.execute, args=("LOCK TABLE tally.fed",))
                waiting.start()
                try:
                    wait_until(
                        lambda: bool(shared.ask("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))
                    )
                    session.execute("LOCK TABLE leat.rules")
                finally:
                    session.sqlalchemy().invalidate()
                    waiting.join()
        return ()

    assert shared.first.run(audit=audit).status == "loaded"
    assert len(tries) == 2
    shared.check()


def test_a_run_holds_nothing_of_a_session_while_it_extracts(shared: Shared) -> None:
    """So that it doesn't matter which session a pooler gives it next."""
    shared.add()
    held: list[Any] = []

    def look(_name: str, phase: str) -> None:
        if phase in ("started", "extracted", "landed"):
            held.append(shared.ask("SELECT pid, locktype FROM pg_locks WHERE locktype = 'advisory'"))
            held.append(
                shared.ask(
                    "SELECT state FROM pg_stat_activity WHERE application_name = 'leat' AND state <> 'idle' "
                    "AND datname = current_database()"
                )
            )

    assert shared.first.run(observe=look).status == "loaded"
    assert held == [[]] * 6


# Side by side


def _second(tally: Tally) -> None:
    text = (tally.folder / "pipelines" / "tally.yaml").read_text()
    script = tally.folder / "second.jsonl"
    (tally.folder / "pipelines" / "second.yaml").write_text(text.replace(str(tally.script), str(script)))
    script.write_text("")


def test_two_integrations_apply_at_the_same_time_and_models_are_built_meanwhile(either: Shared) -> None:
    tally = either.first
    either.add()
    assert tally.run().status == "loaded"
    _second(tally)
    (tally.folder / "second.jsonl").write_text('[{"do": "rows", "stream": "fed", "rows": [{"shelf": "a", "id": 1}]}]\n')
    either.add()
    seen: list[Any] = []

    def meanwhile(_name: str, phase: str) -> None:
        if phase == "checking" and not seen:  # inside the transaction of the apply, which a lake may do once more
            with refreshing(tally.engine().warehouse) as derived:
                before = derived.execute("SELECT count(*) FROM leat.loads")
                seen.append(run_to_end(tally, name="second"))
                seen.append(derived.execute("SELECT count(*) FROM leat.loads") == before)

    assert tally.run(observe=meanwhile).status == "loaded"
    other, one_moment = seen
    assert other is not None
    assert (other["status"], other["error"]) == ("loaded", None)
    assert one_moment, "whoever builds models sees one moment of all schemas"
    assert tally.query("SELECT integration, count(*) FROM leat.loads GROUP BY integration ORDER BY 1") == [
        ("second", 1),
        ("tally", 2),
    ]


def test_the_very_first_loads_of_several_processes_make_the_tables_once(either: Shared) -> None:
    either.add()
    _second(either.first)
    (either.first.folder / "second.jsonl").write_text(either.first.script.read_text())
    started = [start_run(either.first, name=name) for name in ("tally", "second")]
    results = [result_of(*each) for each in started]
    assert [result and (result["status"], result["error"]) for result in results] == [("loaded", None)] * 2


def test_a_transaction_of_the_whole_warehouse_is_alone(either: Shared) -> None:
    either.add()
    assert either.first.run().status == "loaded"
    warehouse = either.first.engine().warehouse
    order: list[str] = []

    def alone() -> None:
        with warehouse.transaction():
            order.append("alone")

    with warehouse.exclusive("tally") as lease, writing(warehouse, "tally", lease), refreshing(warehouse):
        thread = threading.Thread(target=alone)
        thread.start()
        wait_until(lambda: bool(either.ask("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")))
        order.append("others")
    thread.join()
    assert order == ["others", "alone"]


# Leases


@pytest.fixture
def leases(postgres_url: str) -> Iterator[Leases]:
    warehouse = open_warehouse(postgres_url, Path())
    assert isinstance(warehouse, PostgresWarehouse)
    with warehouse.transaction():  # makes the tables
        pass
    warehouse.leases.lasts, warehouse.leases.wait = 0.2, 0
    yield warehouse.leases
    warehouse.close()


def test_a_lease_is_renewed_while_its_holder_works_and_given_back(leases: Leases) -> None:
    with leases.hold("tally") as lease:
        time.sleep(0.5)
        with (
            pytest.raises(Busy, match="integration tally is locked by another process"),
            leases.hold("tally"),
        ):
            pass
    with leases.hold("tally") as again:
        assert again.fence == lease.fence + 1


def test_who_has_stalled_loses_the_lease_and_notices(leases: Leases) -> None:
    with pytest.raises(Fenced, match="another run has taken over"), leases.hold("tally") as lease:
        lease.stalls = 0.01
        lease.work()
        wait_until(lambda: _taken(leases))
        lease.stalls = 60  # it works again
        wait_until(lambda: _is_lost(lease))


def test_an_error_of_who_has_lost_the_lease_says_so_and_nothing_tries_again(leases: Leases) -> None:
    error = Unavailable("tally", "applying", "the connection ended", "try again")
    with pytest.raises(Fenced, match="another run has taken over") as raised, leases.hold("tally") as lease:
        lease.stalls = 0.01
        lease.work()
        wait_until(lambda: _taken(leases))
        raise error
    assert raised.value.__cause__ is error


def _taken(leases: Leases) -> bool:
    with contextlib.suppress(Busy), leases.hold("tally"):
        return True
    return False


def _is_lost(lease: Lease) -> bool:
    try:
        lease.work()
    except Fenced:
        return True
    return False


def test_who_stalls_while_the_warehouse_works_keeps_the_lease(leases: Leases) -> None:
    with leases.hold("tally") as lease:
        lease.stalls = 0.01
        lease.work()
        lease.rest()
        time.sleep(0.4)
        assert not _taken(leases)


def test_a_lease_whose_fence_is_old_can_write_nothing(postgres_url: str) -> None:
    warehouse = open_warehouse(postgres_url, Path())
    with warehouse.exclusive("tally") as lease:
        pass
    with warehouse.exclusive("tally") as newer:
        with pytest.raises(Fenced), warehouse.transaction("tally", lease=lease):
            pytest.fail("it may write")
        with warehouse.transaction("tally", lease=replace(newer)) as session:
            assert session.execute("SELECT 1") == [(1,)]
