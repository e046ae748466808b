"""Several at once: runs of one integration, runs of several, and readers of every kind."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, get_args

import psycopg2
import pytest

from leat.pipelines.load.engine import Request
from leat.pipelines.load.results import IntegrationResult
from leat.pipelines.load.run import run_integration, run_integrations
from leat.warehouse.connect import open_warehouse
from leat.warehouse.locks import LockKind, advisory_key, file_lock
from leat.warehouse.publication import publish_version
from leat.warehouse.session import Busy, Warehouse
from tests.kit.child import Reader, result_of, run_to_end, start_run, wait_until
from tests.kit.engines import is_server
from tests.kit.project import Tally, delete, row, rows

STREAMS = ("fed", "scanned", "kept")


def add_generation(tally: Tally, number: int) -> None:
    """Add a line that replaces all rows: their number and their label follow from the generation's number."""
    things = [row(i, f"{number:04}") for i in range(50 + number)]
    tally.then(*(rows(stream, *things) for stream in STREAMS))


EVERYTHING = " UNION ALL ".join(
    f"SELECT '{stream}', count(*), min(label), max(label) FROM tally.{stream}" for stream in STREAMS
)


def whole(number: int) -> list[tuple[Any, ...]]:
    return sorted((stream, 50 + number, f"{number:04}", f"{number:04}") for stream in STREAMS)


def once_only(tally: Tally, loads: int) -> None:
    assert tally.query("SELECT count(*) FROM leat.loads") == [(loads,)]
    for stream in STREAMS:
        assert tally.query(f"SELECT shelf, id FROM tally.{stream} GROUP BY shelf, id HAVING count(*) > 1") == []


def test_of_two_runs_of_one_integration_one_is_busy(tally: Tally) -> None:
    add_generation(tally, 1)
    others = []

    def meanwhile(_name: str, phase: str) -> None:
        if phase == "extracted":
            others.append(run_to_end(tally))

    result = tally.run(observe=meanwhile)
    assert result.status == "loaded"
    (other,) = others
    assert other is not None
    assert (other["status"], other["error_type"], other["transient"]) == ("busy", "Busy", True)
    assert other["error"] == "integration tally is locked by another process; retry later"
    assert sorted(tally.query(EVERYTHING)) == whole(1)
    once_only(tally, 1)


def test_two_threads_of_one_process_are_two_runs(tally: Tally) -> None:
    add_generation(tally, 1)
    engine = tally.engine()
    others = []

    def meanwhile(_name: str, phase: str) -> None:
        if phase == "extracted":
            others.append(run_integration(engine, "tally", Request()))

    assert tally.run(observe=meanwhile).status == "loaded"
    assert [other.status for other in others] == ["busy"]


def test_many_runs_started_at_once_load_once(tally: Tally) -> None:
    add_generation(tally, 1)
    results = [result_of(*started) for started in [start_run(tally) for _ in range(4)]]
    statuses = [result["status"] for result in results if result]
    assert statuses.count("loaded") == 1
    assert set(statuses) <= {"loaded", "nothing_new", "busy"}
    once_only(tally, 1)


def test_a_run_whose_lease_ran_out_is_overtaken_and_applies_nothing(tally_postgres: Tally) -> None:
    tally = tally_postgres
    add_generation(tally, 1)
    assert tally.run().status == "loaded"
    add_generation(tally, 2)
    others = []

    def meanwhile(_name: str, phase: str) -> None:
        if phase == "landed":
            add_generation(tally, 3)
            with expired(str(tally.warehouse_url)):
                others.append(run_to_end(tally))

    result = tally.run(observe=meanwhile)
    assert [other and other["status"] for other in others] == ["loaded"]
    assert (result.status, result.error_type, result.transient) == ("failed", "Fenced", False)
    assert "another run has taken over" in str(result.error)
    assert sorted(tally.query(EVERYTHING)) == whole(3)
    once_only(tally, 3)  # the other found what this one had landed, applied it and went on


@pytest.fixture
def tally_postgres(tmp_path: Any, postgres_url: str) -> Tally:
    tally = Tally(tmp_path, postgres_url)
    tally.declare()
    return tally


@contextmanager
def expired(url: str) -> Iterator[None]:
    """Let the lease of whoever works now run out, and again when it is renewed; who takes over has another fence."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    cursor, ended = connection.cursor(), threading.Event()
    cursor.execute("SELECT max(fence) FROM leat_locks.leases")
    [fence] = cursor.fetchone() or [None]
    run_out = "UPDATE leat_locks.leases SET expires_at = now() - interval '1 second' WHERE fence = %s"
    cursor.execute(run_out, (fence,))

    def again() -> None:
        while not ended.wait(0.02):
            cursor.execute(run_out, (fence,))

    renewing = threading.Thread(target=again)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        connection.close()


def terminate(url: str) -> None:
    connection = psycopg2.connect(url)
    try:
        connection.cursor().execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND application_name = 'leat' AND datname = current_database()"
        )
    finally:
        connection.close()


# Several integrations


@pytest.fixture
def several(tally: Tally) -> Iterator[list[str]]:
    """Declare four integrations with a script each."""
    names = ["tally", "second", "third", "fourth"]
    for name in names[1:]:
        text = (tally.folder / "pipelines" / "tally.yaml").read_text()
        script = str(tally.folder / f"{name}.jsonl")
        (tally.folder / "pipelines" / f"{name}.yaml").write_text(text.replace(str(tally.script), script))
    yield names


def add_rows(tally: Tally, names: list[str], number: int) -> None:
    for name in names:
        line = json.dumps([rows("fed", *(row(i, f"{name} {number}") for i in range(20))), delete("fed", id=number)])
        with (tally.folder / ("script.jsonl" if name == "tally" else f"{name}.jsonl")).open("a") as file:
            file.write(line + "\n")


def fed_of(tally: Tally, name: str) -> list[tuple[Any, ...]]:
    return tally.query(f"SELECT DISTINCT label, count(*) FROM {name}.fed WHERE _deleted_at IS NULL GROUP BY label")


def test_integrations_load_from_several_processes_at_once(tally: Tally, several: list[str]) -> None:
    for number in range(3):
        add_rows(tally, several, number)
        started = [start_run(tally, name=name) for name in several]
        results = [result_of(process, connection) for process, connection in started]
        assert [result and (result["status"], result["error"]) for result in results] == [("loaded", None)] * 4
        for name in several:
            assert fed_of(tally, name) == [(f"{name} {number}", 19)]


def test_integrations_load_from_the_threads_of_one_process(tally: Tally, several: list[str]) -> None:
    engine = tally.engine()
    for number in range(3):
        add_rows(tally, several, number)
        ended: list[IntegrationResult] = []
        results = run_integrations(engine, several, Request(), ended.append)
        assert [(result.integration, result.status, result.error) for result in results] == [
            (name, "loaded", None) for name in several
        ]
        assert sorted(result.integration for result in ended) == sorted(several)
        publish_version(engine.warehouse)
        for name in several:
            assert fed_of(tally, name) == [(f"{name} {number}", 19)]


def test_one_that_fails_leaves_the_others_alone(tally: Tally, several: list[str]) -> None:
    add_rows(tally, several, 0)
    (tally.folder / "third.jsonl").write_text('[{"do": "fail", "transient": false}]\n')
    results = run_integrations(tally.engine(), several, Request(), lambda _result: None)
    assert [result.status for result in results] == ["loaded", "loaded", "failed", "loaded"]


# Readers


def test_an_open_reader_stays_on_its_version_and_a_new_one_sees_the_next(tally: Tally) -> None:
    add_generation(tally, 1)
    assert tally.run().status == "loaded"
    warehouse = tally.engine().warehouse
    with ExitStack() as stack:
        readers = []
        for number in range(2, 5):
            readers.append(stack.enter_context(warehouse.published()))
            assert sorted(readers[-1].execute(EVERYTHING)) == whole(number - 1)
            add_generation(tally, number)
            assert tally.run().status == "loaded"
        assert [sorted(reader.execute(EVERYTHING)) for reader in readers] == [whole(1), whole(2), whole(3)]
        with warehouse.published() as newest:
            assert sorted(newest.execute(EVERYTHING)) == whole(4)


def test_many_readers_see_whole_versions_while_loads_are_published(tally: Tally) -> None:
    add_generation(tally, 1)
    assert tally.run().status == "loaded"
    with ExitStack() as stack:
        readers = [stack.enter_context(Reader(tally, EVERYTHING)) for _ in range(4)]
        for number in range(2, 10):
            add_generation(tally, number)
            assert tally.run().status == "loaded"
    for reader in readers:
        assert reader.seen.errors == []
        answers = [sorted(answer) for answer in reader.seen.answers]
        assert answers[-1] == whole(9)
        assert answers == [whole(number) for number in range(1, 10) if whole(number) in answers]


def test_a_reader_in_one_transaction_sees_one_version_of_all_streams(tally: Tally) -> None:
    add_generation(tally, 1)
    assert tally.run().status == "loaded"
    warehouse = tally.engine().warehouse
    with warehouse.published() as session:
        (first,) = session.execute("SELECT DISTINCT label FROM tally.fed")
        add_generation(tally, 2)
        assert tally.run().status == "loaded"
        assert session.execute("SELECT DISTINCT label FROM tally.scanned") == [first]


def test_a_writer_waits_for_the_other_and_then_goes_on(tally: Tally) -> None:
    add_generation(tally, 1)
    process = answer = None
    with tally.engine().warehouse.transaction() as session:
        session.execute("SELECT 1")
        process, answer = start_run(tally)
        landing = tally.project.state / "landing" / "tally.lock"
        wait_until(lambda: landing.exists() or is_server(tally.warehouse_url))
        assert process.is_alive()
    result = result_of(process, answer)
    assert result is not None
    assert (result["status"], result["error"]) == ("loaded", None)


def test_a_lock_that_is_held_is_busy_and_free_when_its_holder_ends(tmp_path: Any) -> None:
    path = tmp_path / "folder" / "lock"
    with file_lock(path, 0, "the thing"):  # noqa: SIM117 - the inner one must fail
        with (
            pytest.raises(Busy, match="the thing is locked by another process; retry"),
            file_lock(path, 0.05, "the thing"),
        ):
            pass
    with file_lock(path, 0, "the thing"):
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("held", "asked"),
    [("writer", None), ("alerts", None), ("plumless", "buckeroo")],  # of the last two, CRC-32 is the same
)
def test_an_integration_may_be_called_as_anything(warehouse: Warehouse, held: str, asked: str | None) -> None:
    with warehouse.exclusive(held):
        taken = warehouse.transaction() if asked is None else warehouse.exclusive(asked)
        with ThreadPoolExecutor(1) as thread:
            done = thread.submit(_enter, taken)
            try:
                assert done.result(timeout=2.5) is True
            finally:
                if not done.done() and warehouse.dialect.name == "postgres":
                    terminate(warehouse.url)  # type: ignore[attr-defined]


def _enter(block: AbstractContextManager[object]) -> bool:
    with block:
        return True


@pytest.fixture
def warehouse(tmp_path: Path, warehouse_url: str | None) -> Warehouse:
    return open_warehouse(warehouse_url, tmp_path)


def test_locks_of_different_kinds_have_different_numbers() -> None:
    names = ("", "writer", "integration", "alerts", "migration")
    numbers = {advisory_key(kind, name) for kind in get_args(LockKind) for name in names}
    assert len(numbers) == len(get_args(LockKind)) * len(names)
    assert all(-(2**63) <= number < 2**63 for number in numbers)
